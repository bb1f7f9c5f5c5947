"""API tokens: what programs sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, InvalidName, UnknownName
from ..policy.model import parse_name
from ..policy.vocabulary import parse_level, parse_resource
from .model import Token, is_id, parse_end, parse_hash, parse_id, parse_time
from .schema import token_scopes, tokens
from .transaction import Transactions, in_batches, require_person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

#: Most pairs of one scope.
MAX_SCOPE = 64
#: Most tokens of one person that hold at once: each look at tokens reads them all.
MOST_HELD = 1000
#: Most tokens of one person that are over and kept; the records keep all.
MOST_KEPT = 1000


class Tokens(Transactions):
    """The operations on tokens. Only the hash of a secret is ever kept."""

    def add_token(  # noqa: PLR0917  # why: first the parts of the new secret, in its own order
        self,
        id: str,  # noqa: A002  # why: the field's word
        secret_hash: str,
        name: str,
        person: str,
        expires: float | None,
        now: float,
        *,
        scope: Iterable[tuple[str, str]] | None = None,
    ) -> Token:
        """Keeps a token that was made for a person.

        Args:
            id: the public part of its secret.
            secret_hash: of the whole secret.
            name: unique among the person's.
            person: without `user:`.
            expires: seconds since the epoch; None is never.
            now: seconds since the epoch.
            scope: pairs of a level and a resource that it is limited to; None for all
                that the person may.

        Raises:
            InvalidName: one of the values cannot be.
            UnknownName: there is no such person.
            DuplicateName: the person has a token of that name, or as many as can hold at
                once, or the id is taken.
        """
        now = parse_time(now, "time")
        token = Token(
            id=parse_id(id, "token"),
            name=parse_name(name, "token name"),
            person=parse_name(person, "user name"),
            created=now,
            expires=parse_end(expires, "end of the token", now=now),
            last_used=None,
            scope=None if scope is None else _parse_scope(scope),
        )
        secret_hash = parse_hash(secret_hash, "token")
        with self._change() as connection:
            require_person(connection, token.person)
            _forget(connection, token.person, now)
            same = (tokens.c.person == token.person) & (tokens.c.name == token.name)
            if connection.execute(select(tokens.c.id).where(same)).first() is not None:
                raise DuplicateName(mistakes.token_there(token.person, token.name))
            hold = tokens.c.expires.is_(None) | (tokens.c.expires > now)
            mine = select(func.count()).select_from(tokens).where(tokens.c.person == token.person)
            count = mine.where(hold)
            if connection.execute(count).scalar_one() >= MOST_HELD:
                raise DuplicateName(mistakes.too_many_tokens(token.person, str(MOST_HELD)))
            if _read(connection, tokens.c.id == token.id):
                raise DuplicateName(mistakes.id_taken("token"))
            row = {
                "id": token.id,
                "secret_hash": secret_hash,
                "name": token.name,
                "person": token.person,
                "created": token.created,
                "expires": token.expires,
                "limited": token.scope is not None,
            }
            connection.execute(insert(tokens).values(row))
            for level, resource in token.scope or ():
                limit = {"token": token.id, "level": level, "resource": resource}
                connection.execute(insert(token_scopes).values(limit))
        return token

    def token(self, id: object) -> tuple[Token, str] | None:  # noqa: A002  # why: the field's word
        """The token with that id, also an expired one, and the hash of its secret.

        None for an id that is unknown or can be none, so that whatever a client sent
        may be asked for.
        """
        if not is_id(id):
            return None
        with self._read() as connection:
            found = _read(connection, tokens.c.id == id)
            query = select(tokens.c.secret_hash).where(tokens.c.id == id)
            return (found[0], str(connection.execute(query).scalar_one())) if found else None

    def tokens_called(self, ids: Iterable[str]) -> dict[str, Token]:
        """Those tokens among `ids` that there are, by id; at once, since each query costs."""
        found: dict[str, Token] = {}
        with self._read() as connection:
            for some in in_batches(ids):
                found |= {each.id: each for each in _read(connection, tokens.c.id.in_(some))}
        return found

    def tokens_named(self, name: object) -> tuple[Token, ...]:
        """Those tokens, of whomever, that are called `name`; none for what can be no name."""
        try:
            called = parse_name(name, "token name")
        except InvalidName:
            return ()
        with self._read() as connection:
            return _read(connection, tokens.c.name == called)

    def tokens(self, person: str | None = None) -> tuple[Token, ...]:
        """A person's tokens, or everyone's, by person and name.

        Raises:
            UnknownName: there is no such person.
        """
        name = None if person is None else parse_name(person, "user name")
        with self._read() as connection:
            if name is None:
                return _read(connection)
            require_person(connection, name)
            return _read(connection, tokens.c.person == name)

    def remove_token(self, id: str) -> Token:  # noqa: A002  # why: the field's word
        """Removes a token, which lets nobody in from then on; returns what it was.

        Raises:
            UnknownName: there is none with that id.
        """
        with self._change() as connection:
            found = _read(connection, tokens.c.id == id) if is_id(id) else ()
            if not found:
                raise UnknownName(mistakes.NO_TOKEN_OF_ID)
            connection.execute(delete(tokens).where(tokens.c.id == id))
        return found[0]

    def touch_token(self, id: object, now: float) -> None:  # noqa: A002  # why: the field's word
        """Notes that a token was used; no change that the revision counts."""
        now = parse_time(now, "time")
        if is_id(id):
            with self._write() as connection:
                used = update(tokens).where(tokens.c.id == id).values(last_used=now)
                connection.execute(used)


def _forget(connection: Connection, person: str, now: float) -> None:
    """Keep no more than the latest of a person's tokens that are over."""
    over = (tokens.c.person == person) & (tokens.c.expires <= now)
    latest = tokens.c.expires.desc(), tokens.c.id
    old = select(tokens.c.id).where(over).order_by(*latest).offset(MOST_KEPT)
    connection.execute(delete(tokens).where(tokens.c.id.in_(old)))


def _read(connection: Connection, where: ColumnElement[bool] | None = None) -> tuple[Token, ...]:
    query = select(
        tokens.c.id,
        tokens.c.name,
        tokens.c.person,
        tokens.c.created,
        tokens.c.expires,
        tokens.c.last_used,
        tokens.c.limited,
    ).order_by(tokens.c.person, tokens.c.name)
    if where is not None:
        query = query.where(where)
    rows = list(connection.execute(query))
    limits = select(token_scopes).order_by(token_scopes.c.level, token_scopes.c.resource)
    if where is not None:
        limits = limits.where(token_scopes.c.token.in_([row.id for row in rows]))
    scopes: dict[str, list[tuple[str, str]]] = {}
    for token, level, resource in connection.execute(limits):
        scopes.setdefault(token, []).append((level, resource))
    return tuple(
        Token(
            id=id_,
            name=name,
            person=person,
            created=created,
            expires=expires,
            last_used=last_used,
            # What a token was limited to may be gone, and then it reaches nothing.
            scope=tuple(scopes.get(id_, ())) if limited else None,
        )
        for id_, name, person, created, expires, last_used, limited in rows
    )


def _parse_scope(scope: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The pairs of a scope, checked and sorted.

    Raises:
        InvalidName: one of them cannot be, there are too many, or none, which would be
            a token that reaches nothing.
    """
    found = {(parse_level(level).word, parse_resource(on).name) for level, on in scope}
    if not 0 < len(found) <= MAX_SCOPE:
        raise InvalidName(mistakes.scope_pairs(str(MAX_SCOPE)))
    return tuple(sorted(found))
