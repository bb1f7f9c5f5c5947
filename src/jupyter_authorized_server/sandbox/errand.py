"""A program that the server runs for somebody on one folder: in a sandbox, until it ends.

Such as git: what it runs besides, hooks and filters, whoever can change the folder says.
So nothing of the server's is in it, and of the person's no more than the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import AuthorizationError, CannotConfine
from .starting import end
from .surroundings import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .box import Backend, Box
    from .launch import Launcher
    from .room import Room

    #: What is done with a program that has begun, until it has ended.
    Work = Callable[[subprocess.Popen[bytes]], object]

#: Bytes that one may print; the server holds them.
MOST = 64 << 20
#: How many run at once on a server; the others wait.
_AT_ONCE = 16
_LEFT = "nobody waits for it any more"
#: Seconds in which a program that has shut its output has to end.
_ENDS = 10.0
_TURNS = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and what it printed."""

    status: int
    output: bytes
    errors: bytes


async def run(
    launcher: Launcher,
    room: Room,
    command: Sequence[str],
    *,
    cwd: str,
    variables: Mapping[str, str],
    files: Mapping[str, str],
    seconds: float,
) -> Ended:
    """Run `command` in `room`, which is left when it has ended.

    Args:
        cwd: the folder to start in, where it is shown it.
        variables: of its environment, besides those that all have.
        files: texts that it finds in the folder of `room`, by name.
        seconds: after which it is ended.

    Raises:
        AuthorizationError: it did not run, or was ended before it was done.
    """

    def heard(process: subprocess.Popen[bytes]) -> Ended:
        return _heard(process, room, time.monotonic() + seconds)

    ended: Ended = await carry(
        launcher, room, command, heard, cwd=cwd, variables=variables, files=files, turn=_TURNS
    )
    return ended


async def carry(
    launcher: Launcher,
    room: Room,
    command: Sequence[str],
    work: Work,
    *,
    cwd: str = "",
    variables: Mapping[str, str],
    files: Mapping[str, str],
    turn: contextlib.AbstractContextManager[Any],
    stdin: int = subprocess.DEVNULL,
) -> Any:
    """What `work` makes of `command`, in a thread of its own; `room` is left when it is done.

    Args:
        turn: waited for in that thread before the command is begun.
        stdin: as of `Popen`.

    Raises:
        AuthorizationError: it did not run, or was ended before it was done.
    """
    waits = _Waits()
    try:
        backend = launcher.backend
        if backend is None:
            raise CannotConfine(launcher.missing)
        program = _program(command[0])
        assert room.folder is not None  # noqa: S101  # why: each but a terminal's has one
        for name, text in files.items():
            (room.folder / name).write_text(text, "utf-8")
        with launcher.box(room, program, cwd=cwd) as box:
            line = [program, *command[1:]]

            def begin() -> subprocess.Popen[bytes]:
                return _begin(backend, box, line, variables, room, stdin)

            # What confines ends with the thread that began it, and no thread keeps a server
            # from ending.
            threading.Thread(target=_work, args=(waits, begin, work, turn), daemon=True).start()
            try:
                await waits.begun
            except BaseException:  # why: raised again; before its folders are let go of
                room.stopped = room.stopped or _LEFT
                raise
        try:
            launcher.look_again(room, frozenset())
        except AuthorizationError as error:
            room.stopped = str(error)
            if room.running is not None:
                room.running.kill()
        ended = await waits.ended
        if room.stopped:
            msg = f"the program was stopped: {room.stopped}"
            raise CannotConfine(msg)
        return ended
    finally:
        room.stopped = room.stopped or _LEFT
        if room.running is not None:
            room.running.kill()
        launcher.leave(room)


class _Waits:
    """What a thread tells whoever waits: that the program runs, and how it ended."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[Any] = self._loop.create_future()

    def tell(self, future: asyncio.Future[Any], answer: object) -> None:
        """Have `future` answered, or raise what is an exception."""
        # Nobody waits in a server that has ended.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, future, answer)


def _settle(future: asyncio.Future[Any], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _work(
    waits: _Waits,
    begin: Callable[[], subprocess.Popen[bytes]],
    work: Work,
    turn: contextlib.AbstractContextManager[Any],
) -> None:
    with turn:
        future: asyncio.Future[Any] = waits.begun
        try:
            process = begin()
            waits.tell(future, None)
            future = waits.ended
            ended: object = work(process)
        except BaseException as error:  # noqa: BLE001  # why: raised for whoever waits
            ended = error
        waits.tell(future, ended)


def _program(name: str) -> str:
    found = shutil.which(name, path=environment("/", "", {})["PATH"])
    if found is None or not os.path.isabs(found):  # noqa: PTH117  # why: a text
        msg = f"`{name}` is not on this machine; install it"
        raise CannotConfine(msg)
    return found


def _begin(  # noqa: PLR0917  # why: of one caller
    backend: Backend,
    box: Box,
    line: Sequence[str],
    variables: Mapping[str, str],
    room: Room,
    stdin: int,
) -> subprocess.Popen[bytes]:
    surroundings = environment(box.home, box.user, variables, box.temporary)
    box.hears = stdin == subprocess.PIPE
    said = b""
    try:
        with backend.build(box, line, surroundings) as building:
            process = subprocess.Popen(  # noqa: S603  # why: what confines; what it runs is confined
                building.line,
                stdin=stdin if box.hears else building.stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                pass_fds=building.inherited,
                cwd="/",
                start_new_session=True,
            )
            try:
                hears = -1 if process.stdin is None else process.stdin.fileno()
                building.run(room.hold, hears)
            except BaseException:  # why: raised again; before what it waits for is let go of
                end(process)
                said = process.communicate()[1][:500]
                raise
            return process
    except (OSError, ValueError) as error:
        msg = f"the sandbox could not be built: {said.decode('utf-8', 'replace').strip() or error}"
        raise CannotConfine(msg) from error


def _heard(process: subprocess.Popen[bytes], room: Room, until: float) -> Ended:
    """All that `process` prints until it ends.

    Raises:
        CannotConfine: it printed too much, or took too long, and was ended.
    """
    output, errors = bytearray(), bytearray()
    running = room.running
    with process, selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ, output)  # type: ignore[arg-type]  # why: a pipe
        waiting.register(process.stderr, selectors.EVENT_READ, errors)  # type: ignore[arg-type]  # why: a pipe
        why = ""
        while waiting.get_map() and not why:
            left = until - time.monotonic()
            for key, _ in waiting.select(max(left, 0)):
                part = os.read(key.fd, 1 << 16)
                key.data.extend(part)
                if not part:
                    waiting.unregister(key.fileobj)
            if time.monotonic() > until:
                why = "it took too long"
            elif len(output) + len(errors) > MOST:
                why = f"it printed more than {MOST >> 20} MiB"
        if not why:
            try:
                process.wait(_ENDS)
            except subprocess.TimeoutExpired:
                why = "it took too long"
        if why:
            if running is not None:
                running.kill()
            process.kill()
            msg = f"the program was stopped: {why}"
            raise CannotConfine(msg)
    return Ended(status=process.returncode, output=bytes(output), errors=bytes(errors))
