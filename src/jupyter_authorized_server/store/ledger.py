"""The ledger of all grants, read whole, or only what changed since it was last read."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import select

from ..policy.ledger import Ledger, reading_many, set_aside
from .grants import READ, rows_of
from .schema import grant_changes, grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from ..policy.model import Grant
    from .model import State

#: More changed grants than these are no quicker to read one by one.
_MOST = 5000
#: Rows asked for in one statement.
_AT_ONCE = 500


def read_ledger(connection: Connection, known: State | None) -> Ledger:
    """All grants, in a transaction that sees one state throughout.

    Args:
        connection: of that transaction.
        known: a state since which every changed grant is noted; None to read all.
    """
    if known is not None:
        query = (
            select(grant_changes.c.serial)
            .where(grant_changes.c.revision > known.revision)
            .distinct()
            .limit(_MOST + 1)
        )
        serials = list(connection.execute(query).scalars())
        if len(serials) <= _MOST:
            return known.ledger.after(dict(_as_now(connection, serials)))
    with reading_many():
        found = Ledger(rows_of(connection, select(*READ).order_by(grants.c.serial)))
        # Before the collector is on again, or it looks through them all at once.
        set_aside(len(found))
    return found


def _as_now(connection: Connection, serials: list[int]) -> Iterator[tuple[int, Grant | None]]:
    """Each number with its grant, None where there is none any more."""
    waiting = iter(serials)
    while some := list(islice(waiting, _AT_ONCE)):
        query = select(*READ).where(grants.c.serial.in_(some))
        found = dict(rows_of(connection, query))
        for serial in some:
            yield serial, found.get(serial)
