"""`/api/authz/tokens`: what programs sign in with, agents with less than their owner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ... import acts, mistakes
from ...credentials import new_secret
from ...errors import UnknownName
from ..surface.places import SERVER
from . import moment
from .asker import Refused
from .giving import outlives
from .handler import PAGING, AdminHandler, page_of
from .operation import operation

if TYPE_CHECKING:
    from ...store import Token

_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
SCOPE = {
    "type": "array",
    "minItems": 1,
    "maxItems": 64,
    "items": {
        "type": "object",
        "required": ["level", "resource"],
        "additionalProperties": False,
        "properties": {"level": _TEXT, "resource": _TEXT},
    },
}
TOKEN = {
    "type": "object",
    "required": ["id", "name", "person", "created", "ends", "last_used", "scope"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "person": _TEXT,
        "created": _TEXT,
        "ends": _TEXT_OR_NONE,
        "last_used": _TEXT_OR_NONE,
        "scope": {"type": ["array", "null"]},
    },
}


def shown(token: Token) -> dict[str, Any]:
    """A token as it is answered; never its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "person": f"user:{token.person}",
        "created": moment.shown(token.created),
        "ends": moment.shown(token.expires),
        "last_used": moment.shown(token.last_used),
        "scope": None
        if token.scope is None
        else [{"level": level, "resource": resource} for level, resource in token.scope],
    }


def known(token: Token) -> dict[str, Any]:
    """What an administrator's or owner's change rests on; that it was used is no change."""
    return {**shown(token), "last_used": None}


class TokensHandler(AdminHandler):
    """The tokens of whoever asks."""

    @operation(query=PAGING, answer=page_of(TOKEN), personal=True)
    async def get(self) -> dict[str, Any]:
        """One's own tokens, also expired ones."""
        person = self.principal.name.removeprefix("user:")
        return await self.page(
            self.point.store.tokens(person), key=lambda each: (each.name, each.id), show=shown
        )

    @operation(
        body={
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": _TEXT, "scope": SCOPE, "ends": _TEXT_OR_NONE},
        },
        answer=TOKEN,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Make a token; its `secret` is answered this once. A `scope` makes it an agent's."""
        self._require_as_wide()
        body, secret = self.body, new_secret()
        person = self.principal.name.removeprefix("user:")
        scope = body.get("scope")
        pairs = None
        if scope is not None:
            pairs = [(each["level"], self._reached(each["resource"])) for each in scope]
        ends = self.moment(body.get("ends"), last=True)
        self._require_as_short(ends)
        made: Token = await self.change(
            lambda store: store.add_token(
                secret.id, secret.hash, body["name"], person, ends, time.time(), scope=pairs
            ),
            lambda made: [acts.token_added(made)],
        )
        self.tag(known(made))
        return {**shown(made), "secret": secret.text}

    def _reached(self, text: str) -> str:
        return self.told_as(text, self.meant(text))

    def _require_as_wide(self) -> None:
        """Go on only if no rule speaks of the token that asks, and of none that it makes.

        Raises:
            Refused: it would be wider than this one.
        """
        token = self.principal.token
        if token and any(rule.names("Token", token) for rule in self.point.policy.rules):
            reason = mistakes.TOKEN_OF_RULE
            raise Refused(reason, self.decide("administer", SERVER, record=True))

    def _require_as_short(self, ends: float | None) -> None:
        """Go on only if what the token that asks makes does not outlive it.

        Raises:
            Refused: it would.
        """
        asking = self.point.store.token(self.principal.token)
        until = None if asking is None else asking[0].expires
        if outlives(ends, until):
            reason = mistakes.token_too_long(str(moment.shown(until)))
            raise Refused(reason, self.decide("administer", SERVER, record=True))


class TokenHandler(AdminHandler):
    """One token."""

    def _found(self, id_: str) -> Token:
        """The token, if whoever asks may know of it.

        Raises:
            UnknownName: there is none, or none for them.
        """
        found = self.point.store.token(id_)
        own = found is not None and f"user:{found[0].person}" == self.principal.name
        if found is None or not (own or self.allows("administer", SERVER)):
            raise UnknownName(mistakes.NO_SUCH_TOKEN)
        return found[0]

    @operation(answer=TOKEN, personal=True)
    async def get(self, id_: str) -> dict[str, Any]:
        """One token of one's own, or for an administrator any, with its tag."""
        found = self._found(id_)
        self.tag(known(found))
        return shown(found)

    @operation(
        answer={"type": "object", "required": ["removed"], "properties": {"removed": _TEXT}}
    )
    async def delete(self, id_: str) -> dict[str, Any]:
        """Revoke a token of one's own, or as an administrator any."""
        found = self._found(id_)
        self.check_tag(known(found))
        await self.change(
            lambda store: store.remove_token(id_), lambda _: [acts.token_revoked(found)]
        )
        return {"removed": id_}
