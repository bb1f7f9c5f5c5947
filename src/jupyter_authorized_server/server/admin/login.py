"""`/api/authz/logins`: where one is signed in, and how to end that from elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ... import acts, mistakes
from ...errors import UnknownName
from ..surface.places import SERVER
from . import moment
from .handler import PAGING, AdminHandler, page_of
from .operation import REMOVED, operation

if TYPE_CHECKING:
    from ...store import LoginSession

_TEXT = {"type": "string"}
LOGIN = {
    "type": "object",
    "required": ["id", "created", "ends", "last_seen", "address", "agent", "current"],
    "properties": {
        "id": _TEXT,
        "created": _TEXT,
        "ends": _TEXT,
        "last_seen": _TEXT,
        "address": _TEXT,
        "agent": _TEXT,
        "current": {"type": "boolean"},
    },
}


class LoginsHandler(AdminHandler):
    """The browsers in which whoever asks is signed in."""

    def shown(self, login: LoginSession) -> dict[str, Any]:
        """A login session as it is answered; never its secret."""
        return {
            "id": login.id,
            "created": moment.shown(login.created),
            "ends": moment.shown(login.expires),
            "last_seen": moment.shown(login.last_seen),
            "address": login.address,
            "agent": login.agent,
            "current": login.id == self.principal.session,
        }

    @operation(query=PAGING, answer=page_of(LOGIN), personal=True)
    async def get(self) -> dict[str, Any]:
        """One's own login sessions that have not ended, the latest first."""
        now = time.time()
        person = self.principal.name.removeprefix("user:")
        held = [each for each in self.point.store.login_sessions(person) if each.expires > now]
        return await self.page(
            held, key=lambda each: (f"{1e12 - each.created:017.6f}", each.id), show=self.shown
        )


class LoginHandler(AdminHandler):
    """One login session."""

    @operation(answer=REMOVED)
    async def delete(self, id_: str) -> dict[str, Any]:
        """End a login session of one's own, or as an administrator any; its sockets close."""
        found = self.point.store.login_session(id_)
        own = found is not None and f"user:{found[0].person}" == self.principal.name
        if found is None or not (own or self.allows("administer", SERVER)):
            raise UnknownName(mistakes.NO_SUCH_LOGIN)
        session = found[0]
        await self.change(
            lambda store: store.end_login_session(id_), lambda _: [acts.session_ended(session)]
        )
        return {"removed": id_}
