"""Servers that are killed while they start a sandbox, each at a step of its own.

Run by `test_starting.py`, of one thread, so that it can fork: each server is a process of its
own, of root's or nobody's, and kills itself. Prints what was left of each, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nobody import BECOMES, PATHS
from planned import World

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import box as made
from jupyter_authorized_server.sandbox import bubblewrap, errand, landlock, starting
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.sandbox.room import Errand, Origin
from jupyter_authorized_server.sandbox.shell import ConfinedPty

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_authorized_server.sandbox.box import Backend, Building, Confined

SECONDS = 60.0
RUNS = "permit (principal, action, resource is Jupyter::Kernel);\n"
RUNS += "permit (principal, action, resource is Jupyter::Terminal);"
#: When the server is killed: before it lets the sandbox run; after that and before the sandbox
#: has begun, which is held up; before what waits in it is let run; and after that.
STEPS = ("waits", "let run", "begun", "runs")


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def killed_at(step: str, tells: int) -> None:
    """Have this process killed at `step`; what is held up until then is told first."""
    writes, filters = os.write, bubblewrap._filters
    asked = count()

    def hold(confined: Confined) -> None:
        # What asks to end with its parent does so only when that has ended.
        os.kill(confined.top, signal.SIGSTOP)
        writes(tells, b"%d" % confined.top)

    def look(number: int) -> int:
        if step == "let run" and next(asked) > 1:
            die()
        return filters(number)

    def write(descriptor: int, data: bytes) -> int:
        if step == "begun" and data == b"\n":
            die()
        return writes(descriptor, data)

    def of(kind: type[Building]) -> None:
        lets = kind._let_run

        def let_run(building: Building, confined: Confined, hears: int) -> None:
            if step == "waits":
                die()
            if step == "let run":
                hold(confined)
            lets(building, confined, hears)
            die()

        kind._let_run = let_run  # type: ignore[method-assign,assignment]  # why: kills itself there

    bubblewrap._filters = look
    os.write = write  # type: ignore[assignment]  # why: as bytes alone are written
    of(bubblewrap._Wrapped)
    of(landlock._Walled)


def kernel(backend: Backend, folder: Path, line: list[str]) -> None:
    with tempfile.TemporaryFile() as output:
        box = made.Box(home=str(folder), temporary=str(folder), cwd="/")
        starting.start(backend, box, line, environment={}, output=output)


def launcher(backend: Backend, folder: Path) -> Launcher:
    world = World(folder, RUNS, None, [("manager", "/a")])
    (world.root / "a").mkdir(parents=True)
    return Launcher(
        point=world.point(), disk=Disk(world.root, ()), folder=folder / "sandbox", backend=backend
    )


def terminal(backend: Backend, folder: Path, line: list[str]) -> None:
    async def run() -> None:
        starts = launcher(backend, folder)
        room = starts.terminal_room(
            Origin(principal=starts.point.principal("user:ada"), path=None)
        )
        await ConfinedPty(starts, room, line, cwd="", screen="xterm")._running

    asyncio.run(run())


def program(backend: Backend, folder: Path, line: list[str]) -> None:
    async def run() -> None:
        starts = launcher(backend, folder)
        origin = Origin(principal=starts.point.principal("user:ada"), path="/a")
        room = starts.kernel_room("errand-1", origin)
        room.errand, room.log = Errand(folder="/a", writes=True), None
        await errand.carry(
            starts, room, line, lambda process: process.wait(), variables={}, files={},
            turn=contextlib.nullcontext(), stdin=subprocess.PIPE,
        )  # fmt: skip

    asyncio.run(run())


def of(word: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def left_of(server: Callable[..., None], backend: Backend, step: str, word: str, who: str) -> int:
    """How many processes are left when a server was killed at `step`."""
    told, tells = os.pipe()
    with tempfile.TemporaryDirectory(prefix="jk-") as name:
        child = os.fork()
        if not child:
            os.close(told)
            if who == "nobody":
                exec(BECOMES, {"PATHS": PATHS, "FOLDER": name})  # noqa: S102  # why: as a configuration runs it
            killed_at(step, tells)
            server(backend, Path(name), ["/usr/bin/sleep", word])
            os._exit(1)
        os.close(tells)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended == -signal.SIGKILL, ended
        held = os.read(told, 64)
        os.close(told)
        if held:
            os.kill(int(held), signal.SIGCONT)
        end = time.monotonic() + float(sys.argv[2])
        while (left := of(word)) and time.monotonic() < end:
            time.sleep(0.005)
        for each in left:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)
        return len(left)


def main(backends: dict[str, Backend], word: str, times: int) -> dict[str, int]:
    """What is left of each server.

    Args:
        times: how often each is started and killed.
    """
    people = ["root", "nobody"] if os.geteuid() == 0 else ["nobody else"]
    found: dict[str, int] = {}
    numbers = count()
    for name, backend in backends.items():
        asked: list[tuple[Callable[..., None], str, str]] = [
            (kernel, step, who) for step in STEPS for who in people
        ]
        asked += [(server, "let run", people[0]) for server in (terminal, program)]
        for server, step, who in asked * times:
            left = left_of(server, backend, step, f"{word}{next(numbers)}", who)
            what = f"{server.__name__} of {who}, {name}, {step}"
            found[what] = found.get(what, 0) + left
    return found


def backends() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in bubblewrap._candidates():
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        number = version.stdout.split()[-1]
        found[path] = bubblewrap.Bubblewrap(path=path, version=number)
    with contextlib.suppress(CannotConfine):
        found["landlock"] = landlock.find()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(backends(), sys.argv[1], int(sys.argv[3]))))
