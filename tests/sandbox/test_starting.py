"""A sandbox is made while others are served, and whoever breaks that off leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from planned import World
from serving import PACKAGE, TESTS

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import box as made
from jupyter_authorized_server.sandbox import errand, landlock, wall
from jupyter_authorized_server.sandbox.box import Backend, Box, Confined, can_read
from jupyter_authorized_server.sandbox.bubblewrap import (
    Bubblewrap,
    _parent,
    _Wrapped,
    end_left,
    find,
)
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.sandbox.room import Errand, Origin, Room
from jupyter_authorized_server.sandbox.shell import ConfinedPty
from jupyter_authorized_server.sandbox.starting import start, start_aside
from jupyter_authorized_server.sandbox.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

SECONDS = 60
#: Begins the words by which processes are found; other runs of these tests have their own.
OWN = f"612{os.getpid()}"
RUNS = "permit (principal, action, resource is Jupyter::Kernel);\n"
RUNS += "permit (principal, action, resource is Jupyter::Terminal);"
Begin = Callable[..., "Coroutine[object, object, errand.Ended]"]


@pytest.fixture(scope="module")
def backend() -> Backend:
    try:
        path, version = find()
    except CannotConfine as error:
        pytest.skip(str(error))  # why: a machine without bubblewrap
    return Bubblewrap(path=path, version=version)


@pytest.fixture
def launcher(tmp_path: Path, backend: Backend) -> Iterator[Launcher]:
    world = World(tmp_path, RUNS, None, [("manager", "/a")])
    (world.root / "a").mkdir(parents=True)
    point = world.point()
    found = Launcher(
        point=point, disk=Disk(world.root, ()), folder=tmp_path / "sandbox", backend=backend
    )
    yield found
    found.close()
    point.store.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What makes a sandbox says nothing before this is set, which only who is served can do."""
    served, says = threading.Event(), made._first

    def first(told: int) -> int:
        if not served.wait(SECONDS):
            msg = "nobody was served meanwhile"
            raise OSError(msg)
        return says(told)

    monkeypatch.setattr(made, "_first", first)
    return served


def of(word: str) -> list[Path]:
    """The processes that have `word` among their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(path)
    return found


def runs(word: str) -> bool:
    """Whether a process that has `word` among its own is there, or becomes none in a while."""
    end = time.monotonic() + SECONDS
    while found := of(word):
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return bool(found)


async def begin(backend: Backend, word: str) -> None:
    with tempfile.TemporaryFile() as output:
        confined, process = await start_aside(
            backend, Box(), ["/usr/bin/sleep", word], environment={}, output=output
        )
        confined.kill()
        process.wait()
        confined.close()


def test_others_are_served_while_a_kernels_sandbox_is_made(
    backend: Backend, slow: threading.Event
) -> None:
    async def both() -> None:
        asyncio.get_running_loop().call_later(0.01, slow.set)
        await begin(backend, f"{OWN}.1")

    asyncio.run(both())
    assert not runs(f"{OWN}.1")


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.03])
def test_who_breaks_off_a_start_leaves_no_process(
    backend: Backend, seconds: float, slow: threading.Event
) -> None:
    async def broken() -> None:
        # Broken off before there is a sandbox, in the middle of it, or as it is let run.
        asyncio.get_running_loop().call_later(0.02, slow.set)
        starting = asyncio.ensure_future(begin(backend, f"{OWN}.2{seconds}"))
        await asyncio.sleep(seconds)
        for _ in range(9):
            # More than once, as when a server ends that has broken it off.
            starting.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([starting])
        # Whoever makes the sandbox holds its descriptors, and has let go of them.
        assert slow.is_set()

    asyncio.run(broken())
    assert not runs(f"{OWN}.2{seconds}")


@pytest.mark.parametrize("more", [0, 2, 4, 8])
def test_a_start_that_lacks_descriptors_leaves_none_open(backend: Backend, more: int) -> None:
    with tempfile.TemporaryFile() as output, contextlib.ExitStack() as stack:
        filled, highest = -1, max(descriptors())
        while filled < highest:
            filled = os.open(os.devnull, os.O_RDONLY)
            stack.callback(os.close, filled)
        before = descriptors()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (filled + 1 + more, limits[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        with pytest.raises(CannotConfine, match="Too many open files"):
            start(backend, Box(), ["/usr/bin/sleep", f"{OWN}.21"], environment={}, output=output)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert before == descriptors()


def descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  # why: names only


def terminal(launcher: Launcher, word: str) -> ConfinedPty:
    origin = Origin(principal=launcher.point.principal("user:ada"), path=None)
    room = launcher.terminal_room(origin)
    return ConfinedPty(launcher, room, ["/usr/bin/sleep", word], cwd="", screen="xterm")


@pytest.mark.parametrize("how", ["closed", "stopped"])
def test_a_terminal_that_ends_while_its_sandbox_is_made_runs_nothing(
    launcher: Launcher, slow: threading.Event, how: str
) -> None:
    async def ended() -> None:
        shell = terminal(launcher, f"{OWN}.4{how}")
        assert shell.room.running is None
        if how == "closed":
            shell.end()
        else:
            # As the policy does that has changed.
            shell.room.stopped = "it may not run"
        slow.set()
        await asyncio.wait_for(shell._running, SECONDS)
        assert ([], {}) == ([*shell.read_buffer], launcher.rooms)
        shell.ptyproc.close(force=True)

    asyncio.run(ended())
    assert not runs(f"{OWN}.4{how}")


@pytest.fixture(params=["before it is made", "when it waits", "by what makes no sense"])
def unlucky(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hears of no sandbox, whether or not there is one by then."""
    says = made._first

    def first(told: int) -> int:
        if request.param == "when it waits":
            says(told)
        msg = "no such luck"
        raise (ValueError if request.param == "by what makes no sense" else OSError)(msg)

    monkeypatch.setattr(made, "_first", first)


