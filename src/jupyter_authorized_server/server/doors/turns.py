"""Turns: of what somebody has the server start for them, one thing after the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

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
