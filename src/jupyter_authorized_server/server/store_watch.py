"""Watching the store for what other processes change in it, without waiting for it.

It is asked now and then, and where the database tells of changes, at once.

A database that is locked or slow answers late, and all that the server does would stand
still meanwhile. So it is asked in a thread, one question at a time, and while no answer
comes it counts as away from when it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wiring import Wiring

_log = logging.getLogger(__name__)

#: Seconds after which a store that has not answered counts as away.
PATIENCE = 1.0


class StoreWatch:
    """Has each change of the store in force within `poll_seconds`.

    Args:
        wired: the parts of the server.
    """

    def __init__(self, wired: Wiring) -> None:
        self._wired = wired
        self._asked: asyncio.Future[int] | None = None
        self._since = 0.0
        self._is_away = False
        self.callback = PeriodicCallback(self.look, wired.config.poll_seconds * 1000)
        self.callback.start()
        self._loop = asyncio.get_running_loop()
        self._soon: asyncio.Task[None] | None = None
        wired.point.store.listen(self._told)

    def _told(self) -> None:
        """Look at once; called from another thread."""
        with contextlib.suppress(RuntimeError):
            # The server may have ended.
            self._loop.call_soon_threadsafe(self._look_soon)

    def _look_soon(self) -> None:
        if self._soon is None or self._soon.done():
            self._soon = asyncio.ensure_future(self._look_twice())

    async def _look_twice(self) -> None:
        """Look, and once more where somebody was asking already: that may have been too early."""
        is_asking = self._asked is not None
        await self.look()
        if is_asking:
            await self.look()

    async def look(self) -> None:
        """Ask for the revision, unless that is still being asked; take over what is new."""
        if self._wired.confinement is not None:
            self._wired.confinement.look_at_the_clock()
        point = self._wired.point
        point.look_at_the_clock()
        if self._asked is None:
            self._since = point.absence.steady()
            self._asked = _aside(partial(point.store.revision, probe=True))
        asked = self._asked
        await asyncio.wait({asked}, timeout=PATIENCE)
        if not asked.done():
            point.absence.missed(self._since)
            self._say(StoreUnavailable("it does not answer"))
            return
        if self._asked is asked:
            self._asked = None
        try:
            point.refresh(asked.result())
        except Exception as error:  # noqa: BLE001  # why: whatever keeps it from being read
            point.absence.missed(self._since)
            self._say(error)
        else:
            self._say(None)

    def _say(self, error: Exception | None) -> None:
        """Log that the store went away, or is back; not at every look."""
        if error is not None and not self._is_away:
            _log.error("the store cannot be read; the last revision stays in force: %s", error)
        if error is None and self._is_away:
            _log.warning("the store can be read again")
        self._is_away = error is not None


def _aside(work: Callable[[], int]) -> asyncio.Future[int]:
    """What `work` returns, done in a thread that keeps no server from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def settle(found: int | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if found is None:
            future.set_exception(error or StoreUnavailable("it does not answer"))
        else:
            future.set_result(found)

    def run() -> None:
        found, failure = None, None
        try:
            found = work()
        except Exception as error:  # noqa: BLE001  # why: raised again where it is waited for
            failure = error
        with contextlib.suppress(RuntimeError):
            # The server has ended meanwhile.
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=run, name="store", daemon=True).start()
    return future
