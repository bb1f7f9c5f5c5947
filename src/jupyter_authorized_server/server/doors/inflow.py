"""Door: what a client sends to a kernel, in its order and no faster than it is taken.

Nothing is dropped and little is kept: with too much on the way the client is held up,
as Tornado reads no frame before what the last one returned is done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

#: Frames that wait for a look at the saved notebook, and their bytes.
MOST_WAITING, MOST_WAITING_BYTES = 2000, 2**25
#: Bytes after which the kernel must have taken what came.
MOST_AHEAD = 2**24
#: Frames after which others get their turn: a client that sends without a pause would
#: be read without one.
_TURN = 32
#: Seconds between two looks whether there is room again.
_LOOK = 0.02


class Inflow:
    """The frames of one socket.

    Args:
        connection: Jupyter's, for its socket and its channels to the kernel.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._waiting: deque[str | bytes] = deque()
        self._bytes = 0
        self._ahead = self._taken = 0

    def put(self, frame: str | bytes) -> None:
        """Keep a frame until those before it are judged."""
        self._waiting.append(frame)
        self._bytes += len(frame)

    def next(self) -> str | bytes | None:
        """The first that waits; None where none does."""
        if not self._waiting:
            return None
        frame = self._waiting.popleft()
        self._bytes -= len(frame)
        return frame

    def drop(self) -> None:
        """Forget all that wait."""
        self._waiting.clear()
        self._bytes = 0

    def room(self, size: int) -> Awaitable[None] | None:
        """What to wait for before another frame is read; None where one may come now.

        Args:
            size: bytes of the frame that was read last.
        """
        self._taken += 1
        self._ahead += size
        if self._ahead > MOST_AHEAD or self._is_full:
            return self._make_room()
        return None if self._taken % _TURN else asyncio.sleep(0)

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_WAITING_BYTES

    async def _make_room(self) -> None:
        connection = self._connection
        handler = connection.websocket_handler
        while handler.ws_connection is not None and (  # noqa: ASYNC110  # why: ZeroMQ tells nobody
            self._is_full or connection.is_sending()
        ):
            await asyncio.sleep(_LOOK)
        self._ahead = 0
