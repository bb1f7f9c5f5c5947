"""Watching the policy files, and saying aloud that nothing is enforced in shadow mode."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from ..errors import AuthorizationError

if TYPE_CHECKING:
    from .wiring import Wiring

_log = logging.getLogger(__name__)

#: Milliseconds between two warnings that nothing is enforced.
_LOUD = 60_000


def watch(wired: Wiring) -> list[PeriodicCallback]:
    """Take over changes of the policy files from now on; returns what does it."""
    made = [PeriodicCallback(lambda: look(wired), wired.config.poll_seconds * 1000)]
    if wired.point.shadow is not None:
        _warn()
        made.append(PeriodicCallback(_warn, _LOUD))
    for each in made:
        each.start()
    return made


async def look(wired: Wiring) -> None:
    """Take over the policy files if they changed; they are checked in a thread."""
    point = wired.point
    if not point.files.changed():
        return
    try:
        policy = await asyncio.to_thread(point.files.load)
    except AuthorizationError as error:
        for line in str(error).splitlines():
            _log.warning("the policy files are not taken over: %s", line)
        point.keep(error)
        return
    point.adopt(policy)
    _log.info("the policy files changed; they are in force at revision %d", point.revision)


def _warn() -> None:
    _log.warning(
        "NOTHING IS ENFORCED: `JupyterAuthorization.mode` is `shadow`, so whoever has signed in "
        "may do everything but change the policy; what would be refused is recorded"
    )
