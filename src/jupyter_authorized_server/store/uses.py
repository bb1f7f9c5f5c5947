"""Grants that count a number of times only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from .. import mistakes
from ..errors import InvalidName
from ..policy.vocabulary import LEVEL, Level, parse_level
from .schema import grant_changes, grant_uses, grants, orphans, revision
from .transaction import Transactions, in_batches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

#: Most times that a grant may be limited to.
MAX_USES = 100_000


class Uses(Transactions):
    """The operations on how often a grant counts.

    A grant that is used up stays for a moment, since what it has let in last asks again
    on its way; `drop_used_up` ends it.
    """

    def counted(self, among: Iterable[str] | None = None) -> dict[str, int]:
        """By the ids of the grants that count a number of times only, how many are left.

        Args:
            among: ids of the grants that are asked about; None is all.
        """
        query = select(grant_uses).where(grant_uses.c.grant_id.in_(select(grants.c.id)))
        queries = (
            [query]
            if among is None
            else [query.where(grant_uses.c.grant_id.in_(some)) for some in in_batches(among)]
        )
        with self._read() as connection:
            rows = [row for each in queries for row in connection.execute(each)]
        return {row.grant_id: max(0, row.uses - row.used) for row in rows}

    def counted_since(self, known: int) -> tuple[int, frozenset[str]]:
        """The grants that count a number of times and were given or changed of late.

        Args:
            known: the revision after which; one that nothing is noted of any more, or that
                there has not been, is as none.

        Returns:
            The revision now, and their ids.
        """
        query = select(grants.c.id).join(grant_uses, grant_uses.c.grant_id == grants.c.id)
        with self._read() as connection:
            now, noted = connection.execute(select(revision.c.number, revision.c.noted)).one()
            if noted <= known <= now:
                changed = grant_changes.c.serial == grants.c.serial
                query = query.join(grant_changes, changed).where(grant_changes.c.revision > known)
            return int(now), frozenset(connection.execute(query).scalars())

    def use_grant(self, id: str) -> int | None:  # noqa: A002  # why: the field's word
        """Use a grant once; how often it counts after that, None where it did not count.

        Of two who use the last one at once, one is told None.
        """
        with self._write() as connection:
            row = connection.execute(select(grant_uses).where(grant_uses.c.grant_id == id)).first()
            if row is None or row.used >= row.uses:
                return None
            connection.execute(
                update(grant_uses).where(grant_uses.c.grant_id == id).values(used=row.used + 1)
            )
            return int(row.uses - row.used - 1)

    def drop_used_up(self) -> tuple[str, ...]:
        """Ends the grants that are used up; returns their ids."""
        # One that was taken back before, or whose principal is no more, has ended already.
        id_ = grant_uses.c.grant_id
        over = select(id_).where(
            grant_uses.c.used >= grant_uses.c.uses,
            or_(id_.in_(select(grants.c.id)), id_.in_(select(orphans.c.id))),
        )
        with self._read() as connection:
            found = tuple(connection.execute(over).scalars())
        if not found:
            return ()
        with self._change(grants=True) as connection:
            for table, column in (
                (grants, grants.c.id),
                (orphans, orphans.c.id),
                (grant_uses, grant_uses.c.grant_id),
            ):
                connection.execute(delete(table).where(column.in_(found)))
        return found


def limit_uses(connection: Connection, id_: str, level: str, uses: int) -> None:
    """Has the new grant `id_` count `uses` times.

    Raises:
        InvalidName: no number of times, or a level that others depend on.
    """
    require_uses(level, uses)
    connection.execute(insert(grant_uses).values(grant_id=id_, uses=uses, used=0))


def require_uses(level: str, uses: int) -> None:
    """Sees that a grant of `level` can count `uses` times.

    Raises:
        InvalidName: no number of times, or a level that others depend on.
    """
    if isinstance(uses, bool) or not 0 < uses <= MAX_USES:
        raise InvalidName(mistakes.counts_times(str(MAX_USES)))
    _require_low(parse_level(level).word)


def require_countable(connection: Connection, id_: str, level: str) -> None:
    """Sees that the grant `id_`, if it counts a number of times, may have `level`.

    Raises:
        InvalidName: others would depend on it.
    """
    row = connection.execute(select(grant_uses).where(grant_uses.c.grant_id == id_)).first()
    if row is not None:
        _require_low(level)


def _require_low(level: str) -> None:
    if LEVEL[level] > Level.CONTRIBUTOR:
        raise InvalidName(mistakes.not_a_number_of_times(level))
