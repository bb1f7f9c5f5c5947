"""Door: a socket to a kernel, whatever lies between this server and the kernel.

What Jupyter does for both ways that it has, to a kernel's own channels (`channels`) and to a
gateway (`gateway`): bind the socket to whose it is, and have each message judged.
"""

from __future__ import annotations

import hmac
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from tornado import web

from ..wiring import wiring
from .executions import Executions
from .kernel_judge import KernelJudge
from .live import Parting
from .refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...policy.model import Resource
    from .endings import Endings
    from .live import LiveDoor
    from .saved import SavedCells


class JudgedConnection(Parting):
    """Mixed in over a connection class of Jupyter Server.

    Jupyter calls `prepare` at the handshake and the two `handle_…` for each message.
    """

    #: Whether the server hears of a run's end on this socket alone.
    ends_unheard = False
    _judge: KernelJudge | None = None
    #: Bytes of one message of the kernel that are passed on; 0 is any number.
    _most = 0
    _secret: bytes
    _saved: SavedCells
    _endings: Endings
    session: Any
    websocket_handler: Any
    kernel_id: str
    kernel_manager: Any
    multi_kernel_manager: Any
    #: Waits for what the kernel is reached by, before the socket opens.
    _reach: Callable[[], Awaitable[None]]
    #: Whether something is still on its way to the kernel.
    is_sending: Callable[[], bool]

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
        path = getattr(wired.kernels.get(kernel.id), "path", None)
        self._most = wired.config.max_message * 2**20
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
            forward=self._forward,
        )
        # Upstream looks it up at each message: one call less.
        self.handle_incoming_message = self._judge.take  # type: ignore[method-assign, assignment]  # why: the same door
        handler = self.websocket_handler
        handler.on_message = self._reader(handler.on_message, self._judge)
        await self._reach()

    @property
    def _forward(self) -> Callable[[str | bytes], None]:
        """What passes a frame on to the kernel."""
        forward: Callable[[str | bytes], None] = super().handle_incoming_message  # type: ignore[misc]  # why: a mixin
        return forward

    @property
    def away(self) -> str:
        """Why nothing can be passed on to the kernel now; empty where it can."""
        return ""

    @staticmethod
    def _reader(
        pass_on: Callable[[str | bytes], None], judge: KernelJudge
    ) -> Callable[[str | bytes], Awaitable[None] | None]:
        """What is called with each frame; the next one is read when what it returns is done."""

        def read(frame: str | bytes) -> Awaitable[None] | None:
            pass_on(frame)
            return judge.inflow.room(len(frame))

        return read

    def disconnect(self) -> None:
        """Let go."""
        if self._judge is not None:
            self._judge.leave(unheard=self.ends_unheard)
        super().disconnect()  # type: ignore[misc]  # why: a mixin

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        """A frame from the client."""
        # Invariant: without a judge nothing passes.
        if self._judge is not None:
            self._judge.take(incoming_msg)

    def tell_end(self, why: str) -> None:
        """This socket is about to close: what its page waits for in it ends with `why`."""
        if self._judge is not None:
            self._judge.tell_end(why)

    def shut(self) -> None:
        """The server closes this socket: what waits in it goes nowhere."""
        if self._judge is not None:
            self._judge.shut()


def _kernel_of(door: LiveDoor | None, kernel_id: str) -> Resource | None:
    """The kernel that the handshake was asked about, if it is the one that is opened."""
    for _, resource in door.questions if door is not None else ():
        if resource.type == "kernels" and resource.id == kernel_id:
            return resource
    return None