@pytest.mark.usefixtures("unlucky")
def test_a_terminal_whose_sandbox_cannot_be_made_says_why_on_its_screen(
    launcher: Launcher,
) -> None:
    async def told() -> None:
        shell = terminal(launcher, f"{OWN}.3")
        await asyncio.wait_for(shell._running, SECONDS)
        assert "the sandbox could not be built: no such luck" in "".join(shell.read_buffer)
        shell.ptyproc.close(force=True)

    asyncio.run(told())
    assert ({}, False) == (launcher.rooms, runs(f"{OWN}.3"))


@pytest.mark.usefixtures("unlucky")
def test_nothing_runs_of_a_kernel_or_a_program_whose_sandbox_cannot_be_made(
    backend: Backend, program: Begin
) -> None:
    with pytest.raises(CannotConfine, match="no such luck"):
        asyncio.run(begin(backend, f"{OWN}.31"))
    with pytest.raises(CannotConfine, match="no such luck"):
        asyncio.run(program(f"exec sleep {OWN}.32"))
    assert (False, False) == (runs(f"{OWN}.31"), runs(f"{OWN}.32"))


def test_a_server_that_is_killed_while_it_starts_a_sandbox_leaves_nothing() -> None:
    script = Path(__file__).parent / "killed.py"
    line = [sys.executable, str(script), f"{OWN}.7", "20", "1"]
    told = subprocess.run(
        line, env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{TESTS}"}, stdout=subprocess.PIPE,
        check=True, timeout=600,
    )  # fmt: skip
    left = json.loads(told.stdout)
    assert left
    assert {} == {what: number for what, number in left.items() if number}


def test_what_bubblewrap_leaves_of_a_killed_server_is_ended_and_what_is_being_made_is_not(
    backend: Backend, slow: threading.Event
) -> None:
    assert isinstance(backend, Bubblewrap)
    word = f"{OWN}.36"
    told, tells = os.pipe()
    os.close(told)
    # It cannot say that there is a sandbox, and dies of that, as it does with its server.
    with Bubblewrap.build(backend, Box(), ["/usr/bin/sleep", word], {}) as building:
        line = [*building.line[:3], "--json-status-fd", str(tells), *building.line[3:]]
        given = [*building.inherited, tells]
        process = subprocess.Popen(line, pass_fds=given, stdin=building.stdin)
        process.wait(SECONDS)
    os.close(tells)
    assert [path.parent.name for path in of(word)] != []

    async def swept() -> None:
        lives = asyncio.ensure_future(begin(backend, f"{OWN}.37"))
        while not of(f"{OWN}.37"):  # noqa: ASYNC110  # why: another process
            await asyncio.sleep(0.01)
        await asyncio.to_thread(end_left)
        slow.set()
        await lives

    asyncio.run(swept())
    assert not runs(word)


