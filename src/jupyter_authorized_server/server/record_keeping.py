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
    from ..journal import Link
    from .wiring import Wiring

_log = logging.getLogger(__name__)

#: Milliseconds after which the store knows of a record.
KNOWN_WITHIN = 1000
_DAY = 86_400.0


class RecordKeeping:
    """Looks after the audit file of a running server.

    Args:
        wired: the parts of the server.
    """

    def __init__(self, wired: Wiring) -> None:
        self._point = wired.point
        self._days = wired.config.audit_days
        self._known: Link | None = None
        self._pruned = float("-inf")
        self.callback = PeriodicCallback(self.look, KNOWN_WITHIN)
        self.callback.start()

    async def look(self) -> None:
        """What is due now; the store and the file are worked on in a thread."""
        link = self._point.audit.link
        now = time.time()
        try:
            if link is not None and link != self._known:
                await asyncio.to_thread(self._tell, link)
                self._known = link
            if self._days and now >= self._pruned + _DAY:
                self._pruned = now
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
            audit.event("audit_pruned", actor="server", fields={"records": many, "before": before})
        return many
