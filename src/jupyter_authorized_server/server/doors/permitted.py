"""Door: what was permitted is recorded too, before the handler that does it exists."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...policy.vocabulary import ABILITY, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Decision, Principal
    from ..wiring import Wiring

_log = logging.getLogger(__name__)

_RECORDED = {
    "none": frozenset[Word](),
    "writes": frozenset({Word.WRITE, Word.EXECUTE}),
    "all": frozenset(Word),
}


def records(wired: Wiring, word: Word) -> bool:
    """Whether what is permitted is recorded of acts of this sort."""
    return word in _RECORDED[wired.config.audit_permitted]


def record(
    wired: Wiring,
    request: HTTPServerRequest,
    principal: Principal,
    allowed: Iterable[Decision],
) -> bool:
    """Record what `request` may do; False where it must not, since it cannot be recorded."""
    words = _RECORDED[wired.config.audit_permitted]
    for decision in allowed:
        ability = ABILITY.get((decision.resource.partition(":")[0], decision.action))
        if ability is not None and ability.word not in words:
            continue
        try:
            wired.point.audit.decision(
                decision,
                principal=principal,
                door="http",
                address=request.remote_ip,
                request=f"{request.method} {request.path}",
            )
        except OSError as error:
            _log.critical("what is permitted cannot be recorded: %s", error)
            return wired.config.audit_full == "go on"
    return True
