"""The records of each server, and where their chains begin and end.

A record is a line of a file first, see `journal`. From there it comes here, with the place
that the chain has reached: so a chain that is made anew is found out, what is done to the
file leaves the records as they were, and whoever shares the store can read those of all.
"""

from __future__ import annotations

import platform
import secrets
import time
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import LargeBinary, bindparam, cast, delete, insert, select, update

from .. import mistakes
from ..chain import (
    ORIGIN,
    ChainBroken,
    Link,
    Piece,
    Verdict,
    is_older,
    link_of,
    onward,
    parse,
    verify,
    verify_lines,
)
from ..errors import UnknownName
from .schema import journals, records
from .transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

#: Looks at a chain that does not hold what is known of it, and seconds between two: another
#: process may drop old records just now.
_LOOKS, _PAUSE = 3, 0.1
#: Rows put in with one transaction, and seconds between two, in which others have their turn.
_AT_ONCE, _TURN = 5, 0.005
#: Rows read or dropped at once.
_ROWS = 50
# Made once, since making one takes longer than what it does; each second of a server has some.
_CALLED = select(journals).where(journals.c.name == bindparam("called"))
_REACHED = (
    update(journals)
    .where(journals.c.id == bindparam("journal"))
    .values(head_number=bindparam("number"), head_hash=bindparam("hash"))
)
_PUT = insert(records)


