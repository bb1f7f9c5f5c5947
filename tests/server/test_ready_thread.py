"""A thread is kept for the whole life of a server, and not a moment longer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from serving import serving

from jupyter_authorized_server.server import ready_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    import pytest

ENDS = """
import asyncio
from anyio.to_thread import run_sync
from jupyter_authorized_server.server import ready_thread

async def begin():
    global kept
    kept = ready_thread.keep()
    await asyncio.ensure_future(run_sync(print, "began"))
    loop.stop()

loop = asyncio.new_event_loop()
loop.create_task(begin())
loop.run_forever()
"""


AT_ONCE = """
import asyncio, threading
from jupyter_authorized_server.server import ready_thread

start = threading.Thread.start
def late(self):
    start(self)
    if "worker" in self.name:
        loop.stop()
threading.Thread.start = late
loop = asyncio.new_event_loop()
async def begin():
    global kept
    kept = ready_thread.keep()
loop.create_task(begin())
loop.run_forever()
print("stopped")
"""


async def is_shared() -> bool:
    """Whether two tasks that follow each other get the same thread, soon."""
    last = None
    for _ in range(200):
        thread = await asyncio.ensure_future(run_sync(threading.current_thread))
        if thread is last:
            return True
        last = thread
        await asyncio.sleep(0.01)
    return False


def run(work: Coroutine[Any, Any, bool]) -> bool:
    """As a server runs: in a loop that no task of its own ends."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    task.add_done_callback(lambda _: loop.stop())
    loop.run_forever()
    for left in asyncio.all_tasks(loop):
        left.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    return task.result()


def test_tasks_that_follow_each_other_share_one_thread() -> None:
    async def kept() -> bool:
        task = ready_thread.keep()
        found = await is_shared()
        return found and not task.done()

    assert run(kept())


def test_without_it_each_task_makes_its_own() -> None:
    # Where this fails, AnyIO keeps threads itself, and the module may go.
    assert not run(is_shared())


def test_a_process_whose_loop_stopped_is_not_held_up_by_the_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=True
    )
    assert "began\n" == done.stdout


def test_a_process_whose_loop_stops_before_the_thread_is_there_ends_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE], capture_output=True, text=True, timeout=60, check=True
    )
    assert "stopped\n" == done.stdout


def test_a_thread_that_could_not_be_ended_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def elsewhere(work: Callable[[], bool]) -> bool:
        return work()

    async def ends() -> None:
        await asyncio.wait_for(ready_thread.keep(), 60)

    monkeypatch.setattr(ready_thread, "run_sync", elsewhere)
    asyncio.run(ends())


def test_a_server_that_has_read_files_ends_when_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, people={"vera": "viewer"}) as server:
        (server.root / "a.txt").write_text("a")
        for _ in range(3):
            assert 200 == server.request("GET", "/api/contents/a.txt", "vera").status
        server.process.terminate()
        assert server.process.wait(60) is not None
