"""What every endpoint needs that is about what one may share: grants as they are answered."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ... import mistakes
from ...errors import InvalidName, UnknownName
from ...policy.model import parse_principal
from ...policy.vocabulary import ABILITY, parse_level, parse_resource
from ...store import Wanted
from ..surface.places import SERVER
from . import moment
from .giving import check_giving, exists
from .handler import AdminHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...policy.model import Grant, Resource

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
        "uses_left": {"type": ["integer", "null"]},
        "inherited_from": _TEXT_OR_NONE,
    },
}


def shown(grant: Grant) -> dict[str, Any]:
    """A grant as it is answered."""
    return {
        **asdict(grant),
        "starts": moment.shown(grant.starts),
        "ends": moment.shown(grant.ends),
    }


def _meet(one: str, other: str) -> bool:
    """Whether one of two resources, as written, is the other or above it."""
    try:
        return one in parse_resource(other).chain or other in parse_resource(one).chain
    except InvalidName:
        return False


class SharedHandler(AdminHandler):
    """What every endpoint needs that is about what one may share."""

    @cached_property
    def _reviewed(self) -> dict[str, bool]:
        """By resource, whether whoever asks may see who has access there."""
        return {}

    def told(self, grant: Grant) -> dict[str, Any]:
        """A grant as it is answered, with how often it still counts; None is always."""
        return self.tell_uses([shown(grant)])[0]

    def tell_uses(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put into each grant that is answered how often it still counts; returns them."""
        left = self.point.store.counted([each["id"] for each in found])
        for each in found:
            each["uses_left"] = left.get(each["id"])
        return found

    def sees(self, grant: Grant) -> bool:
        """Whether whoever asks may know of a grant: their own, or where they may review.

        Of its owner's an agent knows those that have a part in what it may.
        """
        scope = self.principal.scope
        if grant.principal in self.principal.keys and (
            scope is None or any(_meet(grant.resource, on) for _, on in scope)
        ):
            return True
        seen = self._reviewed.get(grant.resource)
        if seen is None:
            seen = self._reviewed[grant.resource] = self._reviews(grant.resource)
        return seen

    def _reviews(self, name: str) -> bool:
        try:
            resource = self.known(parse_resource(name))
        except InvalidName:
            return False
        action = "review" if (resource.type, "review") in ABILITY else "administer"
        return self.allows(action, resource if action == "review" else SERVER)

    def shares(self, name: str) -> bool:
        """Whether whoever asks may share the resource written `name`."""
        try:
            return self.allows(*self._sharing(name))
        except InvalidName:
            return False

    def require_sharing(self, name: str) -> None:
        """Go on only if whoever asks may share the resource written `name`.

        Raises:
            Refused: they may not; it is recorded.
        """
        self.require(*self._sharing(name))

    def _sharing(self, name: str) -> tuple[str, Resource]:
        resource = self.known(parse_resource(name))
        is_shared = (resource.type, "share") in ABILITY
        return ("share", resource) if is_shared else ("administer", SERVER)

    def admitted_one(self) -> Resource:
        """The resource that the guard has allowed to be shared.

        Raises:
            InvalidName: it has several names, so that a grant could not say which.
        """
        found = (*self.admitted("share"), *self.admitted("administer"))
        if len(found) != 1:
            raise InvalidName(mistakes.SEVERAL_NAMES)
        return found[0]

    async def checked(self, body: Mapping[str, Any], resource: Resource) -> Wanted:
        """What `body` wants given on `resource`, which whoever asks may give.

        Raises:
            InvalidName, UnknownName, Refused, Unconfirmed: it cannot be given.
        """
        to, level = parse_principal(body["principal"]), parse_level(body["level"]).word
        starts, ends = self.moment(body.get("starts")), self.moment(body.get("ends"), last=True)
        check_giving(self, to, level, resource, ends=ends, confirmed=body.get("confirm", False))
        if not await exists(self, resource):
            raise UnknownName(mistakes.make_it_first(resource.name))
        return Wanted(
            principal=to,
            level=level,
            resource=resource.name,
            starts=starts,
            ends=ends,
            note=body.get("note", ""),
            uses=body.get("uses"),
        )
