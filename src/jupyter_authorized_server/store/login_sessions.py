"""Login sessions: the browsers that are signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, InvalidName, UnknownName
from ..policy.model import parse_name
from .model import (
    MAX_ADDRESS,
    MAX_AGENT,
    LoginSession,
    is_id,
    parse_end,
    parse_hash,
    parse_id,
    parse_time,
    recorded,
)
from .schema import login_sessions, people
from .transaction import Transactions, in_batches, require_person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection


class LoginSessions(Transactions):
    """The operations on login sessions. Only the hash of a secret is ever kept."""

    def add_login_session(  # noqa: PLR0917  # why: first the parts of the new secret, in its own order
        self,
        id: str,  # noqa: A002  # why: the field's word
        secret_hash: str,
        person: str,
        expires: float,
        address: str,
        agent: str,
        now: float,
    ) -> LoginSession:
        """Keeps the login session of a person who has just signed in.

        Address and agent are the client's words: cut and cleaned, never refused.

        Raises:
            InvalidName: one of the other values cannot be.
            UnknownName: there is no such person, or they are disabled.
            DuplicateName: the id is taken.
        """
        now = parse_time(now, "time")
        end = parse_end(expires, "end of the login session", now=now)
        if end is None:
            raise InvalidName(mistakes.LOGIN_WITHOUT_END)
        session = LoginSession(
            id=parse_id(id, "login session"),
            person=parse_name(person, "user name"),
            created=now,
            expires=end,
            last_seen=now,
            address=recorded(address, longest=MAX_ADDRESS),
            agent=recorded(agent, longest=MAX_AGENT),
        )
        secret_hash = parse_hash(secret_hash, "login session")
        with self._change() as connection:
            require_person(connection, session.person)
            shut_out = select(people.c.disabled).where(people.c.name == session.person)
            if connection.execute(shut_out).scalar():
                raise UnknownName(mistakes.cannot_sign_in(session.person))
            if _read(connection, login_sessions.c.id == session.id):
                raise DuplicateName(mistakes.id_taken("login session"))
            row = {
                "id": session.id,
                "secret_hash": secret_hash,
                "person": session.person,
                "created": session.created,
                "expires": session.expires,
                "last_seen": session.last_seen,
                "address": session.address,
                "agent": session.agent,
            }
            connection.execute(insert(login_sessions).values(row))
        return session

    def login_session(self, id: object) -> tuple[LoginSession, str] | None:  # noqa: A002  # why: the field's word
        """The login session with that id, also an expired one, and its secret's hash.

        None for an id that is unknown or can be none, so that whatever a client sent
        may be asked for.
        """
        if not is_id(id):
            return None
        with self._read() as connection:
            found = _read(connection, login_sessions.c.id == id)
            query = select(login_sessions.c.secret_hash).where(login_sessions.c.id == id)
            return (found[0], str(connection.execute(query).scalar_one())) if found else None

    def login_sessions_called(self, ids: Iterable[str]) -> dict[str, LoginSession]:
        """Those login sessions among `ids` that there are, by id."""
        found: dict[str, LoginSession] = {}
        with self._read() as connection:
            for some in in_batches(ids):
                rows = _read(connection, login_sessions.c.id.in_(some))
                found |= {each.id: each for each in rows}
        return found

    def login_sessions(self, person: str | None = None) -> tuple[LoginSession, ...]:
        """A person's login sessions, or everyone's, the latest first.

        Raises:
            UnknownName: there is no such person.
        """
        name = None if person is None else parse_name(person, "user name")
        with self._read() as connection:
            if name is None:
                return _read(connection)
            require_person(connection, name)
            return _read(connection, login_sessions.c.person == name)

    def end_login_session(self, id: object) -> bool:  # noqa: A002  # why: the field's word
        """Signs one browser out; returns whether there was such a session.

        One that has ended already is no mistake: somebody may sign out here while
        they are signed out everywhere.
        """
        if not is_id(id):
            return False
        return self._end(login_sessions.c.id == id) == 1

    def end_login_sessions(self, person: str) -> int:
        """Signs a person out everywhere; returns how many sessions that were.

        Raises:
            UnknownName: there is no such person.
        """
        name = parse_name(person, "user name")
        return self._end(login_sessions.c.person == name, person=name)

    def touch_login_session(self, id: object, now: float) -> None:  # noqa: A002  # why: the field's word
        """Notes that a session was used; no change that the revision counts."""
        now = parse_time(now, "time")
        if is_id(id):
            with self._write() as connection:
                seen = update(login_sessions).where(login_sessions.c.id == id)
                connection.execute(seen.values(last_seen=now))

    def remove_expired(self, now: float) -> int:
        """Removes the login sessions that have run out; returns how many.

        Expired tokens stay: their owner can be told why one no longer works.
        """
        return self._end(login_sessions.c.expires <= parse_time(now, "time"))

    def _end(self, which: ColumnElement[bool], *, person: str | None = None) -> int:
        with self._change_if_any() as removal:
            if person is not None:
                require_person(removal.connection, person)
            removal.count = removal.connection.execute(
                delete(login_sessions).where(which)
            ).rowcount
        return removal.count


def _read(
    connection: Connection, where: ColumnElement[bool] | None = None
) -> tuple[LoginSession, ...]:
    query = select(
        login_sessions.c.id,
        login_sessions.c.person,
        login_sessions.c.created,
        login_sessions.c.expires,
        login_sessions.c.last_seen,
        login_sessions.c.address,
        login_sessions.c.agent,
    ).order_by(login_sessions.c.created.desc(), login_sessions.c.id)
    if where is not None:
        query = query.where(where)
    return tuple(
        LoginSession(
            id=id_,
            person=person,
            created=created,
            expires=expires,
            last_seen=last_seen,
            address=address,
            agent=agent,
        )
        for id_, person, created, expires, last_seen, address, agent in connection.execute(query)
    )
