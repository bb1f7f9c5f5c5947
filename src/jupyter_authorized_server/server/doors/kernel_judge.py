"""Door: one socket's messages to a kernel, each judged as it comes.

What is judged is what is passed on: the same bytes, read strictly. What is refused is
answered as a kernel would, so that a page shows the sentence in the cell.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from ..surface.messages import ACTIONS, EVERYTHING, PASSING, WIDGETS
from ..uses import USED_UP
from . import replies
from .answers import Answers
from .company import BY_VIEW
from .executions import RUN
from .frames import (
    V1,
    FrameV1,
    LegacyFrame,
    Malformed,
    Message,
    may_be,
    plain_parts,
    plain_type,
)
from .inflow import Inflow
from .refusals import words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ...policy.model import Decision, Resource
    from .executions import Executions
    from .frames import Frame
    from .live import LiveDoor, LiveDoors
    from .refusals import Refusals
    from .saved import SavedCells

_log = logging.getLogger(__name__)

#: Close code for a frame that cannot be read.
UNREADABLE = 1003
#: Seconds for which somebody is taken not to have every right.
_AGAIN = 0.5
_OTHERS = "You can move the widgets of kernels that you started, and not of this one"
_NO_WIDGET = "You can move the widgets of this kernel, and not open other connections to it"
_UNRECORDED = "This run could not be recorded, so it does not take place."
_TAKEN = "Your access to this kernel was taken back; what you ran goes on there without you."
_SILENT = "This kernel has not said yet what it is"
_UPSTREAMS = ZMQChannelsWebsocketConnection.handle_incoming_message


class KernelJudge:
    """Judges one socket's messages.

    Args:
        connection: Jupyter's, for its session, kernel and socket.
        kernel: as the handshake was asked about it.
        path: of the kernel's notebook.
        refusals: limits and records them.
        executions: records each run.
        forward: passes a frame on to the kernel.
    """

    def __init__(
        self,
        connection: Any,
        *,
        live: LiveDoors,
        door: LiveDoor,
        kernel: Resource,
        path: str | None,
        saved: SavedCells,
        refusals: Refusals,
        executions: Executions,
        forward: Callable[[str | bytes], None],
    ) -> None:
        self._connection = connection
        self._live = live
        self._door = door
        self._kernel = kernel
        self._path = path
        self._saved = saved
        self._refusals = refusals
        self._executions = executions
        self._answers = Answers(connection, refusals)
        self._forward = forward
        self._format: type[FrameV1 | LegacyFrame] | None = None
        self._everything = False
        self._everything_at = -1
        self._everything_until = 0.0
        self._asked: dict[str, Decision] = {}
        self._passing: set[str | None] = set()
        self._asked_at = -1
        self._asked_until = 0.0
        self._prompts: set[str] = set()
        self.inflow = Inflow(connection)
        self._work: asyncio.Task[None] | None = None
        # What upstream's own method would do with a frame is known; a subclass of its
        # connection may do more.
        self._is_upstreams = (
            getattr(forward, "__func__", None) is _UPSTREAMS
            and not connection.multi_kernel_manager.allowed_message_types
        )

    def take(self, data: str | bytes) -> None:
        """Judge a frame, and pass it on, answer it or drop it."""
        if self._work is None and self._format is FrameV1:
            # The shortest way, for most of what most people send.
            parts = plain_parts(data)
            if parts is not None and (
                not may_be(parts[1], RUN)
                if self._may_everything()
                else self._passes(plain_type(parts[1]))
            ):
                self._forward_parts(data, parts)
                return
        elif self._work is not None:
            # Messages reach the kernel in the order in which they came.
            self.inflow.put(data)
            return
        later = self._take(data)
        if later is not None:
            self._work = asyncio.ensure_future(self._catch_up(later))

    def lower(self) -> None:
        """Watching is over: take no answer to a prompt, and end what the page waits for.

        The kernel goes on, and nothing of it comes here any more; a cell whose end
        nobody tells would seem to run for ever.
        """
        self._prompts.clear()
        for header in self._executions.untold():
            self._answers.refuse(Message("shell", RUN, header), _TAKEN)

    async def _catch_up(self, later: Coroutine[Any, Any, None]) -> None:
        waiting: Coroutine[Any, Any, None] | None = later
        try:
            while True:
                if waiting is not None:
                    await waiting
                data = self.inflow.next()
                if data is None:
                    break
                waiting = self._take(data)
        except Exception:  # noqa: BLE001  # why: what cannot be judged is not passed on
            _log.exception("messages could not be judged, so they were dropped")
            self.inflow.drop()
        finally:
            self._work = None

    def _take(self, data: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Judge a frame now; or return what remains to be waited for."""
        try:
            frame = self._frame(data)
            if self._may_everything() and frame.is_for(b"shell", b"control"):
                if frame.may_be(RUN):
                    self._pass(frame, frame.message(), data)
                else:
                    self._forward(data)
                return None
            message = frame.message()
            if message.channel == "stdin":
                self._take_reply(message, data)
            elif message.channel in {"shell", "control"}:
                return self._take_request(frame, message, data)
        except Malformed as error:
            self._connection.websocket_handler.close(UNREADABLE, str(error))
        return None

    def _frame(self, data: str | bytes) -> Frame:
        if self._format is None:
            self._format = FrameV1 if self._connection.subprotocol == V1 else LegacyFrame
        return self._format(data)

    def _may_everything(self) -> bool:
        live = self._live
        if self._everything_at == live.generation and live.clock() < self._everything_until:
            return self._everything
        decisions = [self._ask(action) for action in EVERYTHING]
        until = min(self._door.until, *(0 if d is None else d.good_until for d in decisions))
        self._everything = all(d is not None and d.allowed for d in decisions)
        if until <= live.clock():
            # An answer that must not be kept; each message is asked about by itself.
            self._everything, until = False, live.clock() + _AGAIN
        self._everything_at, self._everything_until = live.generation, until
        return self._everything

    def _passes(self, msg_type: str | None) -> bool:
        """Whether a message of this type is passed on, whatever else it holds; False says nothing.

        Kept for as long as the answers are.
        """
        live = self._live
        if (
            msg_type in self._passing
            and self._asked_at == live.generation
            and live.clock() < self._asked_until
        ):
            return True
        needed = PASSING.get(msg_type) if msg_type is not None else None
        if needed is None or not all(self._may(action) for action in needed):
            return False
        if all(action in self._asked for action in needed):
            self._passing.add(msg_type)
        return True

    def _ask(self, action: str) -> Decision | None:
        """The decision on `action`; None where the handshake would be refused by now."""
        live, now = self._live, self._live.clock()
        if self._asked_at != live.generation or now >= self._asked_until:
            door = live.current(self._door)
            self._asked = {}
            self._passing = set()
            self._asked_at, self._asked_until = live.generation, door.until
        found = self._asked.get(action)
        if found is None and self._door.allowed:
            found = live.ask(self._door, action, self._kernel)
            if found.good_until > now:
                self._asked[action] = found
                self._asked_until = min(self._asked_until, found.good_until)
        return found

    def _may(self, action: str) -> bool:
        decision = self._ask(action)
        return decision is not None and decision.allowed

    def _take_reply(self, message: Message, data: str | bytes) -> None:
        # A kernel that waits for input takes whatever comes on stdin, from anybody, of
        # any type; so nothing else passes, and only where it asked.
        if message.msg_type == "input_reply" and self._prompts and self._may("input"):
            self._prompts.pop()
            self._forward(data)

    def _take_request(
        self, frame: Frame, message: Message, data: str | bytes
    ) -> Coroutine[Any, Any, None] | None:
        action = ACTIONS.get(message.msg_type, "run")
        if message.msg_type == "shutdown_request" and frame.content().get("restart") is True:
            action = "restart"
        decision = self._ask(action)
        if decision is None or not decision.allowed:
            if action == "run" and message.msg_type == "execute_request":
                saved = self._ask("run_saved")
                if saved is not None and saved.allowed:
                    return self._run_saved(frame, message, data)
                if saved is not None and saved.determining == BY_VIEW:
                    decision = saved
            self._refuse(frame, message, decision)
        elif action == "watch" and not (self._may("run") and self._may("debug")):
            self._tell_kernel_info(message)
        elif action == "interact" and not self._may("run"):
            why = self._why_no_comm(frame, message)
            if why:
                self._refuse(frame, message, None, why)
            else:
                self._forward(data)
        else:
            self._pass(frame, message, data)
        return None

    def _pass(self, frame: Frame, message: Message, data: str | bytes) -> None:
        """Pass on what was judged; a run is recorded first, or does not take place."""
        if message.msg_type == RUN:
            if not self._spends():
                sentence = self._refusals.of_rule(words(message), USED_UP)
                self._answers.refuse(message, sentence)
                return
            try:
                self._executions.began(frame, message)
            except OSError:
                _log.exception("a run could not be recorded, so it is refused")
                self._answers.refuse(message, _UNRECORDED)
                return
        if isinstance(frame, FrameV1):
            self._forward_parts(data, frame.parts())
        else:
            self._forward(data)

    def _spends(self) -> bool:
        """Whether what lets this run through is not used up."""
        for action in ("run", "run_saved"):
            decision = self._ask(action)
            if decision is not None and decision.allowed:
                return self._live.spend(decision)
        return False

    def _forward_parts(self, data: str | bytes, parts: list[bytes]) -> None:
        """Pass on a frame of the newer format whose parts are known, without parsing it again."""
        connection = self._connection
        if not self._is_upstreams:
            self._forward(data)
            return
        stream = connection.channels.get(parts[0].decode())
        if stream is not None:
            connection.session.send_raw(stream, parts[1:])

    def _why_no_comm(self, frame: Frame, message: Message) -> str:
        """Why a message of widgets is refused to who may not run code; empty if not."""
        if self._kernel.owner != self._door.name:
            return _OTHERS
        if message.msg_type == "comm_open" and frame.content().get("target_name") not in WIDGETS:
            return _NO_WIDGET
        return ""

    async def _run_saved(self, frame: Frame, message: Message, data: str | bytes) -> None:
        why = await self._saved.refusal(frame.content(), self._path)
        # Asked again: it may have been taken back while the notebook was read.
        if self._may("run") or (not why and self._may("run_saved")):
            self._pass(frame, message, data)
            return
        sentence = self._refusals.of_rule(words(message), why)
        self._answers.refuse(message, sentence)

    def _refuse(
        self, frame: Frame, message: Message, decision: Decision | None, why: str = ""
    ) -> None:
        sentence = (
            self._refusals.of_rule(words(message), why)
            if decision is None
            else self._refusals.of_policy(words(message), decision, self._door)
        )
        is_read = message.msg_type in {"debug_request", "shutdown_request"}
        asked = frame.content() if is_read else {}
        self._answers.refuse(message, sentence, asked)

    def _tell_kernel_info(self, message: Message) -> None:
        """Answer in the kernel's place, also while it is busy."""
        future = getattr(self._connection.kernel_manager, "_kernel_info_future", None)
        info = future.result() if future is not None and future.done() else None
        if not info:
            self._answers.refuse(message, _SILENT)
            return
        told = replies.kernel_info(info, may_debug=self._may("debug"))
        self._answers.tell(message, told)

    @property
    def watches(self) -> bool:
        """Whether the client may see what the kernel says."""
        return self._live.current(self._door).allowed

    def lets_out(self, stream: Any, parts: list[Any]) -> bool:
        """Whether a message of the kernel goes to the client; keeps count of prompts."""
        if self._executions.pending:
            self._note_end(stream, parts)
        if not self._live.current(self._door).allowed:
            return False
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if channel == "stdin" or (self._prompts and channel == "iopub"):
            # A kernel may send anything; what is no prompt opens none.
            with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
                self._note_prompt(parts)
        return True

    def _note_end(self, stream: Any, parts: list[Any]) -> None:
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if isinstance(channel, str) and self._executions.listens(channel):
            with contextlib.suppress(ValueError, TypeError, OSError):
                _, (_, header, parent, _, content, *_) = self._connection.session.feed_identities(
                    parts
                )
                self._executions.note(channel, header, parent, content)

    def kernel_died(self) -> None:
        """Nothing that runs will end otherwise."""
        self._prompts.clear()
        with contextlib.suppress(OSError):
            self._executions.died()

    def leave(self) -> None:
        """The socket has closed."""
        self._executions.leave()

    def _note_prompt(self, parts: list[Any]) -> None:
        _, (_, header, parent, _, content, *_) = self._connection.session.feed_identities(parts)
        msg_type = json.loads(header).get("msg_type")
        asked_by = str(json.loads(parent).get("msg_id"))
        if msg_type == "input_request":
            self._prompts.add(asked_by)
        elif msg_type == "status" and json.loads(content).get("execution_state") == "idle":
            self._prompts.discard(asked_by)
