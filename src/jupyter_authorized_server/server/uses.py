"""Uses: grants that count a number of times only, and what a use is.

A use is one request, or one run in a kernel, that such a grant alone lets through: to
change or run something, or to read what is in a file. Looking at names and states is
none, since pages do that all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from ..account import accounted
from ..errors import StoreError
from ..policy.vocabulary import ABILITY, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..decision_point import DecisionPoint
    from ..policy.model import Decision

_log = logging.getLogger(__name__)

#: Seconds for which what a last use has let in may go on asking.
GRACE = 30.0
#: Reading that is a use.
_READS = frozenset({"open", "download", "export", "copy"})


class Uses:
    """Counts the uses of one server's grants; several servers on one store count together."""

    def __init__(self, point: DecisionPoint) -> None:
        self._point = point
        #: The revision at which was looked last: as it is decided on, and of the store.
        self._looked, self._known = -1, -1
        #: All that have counted since the start, whether they are still there or not: how
        #: often a grant counts is said when it is given, and never again.
        self._ever: set[str] = set()
        #: Ends what is used up, once whoever used it last has had the time to get through.
        self._ending: asyncio.TimerHandle | None = None
        # What counts is looked up with what is decided on: another server can have ended it
        # by the time that somebody comes in by it here.
        point.on_change(lambda _: self._look())
        self._look()

    def _look(self) -> None:
        # Who comes in next asks again, and hears of it.
        with contextlib.suppress(StoreError):
            self._learn()

    def spend(self, decisions: Iterable[Decision]) -> bool:
        """Use the grants that alone allow `decisions`, each once; False if one is used up.

        Raises:
            StoreError: it cannot be told.
        """
        # What was decided before one ended, here or at another server, is no free way in.
        self._learn()
        if not self._ever:
            return True
        spent: set[str] = set()
        for decision in decisions:
            ids = [each.id for each in decision.determining]
            if not _is_use(decision) or not ids or not self._ever.issuperset(ids):
                continue
            if spent.intersection(ids):
                continue
            left = next(
                (found for id_ in ids if (found := self._use(id_, spent)) is not None), None
            )
            if left is None:
                # One that was used up just now still bears whom it has let in.
                if self._ending is None:
                    self.drop()
                return False
            if left == 0:
                self._end_later()
        return True

    def counts(self, decision: Decision) -> bool:
        """Whether grants that count a number of times are all that allows `decision`.

        Raises:
            StoreError: it cannot be told.
        """
        ids = [each.id for each in decision.determining]
        self._learn()
        return bool(ids) and self._ever.issuperset(ids)

    def _learn(self) -> None:
        """Look up which grants count a number of times; only those of late, each time.

        Raises:
            StoreError: it cannot be told.
        """
        revision = self._point.revision
        if self._looked != revision:
            self._known, found = self._point.store.counted_since(self._known)
            self._looked = revision
            self._ever |= found

    def _use(self, id_: str, spent: set[str]) -> int | None:
        left = self._point.store.use_grant(id_)
        if left is not None:
            spent.add(id_)
        return left

    def _end_later(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(GRACE, self.drop)

    def drop(self) -> None:
        """End the grants that are used up."""
        self._ending = None
        try:
            with accounted(self._point.store, self._point.audit) as account:
                for id_ in self._point.store.drop_used_up():
                    account.tell("grant_used_up", actor="server", fields={"grant": id_})
            self._point.refresh()
        except StoreError as error:
            _log.error("grants that are used up could not be ended: %s", error)


def _is_use(decision: Decision) -> bool:
    type_ = decision.resource.partition(":")[0]
    ability = ABILITY.get((type_, decision.action))
    return ability is None or ability.word is not Word.READ or decision.action in _READS
