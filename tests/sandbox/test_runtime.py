"""What servers leave that are killed is swept, and nothing that may be somebody's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.sandbox import runtime

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0" * 24
#: A server that has a folder, says where, and is asked to go or killed.
SERVER = """
import sys
from pathlib import Path
from jupyter_authorized_server.sandbox import runtime
runtime.short_folder = lambda _: sys.argv[2]
folder, mark = runtime.new_folder()
(folder / ("0" * 24) / "s").mkdir(parents=True)
(folder / "t-1").mkdir()
(folder / "t-1" / "led away").symlink_to(sys.argv[1])
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places for folders, the first of them where they go."""
    for name in ("a", "b", "kept/logs", "precious"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "precious" / "file").touch()
    monkeypatch.setattr(
        runtime, "socket_places", lambda: [str(tmp_path / "a"), str(tmp_path / "b")]
    )


def server(folder: Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", SERVER, str(folder / "precious"), str(folder / "b")]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_server_has_left_is_removed_and_what_lives_stays(tmp_path: Path) -> None:
    killed, lives = server(tmp_path), server(tmp_path)
    assert killed.stdout is not None
    assert lives.stdout is not None
    folders = [killed.stdout.readline().strip(), lives.stdout.readline().strip()]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for name in (f"{TOKEN}.log", "1.log"):
        (tmp_path / "kept" / "logs" / name).touch()
    runtime.sweep(tmp_path / "kept")
    assert [False, True] == [os.path.exists(each) for each in folders]  # noqa: PTH110  # why: texts
    assert ["1.log"] == os.listdir(tmp_path / "kept" / "logs")  # noqa: PTH208  # why: names only
    assert (tmp_path / "precious" / "file").exists()
    # Where two look at once one alone sweeps, and a look takes nobody's lock away.
    runtime.sweep(tmp_path / "kept")
    assert os.path.exists(folders[1])  # noqa: PTH110  # why: a text
    lives.communicate()


def orphan(place: Path) -> Path:
    """A folder of a server that has gone."""
    folder = place / "jk-gone"
    (folder / "t-1").mkdir(parents=True)
    (folder / "server").touch()
    return folder


def test_a_folder_that_may_be_anybodys_stays(tmp_path: Path) -> None:
    swept = orphan(tmp_path / "b")
    unmarked = orphan(tmp_path / "a").rename(tmp_path / "a" / "jk-unmarked")
    (unmarked / "server").unlink()
    marked = orphan(tmp_path / "precious")
    led = tmp_path / "a" / "jk-link"
    led.symlink_to(marked)
    by_link = orphan(tmp_path / "a").rename(tmp_path / "a" / "jk-mark")
    (by_link / "server").unlink()
    (by_link / "server").symlink_to(marked / "server")
    other = orphan(tmp_path / "a").rename(tmp_path / "a" / "other")
    stay = [unmarked, marked, led, by_link, other]
    if os.geteuid() == 0:
        anothers = orphan(tmp_path / "a").rename(tmp_path / "a" / "jk-anothers")
        os.chown(anothers, 65534, 65534)
        forged = orphan(tmp_path / "a").rename(tmp_path / "a" / "jk-forged")
        os.chown(forged / "server", 65534, 65534)
        stay += [anothers, forged]
    runtime.sweep(tmp_path / "kept")
    assert not swept.exists()
    assert stay == [each for each in stay if (each / "t-1").exists()]


def test_a_folder_that_cannot_be_removed_whole_keeps_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = orphan(tmp_path / "a")
    removes = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    runtime.sweep(tmp_path / "kept")
    assert ["server", "t-1"] == sorted(os.listdir(folder))  # noqa: PTH208  # why: names only
    monkeypatch.setattr(shutil, "rmtree", removes)
    runtime.sweep(tmp_path / "kept")
    assert not folder.exists()
