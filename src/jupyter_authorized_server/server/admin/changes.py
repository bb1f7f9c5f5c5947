"""`/api/authz/changes`: tells a page that something has changed, as soon as it has."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ..wiring import wiring
from .handler import AdminHandler
from .operation import operation

if TYPE_CHECKING:
    from tornado.web import Application

#: Seconds after which a question is answered though nothing has changed: shorter than
#: proxies wait.
WAITS = 25.0
#: Seconds after a grant's end at which it surely has ended, for whoever looks then.
_AFTER = 0.05
_KEY = "jupyter_authorization_changes"


class Bell:
    """Wakes whoever waits for a change of the policy, the people or the grants."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self, _revision: int) -> None:
        """Wake everybody; called after each change."""
        for each in tuple(self._waiting):
            if not each.done():
                each.get_loop().call_soon_threadsafe(_wake, each)

    async def wait(self, seconds: float) -> None:
        """Return at the next change, or after `seconds`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)
            future.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def install(application: Application) -> None:
    """Give `application` its bell."""
    bell = application.settings[_KEY] = Bell()
    wiring(application.settings).point.on_change(bell.ring)


def ring(application: Application) -> None:
    """Have each page that waits look again, at what is no change of the policy."""
    application.settings[_KEY].ring(0)


class ChangesHandler(AdminHandler):
    """Waiting for a change."""

    @operation(
        query={"after": {"type": "string", "pattern": "^[0-9]{1,15}$"}},
        answer={
            "type": "object",
            "required": ["revision"],
            "properties": {"revision": {"type": "integer"}},
        },
    )
    async def get(self) -> dict[str, Any]:
        """The revision, once it is another, a grant of one's own turns, or 25 seconds are over."""
        # Nothing grows when a grant begins or ends by the clock.
        after = self.query("after")
        if after is not None and int(after) == self.point.revision:
            me, now = self.principal, time.time()
            if me.giver is not None:
                me = me.giver
            turn = self.point.snapshot.view(me.name, me.groups).turn(now)
            await self.settings[_KEY].wait(min(WAITS, turn - now + _AFTER))
        return {"revision": self.point.revision}

    def update_api_activity(self) -> None:
        """None: a page that waits is nobody at work."""