def name_of(path: Path) -> str:
    """What the chain in the file `path` of this machine is called in the store."""
    return f"{platform.node()}:{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the store knows of a chain.

    Args:
        id: by which its records are kept; empty where nothing is known.
        start: the place before the first record of the file.
        since: the place before the first record that the store has.
        head: the last place.
    """

    id: str = ""
    start: Link = ORIGIN
    since: Link = ORIGIN
    head: Link = ORIGIN


class Journals(Transactions):
    """The operations on those. They change no answer, so none is counted."""

    def keep_journal(self, path: Path) -> str | None:
        """Keep what the file `path` has that is not kept yet.

        Returns:
            What is wrong, if it does not lead back to the end that is kept; that one
            stays, so that whoever cuts the chain cannot have it grow over the cut.

        Raises:
            OSError: the file cannot be read.
        """
        last = self._keep_on(path)
        for _ in range(_LOOKS - 1):
            if last is None:
                return None
            time.sleep(_PAUSE)
            last = self._keep_on(path)
        if last is None:
            return None
        return (
            f"record {last.number} is not in `{path}` as it was written, or records behind it "
            "are not; `jupyter authz audit verify` says which"
        )

    def _keep_on(self, path: Path) -> Link | None:
        """Keep what there is; where the chain is broken, the last place before."""
        with closing(_Following(path)) as following:
            while True:
                with self._write() as connection:
                    place = _find(connection, name_of(path)) or Place()
                    found = following.some(place)
                    if found:
                        _add(connection, place.id or _new(connection, name_of(path)), found)
                if following.is_broken:
                    return following.last
                if len(found) < _AT_ONCE:
                    return None
                time.sleep(_TURN)

    def start_journal(self, path: Path, start: Link) -> None:
        """Keep the place before the first record of the chain in the file `path`.

        Records up to there are dropped here too.
        """
        name = name_of(path)
        with self._write() as connection:
            place = _find(connection, name) or Place(id=_new(connection, name))
            if place.start.number <= start.number:
                values = {"start_number": start.number, "start_hash": start.hash}
                _set(connection, place.id, values)
        self._drop_until(place.id, start)

    def _drop_until(self, journal: str, last: Link) -> None:
        """Have the store hold no records of a chain up to a place."""
        with self._write() as connection:
            is_on = journals.c.id == journal, journals.c.since_number < last.number
            values = {"since_number": last.number, "since_hash": last.hash}
            connection.execute(update(journals).where(*is_on).values(values))
        mine = records.c.journal == journal
        old = select(records.c.number).where(mine, records.c.last <= last.number)
        old = old.order_by(records.c.number).limit(_ROWS)
        while True:
            with self._write() as connection:
                if not (numbers := connection.execute(old).scalars().all()):
                    return
                connection.execute(delete(records).where(mine, records.c.number <= numbers[-1]))
            time.sleep(_TURN)

    def prune_records(self, name: str, before: float) -> int:
        """Drop those records of a chain here, at its start, that are older; how many.

        For a server that is no more: one that runs drops its own, here and in its file.

        Args:
            name: as `journal_sizes` gives it.
            before: seconds since the epoch.

        Raises:
            UnknownName: no chain is called so.
        """
        place = self._known(name)
        many, last = 0, place.since
        with closing(self.kept_lines(name)) as lines:
            for line in lines:
                record = parse(line)
                if record is None or not is_older(record, before):
                    break
                many, last = many + 1, link_of(record, line)
        self._drop_until(place.id, last)
        return many

    def renew_journal(self, path: Path, aside: Path, set_aside: Callable[[], None]) -> None:
        """Begin a new chain for the file `path`, which `set_aside` calls `aside` from now on."""
        with self._write() as connection:
            mine = journals.c.name == name_of(path)
            connection.execute(update(journals).where(mine).values(name=name_of(aside)))
            set_aside()

    def journal(self, path: Path) -> tuple[Link | None, Link | None]:
        """The start and the head of the chain in the file `path`, where they are known."""
        place = self._place(name_of(path))
        start, head = place.start, place.head
        return start if start.number else None, head if head.number else None

    def journal_sizes(self) -> dict[str, int]:
        """How many records are here of each chain, by what it is called."""
        many = journals.c.head_number - journals.c.since_number
        with self._read() as connection:
            rows = connection.execute(select(journals.c.name, many.label("many"))).all()
        return {row.name: max(0, row.many) for row in sorted(rows)}

    def verify_journal(self, path: Path, tell: Callable[[], object] | None = None) -> Verdict:
        """Whether every record of the file `path` is as it was written, and none is missing.

        Nor, where those are whole, one of the records that are here of it.

        Args:
            path: the file.
            tell: called for each record.

        Raises:
            OSError: the file cannot be read.
        """
        place = self._place(name_of(path))
        head = place.head if place.head.number else None
        found = verify(path, start=place.start, head=head, tell=tell)
        # Another process may have dropped old records meanwhile.
        now = self._place(name_of(path))
        if now.start != place.start:
            found = verify(path, start=now.start, head=head)
        if found.problem is not None or not now.id:
            return found
        # Both lead to one head, so they are the same.
        stored = self.verify_records(name_of(path), tell)
        problem = None if stored.problem is None else f"in the store: {stored.problem}"
        return replace(found, stored=stored.records, problem=problem)

    def verify_records(self, name: str, tell: Callable[[], object] | None = None) -> Verdict:
        """Whether the records of a chain that are here are as they were written, and all there.

        Args:
            name: as `journal_sizes` gives it.
            tell: called for each record.

        Raises:
            UnknownName: no chain is called so.
        """
        while True:
            place = self._known(name)
            if place.head.number <= place.since.number:
                return Verdict(records=0, unchained=0, problem=None)
            with closing(self.kept_lines(name, last=place.head.number)) as lines:
                found = verify_lines(lines, start=place.since, head=place.head, tell=tell)
            if self._known(name).since == place.since:
                return found

    def kept_lines(self, name: str, *, last: int | None = None) -> Generator[bytes, None, None]:
        """The records of a chain that are here, in their order, as lines of a file.

        Args:
            name: as `journal_sizes` gives it.
            last: number of the last one that is wanted.

        Raises:
            UnknownName: no chain is called so.
        """
        place = self._known(name)
        begin, order = place.since.number, records.c.number
        wanted = records.c.journal == place.id, records.c.last > begin
        done: tuple[Any, ...] = ()
        while rows := self._rows(*wanted, *done, order=order):
            for row in rows:
                for number, line in row.numbered():
                    if number > begin and (last is None or number <= last):
                        yield line
            done = (records.c.number > rows[-1].key,)

    def newest_records(
        self, name: str, *, before: int | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The records of a chain that are here, newest first, each with its number.

        Args:
            name: as `journal_sizes` gives it.
            before: a number; only older records follow.

        Raises:
            UnknownName: no chain is called so.
        """
        place = self._known(name)
        mine = records.c.journal == place.id, records.c.last > place.since.number
        behind = place.head.number + 1 if before is None else before
        done, order = behind, records.c.number.desc()
        while rows := self._rows(*mine, records.c.number < done, order=order):
            for row in rows:
                for number, line in reversed(row.numbered()):
                    record = parse(line) if place.since.number < number < behind else None
                    if record is not None:
                        yield number, record
                done = row.key

    def _rows(self, *wanted: Any, order: Any) -> list[_Row]:
        with self._read() as connection:
            lines: Any = records.c.lines
            if connection.dialect.name == "sqlite":
                # Whoever writes the file itself may have put in what is no text.
                lines = cast(lines, LargeBinary)
            query = select(records.c.number, lines).where(*wanted)
            rows = connection.execute(query.order_by(order).limit(_ROWS)).all()
        return [_Row(key, _bytes(lines)) for key, lines in rows]

    def _place(self, name: str) -> Place:
        with self._read() as connection:
            return _find(connection, name) or Place()

    def _known(self, name: str) -> Place:
        with self._read() as connection:
            found = _find(connection, name)
        if found is None:
            raise UnknownName(mistakes.no_server(name, ", ".join(self.journal_sizes()) or "none"))
        return found


