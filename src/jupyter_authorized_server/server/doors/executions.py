"""Who ran what: one record for each run in a kernel, before the kernel has it.

A second record says how it ended. So what was run is known even where the kernel took
the server down with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from ...audit import REQUEST
from .endings import Running
from .frames import LONGEST_CONTENT, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...audit import Audit
    from ...policy.model import Resource
    from .endings import Runs
    from .frames import Frame, Message
    from .live import LiveDoor

#: Longest id that is recorded as a client has it.
_LONGEST_ID = 128
RUN = "execute_request"
#: What a header has, as the protocol of messages says.
_USUAL = ("msg_id", "msg_type", "session", "username", "version", "date", "subshell_id")


class Executions:
    """Records the runs of one socket.

    Args:
        audit: gets the records.
        door: whose socket it is.
        kernel: that runs them.
        path: of the kernel's notebook.
        session: as the kernel knows the client.
        runs: of this kernel, of all sockets to it.
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
        runs: Runs,
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
        #: Header of the run that was replied to last; its `idle` may yet be on its way.
        self.replied: dict[str, str] | None = None
        self.runs = runs
        runs.back(session)

    def leave(self, *, unheard: bool = False) -> None:
        """The socket has closed; `unheard` where nothing of its runs is heard any more."""
        self.runs.leave(self._session, unheard=unheard)

    def overhear(self, sent: object, parts: Callable[[], list[bytes]]) -> None:
        """What the kernel tells everybody of a run of this socket."""
        if self.runs.has(self._session, sent):
            self.runs.hear(parts())

    def untold(self) -> list[dict[str, str]]:
        """The headers of this socket's runs that go on; of each run only once."""
        found = [run for run in self.runs.of(self._session) if not run.told]
        for run in found:
            run.told = True
        return [run.header for run in found]

    def began(self, frame: Frame, message: Message) -> None:
        """A run is about to be passed on.

        Raises:
            Malformed: it cannot be told what would run.
        """
        code, hashed, is_silent = self._code(frame)
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
            self.runs.add(
                Running(
                    record=record,
                    request=REQUEST.get(),
                    actor=self._door.name,
                    kernel=self._kernel.name,
                    session=self._session,
                    sent=sent,
                    header=_kept(message.header),
                    silent=is_silent,
                )
            )

    @staticmethod
    def _code(frame: Frame) -> tuple[bytes, str, bool]:
        """What is hashed: the code, or of a very long one all of the content; which; if silent."""
        raw = frame.raw_content()
        if len(raw) > LONGEST_CONTENT:
            return raw, "content", True
        content = frame.content()
        code = content.get("code")
        if not isinstance(code, str):
            raise Malformed("a run without code")
        return code.encode("utf-8", "surrogatepass"), "code", content.get("silent") is not False

    def note(self, parent: bytes, content: bytes) -> None:
        """Read a reply of the kernel's to this client; the end of a run is recorded."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            sent, status = json.loads(parent).get("msg_id"), json.loads(content).get("status")
            self.replied = self.runs.replied(self._session, sent, status) or self.replied


def _kept(header: dict[str, Any]) -> dict[str, str]:
    """What is kept of a header for an answer that may come: what it usually has."""
    words = ((name, header.get(name)) for name in _USUAL)
    return {
        name: word for name, word in words if isinstance(word, str) and len(word) <= _LONGEST_ID
    }
