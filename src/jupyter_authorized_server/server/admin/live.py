"""`/api/authz/live`: the sockets that are open, and how to end one."""

from __future__ import annotations

from typing import Any

from ... import mistakes
from ...errors import UnknownName
from ...policy.model import Resource
from ..surface.places import SERVER
from . import moment
from .handler import PAGING, AdminHandler, page_of
from .operation import operation

_TEXT = {"type": "string"}
DOOR = {
    "type": "object",
    "required": ["id", "principal", "resource", "since"],
    "properties": {
        "id": _TEXT,
        "principal": _TEXT,
        "token": {"type": "boolean"},
        "resource": {"type": ["string", "null"]},
        "within": {"type": ["string", "null"]},
        "request": _TEXT,
        "since": {"type": ["string", "null"]},
        "address": {"type": ["string", "null"]},
        "allowed": {"type": "boolean"},
        "mine": {"type": "boolean"},
    },
}


class _Doors(AdminHandler):
    def mine(self, door: Any) -> bool:
        """Whether whoever asks opened it."""
        return bool(door.name == self.principal.name)

    def sees(self, door: Any) -> bool:
        """Whether whoever asks may know of it: one's own, or for an administrator any."""
        return self.mine(door) or self.allows("administer", SERVER)

    def shown(self, door: Any) -> dict[str, Any]:
        """What is told of it."""
        return {
            "id": door.id,
            "principal": door.name,
            "token": door.token is not None,
            "resource": door.questions[0][1].name if door.questions else None,
            "within": self._within(door),
            "request": door.request,
            "since": moment.shown(door.since),
            "address": door.address,
            "allowed": door.allowed,
            "mine": self.mine(door),
        }

    def _text(self, door: Any) -> str:
        """What a search looks through: what is shown, so nothing can be guessed by it."""
        shown = self.shown(door)
        return " ".join(
            str(shown[each]) for each in ("principal", "resource", "within", "address")
        )

    def _within(self, door: Any) -> str | None:
        """The file that it belongs to, for whoever may know its name."""
        path = next((on.within[0] for _, on in door.questions[:1] if on.within), None)
        file = None if path is None else Resource(type="contents", id=path)
        return file.name if file is not None and self.allows("list", file) else None


class DoorsHandler(_Doors):
    """Who is connected to what, since when, from where."""

    @operation(
        query={**PAGING, "principal": _TEXT, "q": {"type": "string", "maxLength": 200}},
        answer=page_of(DOOR),
        personal=True,
    )
    async def get(self) -> dict[str, Any]:
        """The open sockets that one may know of, oldest first."""
        wanted = self.query("principal")
        part = (self.query("q") or "").casefold()
        return await self.page(
            self.wired.live.open_doors(),
            key=lambda door: (f"{door.since:017.6f}", door.id),
            show=self.shown,
            visible=lambda door: (
                self.sees(door)
                and wanted in {None, door.name}
                and (not part or part in self._text(door).casefold())
            ),
        )


class DoorHandler(_Doors):
    """One open socket."""

    @operation(answer=DOOR)
    async def delete(self, id_: str) -> dict[str, Any]:
        """Close a socket; whoever may may open another one."""
        for door in self.wired.live.open_doors():
            if door.id == id_ and self.sees(door):
                self.record("disconnect", {"door": door.request, "of": door.name})
                self.wired.live.disconnect(door, by=self.principal.name)
                return self.shown(door)
        raise UnknownName(mistakes.NO_SUCH_SOCKET)
