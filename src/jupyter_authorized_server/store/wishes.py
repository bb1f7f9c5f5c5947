"""Wishes: what people have asked for, and what became of it."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, Outdated, UnknownName
from ..policy.model import Grant, parse_name
from ..policy.vocabulary import parse_level, parse_resource
from .grants import insert_grant
from .model import MAX_NOTE, Wish, WishState, is_id, parse_end, parse_text, parse_time
from .schema import wishes
from .transaction import Transactions, require_person

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

#: Most wishes of one person that may be open: a queue is read by people.
MOST_OPEN = 20
#: Most that were answered and are kept, of one person; the records keep them all.
MOST_KEPT = 100


class Wishes(Transactions):
    """The operations on wishes."""

    def add_wish(
        self, *, person: str, level: str, resource: str, note: str = "", now: float
    ) -> Wish:
        """Keeps what a person asks for.

        Raises:
            InvalidName: one of the values cannot be.
            UnknownName: there is no such person.
            DuplicateName: they have asked for it already, or have asked for too much.
        """
        wish = Wish(
            id=f"w-{secrets.token_hex(6)}",
            person=parse_name(person, "user name"),
            level=parse_level(level).word,
            resource=parse_resource(resource).name,
            note=parse_text(note, "note", longest=MAX_NOTE),
            created=parse_time(now, "time"),
        )
        with self._change() as connection:
            require_person(connection, wish.person)
            own = (wishes.c.person == wish.person) & (wishes.c.state == WishState.OPEN.value)
            count = select(func.count()).select_from(wishes).where(own)
            if (connection.execute(count).scalar() or 0) >= MOST_OPEN:
                raise DuplicateName(mistakes.too_many_requests(str(MOST_OPEN)))
            same = own & (wishes.c.level == wish.level) & (wishes.c.resource == wish.resource)
            if _read(connection, same):
                raise DuplicateName(mistakes.ASKED_ALREADY)
            connection.execute(insert(wishes).values({**asdict(wish), "state": wish.state.value}))
            _forget(connection, wish.person)
        return wish

    def wishes(self) -> tuple[Wish, ...]:
        """All there are, the oldest first."""
        with self._read() as connection:
            return _read(connection)

    def wish(self, id: object) -> Wish | None:  # noqa: A002  # why: the field's word
        """The one with that id."""
        if not is_id(id):
            return None
        with self._read() as connection:
            found = _read(connection, wishes.c.id == id)
        return found[0] if found else None

    def answer_wish(
        self,
        id: str,  # noqa: A002  # why: the field's word
        state: WishState,
        *,
        by: str,
        now: float,
        level: str | None = None,
        ends: float | None = None,
        answer: str = "",
    ) -> Wish:
        """Answers an open wish; where it is approved, its grant comes in the same change.

        Args:
            id: of the wish.
            state: what becomes of it.
            by: written form of who answers.
            now: seconds since the epoch.
            level: what is given; None is what was asked for.
            ends: when the grant ends; None is never.
            answer: to be read by who asked.

        Raises:
            InvalidName: one of the values cannot be.
            UnknownName: there is none with that id.
            Outdated: somebody has answered it meanwhile.
        """
        said = parse_text(answer, "note", longest=MAX_NOTE)
        with self._change(grants=state is WishState.APPROVED) as connection:
            found = _read(connection, wishes.c.id == id) if is_id(id) else ()
            if not found:
                raise UnknownName(mistakes.NO_SUCH_REQUEST)
            wish = found[0]
            if wish.state is not WishState.OPEN:
                raise Outdated(mistakes.request_answered(wish.state.value))
            grant = None
            if state is WishState.APPROVED:
                grant = Grant(
                    id=f"g-{secrets.token_hex(6)}",
                    principal=f"user:{wish.person}",
                    level=parse_level(level or wish.level).word,
                    resource=wish.resource,
                    ends=parse_end(ends, "end", now=now),
                    granted_by=by,
                    note=said or wish.note,
                )
                insert_grant(connection, grant, now=now)
            values = {
                "state": state.value,
                "decided": parse_time(now, "time"),
                "decided_by": by,
                "answer": said,
                "grant_id": None if grant is None else grant.id,
            }
            connection.execute(update(wishes).where(wishes.c.id == id).values(values))
            return _read(connection, wishes.c.id == id)[0]


def _forget(connection: Connection, person: str) -> None:
    """Keep no more than the latest of a person's wishes that were answered.

    Whoever asks and withdraws for hours would make everybody wait who looks at a request.
    """
    answered = (wishes.c.person == person) & (wishes.c.state != WishState.OPEN.value)
    latest = wishes.c.decided.desc(), wishes.c.id
    old = select(wishes.c.id).where(answered).order_by(*latest).offset(MOST_KEPT)
    connection.execute(delete(wishes).where(wishes.c.id.in_(old)))


def _read(connection: Connection, where: ColumnElement[bool] | None = None) -> tuple[Wish, ...]:
    query = select(wishes).order_by(wishes.c.created, wishes.c.id)
    if where is not None:
        query = query.where(where)
    return tuple(
        Wish(**{**row, "state": WishState(row["state"])})
        for row in connection.execute(query).mappings()
    )
