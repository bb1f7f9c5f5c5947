"""Door: every message between a client and a kernel's own channels, in both directions.

`judged` puts itself over the configured connection class. A message is judged by its
channel and type at the revision of this moment, in `kernel_judge`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.jsonutil import json_default
from jupyter_server.gateway.managers import GatewayMappingKernelManager
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado import web
from tornado.websocket import WebSocketClosedError

from ... import sentences
from ..kernels import has_room
from .backlog import Kept, is_larger
from .connection import JudgedConnection
from .frames import V1
from .gateway import GatewayConnection, is_upstreams
from .live import FINAL, close, nothing
from .saved import SavedCells

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .endings import Endings

_log = logging.getLogger(__name__)

#: Seconds between two looks whether a kernel that is waited for is still there.
_LOOK = 0.25
#: What upstream answers where a kernel did not start.
_FAILED = 500
#: Messages that ZeroMQ holds for a kernel that does not read.
_MOST_QUEUED = 64


class ChannelsConnection(JudgedConnection):
    """Mixed in over Jupyter Server's connection to a kernel's own channels."""

    _is_garbled = False
    session_key: str
    channels: Any
    subprotocol: str | None
    write_message: Any

    async def _reach(self) -> None:
        upstreams: Any = super(JudgedConnection, self)
        await self._while_there(upstreams.prepare())
        if not has_room(self.kernel_manager.context):
            # Here and not once it is open: a page comes back at once after a close, but
            # waits longer each time, and at last gives up, after a handshake that failed.
            _log.error("a page cannot be connected to a kernel: ZeroMQ has no room for it")
            raise web.HTTPError(503, sentences.NO_ROOM)

    def is_sending(self) -> bool:
        """Whether something is still on its way to the kernel."""
        return any(each.sending() for each in self.channels.values())

    async def _while_there(self, preparing: Awaitable[None]) -> None:
        """Wait for a kernel that starts, as long as it is there.

        Upstream waits a minute for one that was shut down meanwhile, and then fails.
        """
        task = asyncio.ensure_future(preparing)
        is_there = True
        try:
            while is_there and not task.done():
                await asyncio.wait({task}, timeout=_LOOK)
                is_there = self.kernel_id in self.multi_kernel_manager
            if is_there:
                await task
        except TimeoutError:
            raise web.HTTPError(404, sentences.KERNEL_IS_DEAD) from None
        except web.HTTPError as error:
            if error.status_code != _FAILED:
                raise
            _log.warning("a kernel that somebody connects to did not start: %s", error)
            raise web.HTTPError(404, sentences.KERNEL_IS_DEAD) from error
        if not is_there:
            # All who wait share it; cancelled by one, it would fail for the others.
            answer = getattr(self.kernel_manager, "_kernel_info_future", None)
            if answer is not None and not answer.done():
                answer.set_result({})
            task.cancel()
            raise web.HTTPError(404, sentences.KERNEL_IS_GONE)

    def connect(self) -> Any:
        """Open the channels, of a kernel that is there."""
        try:
            return super().connect()  # type: ignore[misc]  # why: a mixin
        except (web.HTTPError, KeyError):
            # It ended after the handshake.
            close(self.websocket_handler, FINAL, sentences.KERNEL_IS_GONE)
            return nothing()
        except zmq.ZMQError as error:
            # The room was taken since it was looked for.
            _log.error("a page cannot be connected to a kernel: %s", error)
            close(self.websocket_handler, FINAL, sentences.NO_ROOM)
            return nothing()

    def disconnect(self) -> None:
        """Let go; what is kept for a page that comes back has an end."""
        super().disconnect()
        kept = getattr(self.multi_kernel_manager, "_kernel_buffers", {}).get(self.kernel_id)
        if kept and kept["session_key"] == self.session_key and type(kept["buffer"]) is list:
            kept["buffer"] = Kept()

    def create_stream(self) -> None:
        """Let no more wait on the way to the kernel than what `KernelJudge` counts."""
        super().create_stream()  # type: ignore[misc]  # why: a mixin
        for channel, stream in self.channels.items():
            if channel != "iopub":
                stream.socket.setsockopt(zmq.SNDHWM, _MOST_QUEUED)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """A message from the kernel."""
        if self._judge is None:
            return
        if self._most and is_larger(outgoing_msg, self._most):
            self._leave_out(stream, outgoing_msg)
            return
        if not self._judge.lets_out(stream, outgoing_msg):
            return
        try:
            super().handle_outgoing_message(stream, outgoing_msg)  # type: ignore[misc]  # why: a mixin
        except WebSocketClosedError:
            # Its client has gone while the message was on its way.
            return
        except Exception as error:  # noqa: BLE001  # why: a kernel may send anything, unsigned too
            if not self._is_garbled:
                self._is_garbled = True
                _log.warning("a message of kernel %s is no message: %s", self.kernel_id, error)

    def _leave_out(self, stream: Any, parts: list[bytes]) -> None:
        """Tell of a message that is too large to be passed on, and read no more of it."""
        judge = self._judge
        if judge is None or not judge.watches:
            return
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", "")
        parent = judge.answers.leave_out(channel, parts, self._most)
        if channel == "shell":
            judge.executions.note(parent, b"{}")

    def _send_status_message(self, status: str) -> None:
        """Before it is told that the kernel has died, why."""
        why = getattr(self.kernel_manager, "reason", "")
        if why and self._judge is not None and self._judge.watches:
            message = self.session.msg("stream", {"name": "stderr", "text": f"{why}\n"})
            if self.subprotocol == V1:
                packed = serialize_msg_to_ws_v1(message, "iopub", self.session.pack)  # type: ignore[no-untyped-call]  # why: upstream's
                self.write_message(packed, binary=True)
            else:
                text = json.dumps({**message, "channel": "iopub"}, default=json_default)
                self.write_message(text)
        super()._send_status_message(status)  # type: ignore[misc]  # why: a mixin


class RefusedConnection:
    """Mixed in over a connection class that cannot be judged: it refuses everybody."""

    async def prepare(self) -> None:
        """Refuse, always."""
        raise web.HTTPError(403, sentences.UNJUDGED)


def judged(
    kind: type[Any], kernel_manager: Any, contents_manager: Any, endings: Endings
) -> type[Any]:
    """`kind` with every message judged; where that cannot be, with every socket refused."""
    if issubclass(kind, (JudgedConnection, RefusedConnection)):
        return kind
    door = _door(kind, kernel_manager)
    if door is None:
        _log.critical(
            "`%s` to the kernels of `%s` is no connection whose messages can be judged, so nobody "
            "can start a kernel or connect to one; unset "
            "`ServerApp.kernel_websocket_connection_class` and `ServerApp.kernel_manager_class`",
            kind.__qualname__,
            type(kernel_manager).__qualname__,
        )
        return type(f"Refused{kind.__name__}", (RefusedConnection, kind), {})
    own = {
        "_secret": secrets.token_bytes(32),
        "_saved": SavedCells(contents_manager),
        "_endings": endings,
    }
    return type(f"Judged{kind.__name__}", (door, kind), own)


def _door(kind: type[Any], kernel_manager: Any) -> type[JudgedConnection] | None:
    """What judges the messages of connections of `kind`; None where nothing can."""
    if isinstance(kernel_manager, GatewayMappingKernelManager):
        return GatewayConnection if is_upstreams(kind) else None
    return ChannelsConnection if issubclass(kind, ZMQChannelsWebsocketConnection) else None
