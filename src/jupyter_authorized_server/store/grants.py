"""Grants: who has which level on what, until when."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from .. import mistakes
from ..errors import InvalidName, Outdated, UnknownName
from ..policy.model import EVERYONE, Grant, parse_principal
from ..policy.vocabulary import parse_level, parse_resource
from .keeper import require_keeper
from .model import MAX_GIVER, MAX_NOTE, Wanted, is_id, parse_end, parse_text, parse_time
from .schema import grant_uses, grants
from .transaction import Transactions, require_group, require_person
from .uses import limit_uses, require_countable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.engine import Connection, RowMapping


#: What is read of a grant.
READ = (
    grants.c.serial,
    grants.c.id,
    grants.c.person,
    grants.c.group_name,
    grants.c.level,
    grants.c.resource,
    grants.c.starts,
    grants.c.ends,
    grants.c.granted_by,
    grants.c.note,
)


class Grants(Transactions):
    """The operations on grants."""

    def add_grant(
        self,
        *,
        principal: str,
        level: str,
        resource: str,
        now: float,
        starts: float | None = None,
        ends: float | None = None,
        granted_by: str,
        note: str = "",
        uses: int | None = None,
    ) -> Grant:
        """Hands a principal a level on a resource and all that is below it.

        Args:
            principal: `user:NAME`, `group:NAME` or `everyone`.
            level: a level's word.
            resource: written form; kept in its canonical spelling.
            now: seconds since the epoch.
            starts: from when it counts; None is at once.
            ends: from when it counts no longer; None is never.
            granted_by: written form of the giver.
            note: why.
            uses: how often it counts; None is always.

        Raises:
            InvalidName: one of them cannot be, or the grant would never count.
            UnknownName: there is no such principal.
        """
        wanted = Wanted(
            principal=principal,
            level=level,
            resource=resource,
            starts=starts,
            ends=ends,
            note=note,
            uses=uses,
        )
        grant = new_grant(wanted, now=now, granted_by=granted_by)
        with self._change(grants=True) as connection:
            _insert_limited(connection, grant, uses, now=now)
        return grant

    def add_grant_once(self, wanted: Wanted, *, now: float, granted_by: str) -> tuple[Grant, bool]:
        """As `add_grant`, unless a grant says the same already.

        One that counts a number of times never says the same.

        Returns:
            The grant that says what is wanted, and whether it is new: of two who say the
            same at once, wherever they are, one is told so.

        Raises:
            InvalidName, UnknownName: as there.
        """
        grant = new_grant(wanted, now=now, granted_by=granted_by)
        if wanted.uses is None:
            with self._read() as connection:
                before = same_grant(connection, grant)
            if before is not None:
                return before, False
        with self._change(grants=True) as connection:
            before = same_grant(connection, grant) if wanted.uses is None else None
            if before is not None:
                return before, False
            _insert_limited(connection, grant, wanted.uses, now=now)
        return grant, True

    def change_grant(
        self,
        known: Grant,
        *,
        level: str,
        ends: float | None,
        note: str,
        now: float,
        keepers: Iterable[Grant] = (),
    ) -> Grant:
        """Puts another level, end or note into a grant.

        Args:
            known: the grant as whoever changes it knows it.
            level: a level's word.
            ends: seconds since the epoch; None is never.
            note: why.
            now: seconds since the epoch.
            keepers: grants that count beside those of the store.

        Raises:
            InvalidName: one of them cannot be.
            UnknownName: it was taken back meanwhile.
            Outdated: somebody has changed it meanwhile.
            LastKeeper: nobody would manage the resource any more.
        """
        changed = replace(
            known,
            level=parse_level(level).word,
            ends=ends if ends == known.ends else parse_end(ends, "end", now=now),
            note=parse_text(note, "note", longest=MAX_NOTE),
        )
        with self._change(grants=True) as connection:
            _require_as_known(connection, known)
            require_countable(connection, changed.id, changed.level)
            values = {"level": changed.level, "ends": changed.ends, "note": changed.note}
            connection.execute(update(grants).where(grants.c.id == known.id).values(values))
            require_keeper(connection, known, now=now, others=keepers)
        return changed

    def take_grant(self, known: Grant, *, now: float, keepers: Iterable[Grant] = ()) -> Grant:
        """Takes a grant back that is as whoever takes it knows it; returns it.

        Raises:
            UnknownName: it was taken back meanwhile.
            Outdated: somebody has changed it meanwhile.
            LastKeeper: nobody would manage the resource any more.
        """
        with self._change(grants=True) as connection:
            _require_as_known(connection, known)
            connection.execute(delete(grants).where(grants.c.id == known.id))
            require_keeper(connection, known, now=now, others=keepers)
        return known

    def remove_grant(self, id: str) -> Grant:  # noqa: A002  # why: the field's word
        """Takes a grant back, and returns what it was.

        Raises:
            UnknownName: there is none with that id.
        """
        with self._change(grants=True) as connection:
            found = read_grants(connection, only=id) if is_id(id) else ()
            if not found:
                shown = f"`{id}`" if is_id(id) else "that id"
                raise UnknownName(mistakes.no_grant(shown))
            connection.execute(delete(grants).where(grants.c.id == id))
        return found[0]


def new_grant(wanted: Wanted, *, now: float, granted_by: str) -> Grant:
    """The grant that gives what is `wanted`; whether its principal exists is not asked.

    Raises:
        InvalidName: it cannot be, or would never count.
    """
    starts = wanted.starts
    grant = Grant(
        id=f"g-{secrets.token_hex(6)}",
        principal=parse_principal(wanted.principal),
        level=parse_level(wanted.level).word,
        resource=parse_resource(wanted.resource).name,
        starts=None if starts is None else parse_time(starts, "start"),
        ends=parse_end(wanted.ends, "end", now=parse_time(now, "time")),
        granted_by=parse_text(granted_by, "giver", longest=MAX_GIVER),
        note=parse_text(wanted.note, "note", longest=MAX_NOTE),
    )
    if grant.starts is not None and grant.ends is not None and grant.ends <= grant.starts:
        raise InvalidName(mistakes.END_BEFORE_START)
    return grant


def same_grant(connection: Connection, grant: Grant) -> Grant | None:
    """A grant of the store that says what `grant` does, if there is one."""
    kind, _, name = grant.principal.partition(":")
    query = (
        select(grants.c.id)
        .where(grants.c.resource == grant.resource, grants.c.level == grant.level)
        .where(grants.c.person.is_not_distinct_from(name if kind == "user" else None))
        .where(grants.c.group_name.is_not_distinct_from(name if kind == "group" else None))
        .where(grants.c.starts.is_not_distinct_from(grant.starts))
        .where(grants.c.ends.is_not_distinct_from(grant.ends))
        # One that counts a number of times does not say the same.
        .where(grants.c.id.not_in(select(grant_uses.c.grant_id)))
        .limit(1)
    )
    found = connection.execute(query).scalar()
    return None if found is None else read_grants(connection, only=found)[0]


def _require_as_known(connection: Connection, known: Grant) -> None:
    found = read_grants(connection, only=known.id)
    if not found:
        raise UnknownName(mistakes.GRANT_GONE)
    if found[0] != known:
        raise Outdated(mistakes.GRANT_CHANGED)


def insert_grant(connection: Connection, grant: Grant, *, now: float) -> None:
    """Adds a grant whose values are checked.

    Raises:
        UnknownName: its principal does not exist.
    """
    row = row_of(grant, now=now)
    if row["person"] is not None:
        require_person(connection, row["person"])
    if row["group_name"] is not None:
        require_group(connection, row["group_name"])
    connection.execute(insert(grants).values(row))


def _insert_limited(connection: Connection, grant: Grant, uses: int | None, *, now: float) -> None:
    insert_grant(connection, grant, now=now)
    if uses is not None:
        limit_uses(connection, grant.id, grant.level, uses)


def row_of(grant: Grant, *, now: float) -> dict[str, Any]:
    """The row that a new grant becomes.

    Raises:
        UnknownName: its principal can be given nothing.
    """
    kind, _, name = grant.principal.partition(":")
    if kind == "token":
        raise UnknownName(mistakes.GRANT_TO_TOKEN)
    if kind not in {"user", "group", EVERYONE}:
        raise UnknownName(mistakes.grant_to_nobody(grant.principal))
    return {
        "id": grant.id,
        "person": name if kind == "user" else None,
        "group_name": name if kind == "group" else None,
        "level": grant.level,
        "resource": grant.resource,
        "starts": grant.starts,
        "ends": grant.ends,
        "granted_by": grant.granted_by,
        "note": grant.note,
        "created": now,
    }


def read_grants(
    connection: Connection,
    *,
    only: str | None = None,
    where: ColumnElement[bool] | None = None,
) -> tuple[Grant, ...]:
    """All grants, those `where`, or the one whose id is `only`, in the order of giving."""
    query = select(*READ).order_by(grants.c.serial)
    if only is not None:
        query = query.where(grants.c.id == only)
    if where is not None:
        query = query.where(where)
    return tuple(grant for _, grant in rows_of(connection, query))


def rows_of(connection: Connection, query: Select[Any]) -> Iterator[tuple[int, Grant]]:
    """Serial number and grant of each row of a `query` for the columns `READ`."""
    written: dict[tuple[str | None, str | None], str] = {}
    # Of 100,000 grants most stand where others stand; one text for all is found sooner.
    texts: dict[str, str] = {}
    for row in connection.execute(query).fetchall():
        serial, id_, person, group, level, resource, starts, ends, granted_by, note = row
        principal = written.get((person, group))
        if principal is None:
            principal = written[person, group] = _written(person, group)
        yield (
            serial,
            Grant(
                id=id_,
                principal=principal,
                level=texts.setdefault(level, level),
                resource=texts.setdefault(resource, resource),
                starts=starts,
                ends=ends,
                granted_by=granted_by,
                note=note,
            ),
        )


def as_grant(row: RowMapping) -> Grant:
    """The grant in a row that has the columns of one."""
    names = ("id", "level", "resource", "starts", "ends", "granted_by", "note")
    principal = _written(row["person"], row["group_name"])
    return Grant(principal=principal, **{name: row[name] for name in names})


def _written(person: str | None, group: str | None) -> str:
    if person is not None:
        return f"user:{person}"
    return EVERYONE if group is None else f"group:{group}"
