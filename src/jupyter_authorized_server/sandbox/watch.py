"""Ends the process whose sandbox holds more than it may; the sum is taken once a second."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from .bounds import too_much
from .census import census, litter
from .sockets import SOCKETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .box import Confined
    from .census import Held
    from .launch import Launcher
    from .room import Room

_log = logging.getLogger(__name__)
_SECONDS = 1.0
#: Bytes that a kernel's sockets may take, at 512 each; all kernels and the server share the room.
_SOCKETS = 1 << 16


class Watch:
    """Looks at what the sandboxes of `launcher` hold, in a thread of its own.

    Args:
        end: called for each that holds too much, with why.
    """

    def __init__(self, launcher: Launcher, end: Callable[[Room, str], None]) -> None:
        self._launcher = launcher
        self._end = end
        self._asked: asyncio.Task[None] | None = None
        self._next = 0.0

    def look(self) -> None:
        """Look, unless that was done a moment ago or is still being done."""
        if time.monotonic() < self._next or (self._asked and not self._asked.done()):
            return
        rooms = [
            (room, room.running)
            for room in self._launcher.rooms.values()
            if room.running is not None and not room.unconfined
        ]
        if rooms:
            self._asked = asyncio.ensure_future(self._look(rooms))

    async def _look(self, rooms: list[tuple[Room, Confined]]) -> None:
        memory = self._launcher.memory
        found = await asyncio.to_thread(census, [each for _, each in rooms], memory)
        folders = [room.folder for room, _ in rooms]
        littered = await asyncio.to_thread(_littered, folders)
        self._next = time.monotonic() + _SECONDS
        for (room, running), held, left in zip(rooms, found, littered, strict=True):
            why = "" if held is None else self._too_much(held)
            bound = running.bound
            if bound is not None and bound.is_exceeded:
                # The machine has ended one of them, and the others may be of no use without.
                why = too_much(held=bound.memory, may=memory)
            if running.uplink is not None and running.uplink.is_over:
                why = "what gave it the internet has ended; start it again"
            if left > _SOCKETS:
                why = "it put more than sockets into the folder of its sockets"
            if why and room.running is running:
                self._end(room, why)

    def _too_much(self, held: Held) -> str:
        processes, memory = self._launcher.processes, self._launcher.memory
        if held.processes > processes:
            return (
                f"it had {held.processes} processes and threads, and may have {processes}; "
                "start fewer at a time, or ask for a higher `sandbox_processes`"
            )
        return too_much(held=held.memory, may=memory) if held.memory > memory else ""


def _littered(folders: list[Path | None]) -> list[int]:
    """What the folder of the sockets holds, of each kernel that has one."""
    return [0 if folder is None else litter(folder / SOCKETS) for folder in folders]
