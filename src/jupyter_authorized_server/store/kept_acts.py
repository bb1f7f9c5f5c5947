"""Records of what was changed, put in with the change, until their chain has them.

A change and its record are in two places, the store and a file. The record is put beside
the change, in its transaction, so that whoever dies in between, the server or the
database, leaves it for whoever looks next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from .journals import name_of
from .schema import acts
from .transaction import Transactions, in_batches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAct:
    """A record of a change that its chain may have or not.

    Args:
        id: of the record.
        behind: number of a record of the chain that this one comes after.
        record: what is recorded.
    """

    id: str
    behind: int
    record: Mapping[str, Any]

    @property
    def time(self) -> float:
        """When it was made, in seconds since the epoch."""
        return float(self.record["time"])


class KeptActs(Transactions):
    """The operations on those records. They change no answer, so none is counted."""

    def keep_acts(self, path: Path, found: Iterable[KeptAct]) -> None:
        """Keep records for the chain in the file `path`, best together with what they tell of."""
        rows = [
            {
                "id": each.id,
                "journal": name_of(path),
                "behind": each.behind,
                "record": json.dumps(each.record),
            }
            for each in found
        ]
        with self._write() as connection:
            connection.execute(insert(acts), rows)

    def kept_acts(self, path: Path) -> tuple[KeptAct, ...]:
        """Those that are kept for the chain in the file `path`."""
        query = select(acts.c.id, acts.c.behind, acts.c.record)
        with self._read() as connection:
            rows = connection.execute(query.where(acts.c.journal == name_of(path))).all()
        return tuple(
            KeptAct(id=row.id, behind=row.behind, record=json.loads(row.record)) for row in rows
        )

    def drop_acts(self, ids: Collection[str]) -> None:
        """Keep those no longer that their chain has."""
        if not ids:
            return
        with self._write() as connection:
            for some in in_batches(ids):
                connection.execute(delete(acts).where(acts.c.id.in_(some)))
