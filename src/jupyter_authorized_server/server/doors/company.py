"""Door: who else may run code in a process: whoever may touch all that it touches.

Code acts with what its process is shown, and that is compiled from the rights of the
process's owner. So another person is let in only where nothing of it is beyond them.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import sentences
from ...policy.model import Answer, Determinant, Effect, Reasons, Resource
from ...sandbox.unconfined import may_be_unconfined
from ...sandbox.view import View, covers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...decision_point import DecisionPoint
    from ...policy.model import Decision, Principal
    from ...sandbox.launch import Launcher
    from ...sandbox.room import Room

#: What has a process do something that whoever asks has chosen, or shows what it sees. To
#: stop or interrupt one is neither.
REACHING = frozenset(
    {
        *(
            ("kernels", action)
            for action in ("run", "run_saved", "input", "interact", "help", "debug", "restart")
        ),
        ("terminals", "type"),
        # Of a shell of one's own; see `terminals`.
        ("terminals", "start"),
    }
)
#: Answers kept; one is for a person and a process.
_MOST_KEPT = 4096
#: How long a no is kept, in seconds: a grant that begins changes no revision.
_NO_FOR = 1.0
#: What such a denial is determined by.
BY_VIEW = (Determinant(id="view", kind="rule", effect=Effect.FORBID, source="sandbox"),)
#: What a denial is determined by where kernels are behind a gateway.
ELSEWHERE = (Determinant(id="unconfined", kind="rule", effect=Effect.FORBID, source="sandbox"),)
#: What a process may be shown of which nobody knows yet.
_ANYTHING = View(principal="", revision=0, writable=("/",))
_WORDS = {"kernels": "kernel", "terminals": "terminal"}


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: int
    view: View
    whole: bool
    until: float


class Company:
    """Decides who may join in a process.

    Args:
        launcher: of all processes.
        room_of: the room of a kernel or terminal, None where it has none.
        runs: whether a kernel of that id runs or starts.
        private: whether a kept home is its owner's alone.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        point: DecisionPoint,
        launcher: Launcher,
        room_of: Callable[[Resource], Room | None],
        *,
        runs: Callable[[str], bool],
        private: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._point = point
        self._clock = clock
        self._launcher = launcher
        self._room_of = room_of
        self._runs = runs
        self._private = private
        self._kept: dict[tuple[Principal, str, str], _Kept] = {}

    def judge(
        self,
        decision: Decision,
        principal: Principal,
        resource: Resource,
        *,
        door: str,
        address: str | None,
        request: str | None,
        record: bool,
    ) -> Decision:
        """`decision`, or a denial where the process touches what `principal` may not."""
        if not decision.allowed:
            return decision
        if self._launcher.elsewhere and resource.type == "kernels" and resource.id:
            return self._elsewhere(decision, principal)
        room = self._others(principal, resource)
        if room is None and not self._is_unseen(principal, resource):
            return decision
        whole, until = self._covers(principal, room)
        if whole:
            if door == "channel" and room is not None:
                room.admit(principal)
            if until == math.inf:
                return decision
            return decision._replace(good_until=min(decision.good_until, until))
        return self._denied(
            decision, principal, resource,
            door=door, address=address, request=request, record=record,
        )  # fmt: skip

    def _elsewhere(self, decision: Decision, principal: Principal) -> Decision:
        """`decision` on a kernel that nothing here confines, whoever has started it.

        Not even in shadow mode is this lifted, as nothing is that lies outside the sandbox.
        """
        if may_be_unconfined(self._point, principal):
            return decision
        why = self._launcher.elsewhere
        return decision._replace(
            answer=Answer.DENY,
            determining=ELSEWHERE,
            reasons=Reasons(user=why, admin=why),
            good_until=0.0,
        )

    def words(self, principal: Principal | None, resource: Resource) -> tuple[str, ...]:
        """Jupyter's words on contents that a hook must allow who joins in `resource`."""
        if principal is None:
            return ("read", "write")
        room = self._others(principal, resource)
        if room is None:
            return ()
        if room.view is None:
            return ("read", "write")
        reads = ("read",) if room.view.read_only or room.view.writable else ()
        return (*reads, "write") if room.view.writable else reads

    def _others(self, principal: Principal, resource: Resource) -> Room | None:
        """The room of `resource`, if it is not `principal`'s own."""
        room = self._room_of(resource) if resource.id else None
        if room is None:
            return None
        owner = room.origin.principal
        # A token may be let do less than its owner, by its scope or a rule.
        own = principal.name == owner.name == resource.owner and (
            principal.token is None or principal.token == owner.token
        )
        return None if own else room

    def _is_unseen(self, principal: Principal, resource: Resource) -> bool:
        """Whether nobody knows yet what a kernel of another one is shown, as it starts."""
        return (
            resource.type == "kernels"
            and self._room_of(resource) is None
            and self._runs(resource.id)
            and (principal.name != resource.owner or principal.token is not None)
        )

    def _covers(self, principal: Principal, room: Room | None) -> tuple[bool, float]:
        if room is None:
            return covers(self._point, principal, _ANYTHING)
        if room.unconfined:
            # Not kept: the rule may hang on the hour.
            return may_be_unconfined(self._point, principal), 0.0
        view, revision = room.view or _ANYTHING, self._point.revision
        if self._private and room.keeps and not self._administers(principal):
            return False, 0.0
        key = (principal, room.type, room.id)
        kept, now = self._kept.get(key), self._clock()
        if (
            kept is None
            or kept.revision != revision
            or kept.view is not view
            # Nothing grows when a grant ends or begins.
            or kept.until <= now
        ):
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            whole, until = covers(self._point, principal, view)
            until = until if whole else now + _NO_FOR
            kept = self._kept[key] = _Kept(revision, view, whole, until)
        return kept.whole, kept.until

    def _administers(self, principal: Principal) -> bool:
        return self._point.decide(
            principal, "administer", Resource(type="server"), door="sandbox", record=False
        ).allowed

    def _denied(
        self,
        decision: Decision,
        principal: Principal,
        resource: Resource,
        *,
        door: str,
        address: str | None,
        request: str | None,
        record: bool,
    ) -> Decision:
        word = _WORDS[resource.type]
        denial = decision._replace(
            answer=Answer.DENY,
            determining=BY_VIEW,
            reasons=Reasons(
                user=sentences.reaches_more(word),
                admin=sentences.why_reaches_more(
                    resource.name, str(resource.owner), principal.name
                ),
            ),
        )
        shadow = self._point.shadow
        if shadow is not None and shadow.lifts(denial):
            return shadow.lifted(
                denial, principal=principal, door=door, address=address, request=request,
                record=record,
            )  # fmt: skip
        if not record:
            return denial
        with contextlib.suppress(OSError):
            told = self._point.audit.decision(
                denial, principal=principal, door=door, address=address, request=request
            )
            return denial._replace(id=told)
        return denial
