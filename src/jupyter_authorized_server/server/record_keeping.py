"""Keeping the records: where their chain ends is told to the store, old ones are dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from ..errors import AuthorizationError
from ..store import chain_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..journal import Link
    from .wiring import Wiring

_log = logging.getLogger(__name__)

_DAY = 86_400.0
#: Seconds by which a clock that is set loses trust: what is new looks old by it, or the other
#: way round. For a day after that nothing is dropped.
_JUMP = 3600.0
#: Milliseconds after which the store knows of a record.
KNOWN_WITHIN = 1000


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
        self._known: Link | None = None
        self._clock = clock
        self._steady = steady
        self._ahead = clock() - steady()
        self._pruned = float("-inf")
        self.callback = PeriodicCallback(self.look, KNOWN_WITHIN)
        self.callback.start()

    async def look(self) -> None:
        """What is due now; the store and the file are worked on in a thread."""
        link = self._point.audit.link
        now, steady = self._clock(), self._steady()
        try:
            if link is not None and link != self._known:
                await asyncio.to_thread(self._tell, link)
                self._known = link
            if abs(now - steady - self._ahead) > _JUMP:
                self._ahead, self._pruned = now - steady, steady
                _log.warning("the clock was set; for a day no audit record is taken for too old")
            if self._days and steady >= self._pruned + _DAY:
                self._pruned = steady
                many = await asyncio.to_thread(self._prune, now - self._days * _DAY)
                if many:
                    _log.info("%d audit records were older than `audit_days` and are gone", many)
        except (AuthorizationError, OSError) as error:
            _log.warning("the audit file is not looked after: %s", error)

    def _tell(self, link: Link) -> None:
        name = chain_name(self._point.audit.path)
        self._point.store.set_journal_head(name, number=link.number, hash=link.hash)

    def _prune(self, before: float) -> int:
        audit, store = self._point.audit, self._point.store
        name = chain_name(audit.path)
        many = audit.prune(
            before,
            lambda start: store.set_journal_start(name, number=start.number, hash=start.hash),
        )
        if many:
            audit.note("audit_pruned", actor="server", fields={"records": many, "before": before})
        return many
