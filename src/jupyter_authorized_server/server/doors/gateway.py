"""Door: every message between a client and a kernel behind a gateway, in both directions.

The server has no channels to such a kernel, but a websocket of its own to the gateway for
each page. What a page sends is judged like everything that is sent to a kernel; what is
passed on is written anew from what was judged, so that no gateway can read it in another way.
"""

from __future__ import annotations

import contextlib
import json
import logging
from asyncio import Future
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from jupyter_client.jsonutil import json_default
from jupyter_server.gateway.connections import GatewayWebSocketConnection
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.services.kernels.connection.base import deserialize_binary_message
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClosedError

from ... import sentences
from .backlog import LATER
from .connection import JudgedConnection
from .frames import LegacyFrame
from .live import FINAL, close

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

#: Of upstream's connection, what this door stands on.
_HANGS_ON = (
    "connect",
    "disconnect",
    "handle_incoming_message",
    "handle_outgoing_message",
    "_connection_done",
    "_read_messages",
    "_write_message",
)
_INFO = "kernel_info_request"
#: What tells how a run goes on.
_OF_RUNS = frozenset({"status", "error", "execute_input"})
_NOT_FOUND = 404
#: The sockets that are open, by the session that the gateway knows each by.
_open: WeakValueDictionary[str, GatewayConnection] = WeakValueDictionary()


def is_upstreams(kind: type[Any]) -> bool:
    """Whether `kind` speaks with a gateway in upstream's own way."""
    theirs = GatewayWebSocketConnection
    return issubclass(kind, theirs) and all(
        getattr(kind, name) is getattr(theirs, name) for name in _HANGS_ON
    )


def part(manager: Any, kernel_id: str) -> None:
    """A kernel is no more: end the sockets to it, which a gateway may well leave open."""
    for each in list(_open.values()):
        if each.kernel_id == kernel_id and each.multi_kernel_manager is manager:
            each.give_up(FINAL, sentences.KERNEL_IS_GONE)


class Told(NamedTuple):
    """What a gateway's message says."""

    channel: str
    header: dict[str, Any]
    parent: dict[str, Any]
    content: dict[str, Any]

    def parts(self) -> list[bytes]:
        """As a kernel's own channels would have it."""
        said = (self.header, self.parent, dict[str, Any](), self.content)
        written = (json.dumps(part, default=json_default).encode() for part in said)
        return [b"<IDS|MSG>", b"", *written]


def told(message: str | bytes) -> Told | None:
    """What `message` of a gateway says; None where it is no message."""
    try:
        found: Any = (
            deserialize_binary_message(message)  # type: ignore[no-untyped-call]  # why: upstream's
            if isinstance(message, bytes)
            else json.loads(message)
        )
        made = Told(*(found[part] for part in ("channel", "header", "parent_header", "content")))
    except Exception:  # noqa: BLE001  # why: a gateway may send anything
        return None
    is_one = isinstance(made.channel, str) and all(isinstance(each, dict) for each in made[1:])
    return made if is_one else None


