"""How a confined process is started: what waits in its sandbox is let run, or ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from ..errors import CannotConfine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .box import Backend, Box, Building, Confined

#: Threads of its own, so that nothing else waits for a process that takes long.
_STARTING = ThreadPoolExecutor(max_workers=16, thread_name_prefix="starting")


def start(
    backend: Backend,
    box: Box,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
) -> tuple[Confined, subprocess.Popen[bytes]]:
    """Run `command` in `box`; the second of the two ends when the sandbox does.

    Args:
        output: file that gets what it prints.

    Raises:
        CannotConfine: it could not be confined; holds what was said. Nothing runs then.
    """
    with _begun(backend, box, command, environment, output) as (building, process):
        return building.run(), process


async def start_aside(
    backend: Backend,
    box: Box,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
) -> tuple[Confined, subprocess.Popen[bytes]]:
    """As `start`, while others are served: what takes long of it is done by another thread.

    The process is begun by this thread, since it ends with the thread that has begun it.
    """
    with _begun(backend, box, command, environment, output) as (building, process):
        return await aside(building), process


async def aside(
    building: Building, taken: Callable[[Confined], object] = lambda _: None
) -> Confined:
    """Let `building` run in another thread, which nothing breaks off: it holds descriptors."""
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(_STARTING, building.run, taken)
    try:
        return await asyncio.shield(running)
    except BaseException:  # why: raised again
        building.give_up()
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled() and running.exception() is None:
            confined = running.result()
            confined.kill()
            confined.close()
        raise


def end(process: subprocess.Popen[bytes]) -> None:
    """End what confines, and what it has begun and did not tell of yet.

    That is in its group, which it is the first of, and does not end with it before it is let
    run; see `main` in bubblewrap's source.
    """
    # The number is its own until it has been waited for.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _begun(
    backend: Backend,
    box: Box,
    command: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes],
) -> Iterator[tuple[Building, subprocess.Popen[bytes]]]:
    """A sandbox in which `command` is to run, and what builds it; ended where that fails."""
    before = output.tell()
    try:
        with backend.build(box, command, environment) as building:
            process = subprocess.Popen(  # noqa: S603  # why: what confines; what it runs is confined
                building.line,
                stdin=building.stdin,
                stdout=output,
                stderr=output,
                env={},
                pass_fds=building.inherited,
                cwd="/",
                start_new_session=True,
            )
            try:
                yield building, process
            except BaseException:  # why: raised again; before what it waits for is let go of
                end(process)
                process.wait()
                raise
    except (OSError, ValueError) as error:
        said = os.pread(output.fileno(), 500, before).decode("utf-8", "replace").strip()
        msg = f"the sandbox could not be built: {said or error}"
        raise CannotConfine(msg) from error
