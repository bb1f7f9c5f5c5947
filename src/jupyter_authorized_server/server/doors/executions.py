"""Who ran what: one record for each run in a kernel, before the kernel has it.

A second record says how it ended. So what was run is known even where the kernel took
the server down with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .frames import LONGEST_CONTENT, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...audit import Audit
    from ...policy.model import Resource
    from .frames import Frame, Message
    from .live import LiveDoor

#: Runs of one socket, or of one kernel's closed ones, whose end is awaited.
_MOST_PENDING = 10_000
#: Longest id that is recorded as a client has it.
_LONGEST_ID = 128
RUN = "execute_request"
#: What a header has, as the protocol of messages says.
_USUAL = ("msg_id", "msg_type", "session", "username", "version", "date", "subshell_id")


@dataclass(slots=True, kw_only=True)
class Running:
    """A run whose end is awaited.

    Args:
        record: id of its first record.
        actor: who runs it.
        session: as the kernel knows the client; its next socket gets the reply.
        header: what an answer to it names as its parent.
        failed: whether the kernel has told everybody of an error in it.
        told: whether its page has been told that it hears no more of it.
    """

    record: str
    actor: str
    session: str
    header: dict[str, str]
    failed: bool = False
    told: bool = False


class Executions:
    """Records the runs of one socket.

    Args:
        audit: gets the records.
        door: whose socket it is.
        kernel: that runs them.
        path: of the kernel's notebook.
        session: as the kernel knows the client.
        left: runs of this kernel whose socket has closed, for all sockets to it.
        with_code: whether the text of the code is recorded.
        sandbox: says what confines the kernel.
    """

    def __init__(
        self,
        audit: Audit,
        door: LiveDoor,
        kernel: Resource,
        *,
        path: str | None,
        session: str,
        left: OrderedDict[str, Running],
        with_code: bool,
        sandbox: Callable[[], str],
    ) -> None:
        self._audit = audit
        self._door = door
        self._kernel = kernel
        self._path = path
        self._with_code = with_code
        self._sandbox = sandbox
        self._session = session
        self._left = left
        self._pending: OrderedDict[str, Running] = OrderedDict()

    @property
    def pending(self) -> bool:
        """Whether the end of a run is awaited."""
        return bool(self._pending or self._left)

    def listens(self, channel: str) -> bool:
        """Whether the end of a run can be told on `channel`; all else need not be read."""
        return bool(self._left) if channel == "iopub" else channel in {"shell", "control"}

    def leave(self) -> None:
        """The socket has closed: whoever is connected from now on looks out for the ends."""
        self._left.update(self._pending)
        self._pending.clear()
        while len(self._left) > _MOST_PENDING:
            self._left.popitem(last=False)

    def untold(self) -> list[dict[str, str]]:
        """The headers of this socket's runs that go on; of each run only once."""
        found = [run for run in self._pending.values() if not run.told]
        for run in found:
            run.told = True
        return [run.header for run in found]

    def began(self, frame: Frame, message: Message) -> None:
        """A run is about to be passed on.

        Raises:
            Malformed: it cannot be told what would run.
        """
        code, hashed = self._code(frame)
        cell = frame.metadata().get("cellId")
        record = self._audit.event(
            "execution",
            actor=self._door.name,
            fields={
                "token": self._door.token,
                "kernel": self._kernel.name,
                "sandbox": self._sandbox(),
                "notebook": self._path,
                "cell": cell[:_LONGEST_ID] if isinstance(cell, str) else None,
                "sha256": hashlib.sha256(code).hexdigest(),
                "hashed": hashed,
                **({"code": code.decode("utf-8", "replace")} if self._with_code else {}),
                "address": self._door.address,
                "door": "channel",
            },
        )
        sent = message.header.get("msg_id")
        if isinstance(sent, str) and len(sent) <= _LONGEST_ID:
            self._pending[sent] = Running(
                record=record,
                actor=self._door.name,
                session=self._session,
                header=_kept(message.header),
            )
            if len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)

    @staticmethod
    def _code(frame: Frame) -> tuple[bytes, str]:
        """What is hashed: the code, or of a very long one all of the content; and which."""
        raw = frame.raw_content()
        if len(raw) > LONGEST_CONTENT:
            return raw, "content"
        code = frame.content().get("code")
        if not isinstance(code, str):
            raise Malformed("a run without code")
        return code.encode("utf-8", "surrogatepass"), "code"

    def died(self) -> None:
        """The kernel has died, and with it what it ran."""
        for sent, run in [*self._pending.items(), *self._left.items()]:
            self._end(sent, run, "died")

    def note(self, channel: str, header: bytes, parent: bytes, content: bytes) -> None:
        """Read what the kernel says; the end of a run is recorded.

        The reply goes to who sent the run alone. Of a run whose page has gone, the
        others hear that it is over, and whether with an error.
        """
        if channel == "iopub" and not self._left:
            return
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            sent = json.loads(parent).get("msg_id")
            run = self._pending.get(sent) or self._left.get(sent)
            if run is None:
                return
            if channel != "iopub":
                if run.session == self._session:
                    self._end(sent, run, json.loads(content).get("status"))
            elif run.session != self._session:
                self._note_told(sent, run, json.loads(header).get("msg_type"), content)

    def _note_told(self, sent: str, run: Running, msg_type: object, content: bytes) -> None:
        if msg_type == "error":
            run.failed = True
        elif msg_type == "status" and json.loads(content).get("execution_state") == "idle":
            self._end(sent, run, "error" if run.failed else None)

    def _end(self, sent: str, run: Running, status: object) -> None:
        self._pending.pop(sent, None)
        self._left.pop(sent, None)
        self._audit.note(
            "execution_end",
            actor=run.actor,
            fields={
                "execution": run.record,
                "kernel": self._kernel.name,
                "status": status[:_LONGEST_ID] if isinstance(status, str) else None,
                "door": "channel",
            },
        )


def _kept(header: dict[str, Any]) -> dict[str, str]:
    """What is kept of a header for an answer that may come: what it usually has."""
    words = ((name, header.get(name)) for name in _USUAL)
    return {
        name: word for name, word in words if isinstance(word, str) and len(word) <= _LONGEST_ID
    }
