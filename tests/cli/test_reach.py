"""`jupyter authz reach`, in real sandboxes."""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.cli import reach
from jupyter_authorized_server.sandbox import bubblewrap, launch, probe
from jupyter_authorized_server.sandbox import reach as sandbox_reach
from jupyter_authorized_server.sandbox.view import View

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Answer, Desk

    from jupyter_authorized_server.sandbox.box import Box, Files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`/team` is ada's to edit, `/hr` nobody's."""
    root = tmp_path / "root"
    for name in ("team/sub", "hr"):
        (root / name).mkdir(parents=True)
    for name in ("team/a.txt", "team/sub/b.txt", "hr/pay.txt", "top.txt"):
        (root / name).write_text("x")
    return root


def test_a_kernel_reaches_nothing_that_the_policy_denies(desk: Desk, root: Path) -> None:
    answer = desk.ask("reach", "--root", str(root), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["reached"] == []
    # The folder of the grant, all that is in it, and nothing else of the machine's.
    assert answer.json["looked_at"] == {"user:ada": 4, "user:bob": 0, "user:eve": 0}


def test_of_kernels_behind_a_gateway_it_says_that_nothing_here_confines_them(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_GATEWAY_URL", "http://gateway")
    answer = desk.ask("reach", "--kernel", "x", "--root", str(root))
    assert (2, True) == (answer.code, "where nothing here confines them" in answer.err)


def test_a_file_that_has_another_name_elsewhere_is_told(desk: Desk, root: Path) -> None:
    os.link(root / "hr" / "pay.txt", root / "team" / "mine.txt")
    answer = desk.ask("reach", "--user", "user:ada", "--root", str(root), "--json")
    assert answer.code == 1
    # An editor's kernel is shown folders to read only.
    assert [("/team/mine.txt", "reads")] == [
        (each["path"], each["how"]) for each in answer.json["reached"]
    ]


def test_a_view_that_is_too_wide_is_told(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = View(principal="user:ada", revision=1, read_only=("/",), writable=("/hr",))
    monkeypatch.setattr(launch, "compile_view", lambda *_, **__: wide)
    answer = desk.ask("reach", "--user", "ada", "--root", str(root))
    assert answer.code == 1
    for path in ("/hr", "/hr/pay.txt", "/top.txt"):
        assert path in answer.out
    assert "/team/a.txt" not in answer.out


def test_the_store_is_out_of_reach_also_where_it_lies_in_the_contents(desk: Desk) -> None:
    store = desk.store()
    store.add_person("adam", now=2)
    store.add_grant(
        principal="user:adam", level="admin", resource="server:", now=2, granted_by="os:test"
    )
    store.close()
    (desk.folder / "notes").mkdir()
    answer = desk.ask("reach", "--user", "user:adam", "--root", str(desk.folder), "--json")
    assert answer.code == 0, answer.json["reached"]
    assert answer.json["looked_at"]["user:adam"] >= 1


#: What is attempted of the machine's network.
NETWORK = {"reaches a port of the machine", "sends to a socket of the machine"}


def attempts(answer: Answer, state: str) -> dict[str, str | None]:
    return {
        each["what"]: each["why"] for each in answer.json["attempts"] if each["state"] == state
    }


def test_what_a_rule_gives_is_told_and_is_not_beyond_the_policy(desk: Desk, root: Path) -> None:
    store = desk.store()
    store.add_grant(
        principal="user:ada", level="runner", resource="kernelspecs:", now=2, granted_by="os:test"
    )
    store.close()
    desk.policy(
        net_cedar='permit (principal == Jupyter::User::"ada",'
        ' action == Jupyter::Action::"network", resource == Jupyter::KernelSpec::"python3");'
    )
    asked = ("reach", "--user", "user:ada", "--root", str(root))
    answer = desk.ask(*asked, "--json")
    assert answer.code == 0, answer.out
    told = {each["process"]: each["network"] for each in answer.json["besides"]["user:ada"]}
    assert told["kernelspecs:python3"] == "the machine's"
    assert dict.fromkeys(NETWORK, "a rule gives it `network`") == attempts(answer, "open")
    assert "sees another process" in attempts(answer, "closed")
    shown = desk.ask(*asked)
    assert "the machine's" in shown.out
    assert "a rule gives it `network`" in shown.out


def test_what_is_open_and_no_rule_opens_is_told_as_beyond_the_policy(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bubblewrap.arguments

    def broken(box: Box, files: Files, *, proc: bool = True) -> list[str]:
        return [word for word in whole(box, files, proc=proc) if word != "--unshare-net"]

    kept = probe.probe()
    monkeypatch.setattr(reach, "probe", lambda _: kept)
    monkeypatch.setattr(bubblewrap, "arguments", broken)
    answer = desk.ask("reach", "--user", "user:ada", "--root", str(root), "--json")
    assert answer.code == 1
    assert dict.fromkeys(NETWORK) == attempts(answer, "open")
    assert [] == answer.json["reached"]


def test_what_nobody_can_do_on_a_machine_is_said_to_tell_nothing(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: dict[str, bool] = collections.defaultdict(bool)
    monkeypatch.setattr(sandbox_reach, "attempted_without", lambda _: nothing)
    answer = desk.ask("reach", "--user", "user:ada", "--root", str(root), "--json")
    assert answer.code == 0
    assert "makes a namespace" in attempts(answer, "cannot tell")


def test_without_a_sandbox_all_is_in_reach_and_it_says_so(desk: Desk, root: Path) -> None:
    config = desk.folder / "off.py"
    config.write_text('c.JupyterAuthorization.sandbox = "off"\n')
    answer = desk.ask("--config", str(config), "reach", "--root", str(root))
    assert answer.code == 1
    assert 'sandbox` is "off"' in answer.out


@pytest.mark.parametrize(
    "options",
    [
        ("--user", "user:nobody"),
        ("--user", "ada lovelace"),
        ("--kernel", "none"),
        ("--user", "user:ada", "--kernel", "none"),
        ("--root", "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_tried_exits_2_and_says_why(desk: Desk, options: tuple[str, ...]) -> None:
    answer = desk.ask("reach", *options)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
