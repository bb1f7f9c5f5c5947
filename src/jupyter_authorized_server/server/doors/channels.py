"""Door: every message between a client and a kernel, in both directions.

`judged` puts itself over the configured connection class. A message is judged by its
channel and type at the revision of this moment, in `kernel_judge`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.jsonutil import json_default
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado import web
from tornado.websocket import WebSocketClosedError

from ... import sentences
from ..kernels import has_room
from ..wiring import wiring
from .backlog import Kept
from .executions import Executions
from .frames import V1
from .kernel_judge import KernelJudge
from .live import FINAL, Lowered, close, nothing
from .refusals import Refusals
from .saved import SavedCells

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...policy.model import Resource
    from .endings import Endings
    from .live import LiveDoor

_log = logging.getLogger(__name__)

#: Seconds between two looks whether a kernel that is waited for is still there.
_LOOK = 0.25
#: What upstream answers where a kernel did not start.
_FAILED = 500
#: Messages that ZeroMQ holds for a kernel that does not read.
_MOST_QUEUED = 64


class JudgedConnection(Lowered):
    """Mixed in over a connection class of Jupyter Server.

    Jupyter calls `prepare` at the handshake and the two `handle_…` for each message.
    """

    _judge: KernelJudge | None = None
    _is_garbled = False
    _secret: bytes
    _saved: SavedCells
    _endings: Endings
    session: Any
    websocket_handler: Any
    kernel_id: str
    session_key: str
    channels: Any
    kernel_manager: Any
    multi_kernel_manager: Any
    subprotocol: str | None
    write_message: Any

    async def prepare(self) -> None:
        """Bind this socket to who opened it, before anything of the kernel is touched.

        Upstream takes the client's own word for its session, and everybody sees
        everybody's on iopub; who names another's would get their prompts, their
        buffered output and their socket closed.
        """
        wired = wiring(self.websocket_handler.settings)
        door = wired.live.register(self.websocket_handler)
        kernel = _kernel_of(door, self.kernel_id)
        if door is None or kernel is None:
            raise web.HTTPError(403)
        words = [kernel.id, door.name, door.token, door.session, self.session.session]
        self.session.session = hmac.digest(
            self._secret, json.dumps(words).encode(), "sha256"
        ).hex()
        super_: Any = super()
        path = getattr(wired.kernels.get(kernel.id), "path", None)
        self._judge = KernelJudge(
            self,
            live=wired.live,
            door=door,
            kernel=kernel,
            path=path,
            saved=self._saved,
            refusals=Refusals(wired.point.audit, door, kernel),
            executions=Executions(
                wired.point.audit,
                door,
                kernel,
                path=path,
                session=self.session.session,
                runs=self._endings.of(self.kernel_manager),
                with_code=wired.config.record_code,
                sandbox=partial(wired.sandbox_of, kernel),
            ),
            forward=super_.handle_incoming_message,
        )
        # Upstream looks it up at each message: one call less.
        self.handle_incoming_message = self._judge.take  # type: ignore[method-assign, assignment]  # why: the same door
        handler = self.websocket_handler
        handler.on_message = self._reader(handler.on_message, self._judge)
        await self._while_there(super_.prepare())
        if not has_room(self.kernel_manager.context):
            # Here and not once it is open: a page comes back at once after a close, but
            # waits longer each time, and at last gives up, after a handshake that failed.
            _log.error("a page cannot be connected to a kernel: ZeroMQ has no room for it")
            raise web.HTTPError(503, sentences.NO_ROOM)

    @staticmethod
    def _reader(
        pass_on: Callable[[str | bytes], None], judge: KernelJudge
    ) -> Callable[[str | bytes], Awaitable[None] | None]:
        """What is called with each frame; the next one is read when what it returns is done."""

        def read(frame: str | bytes) -> Awaitable[None] | None:
            pass_on(frame)
            return judge.inflow.room(len(frame))

        return read

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
        if self._judge is not None:
            self._judge.leave()
        super().disconnect()  # type: ignore[misc]  # why: a mixin
        kept = getattr(self.multi_kernel_manager, "_kernel_buffers", {}).get(self.kernel_id)
        if kept and kept["session_key"] == self.session_key and type(kept["buffer"]) is list:
            kept["buffer"] = Kept()

    def create_stream(self) -> None:
        """Let no more wait on the way to the kernel than what `KernelJudge` counts."""
        super().create_stream()  # type: ignore[misc]  # why: a mixin
        for channel, stream in self.channels.items():
            if channel != "iopub":
                stream.socket.setsockopt(zmq.SNDHWM, _MOST_QUEUED)

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        """A frame from the client."""
        # Invariant: without a judge nothing passes.
        if self._judge is not None:
            self._judge.take(incoming_msg)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """A message from the kernel."""
        if self._judge is None or not self._judge.lets_out(stream, outgoing_msg):
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

    def lower(self, why: str) -> None:
        """Watching is over: nothing of the kernel goes out, and all that comes is refused."""
        if self._judge is not None:
            self._judge.lower(why)

    def shut(self) -> None:
        """The server closes this socket: what waits in it goes nowhere."""
        if self._judge is not None:
            self._judge.shut()


class RefusedConnection:
    """Mixed in over a connection class that cannot be judged: it refuses everybody."""

    async def prepare(self) -> None:
        """Refuse, always."""
        raise web.HTTPError(403, "%s", sentences.UNJUDGED)


def judged(kind: type[Any], contents_manager: Any, endings: Endings) -> type[Any]:
    """`kind` with every message judged; where that cannot be, with every socket refused."""
    if issubclass(kind, (JudgedConnection, RefusedConnection)):
        return kind
    if not issubclass(kind, ZMQChannelsWebsocketConnection):
        _log.critical(
            "`%s` is no connection whose messages can be judged, so nobody can start a kernel "
            "or connect to one; unset `ServerApp.kernel_websocket_connection_class`, or "
            "`GatewayClient.url` where kernels are behind a gateway",
            kind.__qualname__,
        )
        return type(f"Refused{kind.__name__}", (RefusedConnection, kind), {})
    own = {
        "_secret": secrets.token_bytes(32),
        "_saved": SavedCells(contents_manager),
        "_endings": endings,
    }
    return type(f"Judged{kind.__name__}", (JudgedConnection, kind), own)


def _kernel_of(door: LiveDoor | None, kernel_id: str) -> Resource | None:
    """The kernel that the handshake was asked about, if it is the one that is opened."""
    for _, resource in door.questions if door is not None else ():
        if resource.type == "kernels" and resource.id == kernel_id:
            return resource
    return None