def test_nothing_runs_in_a_sandbox_that_would_not_end_with_the_server(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lets = _Wrapped._let_run

    def alone(building: _Wrapped, confined: Confined, hears: int) -> None:
        """Who would end it is killed before the sandbox has asked to end with them."""
        os.kill(confined.first, signal.SIGSTOP)
        wraps = _parent(confined.first)
        os.kill(wraps, signal.SIGKILL)
        end = time.monotonic() + SECONDS
        while _parent(confined.first) == wraps and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(confined.first, signal.SIGCONT)
        lets(building, confined, hears)

    monkeypatch.setattr(_Wrapped, "_let_run", alone)
    with pytest.raises(CannotConfine, match="who would end it with the server has ended"):
        asyncio.run(begin(backend, f"{OWN}.33"))
    assert not runs(f"{OWN}.33")


@pytest.mark.skipif(
    wall.abi() < 6, reason="Landlock is not there, or too old"
)  # why: of the kernel
@pytest.mark.parametrize("which", ["watcher", "watcher of that"])
def test_what_landlock_confines_ends_with_either_of_its_watchers(
    tmp_path: Path, which: str
) -> None:
    word = f"{OWN}.34{len(which)}"
    line = ["/bin/sh", "-c", f"setsid sleep {word} & echo there; exec sleep {word}"]
    box = Box(home=str(tmp_path), temporary=str(tmp_path), system=("/bin",))
    with tempfile.TemporaryFile() as output:
        confined, process = start(landlock.find(), box, line, environment={}, output=output)
        end = time.monotonic() + SECONDS
        while len(of(word)) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(confined.top if which == "watcher" else process.pid, signal.SIGKILL)
        process.wait(SECONDS)
        confined.close()
    assert not runs(word)


@pytest.mark.skipif(shutil.which("pasta") is None, reason="no `pasta` here")  # why: by it alone
def test_a_sandbox_whose_uplink_is_killed_is_ended_and_leaves_nothing(
    launcher: Launcher, backend: Backend
) -> None:
    room = launcher.terminal_room(
        Origin(principal=launcher.point.principal("user:ada"), path=None)
    )
    line = ["/usr/bin/sleep", "612.35"]
    with tempfile.TemporaryFile() as output:
        box = Box(internet=True)
        confined, process = start(backend, box, line, environment={}, output=output)
    room.hold(confined)
    uplink = confined.uplink
    assert uplink is not None
    carries = os.dup(uplink.carries)
    ended: list[str] = []

    async def looked() -> None:
        watch = Watch(launcher, lambda _, why: ended.append(why))
        for _ in range(2):
            watch._next = 0.0
            watch.look()
            assert watch._asked is not None
            await watch._asked
            if not ended:
                uplink.process.kill()
                uplink.process.wait(SECONDS)
                ended.append("killed")

    asyncio.run(looked())
    confined.kill()
    process.wait(SECONDS)
    launcher.leave(room)
    assert ["killed", "what gave it the internet has ended; start it again"] == ended
    # Also what carries packets, whose parent it was.
    assert can_read(carries, SECONDS)
    os.close(carries)


@pytest.fixture
def program(launcher: Launcher) -> Begin:
    """Runs a program that works on `/a` for ada, as the server's own do."""

    def made(line: str, *, seconds: float = SECONDS) -> Coroutine[object, object, errand.Ended]:
        origin = Origin(principal=launcher.point.principal("user:ada"), path="/a")
        room = launcher.kernel_room("errand-1", origin)
        room.errand, room.log = Errand(folder="/a", writes=True), None
        return errand.run(
            launcher, room, ["sh", "-c", line], cwd="/a", variables={}, files={}, seconds=seconds
        )

    return made


def test_a_program_says_what_it_printed_and_how_it_ended(program: Begin) -> None:
    ended = asyncio.run(program("echo 612.5; echo no >&2; exit 3"))
    assert (3, b"612.5\n", b"no\n") == (ended.status, ended.output, ended.errors)


def test_a_program_that_prints_without_end_is_ended(
    program: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand, "MOST", 1 << 20)
    with pytest.raises(CannotConfine, match="printed more than 1 MiB"):
        asyncio.run(program(f"exec yes {OWN}.6"))
    assert not runs(f"{OWN}.6")


def test_a_program_that_takes_too_long_is_ended(program: Begin) -> None:
    with pytest.raises(CannotConfine, match="took too long"):
        asyncio.run(program(f"exec sleep {OWN}.7", seconds=0.2))
    assert not runs(f"{OWN}.7")


def test_a_program_whose_right_is_taken_back_as_it_begins_is_ended(
    program: Begin, launcher: Launcher, slow: threading.Event
) -> None:
    async def both() -> None:
        running = asyncio.ensure_future(program(f"exec sleep {OWN}.8"))
        await asyncio.sleep(0)
        (grant,) = launcher.point.store.state().grants
        launcher.point.store.remove_grant(grant.id)
        launcher.point.refresh()
        slow.set()
        with pytest.raises(CannotConfine, match="as a whole"):
            await running

    asyncio.run(both())
    assert not runs(f"{OWN}.8")


@pytest.mark.parametrize("begun", [False, True])
def test_a_program_that_nobody_waits_for_any_more_is_ended(
    program: Begin, launcher: Launcher, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    lays = Launcher.box
    stopped: list[str] = []

    @contextlib.contextmanager
    def box(self: Launcher, room: Room, *needed: str, **more: Any) -> Iterator[Box]:
        with lays(self, room, *needed, **more) as found:
            try:
                yield found
            finally:
                stopped.append(room.stopped)

    monkeypatch.setattr(Launcher, "box", box)

    async def left() -> None:
        running = asyncio.ensure_future(program(f"exec sleep {OWN}.9"))
        while begun and not any(room.running for room in launcher.rooms.values()):  # noqa: ASYNC110  # why: a thread tells by it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(left())
    assert not runs(f"{OWN}.9")
    if not begun:
        # Before the folders that it was to have are let go of, and may be another's.
        assert ["nobody waits for it any more"] == stopped
