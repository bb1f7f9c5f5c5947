"""What a sandbox as a whole may hold: control groups of this machine, where they can be made."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bounds, bubblewrap, landlock, wall
from jupyter_authorized_server.sandbox.box import Box, Mount
from jupyter_authorized_server.sandbox.bubblewrap import Bubblewrap
from jupyter_authorized_server.sandbox.starting import start
from jupyter_authorized_server.sandbox.surroundings import environment, system_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_authorized_server.sandbox.bounds import Bounds
    from jupyter_authorized_server.sandbox.box import Confined

SECONDS = 120
MEBIBYTE = 1 << 20
BACKENDS = ["bubblewrap", "landlock"] if wall.abi() >= landlock._OLDEST else ["bubblewrap"]


@pytest.fixture(scope="module")
def groups() -> Bounds:
    try:
        return bounds.find()
    except CannotConfine as error:
        pytest.skip(str(error))  # why: a matter of the machine


@contextlib.contextmanager
def running(
    folder: Path, groups: Bounds, backend: str, code: str, memory: int = 64 * MEBIBYTE
) -> Iterator[tuple[Confined, subprocess.Popen[bytes], Path]]:
    """`code` in a sandbox of `memory` and 50 processes, and where it says something."""
    path, version = bubblewrap.find()
    way = landlock.find() if backend == "landlock" else Bubblewrap(path=path, version=version)
    home, said = folder / "home", folder / "home" / "said"
    home.mkdir()
    source = os.open(home, os.O_PATH)
    box = Box(
        system=system_paths(), mounts=(Mount(source=source, at=str(home), writable=True),),
        home=str(home), memory=memory, processes=50, bounds=groups,
    )  # fmt: skip
    line = [sys.executable, "-I", "-S", "-c", f"SAID = {str(said)!r}\n{code}"]
    with tempfile.TemporaryFile() as output:
        confined, process = start(
            way, box, line, environment=environment(box.home, "me", {}), output=output
        )
        os.close(source)
        try:
            yield confined, process, said
        finally:
            confined.kill()
            process.wait(SECONDS)
            confined.close()


SPREAD = """
import os, time
for _ in range(4):
    if not os.fork():
        held = bytearray(b"x") * (40 << 20)
        time.sleep(600)
ended = [os.waitpid(-1, 0)[1] for _ in range(1)]
open(SAID + "~", "w").write(str(ended)); os.rename(SAID + "~", SAID)
time.sleep(600)
"""
BOMB = """
import os, time
count = 0
try:
    while True:
        if not os.fork():
            time.sleep(600)
        count += 1
except OSError as error:
    open(SAID + "~", "w").write(f"{count} {error.errno}"); os.rename(SAID + "~", SAID)
