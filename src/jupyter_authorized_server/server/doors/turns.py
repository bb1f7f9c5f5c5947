"""Turns: of what somebody has the server start for them, one thing after the other.

And threads: of those that everybody waits for, what one kind of work may have.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Seconds for which one waits for those before it of the same person.
_SECONDS = 60.0


class WaitedTooLongError(Exception):
    """What somebody asked for before has not ended yet."""


class Turns:
    """One turn at a time for each name; nobody waits for another's."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Have the turn of `name` for as long as this lasts.

        Raises:
            WaitedTooLongError: those before it go on.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        try:
            await asyncio.wait_for(lock.acquire(), _SECONDS)
        except asyncio.TimeoutError:
            raise WaitedTooLongError from None
        try:
            yield
        finally:
            lock.release()


class Threads:
    """As many threads as work of one kind may have, so that the rest is left to others.

    Args:
        name: of the kind.
        most: how many.
    """

    def __init__(self, name: str, most: int) -> None:
        self._most = most
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"jupyter_authorization_{name}")

    @property
    def limiter(self) -> CapacityLimiter:
        """As `run_sync` takes it, in the event loop that runs."""
        found = self._limiter.get(None)
        if found is None:
            found = CapacityLimiter(self._most)
            self._limiter.set(found)
        return found
