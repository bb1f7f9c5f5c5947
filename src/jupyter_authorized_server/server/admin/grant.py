"""`/api/authz/grants`: who has which level on what, until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...errors import InvalidName
from ...policy.model import Grant, parse_principal
from ...policy.vocabulary import ABILITY, parse_level, parse_resource
from ..surface.places import SERVER
from . import moment
from .handler import PAGING, AdminHandler, page_of
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
GRANT = {
    "type": "object",
    "required": ["id", "principal", "level", "resource", "starts", "ends", "source"],
    "properties": {
        "id": _TEXT,
        "principal": _TEXT,
        "level": _TEXT,
        "resource": _TEXT,
        "starts": _TEXT_OR_NONE,
        "ends": _TEXT_OR_NONE,
        "granted_by": _TEXT,
        "note": _TEXT,
        "source": _TEXT,
        "inherited_from": _TEXT_OR_NONE,
    },
}


def shown(grant: Grant) -> dict[str, Any]:
    """A grant as it is answered."""
    return {
        "id": grant.id,
        "principal": grant.principal,
        "level": grant.level,
        "resource": grant.resource,
        "starts": moment.shown(grant.starts),
        "ends": moment.shown(grant.ends),
        "granted_by": grant.granted_by,
        "note": grant.note,
        "source": grant.source,
    }


class GrantsHandler(AdminHandler):
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
        resource = None if on is None else self.meant(on)[0].name

        def show(grant: Grant) -> dict[str, Any]:
            found = shown(grant)
            if resource is not None:
                found["inherited_from"] = None if grant.resource == resource else grant.resource
            return found

        now = time.time()
        found = await self.page(
            (
                each
                for each in self.point.snapshot.grants
                if (each.ends is None or each.ends > now) and all(test(each) for test in wanted)
            ),
            key=lambda each: (each.resource, each.principal, each.id),
            show=show,
            visible=self.sees,
        )
        if resource is not None:
            self.tag(found)
        return found

    def _wanted(self) -> list[Callable[[Grant], bool]]:
        """What the query asks of a grant.

        Raises:
            InvalidName: it asks for what there cannot be.
        """
        wanted: list[Callable[[Grant], bool]] = []
        principal, on, level = self.query("principal"), self.query("resource"), self.query("level")
        before, part = moment.read(self.query("ends_before")), self.query("q")
        if principal is not None:
            who = parse_principal(principal)
            wanted.append(lambda each: each.principal == who)
        if on is not None:
            resource = self.known(self.meant(on)[0])
            places = set(resource.chain) if self.flag("inherited") else {resource.name}
            wanted.append(lambda each: each.resource in places)
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

    def sees(self, grant: Grant) -> bool:
        """Whether whoever asks may know of a grant: their own, or where they may review."""
        if grant.principal in self.principal.keys:
            return True
        try:
            resource = self.known(parse_resource(grant.resource))
        except InvalidName:
            return False
        action = "review" if (resource.type, "review") in ABILITY else "administer"
        return self.allows(action, resource if action == "review" else SERVER)
