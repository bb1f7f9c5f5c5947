"""Door: what the server says to a client in a kernel's place."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from jupyter_client.jsonutil import json_default
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from tornado.websocket import WebSocketClosedError

from ... import sentences
from . import replies
from .frames import LONGEST_HEADER, V1, Message
from .replies import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .refusals import Refusals


class Answers:
    """Says it on one socket, no more often than its limit lets it.

    Args:
        connection: Jupyter's, for its session, kernel and socket.
        refusals: has the limit.
    """

    def __init__(self, connection: Any, refusals: Refusals) -> None:
        self._connection = connection
        self._refusals = refusals

    def refuse(
        self, message: Message, sentence: str, asked: Mapping[str, Any] | None = None
    ) -> None:
        """Answer `message` with `sentence`.

        Args:
            asked: its content, where it was read.
        """
        self._send(message, replies.refused(message, sentence, asked or {}, busy=self._busy))

    def finish(self, message: Message) -> None:
        """Say that the kernel is done with `message`, to which it has replied."""
        self._send(message, replies.done(busy=self._busy))

    def tell(self, message: Message, content: Mapping[str, Any]) -> None:
        """Answer `message` with `content`, as a kernel would."""
        self._send(message, replies.answered(message, content, busy=self._busy))

    def leave_out(self, channel: str, parts: list[bytes], most: int) -> bytes:
        """Say that a message of the kernel has more than `most` bytes; what it is an answer to.

        Whoever waits for a reply gets one; all else is output.
        """
        parent = b"{}"
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            _, (_, _, parent, *_) = self._connection.session.feed_identities(parts)
            header = json.loads(parent) if len(parent) <= LONGEST_HEADER else {}
            size, limit = (f"{found / 2**20:.0f}" for found in (sum(map(len, parts)), most))
            message = Message(channel, str(header.get("msg_type")), header)
            self._replace(message, sentences.message_left_out(size, limit))
        return parent

    def _replace(self, message: Message, sentence: str) -> None:
        if message.channel == "iopub":
            output = {"name": "stderr", "text": f"{sentence}\n"}
            self._send(message, [Reply(channel="iopub", msg_type="stream", content=output)])
        else:
            self.refuse(message, sentence)

    @property
    def _busy(self) -> bool:
        return getattr(self._connection.kernel_manager, "execution_state", None) == "busy"

    def _send(self, message: Message, answer: list[Reply]) -> None:
        if not self._refusals.may_answer():
            return
        connection = self._connection
        with contextlib.suppress(WebSocketClosedError):
            for reply in answer:
                made = connection.session.msg(reply.msg_type, dict(reply.content))
                made["parent_header"] = message.header
                if connection.subprotocol == V1:
                    packed = serialize_msg_to_ws_v1(made, reply.channel, _pack)  # type: ignore[no-untyped-call]  # why: upstream's
                    connection.websocket_handler.write_message(packed, binary=True)
                else:
                    made |= {"channel": reply.channel, "buffers": []}
                    connection.websocket_handler.write_message(_pack(made).decode())


def _pack(value: Any) -> bytes:
    return json.dumps(value, default=json_default).encode("ascii")