class GatewayConnection(JudgedConnection):
    """Mixed in over Jupyter Server's connection to a gateway."""

    #: Upstream asks a gateway for the older format alone.
    subprotocol = None
    ends_unheard = True
    ws: Any
    ws_future: Any
    disconnected: bool
    retry: int
    kernel_ws_protocol: str | None
    _opened: Future[None] | None = None
    _is_garbled = False

    async def _reach(self) -> None:
        self.kernel_ws_protocol = ""
        self._own: set[str] = set()

    @property
    def _forward(self) -> Callable[[str | bytes], None]:
        return self._send

    @property
    def away(self) -> str:
        """Why nothing can be passed on; empty where it can."""
        return "" if self.ws is not None else sentences.GATEWAY_IS_AWAY

    def is_sending(self) -> bool:
        """Whether something is still on its way to the gateway."""
        stream = getattr(getattr(self.ws, "protocol", None), "stream", None)
        return stream is not None and bool(stream.writing())

    async def connect(self) -> None:
        """Reach the gateway; what a page sends meanwhile is judged when that is done."""
        if self.disconnected or self._judge is None:
            return
        # A gateway has one socket for each session: two would close each other's for ever.
        before = _open.get(self.session.session)
        if before is not None and before is not self:
            close(before.websocket_handler, FINAL, "")
            before.disconnect()
        _open[self.session.session] = self
        manager = self.kernel_manager
        if getattr(manager, "_kernel_info_future", None) is None:
            manager._kernel_info_future = Future()  # noqa: SLF001  # why: where upstream has it too
        if self._opened is None:
            self._opened = Future()
            self._judge.hold(self._opened)
        await super().connect()  # type: ignore[misc]  # why: a mixin

    def _connection_done(self, fut: Any) -> None:
        super()._connection_done(fut)  # type: ignore[misc]  # why: a mixin
        if self.disconnected and not fut.cancelled() and fut.exception() is None:
            # Its page has gone meanwhile, and upstream would leave it open.
            fut.result().close()

    def disconnect(self) -> None:
        """Let go, of what is not reached yet as well."""
        if self.ws is None:
            # Cancelled, it would come to be all the same, and stay; see `_connection_done`.
            self.ws_future = None
        self._has_opened()
        super().disconnect()

    def _has_opened(self) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    async def _read_messages(self) -> None:
        """Hand on what the gateway sends, up to its end; then find out what comes next."""
        ws = self.ws
        if ws is not None:
            self._ask_what_it_is(ws)
        self._has_opened()
        while ws is not None and not self.disconnected:
            message = await ws.read_message()
            if message is None:
                break
            self.handle_outgoing_message(message)
        self.ws = None
        if self.disconnected:
            return
        if self._is_gone():
            self.give_up(FINAL, sentences.KERNEL_IS_GONE)
        elif self.retry >= GatewayClient.instance().gateway_retry_max:
            self.give_up(LATER, sentences.GATEWAY_IS_AWAY)
        else:
            # Upstream waits, longer each time, and connects again.
            await super()._read_messages()  # type: ignore[misc]  # why: a mixin

    def _is_gone(self) -> bool:
        """Whether there is no such kernel any more."""
        if self.kernel_id not in self.multi_kernel_manager:
            return True
        asked = self.ws_future
        why = None if asked is None or asked.cancelled() else asked.exception()
        return isinstance(why, HTTPClientError) and why.code == _NOT_FOUND

    def give_up(self, code: int, why: str) -> None:
        """End what the page waits for, and its socket."""
        _log.warning("a page's kernel behind the gateway cannot be reached: %s", self.kernel_id)
        if self._judge is not None:
            self._judge.end_runs(why)
        close(self.websocket_handler, code, why)

    def _send(self, data: str | bytes) -> None:
        """Pass on what was judged, written anew."""
        frame = LegacyFrame(data)
        if self.ws is None:
            if self._judge is not None:
                self._judge.answer_away(frame.message())
            return
        self._write(self.ws, frame.anew())

    def _write(self, ws: Any, message: str | bytes) -> None:
        with contextlib.suppress(WebSocketClosedError):
            # What does not arrive is told when its end is read.
            ws.write_message(message, binary=isinstance(message, bytes)).add_done_callback(_seen)

    def _ask_what_it_is(self, ws: Any) -> None:
        """Have the kernel say what it is, for those who cannot ask it themselves."""
        if self.kernel_manager._kernel_info_future.done():  # noqa: SLF001  # why: as in `connect`
            return
        # On `control` some kernels answer while they are busy; others only on `shell`.
        for channel in ("control", "shell"):
            message = self.session.msg(_INFO)
            self._own.add(message["header"]["msg_id"])
            message |= {"channel": channel, "buffers": []}
            self._write(ws, json.dumps(message, default=json_default))

    def handle_outgoing_message(self, incoming_msg: str | bytes, *_: Any) -> None:
        """A message from the kernel."""
        said, judge = told(incoming_msg), self._judge
        if said is None or judge is None:
            if not self._is_garbled:
                self._is_garbled = True
                _log.warning("a message of kernel %s is no message", self.kernel_id)
            return
        self._note(said)
        if said.parent.get("msg_id") in self._own:
            return
        if judge.lets_out(said.channel, said.parts() if judge.needs(said.channel) else []):
            with contextlib.suppress(WebSocketClosedError):
                self.websocket_handler.write_message(
                    incoming_msg, binary=isinstance(incoming_msg, bytes)
                )

    def _note(self, said: Told) -> None:
        """Learn what the kernel is, what it does, and how its runs go on."""
        manager, kind = self.kernel_manager, said.header.get("msg_type")
        info = manager._kernel_info_future  # noqa: SLF001  # why: as in `connect`
        if kind == "kernel_info_reply" and said.content.get("status") == "ok" and not info.done():
            info.set_result(said.content)
        state = said.content.get("execution_state")
        if kind == "status" and isinstance(state, str):
            manager.execution_state = state
        if said.channel == "iopub" and kind in _OF_RUNS and self._judge is not None:
            self._judge.overhear(said.parent.get("msg_id"), said.parts)


def _seen(written: Future[None]) -> None:
    """Nobody waits for it; that it failed is no error."""
    if not written.cancelled():
        written.exception()
