"""Door: one socket's messages to a kernel, each judged as it comes.

What is judged is what is passed on: the same bytes, read strictly. What is refused is
answered as a kernel would, so that a page shows the sentence in the cell.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from ... import sentences
from ..acting import Acting
from ..surface.messages import ACTIONS, WIDGETS
from . import replies
from .answers import Answers
from .company import BY_VIEW, ELSEWHERE
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
from .live import close
from .prompts import Prompts
from .refusals import words
from .rights import Rights
from .saved import SAVED_CELL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ...policy.model import Decision, Resource
    from .executions import Executions
    from .frames import Frame
    from .live import LiveDoor, LiveDoors
    from .refusals import Refusals
    from .saved import SavedCells

_log = logging.getLogger(__name__)

#: Close code for a frame that cannot be read.
UNREADABLE = 1003
#: Questions of one socket what the kernel is that wait until it has said so.
_MOST_CURIOUS = 16
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
        self.executions = executions
        executions.runs.sockets.add(self)
        self.answers = Answers(connection, refusals)
        self._forward = forward
        self._format: type[FrameV1 | LegacyFrame] | None = None
        self._rights = Rights(live, door, kernel)
        self._prompts = Prompts(connection.session)
        self.inflow = Inflow(connection)
        self._work: asyncio.Task[None] | None = None
        self._curious = 0
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
                if self._rights.may_everything()
                else self._rights.passes(plain_type(parts[1]))
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

    def tell_end(self, why: str) -> None:
        """The socket is about to close: end what the page waits for.

        The kernel goes on, and nothing of it comes here any more; a cell whose end
        nobody tells would seem to run for ever.
        """
        self.end_runs(why)
        if self.executions.replied is not None:
            self.answers.finish(Message("shell", RUN, self.executions.replied))
            self.executions.replied = None

    def shut(self) -> None:
        """The server has closed the socket: nothing that has come is passed on any more."""
        self.inflow.drop()
        if self._work is not None:
            self._work.cancel()

    def end_runs(self, why: str) -> None:
        """Tell the page why it hears no more of what runs."""
        for header in self.executions.untold():
            self.answers.refuse(Message("shell", RUN, header), why)

    def hold(self, until: Awaitable[None]) -> None:
        """Judge nothing that comes before `until` is done; it waits, in its order."""
        if self._work is None:
            self._work = asyncio.ensure_future(self._catch_up(until))

    def answer_away(self, message: Message) -> None:
        """Answer `message`, which cannot be passed on."""
        self.answers.refuse(message, self._connection.away)

    async def _catch_up(self, later: Awaitable[None]) -> None:
        waiting: Awaitable[None] | None = later
        try:
            while True:
                if waiting is not None:
                    await waiting
                data = self.inflow.next()
                if data is None:
                    break
                waiting = self._take(data)
        except Malformed as error:
            self._end(error)
        except Exception:  # noqa: BLE001  # why: what cannot be judged is not passed on
            _log.exception("messages could not be judged, so they were dropped")
            self.inflow.drop()
        finally:
            self._work = None

    def _take(self, data: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Judge a frame now; or return what remains to be waited for."""
        try:
            frame = self._frame(data)
            if (
                self._rights.may_everything()
                and frame.is_for(b"shell", b"control")
                and not frame.may_be(RUN)
            ):
                self._forward(data)
                return None
            message = frame.message()
            if message.channel == "stdin":
                self._take_reply(message, data)
            elif message.channel in {"shell", "control"}:
                return self._take_request(frame, message, data)
        except Malformed as error:
            self._end(error)
        return None

    def _end(self, error: Malformed) -> None:
        """Close the socket on which something came that cannot be read."""
        close(self._connection.websocket_handler, UNREADABLE, str(error))

    def _frame(self, data: str | bytes) -> Frame:
        if self._format is None:
            self._format = FrameV1 if self._connection.subprotocol == V1 else LegacyFrame
        return self._format(data)

    def _take_reply(self, message: Message, data: str | bytes) -> None:
        # A kernel that waits for input takes whatever comes on stdin, from anybody, of
        # any type; so nothing else passes, and only where it asked.
        if message.msg_type == "input_reply" and self._prompts and self._rights.may("input"):
            self._prompts.answered()
            self._forward(data)

    def _take_request(
        self, frame: Frame, message: Message, data: str | bytes
    ) -> Coroutine[Any, Any, None] | None:
        action = ACTIONS.get(message.msg_type, "run")
        if message.msg_type == "shutdown_request" and frame.content().get("restart") is True:
            action = "restart"
        decision = self._rights.ask(action)
        if message.msg_type == RUN:
            return self._take_run(frame, message, data)
        if decision is None or not decision.allowed:
            self._refuse(frame, message, decision)
        elif action == "watch" and not (self._rights.may("run") and self._rights.may("debug")):
            self._tell_kernel_info(message)
        elif action == "interact" and not self._rights.may("run"):
            why = self._why_no_comm(frame, message)
            if why:
                self._refuse(frame, message, None, why)
            else:
                self._forward(data)
        else:
            self._pass(frame, message, data)
        return None

    def _pass(self, frame: Frame, message: Message, data: str | bytes) -> None:
        """Pass on what was judged; a run is recorded first, or does not take place.

        What this server does not know may be a run by another name, and counts as one.
        """
        if self._connection.away:
            self.answer_away(message)
            return
        if ACTIONS.get(message.msg_type, "run") == "run" and not self._spends():
            sentence = self._refusals.of_rule(words(message), sentences.USED_UP)
            self.answers.refuse(message, sentence)
            return
        if message.msg_type == RUN:
            try:
                self.executions.began(frame, message)
            except OSError:
                _log.exception("a run could not be recorded, so it is refused")
                self.answers.refuse(message, sentences.RUN_NOT_RECORDED)
                return
        if isinstance(frame, FrameV1):
            self._forward_parts(data, frame.parts())
        else:
            self._forward(data)

    def _spends(self) -> bool:
        """Whether what lets this run through is not used up."""
        for action in ("run", "run_saved"):
            decision = self._rights.ask(action)
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
            return sentences.WIDGETS_OF_OTHERS
        if message.msg_type == "comm_open" and frame.content().get("target_name") not in WIDGETS:
            return sentences.NO_WIDGET
        return ""

    async def _run_saved(self, frame: Frame, message: Message, data: str | bytes) -> None:
        why = await self._saved.refusal(frame.content(), self._path)
        # Asked again: it may have been taken back while the notebook was read.
        if self._rights.may("run") or (not why and self._rights.may("run_saved")):
            self._pass(frame, message, data)
        else:
            self._refuse(frame, message, None if why else self._rights.ask("run"), why)

    def _take_run(
        self, frame: Frame, message: Message, data: str | bytes
    ) -> Coroutine[Any, Any, None] | None:
        run, saved = self._rights.ask("run"), self._rights.ask("run_saved")
        may_run, may_run_saved = (each is not None and each.allowed for each in (run, saved))
        cell = frame.metadata().get(SAVED_CELL)
        if cell is not None and (may_run or may_run_saved):
            return self._run_cell(frame, message, cell)
        if may_run:
            self._pass(frame, message, data)
        elif may_run_saved:
            return self._run_saved(frame, message, data)
        else:
            says_why = saved is not None and saved.determining in {BY_VIEW, ELSEWHERE}
            self._refuse(frame, message, saved if says_why else run)
        return None

    async def _run_cell(self, frame: Frame, message: Message, cell: object) -> None:
        """Run what is saved in the cell that a client names, for who may also read it."""
        door = self._live.current(self._door)
        assert door.principal is not None  # noqa: S101  # why: it was allowed just now
        whose = Acting(
            principal=door.principal,
            request=self._connection.websocket_handler.request,
            questions=door.questions,
            hooks=(door.hook,) if door.hook is not None else (),
        )
        why, code = await self._saved.cell(cell, frame.content(), self._path, whose=whose)
        # Asked again: it may have been taken back while the notebook was read.
        if not (self._rights.may("run") or self._rights.may("run_saved")):
            self._refuse(frame, message, self._rights.ask("run"))
        elif why:
            self._refuse(frame, message, None, why)
        else:
            data = frame.with_code(code)
            self._pass(self._frame(data), message, data)

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
        self.answers.refuse(message, sentence, asked)

    def _tell_kernel_info(self, message: Message) -> None:
        """Answer in the kernel's place, also while it is busy."""
        future = getattr(self._connection.kernel_manager, "_kernel_info_future", None)
        if future is not None and not future.done() and self._curious < _MOST_CURIOUS:
            self._curious += 1
            future.add_done_callback(lambda _: self._tell_later(message))
            return
        info = future.result() if future is not None and future.done() else None
        if not info:
            self.answers.refuse(message, sentences.KERNEL_IS_SILENT)
            return
        told = replies.kernel_info(info, may_debug=self._rights.may("debug"))
        self.answers.tell(message, told)

    def _tell_later(self, message: Message) -> None:
        self._curious -= 1
        if self._rights.may("watch"):
            self._tell_kernel_info(message)

    @property
    def watches(self) -> bool:
        """Whether the client may see what the kernel says."""
        return self._live.current(self._door).allowed

    def needs(self, channel: str) -> bool:
        """Whether `lets_out` reads the parts of what comes on `channel`."""
        return channel != "iopub" or bool(self._prompts)

    def overhear(self, sent: object, parts: Callable[[], list[bytes]]) -> None:
        """Of a run of this socket, what the kernel tells everybody, where only sockets hear it."""
        self.executions.overhear(sent, parts)

    def lets_out(self, stream: Any, parts: list[Any]) -> bool:
        """Whether a message of the kernel goes to the client; keeps count of prompts."""
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if channel != "iopub" and self.executions.runs:
            self._note_reply(parts)
        if not self._live.current(self._door).allowed:
            return False
        if channel == "stdin" or (self._prompts and channel == "iopub"):
            self._prompts.hear(parts)
        return True

    def _note_reply(self, parts: list[Any]) -> None:
        with contextlib.suppress(ValueError, TypeError):
            _, (_, _, parent, _, content, *_) = self._connection.session.feed_identities(parts)
            self.executions.note(parent, content)

    def kernel_is_gone(self) -> None:
        """The process that has asked for input is no more; another one has not asked."""
        self._prompts.clear()

    def leave(self, *, unheard: bool = False) -> None:
        """The socket has closed; `unheard` where nothing of its runs is heard any more."""
        self.executions.leave(unheard=unheard)
