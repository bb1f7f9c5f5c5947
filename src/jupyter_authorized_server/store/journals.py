"""Where the chains of records begin and end, so that a chain made anew is found out."""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from ..chain import ORIGIN, Link, end_of, verify
from .schema import journals
from .transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..chain import Verdict

#: Looks at a chain that does not hold what is known of it, and seconds between two: another
#: process may drop old records just now.
_LOOKS, _PAUSE = 3, 0.1


def name_of(path: Path) -> str:
    """What the chain in the file `path` of this machine is called in the store."""
    return f"{platform.node()}:{path}"


class Journals(Transactions):
    """The operations on those places. They change no answer, so none is counted."""

    def keep_journal(self, path: Path) -> str | None:
        """Keep where the chain in the file `path` ends now.

        Returns:
            What is wrong, if it does not lead back to the end that is kept; that one
            stays, so that whoever cuts the chain cannot have it grow over the cut.

        Raises:
            OSError: the file cannot be read.
        """
        known = ORIGIN
        for look in range(_LOOKS):
            if look:
                time.sleep(_PAUSE)
            start, head = self.journal(path)
            known = head or ORIGIN
            end = end_of(path, known, start=start or ORIGIN)
            if end is not None:
                if end.number > known.number:
                    self._set(name_of(path), "head", end)
                return None
        return (
            f"record {known.number} is not in `{path}` as it was written, or records behind it "
            "are not; `jupyter authz audit verify` says which"
        )

    def start_journal(self, path: Path, start: Link) -> None:
        """Keep the place before the first record of the chain in the file `path`."""
        self._set(name_of(path), "start", start)

    def renew_journal(self, path: Path, set_aside: Callable[[], None]) -> None:
        """Forget the chain in the file `path`, which `set_aside` puts elsewhere."""
        with self._write() as connection:
            connection.execute(delete(journals).where(journals.c.name == name_of(path)))
            set_aside()

    def journal(self, path: Path) -> tuple[Link | None, Link | None]:
        """The start and the head of the chain in the file `path`, where they are known."""
        with self._read() as connection:
            query = select(journals).where(journals.c.name == name_of(path))
            row = connection.execute(query).first()
        if row is None:
            return None, None
        start = Link(number=row.start_number, hash=row.start_hash)
        head = Link(number=row.head_number, hash=row.head_hash)
        return start if start.number else None, head if head.number else None

    def other_journals(self, path: Path) -> Mapping[str, int]:
        """The other chains of whoever shares this store, and the number of each one's last."""
        with self._read() as connection:
            query = select(journals.c.name, journals.c.head_number).order_by(journals.c.name)
            found = {row.name: row.head_number for row in connection.execute(query)}
        found.pop(name_of(path), None)
        return found

    def verify_journal(self, path: Path) -> Verdict:
        """Whether every record of the file `path` is as it was written, and none is missing.

        Raises:
            OSError: the file cannot be read.
        """
        start, head = self.journal(path)
        found = verify(path, start=start or ORIGIN, head=head)
        # Another process may have dropped old records meanwhile.
        now = self.journal(path)[0]
        return found if now == start else verify(path, start=now or ORIGIN, head=head)

    def _set(self, name: str, place: str, link: Link) -> None:
        values = {f"{place}_number": link.number, f"{place}_hash": link.hash}
        with self._write() as connection:
            row = connection.execute(select(journals).where(journals.c.name == name)).first()
            if row is None:
                none = {"start_number": 0, "start_hash": "", "head_number": 0, "head_hash": ""}
                connection.execute(insert(journals).values({"name": name, **none, **values}))
            elif getattr(row, f"{place}_number") <= link.number:
                connection.execute(update(journals).where(journals.c.name == name).values(values))
