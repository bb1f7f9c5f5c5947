"""Door: the end of a shell, for which nobody waits.

Upstream closes a shell where everybody's requests are answered: it sleeps there while the
process ends, up to half a second, and waits without an end for one that closes its screen
and lives on. So here the screen goes dark at once, and the process is ended beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

from tornado.ioloop import IOLoop

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two looks whether the process has ended.
_LOOK = 0.1
#: What a process that lives on without its screen is told by turns, before it is killed.
_SIGNALS = ("SIGHUP", "SIGCONT", "SIGINT")


def darkening(manager: Any) -> Callable[[Any], None]:
    """What `manager` calls with a shell whose screen has ended, in the place of upstream's own."""
    ending: set[asyncio.Task[None]] = set()

    def on_eof(shell: Any) -> None:
        process = shell.ptyproc
        del manager.ptys_by_fd[process.fd]
        IOLoop.current().remove_handler(process.fd)
        _darken(process)
        # The name may be another shell's by now.
        if manager.terminals.get(shell.term_name) is shell:
            del manager.terminals[shell.term_name]
        task = asyncio.ensure_future(_end(process))
        ending.add(task)
        task.add_done_callback(ending.discard)

    return on_eof


def _darken(process: Any) -> None:
    """Close the screen; its descriptor's number is somebody else's from now on."""
    with contextlib.suppress(OSError):
        process.fileobj.close()
    process.fd, process.closed = -1, True
    # With this set upstream waits for the process, wherever it is asked about.
    process.flag_eof = False


async def _end(process: Any) -> None:
    """Have the process of a dark screen end, and learn how it did."""
    from ptyprocess.util import PtyProcessError  # noqa: PLC0415  # why: not on Windows

    with contextlib.suppress(PtyProcessError):
        # Raised where somebody else has learned it.
        for sent in _SIGNALS:
            await asyncio.sleep(_LOOK)
            if not process.isalive():
                return
            _send(process, sent)
        while True:
            await asyncio.sleep(_LOOK)
            if not process.isalive():
                return
            _send(process, "SIGKILL")


def _send(process: Any, name: str) -> None:
    with contextlib.suppress(OSError):
        # One that became another account's is not ours to end.
        process.kill(signal.Signals[name])
