"""Who ran what: one record for each run in a kernel, before the kernel has it.

A second record says how it ended. So what was run is known even where the kernel took
the server down with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING

from .frames import LONGEST_CONTENT, Malformed

if TYPE_CHECKING:
    from ...audit import Audit
    from ...policy.model import Resource
    from .frames import Frame, Message
    from .live import LiveDoor

#: Runs of one socket whose end is awaited.
_MOST_PENDING = 10_000
#: Longest id that is recorded as a client has it.
_LONGEST_ID = 128
RUN = "execute_request"


class Executions:
    """Records the runs of one socket.

    Args:
        audit: gets the records.
        door: whose socket it is.
        kernel: that runs them.
        path: of the kernel's notebook.
        with_code: whether the text of the code is recorded.
    """

    def __init__(
        self, audit: Audit, door: LiveDoor, kernel: Resource, *, path: str | None, with_code: bool
    ) -> None:
        self._audit = audit
        self._door = door
        self._kernel = kernel
        self._path = path
        self._with_code = with_code
        self._pending: OrderedDict[str, str] = OrderedDict()

    @property
    def pending(self) -> bool:
        """Whether the end of a run is awaited."""
        return bool(self._pending)

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
            self._pending[sent] = record
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

    def note_reply(self, parent: bytes, content: bytes) -> None:
        """Read what the kernel says on `shell` or `control`; the end of a run is recorded."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            sent = json.loads(parent).get("msg_id")
            if sent not in self._pending:
                return
            status = json.loads(content).get("status")
            self._audit.event(
                "execution_end",
                actor=self._door.name,
                fields={
                    "execution": self._pending.pop(sent),
                    "kernel": self._kernel.name,
                    "status": status[:_LONGEST_ID] if isinstance(status, str) else None,
                    "door": "channel",
                },
            )
