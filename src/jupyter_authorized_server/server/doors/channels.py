"""Door: every message between a client and a kernel, in both directions.

`judged` puts itself over the configured connection class. A message is judged by its
channel and type at the revision of this moment, in `kernel_judge`.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado import web

from ..wiring import wiring
from .executions import Executions
from .kernel_judge import KernelJudge
from .refusals import Refusals
from .saved import SavedCells

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .live import LiveDoor

_log = logging.getLogger(__name__)


class JudgedConnection:
    """Mixed in over a connection class of Jupyter Server.

    Jupyter calls `prepare` at the handshake and the two `handle_…` for each message.
    """

    _judge: KernelJudge | None = None
    _secret: bytes
    _saved: SavedCells
    session: Any
    websocket_handler: Any
    kernel_id: str

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
                with_code=wired.config.record_code,
            ),
            forward=super_.handle_incoming_message,
        )
        # Upstream looks it up at each message: one call less.
        self.handle_incoming_message = self._judge.take  # type: ignore[method-assign, assignment]  # why: the same door
        await super_.prepare()

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        """A frame from the client."""
        # Invariant: without a judge nothing passes.
        if self._judge is not None:
            self._judge.take(incoming_msg)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """A message from the kernel."""
        if self._judge is not None and self._judge.lets_out(stream, outgoing_msg):
            super().handle_outgoing_message(stream, outgoing_msg)  # type: ignore[misc]  # why: a mixin

    def lower(self) -> None:
        """Watching is over: nothing goes out any more, and all that comes is refused."""
        if self._judge is not None:
            self._judge.forget_prompts()


class RefusedConnection:
    """Mixed in over a connection class that cannot be judged: it refuses everybody."""

    async def prepare(self) -> None:
        """Refuse, always."""
        raise web.HTTPError(403, "this server cannot judge messages to this sort of kernel")


def judged(kind: type[Any], contents_manager: Any) -> type[Any]:
    """`kind` with every message judged; where that cannot be, with every socket refused."""
    if issubclass(kind, (JudgedConnection, RefusedConnection)):
        return kind
    if not issubclass(kind, ZMQChannelsWebsocketConnection):
        _log.critical(
            "`%s` is no connection whose messages can be judged, so nobody can connect to a "
            "kernel; unset `ServerApp.kernel_websocket_connection_class` or the gateway",
            kind.__qualname__,
        )
        return type(f"Refused{kind.__name__}", (RefusedConnection, kind), {})
    own = {"_secret": secrets.token_bytes(32), "_saved": SavedCells(contents_manager)}
    return type(f"Judged{kind.__name__}", (JudgedConnection, kind), own)


def _kernel_of(door: LiveDoor | None, kernel_id: str) -> Resource | None:
    """The kernel that the handshake was asked about, if it is the one that is opened."""
    for _, resource in door.questions if door is not None else ():
        if resource.type == "kernels" and resource.id == kernel_id:
            return resource
    return None
