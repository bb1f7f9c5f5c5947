"""`/api/authz/grants`: who has which level on what, until when."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ... import acts, inquiry, mistakes
from ...errors import UnknownName
from ...policy.model import EVERYONE, Grant, Principal, parse_principal
from ...policy.vocabulary import LEVEL, parse_level, parse_resource
from .asker import Refused
from .giving import LEVELS, check_giving, held, levels, outlives
from .handler import PAGING, page_of
from .operation import operation
from .shared import GRANT, SharedHandler, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
NEW = {
    "type": "object",
    "required": ["principal", "level", "resource"],
    "additionalProperties": False,
    "properties": {
        "principal": _TEXT,
        "level": _TEXT,
        "resource": _TEXT,
        "starts": _TEXT_OR_NONE,
        "ends": _TEXT_OR_NONE,
        "note": _TEXT,
        "uses": {"type": ["integer", "null"]},
        "confirm": {"type": "boolean"},
    },
}
CHANGE = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "level": _TEXT,
        "ends": _TEXT_OR_NONE,
        "note": _TEXT,
        "confirm": {"type": "boolean"},
    },
}


class GrantsHandler(SharedHandler):
    """All grants that whoever asks may see."""

    @operation(
        query={
            **PAGING,
            "principal": _TEXT,
            "resource": _TEXT,
            "level": _TEXT,
            "ends_before": _TEXT,
            "inherited": {"enum": ["0", "1", "false", "true"]},
            "q": {"type": "string", "maxLength": 200},
        },
        answer=page_of(GRANT),
    )
    async def get(self) -> dict[str, Any]:
        """The grants one may see: one's own, and those on what one may review."""
        wanted = self._wanted()
        on = self.query("resource")
        resource: str | None
        found_on: Iterable[Grant]
        if on is None:
            resource, start = None, (*(self.after or ()), "")[0]
            found_on = inquiry.perhaps_seen(self.point, self.principal, after=start)
        else:
            known = self.known(self.meant(on)[0])
            resource = known.name
            names = known.chain if self.flag("inherited") else (resource,)
            found_on = self.point.snapshot.grants_on(names)

        def show(grant: Grant) -> dict[str, Any]:
            found = shown(grant)
            if resource is not None:
                found["inherited_from"] = None if grant.resource == resource else grant.resource
            return found

        now = time.time()
        found = await self.page(
            found_on,
            key=lambda each: (each.resource, each.principal, each.id),
            show=show,
            visible=lambda each: (
                (each.ends is None or each.ends > now)
                and all(test(each) for test in wanted)
                and self.sees(each)
            ),
            in_order=resource is None,
        )
        self.tell_uses(found["items"])
        if resource is not None:
            self.tag(found)
        return found

    @operation(body=NEW, answer=GRANT, status=201)
    async def post(self) -> dict[str, Any]:
        """Give a level on a resource; 200 where a grant says the same already."""
        resource = self.admitted_one()
        given: Grant
        given, is_new = await self.change_as_judged(
            lambda: self.checked(self.body, resource),
            lambda store, wanted: store.add_grant_once(
                wanted, now=time.time(), granted_by=self.principal.name
            ),
            lambda done: [acts.given(done[0], uses=self.body.get("uses"))] if done[1] else [],
        )
        if not is_new:
            self.set_status(200)
        self.tag(shown(given))
        return self.told(given)

    def _wanted(self) -> list[Callable[[Grant], bool]]:
        """What the query asks of a grant.

        Raises:
            InvalidName: it asks for what there cannot be.
        """
        wanted: list[Callable[[Grant], bool]] = []
        principal, level = self.query("principal"), self.query("level")
        before, part = self.moment(self.query("ends_before")), self.query("q")
        if principal is not None:
            who = parse_principal(principal)
            wanted.append(lambda each: each.principal == who)
        if level is not None:
            word = parse_level(level).word
            wanted.append(lambda each: each.level == word)
        if before is not None:
            wanted.append(lambda each: each.ends is not None and each.ends < before)
        if part is not None:
            small = part.casefold()
            wanted.append(
                lambda each: small in f"{each.principal} {each.resource} {each.note}".casefold()
            )
        return wanted