time.sleep(600)
"""


def heard(said: Path) -> str:
    end = time.monotonic() + SECONDS
    while not said.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    return said.read_text()


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_that_is_spread_over_children_is_bounded_at_any_moment(
    groups: Bounds, tmp_path: Path, backend: str
) -> None:
    with running(tmp_path, groups, backend, SPREAD) as (confined, _, said):
        assert "[9]" == heard(said)
        bound = confined.bound
        assert bound is not None
        assert bound.is_exceeded
        assert 72 * MEBIBYTE == bound.memory
        if groups.version == 1:
            [folder] = [each for each in bound.folders if (each / "memory.stat").exists()]
            assert int((folder / "memory.max_usage_in_bytes").read_text()) <= bound.memory


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_number_of_processes_is_bounded_whoever_the_server_is(
    groups: Bounds, tmp_path: Path, backend: str
) -> None:
    room = 1024 * MEBIBYTE
    with running(tmp_path, groups, backend, BOMB, room) as (confined, _, said):
        count, _, number = heard(said).partition(" ")
        assert (True, "11") == (int(count) <= 350, number)
        assert confined.bound is not None
        assert not confined.bound.is_exceeded


def test_a_group_goes_with_its_sandbox_and_what_a_dead_server_left_with_the_next(
    groups: Bounds, tmp_path: Path
) -> None:
    with running(tmp_path, groups, "bubblewrap", "import time; time.sleep(600)") as (confined, *_):
        assert confined.bound is not None
        folders = confined.bound.folders
        assert [True] * len(folders) == [each.is_dir() for each in folders]
        held = {path.read_text().split()[0] for path in (f / "cgroup.procs" for f in folders)}
        assert {str(confined.first)} == held
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = [each.with_name(f"jupyter-{ended.pid}-x") for each in folders]
    for each in left:
        each.mkdir()
    end = time.monotonic() + SECONDS
    while any(each.exists() for each in (*folders, *left)):
        assert time.monotonic() < end
        bounds.find()
        groups.make(memory=MEBIBYTE, processes=1).remove()


def test_a_limit_that_cannot_be_set_lets_nothing_run(groups: Bounds, tmp_path: Path) -> None:
    places = dict.fromkeys(groups.places, tmp_path / "gone")
    broken = bounds.Bounds(version=groups.version, places=places)
    made = tmp_path / "ran"
    with (
        pytest.raises(CannotConfine, match="the sandbox could not be built"),
        running(tmp_path, broken, "bubblewrap", f"open({str(made)!r}, 'w')"),
    ):
        pass
    assert not made.exists()


def test_the_newer_kind_is_told_its_limits_by_its_own_names(tmp_path: Path) -> None:
    # Files in the place of a machine whose memory is bounded by the newer kind.
    groups = bounds.Bounds(version=2, places=dict.fromkeys(("memory", "pids"), tmp_path))
    bound = groups.make(memory=64 * MEBIBYTE, processes=50)
    [folder] = bound.folders
    bound.hold(1)
    told = {path.name: path.read_text() for path in folder.iterdir()}
    assert {
        "memory.max": str(64 * MEBIBYTE), "memory.swap.max": "0", "pids.max": "50",
        "cgroup.procs": "1",
    } == told  # fmt: skip
    events = folder / "memory.events"
    for ended, is_exceeded in (("0", False), ("1", True)):
        events.write_text(f"low 0\noom 1\noom_kill {ended}\noom_group_kill 0\n")
        assert is_exceeded is bound.is_exceeded
    # A group that something is in is removed later.
    bound.remove()
    assert [folder] == groups.left
    for path in folder.iterdir():
        path.unlink()
    groups.make(memory=1, processes=1)
    assert (False, []) == (folder.exists(), groups.left)


#: Asks in a group of its own whether others can be made in it.
DELEGATED = """
import sys
from pathlib import Path
from jupyter_authorized_server.sandbox.bounds import delegated
own = Path(sys.argv[1])
(own / "cgroup.procs").write_text("0")
try:
    place = delegated(own, (sys.argv[2],))
    again = delegated(own / "jupyter-server", (sys.argv[2],))
    made = place / "one"
    made.mkdir()
    print(place == again == own, (made / "cgroup.controllers").read_text().strip())
    made.rmdir()
except (OSError, LookupError) as error:
    print(error)
"""


@pytest.mark.parametrize("company", [False, True])
def test_in_a_group_of_the_newer_kind_that_is_its_own_a_server_makes_room_for_others(
    tmp_path: Path, *, company: bool
) -> None:
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    place = next((Path(words[4]) for words in mounts if "cgroup2" in words), None)
    kinds = [] if place is None else (place / "cgroup.controllers").read_text().split()
    if os.geteuid() != 0 or place is None or not kinds:
        pytest.skip(  # why: as told
            "only root makes groups of the newer kind where any are bounded"
        )
    (place / "cgroup.subtree_control").write_text(f"+{kinds[0]}")
    own = place / f"test-{os.getpid()}-{company}"
    own.mkdir()
    other = subprocess.Popen(["sleep", "600"])
    try:
        if company:
            (own / "cgroup.procs").write_text(str(other.pid))
        done = subprocess.run(
            [sys.executable, "-c", DELEGATED, str(own), kinds[0]],
            capture_output=True, text=True, check=True, env={**os.environ},
        )  # fmt: skip
        alone = "this server is not alone in its own; start it in one with `Delegate=yes`"
        assert (alone if company else f"True {kinds[0]}") == done.stdout.strip()
    finally:
        other.kill()
        other.wait()
        end = time.monotonic() + SECONDS
        for folder in (own / "jupyter-server", own):
            while folder.exists() and not bounds._removed(folder):
                assert time.monotonic() < end
                time.sleep(0.02)
