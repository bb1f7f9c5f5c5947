"""Turns: of what somebody has the server start for them, one thing after the other.

And threads: of those that everybody waits for, what one kind of work may have.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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

    async def abandoned_at_the_end(self, work: Callable[[], Any]) -> Any:
        """What `work` makes, in a thread that keeps no server from ending.

        For what cannot be stopped and leaves nothing half done: Python waits at its end for
        every thread but such.
        """
        loop, context = asyncio.get_running_loop(), copy_context()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(answer: object, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

        def run() -> None:
            answer: object = None
            error: BaseException | None = None
            try:
                answer = context.run(work)
            except BaseException as raised:  # noqa: BLE001  # why: raised for whoever waits
                error = raised
            # Nobody waits in a server that has ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, answer, error)

        async with self.limiter:
            threading.Thread(target=run, daemon=True).start()
            return await future