class GrantHandler(SharedHandler):
    """One grant."""

    def _found(self, id_: str) -> Grant:
        """The grant, if whoever asks may know of it.

        Raises:
            UnknownName: there is none, or none for them.
        """
        found = self.point.snapshot.grant(id_)
        if found is None or not self.sees(found):
            raise UnknownName(mistakes.NO_SUCH_GRANT)
        return found

    def _changeable(self, id_: str) -> Grant:
        """The grant, if it is as the request says and can be changed here by whoever asks.

        Raises:
            UnknownName, Outdated, Refused: it is not.
        """
        grant = self._found(id_)
        # Whoever was given something may leave it, and not change it.
        if self.request.method != "DELETE" or grant.principal != self.principal.name:
            self.require_sharing(grant.resource)
        if grant.source != "store":
            reason = mistakes.grant_of_file(grant.source)
            raise Refused(reason, status=409)
        self.check_tag(shown(grant))
        return grant

    @operation(answer=GRANT)
    async def get(self, id_: str) -> dict[str, Any]:
        """One grant, with its tag."""
        grant = self._found(id_)
        self.tag(shown(grant))
        return self.told(grant)

    @operation(body=CHANGE, answer=GRANT)
    async def patch(self, id_: str) -> dict[str, Any]:
        """Give a grant on what one may share another level, end or note; see `If-Match`."""
        changed: Grant
        _, changed = await self.change_as_judged(
            lambda: self._wished(id_),
            lambda store, wished: (
                wished[0],
                store.change_grant(
                    wished[0],
                    level=wished[1].level,
                    ends=wished[1].ends,
                    note=wished[1].note,
                    now=time.time(),
                    keepers=self.point.policy.document.grants,
                ),
            ),
            lambda done: [acts.changed(done[1], before=done[0])],
        )
        self.tag(shown(changed))
        return self.told(changed)

    async def _wished(self, id_: str) -> tuple[Grant, Grant]:
        """A grant as it is, and as the body wants it, which whoever asks may have so.

        Raises:
            UnknownName, Outdated, Refused, Unconfirmed: they may not.
        """
        known = self._changeable(id_)
        body = self.body
        level = parse_level(body.get("level", known.level)).word
        ends = self.moment(body["ends"], last=True) if "ends" in body else known.ends
        resource = self.known(parse_resource(known.resource))
        # Whoever shortens or lowers what another gave need not have it for as long.
        more = LEVEL[level] > LEVEL[known.level] or outlives(ends, known.ends)
        check_giving(
            self,
            known.principal,
            level,
            resource,
            ends=ends if more else time.time(),
            confirmed=body.get("confirm", False),
        )
        # Who holds less than a grant gives may not lower it either.
        if reason := held(self, known.level, resource):
            raise Refused(reason)
        return known, replace(known, level=level, ends=ends, note=body.get("note", known.note))

    @operation(
        answer={
            "type": "object",
            "required": ["removed", "remaining"],
            "properties": {"removed": GRANT, "remaining": {"type": "array", "items": GRANT}},
        }
    )
    async def delete(self, id_: str) -> dict[str, Any]:
        """Take back a grant on what one may share, or leave one's own; says what still reaches."""
        known: Grant = await self.change_as_judged(
            lambda: self._takeable(id_),
            lambda store, grant: store.take_grant(
                grant, now=time.time(), keepers=self.point.policy.document.grants
            ),
            lambda taken: [acts.taken_back(taken)],
        )
        return {
            "removed": shown(known),
            "remaining": [shown(each) for each in self._remaining(known) if self.sees(each)],
        }

    async def _takeable(self, id_: str) -> Grant:
        """The grant, if whoever asks may take it back.

        Raises:
            UnknownName, Outdated, Refused: they may not.
        """
        known = self._changeable(id_)
        if known.principal != self.principal.name:
            resource = self.known(parse_resource(known.resource))
            if reason := held(self, known.level, resource):
                raise Refused(reason)
        return known

    def _remaining(self, gone: Grant) -> list[Grant]:
        """The grants that still reach there: the principal's, its groups', everyone's."""
        groups = self.point.directory.groups_of(gone.principal)
        keys = Principal(name=gone.principal, groups=groups).keys
        chain = parse_resource(gone.resource).chain
        now = time.time()
        return [
            each
            for each in self.point.snapshot.grants_on(chain)
            if each.principal in keys and (each.ends is None or each.ends > now)
        ]


class LevelsHandler(SharedHandler):
    """What can be given on a resource."""

    @operation(
        query={"resource": _TEXT, "principal": _TEXT},
        required=("resource",),
        answer=LEVELS,
    )
    async def get(self) -> dict[str, Any]:
        """Each level with its sentence, whether whoever asks can give it there, until when."""
        to = parse_principal(self.query("principal") or EVERYONE)
        return {"items": levels(self, to, self.admitted_one())}
