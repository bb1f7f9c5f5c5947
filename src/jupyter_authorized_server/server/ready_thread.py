"""A thread kept ready for what would hold the loop up.

AnyIO keeps the threads that it makes for as long as the task lives that first needed one.
In a server that is the task of one request, so each request that reads a file pays for a
new thread, which costs more than all the questions at its doors. A task that lives as
long as the server has one kept for them all.

A loop that stops ends neither its tasks nor their threads, for all of which Python waits at
the end of the process: of one that did something then, for ever. So they are ended here.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from queue import Full
from typing import Any

from anyio.to_thread import run_sync

#: Seconds between two looks whether a thread is still there; AnyIO ends one that has been
#: idle for ten while another worked.
_LOOK_EVERY = 5.0


def keep(*, after: float = 0.0) -> asyncio.Task[None]:
    """Begin, in the loop that runs; the caller holds the task, which ends with the loop.

    Args:
        after: seconds until the thread is made, so that a server that starts answers
            first: with it come AnyIO's modules for the loop.
    """
    threading.Thread(target=_end_with_the_main, daemon=True).start()
    return asyncio.ensure_future(_keep(after))


async def _keep(after: float) -> None:
    await asyncio.sleep(after)
    while True:
        if not await run_sync(_can_be_ended):
            return
        await asyncio.sleep(_LOOK_EVERY)


def _can_be_ended() -> bool:
    """Whether this thread can; for one that cannot, the process would wait."""
    return _ending_of(threading.current_thread()) is not None


def _ending_of(thread: Any) -> Any:
    """What ends `thread`, if AnyIO has made it, when it has done what it does."""
    is_theirs = type(thread).__module__.partition(".")[0] == "anyio"
    found = getattr(thread, "stop", None) if is_theirs else None
    return found if callable(found) else None


def _end_with_the_main() -> None:
    threading.main_thread().join()
    for thread in threading.enumerate():
        end = _ending_of(thread)
        if end is not None:
            with contextlib.suppress(Full):  # it has been told so before
                end()
