"""A thread kept ready for what would hold the loop up.

AnyIO keeps the threads that it makes for as long as the task lives that first needed one.
In a server that is the task of one request, so each request that reads a file pays for a
new thread, which costs more than all the questions at its doors. A task that lives as
long as the server has one kept for them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from queue import Full
from typing import Any
from weakref import WeakSet

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
    kept: WeakSet[Any] = WeakSet()
    threading.Thread(target=_end_with_the_main, args=(kept,), daemon=True).start()
    return asyncio.ensure_future(_keep(kept, after))


async def _keep(kept: WeakSet[Any], after: float) -> None:
    await asyncio.sleep(after)

    def hold() -> bool:
        thread: Any = threading.current_thread()
        if not callable(getattr(thread, "stop", None)):
            return False  # Nothing could end it, and the process would wait for it.
        kept.add(thread)
        if not threading.main_thread().is_alive():
            # The loop stopped meanwhile, and who ends them may have looked already.
            _end(thread)
        return True

    while True:
        if not await run_sync(hold):
            return
        await asyncio.sleep(_LOOK_EVERY)


def _end_with_the_main(kept: WeakSet[Any]) -> None:
    # A loop that stops does not end its tasks, and at the end of the process Python waits
    # for every such thread.
    threading.main_thread().join()
    for thread in list(kept):
        _end(thread)


def _end(thread: Any) -> None:
    with contextlib.suppress(Full):  # it has been told so before
        thread.stop()
