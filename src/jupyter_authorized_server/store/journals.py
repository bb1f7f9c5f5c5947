"""Where the chains of records begin and end, so that a chain made anew is found out."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from .schema import journals
from .transaction import Transactions

if TYPE_CHECKING:
    from pathlib import Path


def chain_name(path: Path | None) -> str:
    """What the chain in the file `path` of this machine is called in the store."""
    return f"{platform.node()}:{path}"


class Journals(Transactions):
    """The operations on those places. They change no answer, so none is counted."""

    def set_journal_head(self, name: str, *, number: int, hash: str) -> None:  # noqa: A002  # why: the record's word
        """Keep the last place of the chain `name`, unless a later one is kept."""
        self._set(name, "head", number, hash)

    def set_journal_start(self, name: str, *, number: int, hash: str) -> None:  # noqa: A002  # why: the record's word
        """Keep the place before the first record of the chain `name`."""
        self._set(name, "start", number, hash)

    def journal(self, name: str) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
        """The start and the head of the chain `name`, where they are known."""
        with self._read() as connection:
            row = connection.execute(select(journals).where(journals.c.name == name)).first()
        if row is None:
            return None, None
        start, head = (row.start_number, row.start_hash), (row.head_number, row.head_hash)
        return start if start[0] else None, head if head[0] else None

    def _set(self, name: str, place: str, number: int, text: str) -> None:
        values = {f"{place}_number": number, f"{place}_hash": text}
        with self._write() as connection:
            row = connection.execute(select(journals).where(journals.c.name == name)).first()
            if row is None:
                none = {"start_number": 0, "start_hash": "", "head_number": 0, "head_hash": ""}
                connection.execute(insert(journals).values({"name": name, **none, **values}))
            elif getattr(row, f"{place}_number") <= number:
                connection.execute(update(journals).where(journals.c.name == name).values(values))
