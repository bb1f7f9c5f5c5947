"""What is typed, on its way to a shell: no faster than the shell takes it.

Upstream writes in one thread for all, and waits in it: a shell that reads nothing keeps
everybody from typing anywhere, and when it ends, the server waits for that thread for
ever. So here nothing waits for a shell but the sockets that lead to it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Seconds between two looks whether there is room again.
_LOOK = 0.02
#: Held by who writes to a shell, by upstream's object: what two people type is not mixed.
_turns: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()


def typing_by(handler: Any, may_type: Callable[[], bool]) -> Callable[[str], Awaitable[None]]:
    """What hands keys from `handler`'s socket to its shell, in the place of upstream's own.

    Keys may wait long for a shell that reads nothing, and the right may end meanwhile.
    """

    async def write(text: str) -> None:
        shell = handler.terminal
        if shell is None:
            return
        async with _turns.setdefault(shell, asyncio.Lock()):
            left = text.encode()
            while (
                left
                and handler.ws_connection is not None
                and not shell.ptyproc.closed
                and may_type()
            ):
                left = left[_taken(shell.ptyproc.fd, left) :]
                if left:
                    await asyncio.sleep(_LOOK)

    return write


def _taken(fd: int, keys: bytes) -> int:
    """How many of `keys` a shell takes now; all, where it has ended."""
    # Whoever reads from it expects to be told by waiting.
    os.set_blocking(fd, False)
    try:
        return os.write(fd, keys)
    except BlockingIOError:
        return 0
    except OSError:
        return len(keys)
    finally:
        os.set_blocking(fd, True)
