"""Who a written form means: the principal with its groups and its scope as they are now."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from . import mistakes
from .errors import UnknownName
from .in_force import remember
from .policy.model import ANONYMOUS, GUEST, Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .in_force import InForce
    from .store import Store
    from .store.model import Token

#: What the id of each token that is made looks like; see `credentials.new_secret`.
_LIKE_AN_ID = re.compile(r"[0-9a-f]{12}")


class Recognition:
    """Makes principals.

    Args:
        store: where tokens are.
        clock: seconds since the epoch.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def principal(
        self,
        in_force: InForce,
        name: str,
        *,
        token: str | None,
        session: str | None,
        viewer: Principal | None,
        must_exist: bool,
        known: Token | None = None,
    ) -> Principal:
        """As `DecisionPoint.principal`, by what is in force.

        Raises:
            UnknownName, StoreError: as there.
        """
        if name.startswith("token:"):
            return self._program(in_force, name.removeprefix("token:"))
        if name.startswith(GUEST):
            return self._guest(in_force, name, session)
        key = (name, token, session, viewer, must_exist)
        found = in_force.principals.get(key)
        if found is None:
            if name != ANONYMOUS:
                _check_exists(in_force, name, must_exist=must_exist)
            groups = () if name == ANONYMOUS else in_force.directory.groups_of(name)
            found = Principal(
                name=name,
                groups=groups,
                token=token,
                session=session,
                scope=None if token is None else self._scope(token, known),
                viewer=viewer,
            )
            remember(in_force.principals, key, found)
        return found

    def _program(self, in_force: InForce, written: str) -> Principal:
        token = self._token(written)
        return self.principal(
            in_force,
            f"user:{token.person}",
            token=token.id,
            session=None,
            viewer=None,
            must_exist=True,
        )

    def _token(self, written: str) -> Token:
        """The token of that id, or else the only one of that name, if it holds."""
        found = self._store.token(written)
        # Nobody's token passes for one that is gone by being called as its id was.
        called = (
            [found[0]]
            if found is not None
            else []
            if _LIKE_AN_ID.fullmatch(written)
            else self._store.tokens_named(written)
        )
        now = self._clock()
        holding = [each for each in called if (each.expires or math.inf) > now]
        if len(holding) == 1:
            return holding[0]
        shown = written[:64]
        raise UnknownName(mistakes.several_tokens(shown) if holding else mistakes.no_token(shown))

    def _guest(self, in_force: InForce, name: str, session: str | None) -> Principal:
        # Invariant: whoever asks by a link is a principal with that link's scope and maker,
        # as both are now, so they are looked up here, each time, and nowhere else.
        found = self._store.link(name.removeprefix(GUEST))
        if found is None or not found[0].guests or found[0].expires <= self._clock():
            raise UnknownName(mistakes.NO_GUEST_LINK)
        link = found[0]
        giver = self.principal(
            in_force,
            f"user:{link.person}",
            token=None,
            session=None,
            viewer=None,
            must_exist=True,
        )
        scope = ((link.level, link.resource),)
        return Principal(name=f"{GUEST}{link.id}", session=session, scope=scope, giver=giver)

    def _scope(self, token: str, known: Token | None) -> tuple[tuple[str, str], ...] | None:
        # Invariant: whoever asks with a token is a principal with that token's scope,
        # so it is looked up here and nowhere else.
        if known is not None and known.id == token:
            return known.scope
        found = self._store.token(token)
        if found is None:
            raise UnknownName(mistakes.TOKEN_REVOKED)
        return found[0].scope


def _check_exists(in_force: InForce, name: str, *, must_exist: bool) -> None:
    kind, _, bare = name.partition(":")
    if kind == "user" and bare in in_force.disabled:
        raise UnknownName(mistakes.is_disabled(name))
    if must_exist and not in_force.directory.knows(name):
        raise UnknownName(mistakes.is_not_there(name))
