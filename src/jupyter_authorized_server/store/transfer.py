"""All that a store holds, as lines to be put into another one.

For a move from SQLite to PostgreSQL, and for backups that outlast a change of version.
The lines hold hashes of passwords and tokens: whoever has them can try to guess.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from ..errors import InvalidName, StoreError
from .schema import HEAD, grant_changes, metadata, revision
from .transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

_AT_ONCE = 500
#: No database of a store holds whole numbers as large.
_BEYOND = 2**31
#: In the order in which rows may be put in; the one row of the last shows that none is missing.
_TABLES = {table.name: table for table in metadata.sorted_tables if table is not grant_changes}
_TABLES[revision.name] = _TABLES.pop(revision.name)


class Transfer(Transactions):
    """The operations that read and write everything."""

    def export_rows(self) -> Iterator[dict[str, Any]]:
        """Every row with its table, after one line that says of which version."""
        yield {"store": HEAD}
        with self._read() as connection:
            for name, table in _TABLES.items():
                rows = connection.execution_options(yield_per=_AT_ONCE).execute(_query(table))
                for row in rows.mappings():
                    yield {"table": name, "row": dict(row)}

    def row_counts(self) -> tuple[int, ...]:
        """How many rows each table has."""
        with self._read() as connection:
            queries = (select(func.count()).select_from(table) for table in _TABLES.values())
            return tuple(int(connection.execute(query).scalar_one()) for query in queries)

    def import_rows(self, lines: Iterable[Mapping[str, Any]]) -> int:
        """Puts exported rows into this store, all or none; returns how many.

        Raises:
            StoreError: this store is not empty.
            InvalidName: a line is none of an export of this version.
        """
        known = iter(lines)
        if next(known, {}).get("store") != HEAD:
            msg = f"this is no export of a store of schema revision `{HEAD}`"
            raise InvalidName(msg)
        many, last = 0, None
        with self._write() as connection:
            for table in _TABLES.values():
                count = select(func.count()).select_from(table)
                if table is not revision and connection.execute(count).scalar():
                    msg = "this store is not empty; import into a new one"
                    raise StoreError(msg)
            before = connection.execute(select(revision.c.number)).scalar_one()
            connection.execute(delete(revision))
            for table, rows in _alike(map(_row, known)):
                connection.execute(insert(table), rows)
                many, last = many + len(rows), table
            found = connection.execute(select(func.count()).select_from(revision)).scalar()
            if last is not revision or found != 1:
                msg = "the export does not end with its revision, so it is not whole; export anew"
                raise InvalidName(msg)
            _begin_anew(connection, before)
        return many


def _begin_anew(connection: Connection, before: int) -> None:
    """Sees that whoever knows the store from before the import reads all of it again."""
    row = revision.c
    number = max(connection.execute(select(row.number)).scalar_one(), before + 1)
    connection.execute(delete(grant_changes))
    connection.execute(
        update(revision).values(number=number, people=number, grants=number, noted=number)
    )


def _query(table: Table) -> Any:
    kept = [column for column in table.columns if column is not table.autoincrement_column]
    return select(*kept).order_by(*table.primary_key.columns)


def _alike(
    rows: Iterable[tuple[Table, dict[str, Any]]],
) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """`rows` in their order, as many at once as go into one table and name the same columns."""
    for (table, _), some in groupby(rows, key=lambda each: (each[0], frozenset(each[1]))):
        while batch := [row for _, row in islice(some, _AT_ONCE)]:
            yield table, batch


def _row(line: Mapping[str, Any]) -> tuple[Table, dict[str, Any]]:
    table, row = _TABLES.get(str(line.get("table"))), line.get("row")
    columns = set() if table is None else {column.name for column in table.columns}
    if table is None or not isinstance(row, dict) or not set(row) <= columns:
        msg = "a line is no row of a store"
        raise InvalidName(msg)
    if any(isinstance(value, int) and abs(value) >= _BEYOND for value in row.values()):
        msg = f"a line for `{table.name}` holds a number that no store can"
        raise InvalidName(msg)
    return table, row
