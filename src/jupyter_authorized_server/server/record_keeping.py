"""Keeping the records: where their chain ends is told to the store, old ones are dropped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from ..account import Remainders
from ..decision_point import SERVER
from ..errors import AuthorizationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..chain import Link
    from .wiring import Wiring

_log = logging.getLogger(__name__)

_DAY = 86_400.0
#: Seconds by which a clock that is set loses trust: what is new looks old by it, or the other
#: way round. For a day after that nothing is dropped.
_JUMP = 3600.0
#: Seconds after which a chain that was found broken is looked at again.
_BROKEN_FOR = 60.0
#: Milliseconds after which the store has a record. It costs a transaction, and to have one each
#: second brought what records cost above the 3 % of a request that they may.
KNOWN_WITHIN = 2000


class RecordKeeping:
    """Looks after the audit file of a running server.

    Args:
        wired: the parts of the server.
        clock: seconds since the epoch.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        wired: Wiring,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._point = wired.point
        self._days = wired.config.audit_days
        self._remainders = Remainders(
            wired.point.store, wired.point.audit, steady=steady, clock=clock
        )
        self._known: Link | None = None
        self._is_known = False
        self._clock = clock
        self._steady = steady
        self._ahead = clock() - steady()
        self._pruned = float("-inf")
        #: What was wrong at the last look, which is said once.
        self._wrong = ""
        self._broken = float("-inf")
        self.callback = PeriodicCallback(self.look, KNOWN_WITHIN)
        self.callback.start()

    def end(self) -> None:
        """Have the store know all that a server has recorded which ends now."""
        path = self._point.audit.path
        if path is not None:
            with contextlib.suppress(AuthorizationError, OSError):
                self._point.store.keep_journal(path)

    async def look(self) -> None:
        """What is due now; the store and the file are worked on in a thread."""
        path = self._point.audit.path
        if path is None:
            return
        try:
            await self._look_after(path)
        except (AuthorizationError, OSError) as error:
            if str(error) != self._wrong:
                _log.warning("the audit file is not looked after: %s", error)
            self._wrong = str(error)
        else:
            self._wrong = ""

    async def _look_after(self, path: Path) -> None:
        link, now, steady = self._point.audit.link, self._clock(), self._steady()
        if many := await asyncio.to_thread(self._remainders.look):
            _log.warning("%d changes are recorded late, which nobody had recorded", many)
        if (link != self._known or not self._is_known) and steady >= self._broken + _BROKEN_FOR:
            problem = await asyncio.to_thread(self._point.store.keep_journal, path)
            self._known, self._is_known = link, True
            if problem is not None:
                self._tell(problem, steady)
        if abs(now - steady - self._ahead) > _JUMP:
            self._ahead, self._pruned = now - steady, steady
            _log.warning("the clock was set; for a day no audit record is taken for too old")
        if self._days and steady >= self._pruned + _DAY:
            self._pruned = steady
            many = await asyncio.to_thread(self._prune, path, now - self._days * _DAY)
            if many:
                _log.info("%d audit records were older than `audit_days` and are gone", many)

    def _tell(self, problem: str, steady: float) -> None:
        """Say aloud that the chain is broken, and look again in a while."""
        _log.critical("the audit file was tampered with, or lost records: %s", problem)
        if self._broken == float("-inf"):
            self._point.audit.note("audit_broken", actor=SERVER, fields={"problem": problem})
        self._broken = steady

    def _prune(self, path: Path, before: float) -> int:
        audit, store = self._point.audit, self._point.store
        if store.keep_journal(path) is not None:
            # What was done to the records is found out with the old ones too.
            return 0
        many = audit.prune(before, lambda start: store.start_journal(path, start))
        if many:
            audit.note("audit_pruned", actor=SERVER, fields={"records": many, "before": before})
        return many
