"""Door: what one socket's person may do with its kernel, kept for as long as it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import sentences
from ...policy.model import Answer, Determinant, Effect, Reasons
from ..surface.messages import EVERYTHING, PASSING

if TYPE_CHECKING:
    from ...policy.model import Decision, Resource
    from .live import LiveDoor, LiveDoors

#: Seconds for which somebody is taken not to have every right.
_AGAIN = 0.5
#: What such a denial is determined by.
_BY_COUNT = (Determinant(id="uses", kind="rule", effect=Effect.FORBID, source="uses"),)
_COUNTED = Reasons(
    user=sentences.UNCOUNTED,
    admin="all that allows it are grants with `uses`, which no debugger is given with",
)


class Rights:
    """Asks the policy once for many messages.

    Args:
        kernel: as the handshake was asked about it.
    """

    def __init__(self, live: LiveDoors, door: LiveDoor, kernel: Resource) -> None:
        self._live = live
        self._door = door
        self._kernel = kernel
        self._everything = False
        self._everything_at = -1
        self._everything_until = 0.0
        self._asked: dict[str, Decision] = {}
        self._passing: set[str | None] = set()
        self._asked_at = -1
        self._asked_until = 0.0

    def may_everything(self) -> bool:
        """Whether anything may be sent, whatever it is."""
        live = self._live
        if self._everything_at == live.generation and live.clock() < self._everything_until:
            return self._everything
        decisions = [self.ask(action) for action in EVERYTHING]
        until = min(self._door.until, *(0 if d is None else d.good_until for d in decisions))
        self._everything = all(d is not None and d.allowed for d in decisions)
        if until <= live.clock():
            # An answer that must not be kept; each message is asked about by itself.
            self._everything, until = False, live.clock() + _AGAIN
        self._everything_at, self._everything_until = live.generation, until
        return self._everything

    def passes(self, msg_type: str | None) -> bool:
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
        if needed is None or not all(self.may(action) for action in needed):
            return False
        if all(action in self._asked for action in needed):
            self._passing.add(msg_type)
        return True

    def ask(self, action: str) -> Decision | None:
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
            if action == "debug" and found.allowed and live.counts(found):
                # It runs whatever it is sent, and no run comes by.
                found = found._replace(answer=Answer.DENY, determining=_BY_COUNT, reasons=_COUNTED)
            if found.good_until > now:
                self._asked[action] = found
                self._asked_until = min(self._asked_until, found.good_until)
        return found

    def may(self, action: str) -> bool:
        """Whether `action` is allowed on the kernel now."""
        decision = self.ask(action)
        return decision is not None and decision.allowed
