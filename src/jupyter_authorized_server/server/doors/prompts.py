"""What a kernel has asked for on one socket, and nobody has answered yet.

A kernel that waits for input takes whatever comes, from anybody; so a reply passes only
on the socket that was asked, and only once.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any


class Prompts:
    """The prompts of one socket.

    Args:
        session: Jupyter's, which reads messages.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._asked_by: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._asked_by)

    def clear(self) -> None:
        """None of them may be answered any more."""
        self._asked_by.clear()

    def answered(self) -> None:
        """A reply goes to the kernel."""
        self._asked_by.pop()

    def hear(self, parts: list[Any]) -> None:
        """Read a message of the kernel's: it may ask, or be done with what asked.

        A kernel may send anything; what is no prompt opens none.
        """
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            _, (_, header, parent, _, content, *_) = self._session.feed_identities(parts)
            msg_type = json.loads(header).get("msg_type")
            asked_by = str(json.loads(parent).get("msg_id"))
            if msg_type == "input_request":
                self._asked_by.add(asked_by)
            elif msg_type == "status" and json.loads(content).get("execution_state") == "idle":
                self._asked_by.discard(asked_by)
