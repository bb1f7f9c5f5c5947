"""Door: whoever comes for the first time finds their home.

Made through the contents manager, so it is where that manager keeps its files.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from ...errors import UnsafePath
from ...policy.paths import ancestors
from ..acting import as_server
from ..surface.places import place_of

if TYPE_CHECKING:
    from ...policy.model import Principal
    from ..wiring import Wiring

_log = logging.getLogger(__name__)


async def make_home(wired: Wiring, manager: Any, principal: Principal) -> None:
    """Make the home of `principal`, once in the life of this server.

    Where it cannot be made, the server goes on: the person has no home, and nobody
    gets more than they have.
    """
    homes = wired.point.homes
    home = None if homes is None else homes.of(principal.name)
    if home is None or home in wired.homes_made:
        return
    wired.homes_made.add(home)
    try:
        with as_server():
            for folder in reversed(ancestors(home)[:-1]):
                await _make(manager, folder)
        found = place_of(manager, home)
    except (HTTPError, OSError, UnsafePath) as error:
        _log.error("the home `%s` cannot be made: %s", home, error)
        return
    if found.target != home:
        _log.error(
            "the home `%s` leads to `%s`, where its owner has no rights", home, found.target
        )


async def _make(manager: Any, folder: str) -> None:
    name = folder.strip("/")
    if await ensure_async(manager.dir_exists(name)):
        return
    try:
        await ensure_async(manager.save({"type": "directory"}, name))
    except (HTTPError, OSError):
        # Another request, or another server on the same files, may have been first.
        if not await ensure_async(manager.dir_exists(name)):
            raise
