"""The internet of a sandbox: what is far is reached, and nothing of what is near."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from traitlets import TraitError

from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bubblewrap, internet
from jupyter_authorized_server.sandbox.box import Box
from jupyter_authorized_server.sandbox.bubblewrap import Bubblewrap
from jupyter_authorized_server.sandbox.starting import start

if TYPE_CHECKING:
    from collections.abc import Mapping

MACHINE = Path(__file__).parent / "machine.py"
NEEDED = ("pasta", "ip", "unshare")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What was found out on a small machine with neighbours of its own."""
    path = os.defpath + ":/usr/sbin:/sbin"
    missing = [name for name in NEEDED if not shutil.which(name, path=path)]
    if missing:
        pytest.skip(f"no {' or '.join(missing)} on this machine")  # why: a matter of the machine
    alone = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    done = subprocess.run(
        [*alone, sys.executable, str(MACHINE), str(tmp_path_factory.mktemp("machine"))],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:{path}"},
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    result: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("far", ["93.184.216.34", "198.41.0.1"])
def test_an_address_of_the_internet_is_reached(found: Mapping[str, Any], far: str) -> None:
    assert ["hello", "hello"] == found["first"]["reached"][far]


def test_a_network_that_a_setting_names_is_reached(found: Mapping[str, Any]) -> None:
    assert ["hello", "hello"] == found["first"]["reached"]["10.9.9.9"]


@pytest.mark.parametrize(
    "near",
    ["127.0.0.1", "::1", "198.41.0.2", "172.17.0.1", "169.254.169.254", "10.8.8.8"],
    ids=[
        "loopback", "loopback of version 6", "the machine's public address",
        "another address of the machine", "what tells a machine about itself", "a private network",
    ],
)  # fmt: skip
def test_what_is_near_is_reached_neither_by_the_routes_nor_past_them(
    found: Mapping[str, Any], near: str
) -> None:
    assert ["", ""] == found["first"]["reached"][near]


def test_an_address_that_the_machine_gets_later_is_not_reached_either(
    found: Mapping[str, Any],
) -> None:
    wanted = {"198.41.0.77": ["", ""], "93.184.216.34": ["hello", "hello"]}
    assert wanted == found["later"]["reached"]


def test_nothing_is_sent_to_many_at_once_or_to_an_abstract_socket(
    found: Mapping[str, Any],
) -> None:
    assert ([], False) == (found["first"]["sent"], found["first"]["met"])


def test_names_are_asked_of_the_machines_own_resolver(found: Mapping[str, Any]) -> None:
    first = found["first"]
    assert ("it is far", internet.RESOLVER.decode()) == (first["names"], first["resolver"])


def test_what_carries_packets_ends_with_the_sandbox(found: Mapping[str, Any]) -> None:
    assert (True, 0) == (found["carried by"] > 0, found["left"])


def started(folder: Path) -> None:
    path, version = bubblewrap.find()
    with tempfile.TemporaryFile() as output:
        start(
            Bubblewrap(path=path, version=version), Box(home=str(folder), internet=True),
            ["/usr/bin/touch", "ran"], environment={}, output=output,
        )  # fmt: skip


def test_without_pasta_nothing_runs_and_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internet, "_PLACES", str(tmp_path))
    with pytest.raises(CannotConfine, match="there is no `pasta`: take back the rule"):
        started(tmp_path)


def test_where_pasta_does_not_work_nothing_runs_and_its_words_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pasta").write_text("#!/bin/sh\necho no way >&2\nexit 3\n")
    (tmp_path / "pasta").chmod(0o755)
    monkeypatch.setattr(internet, "_PLACES", str(tmp_path))
    with pytest.raises(CannotConfine, match=r"could not carry packets: no way; take back"):
        started(tmp_path)


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0/0", "169.254.169.254", "10.0.0.1/8", "x"])
def test_a_setting_that_lets_the_machine_itself_in_is_refused(text: str) -> None:
    with pytest.raises(TraitError, match="`sandbox_internet` names"):
        JupyterAuthorization(sandbox_internet=[text])
