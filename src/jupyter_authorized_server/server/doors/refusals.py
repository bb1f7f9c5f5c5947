"""What refusing a kernel message leaves behind: a sentence, a record, and a limit on both."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from ... import sentences
from .sight import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...audit import Audit
    from ...policy.model import Decision, Resource
    from .frames import Message
    from .live import LiveDoor

#: Seconds between two records of one principal, kernel and message type.
RECORD_EVERY = 10.0
#: Answers at once, and then a second: a whole notebook may be run by who may not, a
#: flood need not be answered.
BURST, RATE = 1000, 200
#: Kinds of records whose time is kept.
_MOST_KEPT = 4096
#: Longest message type in a record.
_LONGEST_TYPE = 64

#: When each (principal, kernel, action) was last recorded; of all sockets, since a new
#: one costs a client nothing. By action, since a client can make up any type.
_recorded: dict[tuple[str, str, str], float] = {}


class Refusals:
    """Words, records and limits the refusals of one socket.

    Args:
        audit: gets the records.
        door: whose socket it is.
        resource: that it leads to.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        audit: Audit,
        door: LiveDoor,
        resource: Resource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._door = door
        self._resource = resource
        self._clock = clock
        self._left = float(BURST)
        self._at = clock()

    def may_answer(self) -> bool:
        """Whether one more answer goes out; takes it from what is left."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def of_policy(self, request: str, decision: Decision, door: LiveDoor) -> str:
        """The sentence of a decision; recorded.

        Args:
            request: what was sent, for the record.
        """
        if door.principal is not None and self._is_due(decision.action):
            with contextlib.suppress(OSError):
                self._audit.decision(
                    decision,
                    principal=door.principal,
                    door="channel",
                    address=door.address,
                    request=request,
                )
        return sentence(decision.reason_user)

    def of_rule(self, request: str, why: str) -> str:
        """The sentence of a rule of this door; recorded."""
        why = why or sentences.KERNEL_OUT_OF_SIGHT
        if self._is_due(""):
            fields = {
                "reason": why,
                "resource": self._resource.name,
                "request": request,
                "address": self._door.address,
                "door": "channel",
            }
            with contextlib.suppress(OSError):
                self._audit.event("denial", actor=self._door.name, fields=fields)
        return sentence(why)

    def _is_due(self, action: str) -> bool:
        key = (self._door.name, self._resource.name, action)
        now = self._clock()
        if now < _recorded.get(key, float("-inf")) + RECORD_EVERY:
            return False
        if len(_recorded) >= _MOST_KEPT:
            _recorded.clear()
        _recorded[key] = now
        return True


def words(message: Message) -> str:
    """What a message was, for a record."""
    return f"{message.msg_type[:_LONGEST_TYPE]} on {message.channel}"
