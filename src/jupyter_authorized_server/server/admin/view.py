"""`/api/authz/views`: looking around as another person, who is told of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ... import mistakes
from ...errors import InvalidName, UnknownName
from ...policy.model import parse_principal
from ...store.model import MAX_NOTE
from ..surface.places import SERVER
from ..views import cookie_name
from . import moment
from .asker import Refused
from .changes import ring
from .handler import PAGING, AdminHandler, page_of
from .operation import REMOVED, operation

if TYPE_CHECKING:
    from ..views import View

_TEXT = {"type": "string"}
#: Seconds that a view lasts which says nothing else, and most.
LASTS, MOST = 3600.0, 8 * 3600.0
VIEW = {
    "type": "object",
    "required": ["viewer", "viewed", "since", "ends"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "viewer": _TEXT,
        "viewed": _TEXT,
        "since": _TEXT,
        "ends": _TEXT,
        "over": {"type": "boolean"},
        "note": _TEXT,
    },
}


def shown(view: View, *, to: str, now: float) -> dict[str, Any]:
    """A view as it is answered; its id only to whom it is of use."""
    return {
        "id": view.id if view.viewer == to else None,
        "viewer": view.viewer,
        "viewed": view.viewed,
        "since": moment.shown(view.since),
        "ends": moment.shown(view.ends),
        "over": view.ends <= now,
        "note": view.note,
    }


class ViewsHandler(AdminHandler):
    """Who looks around as whom."""

    @operation(query=PAGING, answer=page_of(VIEW), personal=True)
    async def get(self) -> dict[str, Any]:
        """One's own views, and who has looked around as oneself; all for administrators."""
        me, now = self.principal.name, time.time()
        everything = self.allows("administer", SERVER)
        return await self.page(
            (
                each
                for each in self.wired.views.all()
                if everything or me in {each.viewer, each.viewed}
            ),
            key=lambda each: (f"{each.since:020.6f}", each.id),
            show=lambda each: shown(each, to=me, now=now),
        )

    @operation(
        body={
            "type": "object",
            "required": ["principal"],
            "additionalProperties": False,
            "properties": {
                "principal": _TEXT,
                "note": {"type": "string", "maxLength": MAX_NOTE},
                "ends": {"type": ["string", "null"]},
                "browser": {"type": "boolean"},
            },
        },
        answer=VIEW,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Look around as another person; `X-Jupyter-View-As`, or a cookie, names the `id`."""
        body, now = self.body, time.time()
        # Of the policy alone, as at each request of the view.
        decision = self.point.decide(
            self.principal, "view_as", SERVER, door="http", address=self.address, lift=False
        )
        if not decision.allowed:
            raise Refused(decision.reason_user, decision)
        viewed = parse_principal(body["principal"])
        if not viewed.startswith("user:") or viewed == self.principal.name:
            raise InvalidName(mistakes.VIEW_OF_PERSON)
        if not self.point.directory.knows(viewed):
            raise UnknownName(mistakes.nobody_of_name(viewed))
        self.point.principal(viewed)
        ends = self.moment(body.get("ends"), last=True) or now + LASTS
        if not now < ends <= now + MOST:
            raise InvalidName(mistakes.view_too_long(f"{MOST / 3600:.0f}"))
        view = self.wired.views.begin(
            self.principal, viewed, now=now, seconds=ends - now, note=body.get("note", "")
        )
        try:
            self.record("view_began", {"viewed": viewed, "ends": view.ends, "note": view.note})
        except BaseException:  # why: raised again below
            # Nobody looks around unrecorded.
            self.wired.views.end(view.id, view.viewer, now=now)
            raise
        ring(self.application)
        if body.get("browser", False):
            self.set_cookie(
                cookie_name(self),
                view.id,
                path=self.base_url,
                httponly=True,
                samesite="Strict",
                secure=self.request.protocol == "https",
                expires=view.ends,
            )
        return shown(view, to=self.principal.name, now=now)


class ViewHandler(AdminHandler):
    """One view."""

    @operation(answer=REMOVED)
    async def delete(self, id_: str) -> dict[str, Any]:
        """End a view of one's own; `current` is that of this browser."""
        current = self.get_cookie(cookie_name(self))
        if id_ in {"current", current}:
            self.clear_cookie(cookie_name(self), path=self.base_url)
        named = (current or "") if id_ == "current" else id_
        view = self.wired.views.end(named, self.principal.name, now=time.time())
        ring(self.application)
        self.record("view_ended", {"viewed": view.viewed})
        return {"removed": id_}