class _Row(NamedTuple):
    """Some records: what the row is found by, which is the number of the first, and the lines."""

    key: Any
    lines: bytes

    def numbered(self) -> list[tuple[int, bytes]]:
        """The lines as those of a file, each with its number."""
        # Whoever writes an SQLite file itself may have put in what is no number.
        first = self.key if isinstance(self.key, int) else 0
        lines = self.lines.split(b"\n")
        return [(number, line + b"\n") for number, line in enumerate(lines, start=first)]


class _Following:
    """What a file has behind the place that the store has reached, some at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: Generator[Piece, None, None] | None = None
        self.last = ORIGIN
        self.is_broken = False

    def close(self) -> None:
        """Close the file."""
        if self._found is not None:
            self._found.close()

    def some(self, place: Place) -> list[Piece]:
        """The next records behind that place, as many as go in at once."""
        reached = max(place.head, place.start, key=lambda link: link.number)
        if self._found is None or reached != self.last:
            # The first time, or somebody else has kept some meanwhile.
            self.close()
            self._found = onward(self._path, reached, start=place.start)
            self.last = reached
        some: list[Piece] = []
        try:
            for piece in islice(self._found, _AT_ONCE):
                some.append(piece)  # noqa: PERF402  # why: they are kept where the next fails
        except ChainBroken:
            self.is_broken = True
        if some:
            self.last = some[-1].last
        return some


def _add(connection: Connection, journal: str, found: list[Piece]) -> None:
    """Put records in, and the place that the chain has reached with them."""
    first, last = found[0], found[-1].last
    if not first.before.number:
        # Before it there may be records without a chain, to which it is tied.
        _set(connection, journal, {"since_hash": first.before.hash})
    connection.execute(_REACHED, {"journal": journal, "number": last.number, "hash": last.hash})
    rows = [
        {
            "journal": journal,
            "number": each.before.number + 1,
            "last": each.last.number,
            "lines": each.lines,
        }
        for each in found
    ]
    connection.execute(_PUT, rows)


def _bytes(found: str | bytes) -> bytes:
    return found if isinstance(found, bytes) else found.encode()


def _find(connection: Connection, name: str) -> Place | None:
    row = connection.execute(_CALLED, {"called": name}).first()
    if row is None:
        return None
    return Place(
        id=row.id,
        start=Link(number=row.start_number, hash=row.start_hash or ORIGIN.hash),
        since=Link(number=row.since_number, hash=row.since_hash or ORIGIN.hash),
        head=Link(number=row.head_number, hash=row.head_hash or ORIGIN.hash),
    )


def _new(connection: Connection, name: str) -> str:
    """The id of a chain of which nothing was known."""
    id_ = secrets.token_hex(8)
    none = {f"{which}_number": 0 for which in ("start", "since", "head")}
    empty = {f"{which}_hash": "" for which in ("start", "since", "head")}
    connection.execute(insert(journals).values(id=id_, name=name, **none, **empty))
    return id_


def _set(connection: Connection, journal: str, values: Mapping[str, object]) -> None:
    connection.execute(update(journals).where(journals.c.id == journal).values(**values))
