"""Shadow mode: what the policy denies happens all the same, and is recorded.

For trying a policy out on a server that was open before. Three things it does not let
through: whoever has not signed in, also as a guest, what could not be decided, and changes
of the policy itself, since somebody could else make a grant for the day the policy is
enforced. Nor does it widen a token, which was made narrow by its owner and by no policy.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .policy.model import ANONYMOUS, GUEST, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .audit import Audit
    from .policy.model import Decision, Principal

#: Actions that are enforced in shadow mode too.
ENFORCED = frozenset({"administer", "share"})
#: Seconds between two records of the same thing: a page asks a hundred times a minute.
RECORD_EVERY = 60.0
#: Doors that record what they refuse by themselves, which here they never do.
_DOORS_THAT_RECORD = frozenset({"channel"})
_NO_RULE = frozenset({"", "decision point"})
_MOST_KEPT = 16_384


class Shadow:
    """Turns denials into records.

    Args:
        audit: gets them.
        clock: seconds since the epoch.
    """

    def __init__(self, audit: Audit, clock: Callable[[], float]) -> None:
        self._audit = audit
        self._clock = clock
        self._recorded: dict[tuple[str, ...], float] = {}

    def lifts(self, decision: Decision) -> bool:
        """Whether the denial `decision` is one that shadow mode lets through."""
        return (
            decision.principal != ANONYMOUS
            and not decision.principal.startswith(GUEST)
            and decision.action not in ENFORCED
            # A rule that failed has a line in a file; what else failed was no policy's doing.
            and not any(
                each.kind in {"token", "view", "link"}
                or (each.kind == "error" and each.source in _NO_RULE)
                for each in decision.determining
            )
        )

    def lifted(
        self,
        decision: Decision,
        *,
        principal: Principal,
        door: str,
        address: str | None,
        request: str | None,
        record: bool,
    ) -> Decision:
        """The allow that stands in for the denial `decision`, which is recorded."""
        recorded = decision.id
        if (record or door in _DOORS_THAT_RECORD) and self._is_due(decision):
            # As with a denial that counts, a full disk changes no answer.
            with contextlib.suppress(OSError):
                recorded = self._audit.decision(
                    decision,
                    principal=principal,
                    door=door,
                    address=address,
                    request=request,
                    shadow=True,
                )
        return decision._replace(answer=Answer.ALLOW, id=recorded)

    def _is_due(self, decision: Decision) -> bool:
        key = (decision.principal, decision.action, decision.resource)
        now = self._clock()
        if now < self._recorded.get(key, float("-inf")) + RECORD_EVERY:
            return False
        if len(self._recorded) >= _MOST_KEPT:
            self._recorded.clear()
        self._recorded[key] = now
        return True
