"""`/api/authz/people` and `/groups`: who there is, and who is in which group."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ... import acts, mistakes
from ...errors import UnknownName
from ...inquiry import shareable
from ..surface.places import SERVER
from . import moment
from .asker import Refused
from .handler import PAGING, AdminHandler, page_of
from .operation import REMOVED, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...acts import Act
    from ...store import Group, Person, Store

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
#: Of one request: each is a change of its own.
_MEMBERS = {"type": "array", "maxItems": 1000, "items": _TEXT}
PERSON = {
    "type": "object",
    "required": ["name", "principal", "display_name"],
    "properties": {
        "name": _TEXT,
        "principal": _TEXT,
        "display_name": _TEXT,
        "disabled": {"type": "boolean"},
        "has_password": {"type": "boolean"},
        "service": {"type": "boolean"},
        "created": _TEXT,
        "groups": _TEXTS,
    },
}
GROUP = {
    "type": "object",
    "required": ["name", "principal"],
    "properties": {"name": _TEXT, "principal": _TEXT, "members": _TEXTS},
}
_SEARCH = {**PAGING, "q": {"type": "string", "maxLength": 200}}


class _Directory(AdminHandler):
    """What people and groups share."""

    @property
    def administers(self) -> bool:
        """Whether whoever asks keeps the people of this server."""
        return self.allows("administer", SERVER)

    def require_look(self) -> None:
        """Go on only if whoever asks may share something, and so needs names.

        Raises:
            Refused: they have nothing to share with anybody.
        """
        if self.administers:
            return
        principal = self.principal
        for resource in shareable(self.point, principal):
            if self.allows("share", self.known(resource)):
                return
        reason = mistakes.NOTHING_TO_SHARE
        raise Refused(reason, self.decide("administer", SERVER, record=True))

    def keeping(self) -> dict[str, Any]:
        """What the store needs to see that the server keeps an administrator."""
        return {"now": time.time(), "keepers": self.point.policy.document.grants}

    async def keep(self, act: Callable[[Store], Any], tell: Callable[[Any], Act]) -> Any:
        """Change the store, and record it, if whoever asks still administers by then.

        Raises:
            Refused: they do not.
            AuthorizationError: nothing was changed.
        """

        async def judge() -> None:
            self.require("administer", SERVER)

        return await self.change_as_judged(
            judge, lambda store, _: act(store), lambda done: [tell(done)]
        )

    def _held_by(self, principal: str) -> list[str]:
        """The ids of the store's grants to `principal`."""
        return [each.id for each in self.point.state.grants if each.principal == principal]

    def _search(self) -> str:
        return (self.query("q") or "").casefold()


