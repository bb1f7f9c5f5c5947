"""Door: how much a client that does not read has the server keep for it.

What goes out to a socket waits in memory until its client takes it. A client that takes
nothing would have all of it pile up: the output of a kernel, the screen of a shell.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from ... import sentences
from .live import close, nothing

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

#: Bytes that wait for a client before its socket is closed. One message more may wait,
#: however large: whoever reads gets it.
MOST_WAITING = 2**26
#: Bytes of a kernel's messages that are kept for somebody who is away.
MOST_KEPT = 2**26
#: Close code after which every client comes back.
LATER = 1013


def fit(handler: Any) -> None:
    """Have `handler`'s socket close once too much waits for its client."""
    handler.write_message = _Backlog(handler).write


class _Backlog:
    """Counts what waits for one client."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._say = handler.write_message
        self._write: Any = None
        self._stream: Any = None
        self._waiting = 0

    def write(self, message: bytes | str | dict[str, Any], binary: bool = False) -> Any:  # noqa: FBT002  # why: Tornado's signature
        """As the handler's own."""
        if self._waiting > MOST_WAITING:
            close(self._handler, LATER, sentences.NOT_READ)
            return nothing()
        connection = self._handler.ws_connection
        if self._write is None and connection is not None:
            # Some handlers do not hand on what Tornado says of a message.
            self._stream = connection.stream
            self._write, connection.write_message = connection.write_message, self._count
        return self._say(message, binary)

    def _count(self, message: bytes | str | dict[str, Any], binary: bool = False) -> Future[None]:  # noqa: FBT002  # why: Tornado's signature
        written: Future[None] = self._write(message, binary)
        if not (self._stream.writing() or self._stream.closed()):
            # Most clients take what comes at once, and then nothing waits.
            return written
        size = len(json.dumps(message) if isinstance(message, dict) else message)
        self._waiting += size

        def taken(done: Future[None]) -> None:
            self._waiting -= size
            # Upstream waits for none of these; a client that is gone is no error.
            with contextlib.suppress(WebSocketClosedError):
                done.result()

        written.add_done_callback(taken)
        return written


class Kept(deque[tuple[str, "Sequence[Any]"]]):
    """What a kernel says while nobody is connected: the last of it.

    Upstream keeps all. How a run ended comes last, so that a page that comes back is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bytes = 0

    def append(self, said: tuple[str, Sequence[Any]], /) -> None:
        """Keep one message more, and the oldest ones no more."""
        super().append(said)
        self._bytes += _size(said)
        while self._bytes > MOST_KEPT and len(self) > 1:
            self._bytes -= _size(self.popleft())


def is_larger(parts: Sequence[bytes], most: int) -> bool:
    """Whether a kernel's message has more than `most` bytes."""
    return sum(map(len, parts)) > most


def _size(said: tuple[str, Sequence[Any]]) -> int:
    return sum(len(part) for part in said[1])
