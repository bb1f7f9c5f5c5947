"""A program that somebody talks with, in a sandbox, for as long as both stay.

Such as a language server. It is an errand on no folder: it is told all that it knows, and
nothing of the contents, of a home or of a network is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import selectors
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from . import errand

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from .launch import Launcher
    from .room import Room

#: Bytes that may wait until the program reads them.
MOST = 32 << 20


class Talk:
    """One program, what it is told and what it says.

    Args:
        room: what it has on the machine.
        hear: awaited with each part of what it prints, before more is read.
    """

    def __init__(
        self, launcher: Launcher, room: Room, hear: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._launcher = launcher
        self._room = room
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = 0

    async def last(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run `command` until it ends.

        Raises:
            AuthorizationError: it did not run, or was stopped.
        """
        await errand.carry(
            self._launcher,
            self._room,
            command,
            self._work,
            variables=variables,
            files={},
            turn=contextlib.nullcontext(),
            stdin=subprocess.PIPE,
        )

    def tell(self, data: bytes) -> bool:
        """Have the program read `data`; False where too much waits for it already."""
        if self._waiting + len(data) > MOST:
            return False
        self._waiting += len(data)
        self._told.put(data)
        return True

    def stop(self, why: str) -> None:
        """End the program, also one that has not begun."""
        self._room.stopped = self._room.stopped or why
        if self._room.running is not None:
            self._room.running.kill()

    def _work(self, process: subprocess.Popen[bytes]) -> None:
        running = self._room.running
        telling = threading.Thread(target=self._tell, args=(process.stdin,), daemon=True)
        telling.start()
        try:
            self._listen(process)
        finally:
            # Before its pipes are shut, so that nobody waits for one.
            if running is not None:
                running.kill()
            process.kill()
            self._told.put(b"")
            telling.join()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                pipe.close()  # type: ignore[union-attr]  # why: a pipe

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ, self._pass_on)  # type: ignore[arg-type]  # why: a pipe
            # What it complains of is nobody's; it must not wait until somebody reads it.
            waiting.register(process.stderr, selectors.EVENT_READ, len)  # type: ignore[arg-type]  # why: a pipe
            while True:
                for key, _ in waiting.select():
                    part = os.read(key.fd, 1 << 16)
                    if part:
                        key.data(part)
                    elif key.fileobj is process.stdout:
                        return
                    else:
                        waiting.unregister(key.fileobj)

    def _pass_on(self, part: bytes) -> None:
        async def hear() -> None:
            await self._hear(part)

        asyncio.run_coroutine_threadsafe(hear(), self._loop).result()

    def _tell(self, pipe: IO[bytes]) -> None:
        """Write what waits; an empty part is the end. No other thread closes the pipe."""
        # A program may end, or a server.
        with contextlib.suppress(OSError, RuntimeError):
            while data := self._told.get():
                pipe.write(data)
                pipe.flush()
                self._loop.call_soon_threadsafe(self._has_read, len(data))
        with contextlib.suppress(OSError):
            pipe.close()

    def _has_read(self, size: int) -> None:
        self._waiting -= size