class PeopleHandler(_Directory):
    """Everybody."""

    @operation(query=_SEARCH, answer=page_of(PERSON))
    async def get(self) -> dict[str, Any]:
        """People whose name or display name holds `q`."""
        self.require_look()
        whole, part = self.administers, self._search()
        return await self.page(
            (
                each
                for each in self.point.state.people
                if part in f"{each.name} {each.display_name}".casefold()
                and (whole or not each.disabled)
            ),
            key=lambda each: (each.name,),
            show=lambda each: self.shown(each, whole=whole),
        )

    def shown(self, person: Person, *, whole: bool) -> dict[str, Any]:
        """A person as they are answered; all of it to administrators."""
        return person_shown(self, person, whole=whole)

    @operation(
        body={
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": _TEXT, "display_name": _TEXT, "service": {"type": "boolean"}},
        },
        answer=PERSON,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Add a person, who gets a password by `jupyter authz users`, or a service."""
        name, display = self.body["name"], self.body.get("display_name", "")
        service = self.body.get("service", False)
        added: Person = await self.keep(
            lambda store: store.add_person(
                name, display_name=display, now=time.time(), service=service
            ),
            acts.person_added,
        )
        return self.shown(added, whole=True)


class PersonHandler(_Directory):
    """One person."""

    def _found(self, name: str) -> Person:
        for each in self.point.state.people:
            if each.name == name:
                return each
        raise UnknownName(mistakes.NO_SUCH_PERSON)

    def _tagged(self, person: Person) -> dict[str, Any]:
        found = person_shown(self, person, whole=True)
        self.tag(found)
        return found

    def _checked(self, name: str) -> None:
        """Go on only if the person is as the request knows them."""
        self.check_tag(person_shown(self, self._found(name), whole=True))

    @operation(answer=PERSON)
    async def get(self, name: str) -> dict[str, Any]:
        """One person, with a tag."""
        return self._tagged(self._found(name))

    @operation(
        body={
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {"display_name": _TEXT, "disabled": {"type": "boolean"}},
        },
        answer=PERSON,
    )
    async def patch(self, name: str) -> dict[str, Any]:
        """Give a person another display name, shut them out or let them in again."""
        self._checked(name)
        body = self.body
        if "display_name" in body:
            await self.keep(
                lambda store: store.set_display_name(name, body["display_name"]),
                lambda _: acts.person_renamed(name, body["display_name"]),
            )
        if "disabled" in body:
            kept = self.keeping()
            await self.keep(
                lambda store: store.set_disabled(name, body["disabled"], **kept),
                lambda _: acts.person_disabled(name, disabled=body["disabled"]),
            )
        return self._tagged(self._found(name))

    @operation(answer=REMOVED)
    async def delete(self, name: str) -> dict[str, Any]:
        """Remove a person with all that they have here; their files stay."""
        self._checked(name)
        kept = self.keeping()
        lost = self._held_by(f"user:{name}")
        await self.keep(
            lambda store: store.remove_person(name, **kept),
            lambda _: acts.person_removed(name, lost),
        )
        return {"removed": f"user:{name}"}


class GroupsHandler(_Directory):
    """All groups."""

    @operation(query=_SEARCH, answer=page_of(GROUP))
    async def get(self) -> dict[str, Any]:
        """Groups whose name holds `q`; their members only to administrators."""
        self.require_look()
        whole, part = self.administers, self._search()
        return await self.page(
            (name for name in self.point.directory.groups if part in name.casefold()),
            key=lambda each: (each,),
            show=lambda each: group_shown(self, each, whole=whole),
        )

    @operation(
        body={
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": _TEXT},
        },
        answer=GROUP,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Add an empty group."""
        name = self.body["name"]
        added: Group = await self.keep(
            lambda store: store.add_group(name, now=time.time()),
            lambda made: acts.group_added(made.name),
        )
        return group_shown(self, added.name, whole=True)


class GroupHandler(_Directory):
    """One group."""

    def _require(self, name: str) -> dict[str, Any]:
        """The group.

        Raises:
            UnknownName: there is none.
        """
        if name not in self.point.directory.groups:
            raise UnknownName(mistakes.NO_SUCH_GROUP)
        return group_shown(self, name, whole=True)

    def _tagged(self, name: str) -> dict[str, Any]:
        found = self._require(name)
        self.tag(found)
        return found

    @operation(answer=GROUP)
    async def get(self, name: str) -> dict[str, Any]:
        """One group with its direct members, and a tag."""
        return self._tagged(name)

    @operation(
        body={
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {"add": _MEMBERS, "remove": _MEMBERS},
        },
        answer=GROUP,
    )
    async def patch(self, name: str) -> dict[str, Any]:
        """Put members into a group and take others out of it, up to the first mistake."""
        self.check_tag(self._require(name))
        kept = self.keeping()
        add, remove = self.body.get("add", []), self.body.get("remove", [])

        for member in add:
            await self.keep(
                partial(_put_in, name, member), partial(_told, acts.joined(name, member))
            )
        for member in remove:
            await self.keep(
                partial(_take_out, name, member, kept), partial(_told, acts.left(name, member))
            )
        return self._tagged(name)

    @operation(answer=REMOVED)
    async def delete(self, name: str) -> dict[str, Any]:
        """Remove a group with its grants; its members stay."""
        self.check_tag(self._require(name))
        kept = self.keeping()
        lost = self._held_by(f"group:{name}")
        await self.keep(
            lambda store: store.remove_group(name, **kept),
            lambda _: acts.group_removed(name, lost),
        )
        return {"removed": f"group:{name}"}


def _put_in(group: str, member: str, store: Store) -> None:
    store.add_member(group, member)


def _take_out(group: str, member: str, kept: dict[str, Any], store: Store) -> None:
    store.remove_member(group, member, **kept)


def _told(told: Act, _done: object) -> Act:
    return told


def person_shown(handler: AdminHandler, person: Person, *, whole: bool) -> dict[str, Any]:
    """A person as they are answered; all of it to administrators."""
    principal = f"user:{person.name}"
    found: dict[str, Any] = {
        "name": person.name,
        "principal": principal,
        "display_name": person.display_name or person.name,
        "service": person.service,
    }
    if whole:
        found |= {
            "disabled": person.disabled,
            "has_password": person.has_password,
            "created": moment.shown(person.created),
            "groups": list(handler.point.directory.groups_of(principal)),
        }
    return found


def group_shown(handler: AdminHandler, name: str, *, whole: bool) -> dict[str, Any]:
    """A group as it is answered; its members to administrators."""
    found: dict[str, Any] = {"name": name, "principal": f"group:{name}"}
    if whole:
        found["members"] = list(handler.point.directory.groups[name])
    return found
