"""`/api/authz/requests`: asking for access, and answering who asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ... import acts, inquiry, mistakes
from ...errors import DuplicateName, UnknownName
from ...policy.vocabulary import parse_level, parse_resource
from ...store import WishState
from . import moment
from .giving import check_giving
from .handler import PAGING, page_of
from .operation import operation
from .shared import SharedHandler

if TYPE_CHECKING:
    from ...store import Wish

_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
WISH = {
    "type": "object",
    "required": ["id", "principal", "level", "resource", "state"],
    "properties": {
        "id": _TEXT,
        "principal": _TEXT,
        "level": _TEXT,
        "resource": _TEXT,
        "note": _TEXT,
        "created": _TEXT,
        "state": {"enum": [each.value for each in WishState]},
        "decided": _TEXT_OR_NONE,
        "decided_by": _TEXT,
        "answer": _TEXT,
        "grant": _TEXT_OR_NONE,
    },
}


def shown(wish: Wish) -> dict[str, Any]:
    """A request as it is answered."""
    return {
        "id": wish.id,
        "principal": f"user:{wish.person}",
        "level": wish.level,
        "resource": wish.resource,
        "note": wish.note,
        "created": moment.shown(wish.created),
        "state": wish.state.value,
        "decided": moment.shown(wish.decided),
        "decided_by": wish.decided_by,
        "answer": wish.answer,
        "grant": wish.grant_id,
    }


class WishesHandler(SharedHandler):
    """Requests for access: one's own, and those one can answer."""

    @operation(
        query={
            **PAGING,
            "state": {"enum": [each.value for each in WishState]},
            "resource": _TEXT,
        },
        answer=page_of(WISH),
        personal=True,
    )
    async def get(self) -> dict[str, Any]:
        """One's own requests, and those on what one may share."""
        state, on = self.query("state"), self.query("resource")
        resource = None if on is None else self.meant(on)[0].name
        return await self.page(
            (
                each
                for each in self.point.store.wishes()
                if state in {None, each.state.value} and resource in {None, each.resource}
            ),
            key=lambda each: (f"{each.created:020.6f}", each.id),
            show=shown,
            visible=lambda each: (
                f"user:{each.person}" == self.principal.name or self.shares(each.resource)
            ),
        )

    @operation(
        body={
            "type": "object",
            "required": ["level", "resource"],
            "additionalProperties": False,
            "properties": {"level": _TEXT, "resource": _TEXT, "note": _TEXT},
        },
        answer=WISH,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Ask for a level on something that one may see."""
        level = parse_level(self.body["level"]).word
        resources = self.meant(self.body["resource"])
        resource = resources[0]
        if not self.may_see(*resources):
            raise UnknownName(mistakes.NOTHING_HERE)
        if all(self.allows(action, on) for action, on in inquiry.needed(resource, level)):
            raise DuplicateName(mistakes.has_level(level))
        person = self.principal.name.removeprefix("user:")
        made: Wish = await self.change(
            lambda store: store.add_wish(
                person=person,
                level=level,
                resource=resource.name,
                note=self.body.get("note", ""),
                now=time.time(),
            ),
            lambda made: [acts.asked(made)],
        )
        return shown(made)


class WishHandler(SharedHandler):
    """One request."""

    def _found(self, id_: str) -> Wish:
        """The request, if whoever asks may know of it.

        Raises:
            UnknownName: there is none, or none for them.
        """
        found = self.point.store.wish(id_)
        if found is not None and (
            f"user:{found.person}" == self.principal.name or self.shares(found.resource)
        ):
            return found
        raise UnknownName(mistakes.NO_SUCH_REQUEST)

    @operation(answer=WISH, personal=True)
    async def get(self, id_: str) -> dict[str, Any]:
        """One request, with its tag."""
        found = shown(self._found(id_))
        self.tag(found)
        return found

    @operation(
        body={
            "type": "object",
            "required": ["state"],
            "additionalProperties": False,
            "properties": {
                "state": {"enum": ["approved", "refused", "withdrawn"]},
                "level": _TEXT,
                "ends": _TEXT_OR_NONE,
                "note": _TEXT,
            },
        },
        answer=WISH,
    )
    async def patch(self, id_: str) -> dict[str, Any]:
        """Approve, perhaps with another level and an end, or refuse; withdraw one's own."""
        body, by = self.body, self.principal.name
        state, ends = WishState(body["state"]), self.moment(body.get("ends"), last=True)

        async def judge() -> str:
            wish = self._found(id_)
            self.check_tag(shown(wish))
            level = parse_level(body.get("level") or wish.level).word
            resource = self.known(parse_resource(wish.resource))
            if state is WishState.WITHDRAWN:
                if f"user:{wish.person}" != self.principal.name:
                    raise UnknownName(mistakes.NO_REQUEST_OF_YOURS)
            else:
                self.require("share", resource)
            if state is WishState.APPROVED:
                to = f"user:{wish.person}"
                check_giving(self, to, level, resource, ends=ends, confirmed=True)
            return level

        done: Wish
        done, _ = await self.change_as_judged(
            judge,
            lambda store, level: (
                store.answer_wish(
                    id_,
                    state,
                    by=by,
                    now=time.time(),
                    level=level,
                    ends=ends,
                    answer=body.get("note", ""),
                ),
                level,
            ),
            lambda found: [acts.answered(*found)],
        )
        return shown(done)
