"""A terminal's shell in its sandbox: the same view as its owner's kernels, with a screen."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import os
import signal
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from ptyprocess.ptyprocess import PtyProcessUnicode
from terminado.management import PtyWithClients, preexec_fn

from .starting import aside
from .surroundings import environment
from .unconfined import Unconfined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .box import Building
    from .launch import Launcher
    from .room import Room

_log = logging.getLogger(__name__)
_DARK_SECONDS = 10.0


def _as_a_shell_begins(stdin: int = -1) -> None:
    """What its process does before anything else.

    Args:
        stdin: what it has for its input, where that is not the terminal.
    """
    preexec_fn()
    if stdin >= 0:
        os.dup2(stdin, 0)


class ConfinedPty(PtyWithClients):
    """A shell, and who looks at it.

    Args:
        command: the shell; nothing that a client may choose.
        screen: the kind of terminal that pages show.

    Raises:
        AuthorizationError: it does not run.
    """

    def __init__(
        self, launcher: Launcher, room: Room, command: Sequence[str], *, cwd: str, screen: str
    ) -> None:
        self.clients: list[Any] = []
        self.read_buffer: deque[str] = deque(maxlen=1000)
        self._launcher = launcher
        self.room = room
        if launcher.backend is None:
            self._run_unconfined(command, cwd, screen)
            return
        with contextlib.ExitStack() as stack:
            with launcher.box(room, command[0], cwd=cwd, terminal=True) as box:
                variables = environment(box.home, box.user, {"TERM": screen}, box.temporary)
                building = stack.enter_context(launcher.backend.build(box, command, variables))
                for descriptor in building.inherited:
                    os.set_inheritable(descriptor, True)  # noqa: FBT003  # why: its only argument
                self.ptyproc = PtyProcessUnicode.spawn(  # type: ignore[no-untyped-call]  # why: upstream's
                    building.line,
                    cwd="/",
                    env={},
                    preexec_fn=partial(_as_a_shell_begins, building.stdin),
                    pass_fds=tuple(building.inherited),
                )
            self._decode()
            self._running = asyncio.ensure_future(self._run(building, stack.pop_all()))

    async def _run(self, building: Building, held: contextlib.ExitStack) -> None:
        """Let the shell run, while others are served; where it cannot, its screen says why."""
        with held:
            try:
                await aside(building, self.room.hold)
            except (OSError, ValueError) as error:
                if not self.room.stopped:
                    why = getattr(error, "strerror", None) or error
                    self._tell(f"the sandbox could not be built: {why}")
                # With what it has begun and did not tell of. Its manager sees the screen go dark.
                if not self.ptyproc.terminated:
                    with contextlib.suppress(OSError):
                        os.killpg(self.ptyproc.pid, signal.SIGKILL)
                self._launcher.leave(self.room)

    def _tell(self, why: str) -> None:
        """Say on the screen, and on those that are opened yet, that it is not started."""
        _log.error("a terminal of %s is not started: %s", self.room.origin.principal.name, why)
        notice = f"\r\nThis terminal was not started: {why}.\r\n"
        self.read_buffer.append(notice)
        for client in [*self.clients]:
            client.on_pty_read(notice)

    def _run_unconfined(self, command: Sequence[str], cwd: str, screen: str) -> None:
        home, user = self._launcher.unconfine(self.room)
        self.ptyproc = PtyProcessUnicode.spawn(  # type: ignore[no-untyped-call]  # why: upstream's
            list(command),
            cwd=cwd or home,
            env=environment(home, user, {"TERM": screen}),
            preexec_fn=_as_a_shell_begins,
        )
        self.room.running = Unconfined(first=self.ptyproc.pid, status=-1)
        self._decode()

    def _decode(self) -> None:
        self.ptyproc.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    async def terminate(self, force: bool = False) -> bool:  # noqa: FBT002  # why: upstream's signature
        """End it, with all that was started in it."""
        ended = await super().terminate(force=force)
        if ended or force:
            self.end()
            # The name is free once its manager has heard that the screen is dark.
            until = time.monotonic() + _DARK_SECONDS
            while not self.ptyproc.closed and time.monotonic() < until:  # noqa: ASYNC110  # why: upstream tells by a flag
                await asyncio.sleep(0.02)
        return ended

    def end(self) -> None:
        """End all that runs in it, now, or would come to run."""
        self.room.stopped = self.room.stopped or "it has been closed"
        if self.room.running is not None:
            self.room.running.kill()
        self._launcher.leave(self.room)
