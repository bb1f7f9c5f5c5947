"""The chain of records: where it ends, and whether it is as it was written.

A line is one JSON object. Its `previous` is the SHA-256 of the line before, its `number`
one more, so that a line which is changed, dropped or moved breaks the chain at that
place. Whoever can write the file can make up a whole new chain; so the store has the
lines too, with the number and hash of the last, and `verify` wants them found again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

#: Longest line that is read as a record; ours are far shorter.
MAX_LINE = 2**20
#: What is read at once to find the last record.
_BLOCK = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place in the chain: the number of a record and the hash of its line."""

    number: int
    hash: str


#: What the first record is tied to.
ORIGIN = Link(number=0, hash="0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a chain.

    Args:
        records: how many hold together.
        unchained: how many come before the chain, of an older version.
        problem: the first thing that is wrong, with its line; None where all is well.
        stored: how many of them the store has too, as they were written.
    """

    records: int
    unchained: int
    problem: str | None
    stored: int = 0


class ChainBroken(Exception):
    """A chain does not lead on from where it is known to have been."""


def verify(
    path: Path,
    *,
    start: Link = ORIGIN,
    head: Link | None = None,
    tell: Callable[[], object] | None = None,
) -> Verdict:
    """Whether every record of a file is as it was written, and none is missing.

    Args:
        path: the file.
        start: where the chain begins, after records were dropped for their age; where they
            are still there, they have to lead to it.
        head: a place that the chain has to have.
        tell: called for each line.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return verify_lines(file, start=start, head=head, tell=tell)


def verify_lines(
    lines: Iterable[bytes],
    *,
    start: Link = ORIGIN,
    head: Link | None = None,
    tell: Callable[[], object] | None = None,
) -> Verdict:
    """As `verify`, of lines from anywhere."""
    walk = _Walk(start, head)
    problem, at = None, 0
    for at, line in enumerate(lines, start=1):  # noqa: B007  # why: told below
        if tell is not None:
            tell()
        problem = walk.step(line)
        if problem is not None:
            break
    else:
        problem, at = walk.end(), at + 1
    return Verdict(
        records=walk.records,
        unchained=walk.unchained,
        problem=None if problem is None else f"line {at}: {problem}",
    )


class _Walk:
    """One pass along a chain, which says what is wrong first."""

    def __init__(self, start: Link, head: Link | None) -> None:
        self._start = start
        #: Hashes of the places that it has to have, by number.
        self._known = {each.number: each.hash for each in (start, head) if each is not None}
        self._last: Link | None = None
        self._before = b""
        self.records = self.unchained = 0

    def step(self, line: bytes) -> str | None:
        """What is wrong at this line, or None."""
        record = parse(line)
        if record is None:
            return "this is no record"
        link = link_of(record, line)
        if not link.number:
            if self._last is not None:
                return "this record has no place in the chain; it was put in or changed"
            self.unchained, self._before = self.unchained + 1, line
            return None
        last = self._beginning(record, link) if self._last is None else self._last
        problem = _tie(record, link, last, is_first=not self.records)
        if problem is None and self._known.get(link.number, link.hash) != link.hash:
            problem = f"record {link.number} is not the one the store knows"
        if problem is None:
            self._last, self.records = link, self.records + 1
        return problem

    def end(self) -> str | None:
        """What is wrong behind the last line, or None."""
        reached, known = 0 if self._last is None else self._last.number, max(self._known)
        if known <= reached:
            return None
        return f"records {reached + 1} to {known} are gone from the end"

    def _beginning(self, record: Mapping[str, Any], first: Link) -> Link:
        """What the first chained record has to be tied to."""
        if first.number == 1 and self._before:
            return Link(number=0, hash=hash_of(self._before.rstrip(b"\n")))
        if first.number == 1:
            return ORIGIN if self._start.number else self._start
        if first.number <= self._start.number:
            # The store is told before records are dropped, which a full disk can prevent. What
            # is left leads to the place that the store knows, and nothing else can.
            return Link(number=first.number - 1, hash=str(record.get("previous")))
        return self._start


def _tie(record: Mapping[str, Any], link: Link, last: Link, *, is_first: bool) -> str | None:
    """What is wrong between a record and the place before it, or None."""
    if link.number != last.number + 1:
        return (
            f"record {link.number} stands where record {last.number + 1} belongs; records were "
            "dropped or moved"
        )
    if record.get("previous") == last.hash:
        return None
    if is_first:
        return f"record {link.number} is not tied to what was before it"
    return f"record {last.number}, the one before, is not as it was written"


def newest(path: Path, *, before: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file, newest first, each with the offset of its line.

    Args:
        path: the file; there may be none.
        before: an offset that was given out; only older records follow.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for offset, line in _backwards(file, before):
            record = parse(line)
            if record is not None:
                yield offset, record


class Once:
    """Records that are to be in a chain once, whoever puts them there.

    Args:
        ids: of the records.
        behind: number of a record of the chain that they come after.
    """

    def __init__(self, ids: Iterable[str], behind: int) -> None:
        self._wanted = frozenset(ids)
        #: Up to where the chain has been looked through.
        self.looked = behind
        #: Those that somebody else has put there.
        self.found: set[str] = set()

    def look(self, path: Path, last: int, id_: str) -> bool:
        """Whether the record `id_` is in the file, whose last has the number `last`."""
        if last > self.looked:
            for _, record in newest(path):
                number = record.get("number")
                if isinstance(number, int) and number <= self.looked:
                    break
                if record.get("id") in self._wanted:
                    self.found.add(str(record["id"]))
            self.looked = last
        return id_ in self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some records of a chain that follow each other.

    Args:
        before: the place before the first of them.
        last: the place of the last.
        lines: as they are in the file, without the last one's end.
    """

    before: Link
    last: Link
    lines: str


def onward(
    path: Path, known: Link = ORIGIN, *, start: Link = ORIGIN, most: int = 200
) -> Generator[Piece, None, None]:
    """The records of a file behind a place that the chain had.

    Args:
        path: the file; there may be none.
        known: that place.
        start: where the chain begins, after records were dropped for their age.
        most: of one piece.

    Raises:
        ChainBroken: that place is not there, or a line behind it is not tied to the one
            before; those in between have been given.
        OSError: the file cannot be read.
    """
    is_dropped = known.number <= start.number
    try:
        file = path.open("rb")
    except FileNotFoundError:
        if is_dropped:
            return
        raise ChainBroken from None
    with file:
        at = _behind(file, known) if known.number else None
        if at is None and not is_dropped:
            raise ChainBroken
        file.seek(at or 0)
        lines: Iterator[bytes] = file
        if not known.number:
            lines, known = _chained(file, known)
        while some := list(islice(lines, most)):
            found, last = _tied(some, known)
            if found:
                text = b"".join(found)[:-1].decode("ascii")
                yield Piece(before=known, last=last, lines=text)
            known = last
            if len(found) < len(some):
                # One that is being written, or that a power cut has torn, is whole later.
                if some[len(found)].endswith(b"\n"):
                    raise ChainBroken
                return


def _chained(file: BinaryIO, known: Link) -> tuple[Iterator[bytes], Link]:
    """The lines from the first of the chain on, and what that is tied to.

    Of an older version there may be some before it, without a chain.
    """
    for line in file:
        record = parse(line)
        link = None if record is None else link_of(record, line)
        if link is None or link.number:
            return chain((line,), file), known
        known = Link(number=0, hash=link.hash)
    return iter(()), known


def _tied(lines: list[bytes], last: Link) -> tuple[list[bytes], Link]:
    """Those of the lines that are the records behind `last`, and the last place then.

    A record is told by the end of its line, which is written so: to read each takes longer than
    all else that is done with it.
    """
    number, last_hash = last.number, last.hash
    for count, line in enumerate(lines):
        end = b', "number": %d, "previous": "%s"}\n' % (number + 1, last_hash.encode())
        if not line.endswith(end) or not line.isascii():
            return lines[:count], Link(number=number, hash=last_hash)
        number, last_hash = number + 1, hash_of(line[:-1])
    return lines, Link(number=number, hash=last_hash)


def _behind(file: BinaryIO, known: Link) -> int | None:
    """Where in the file the record behind `known` begins; None where `known` is not there."""
    behind: int | None = None
    for offset, line in _backwards(file):
        if behind is None:
            record = parse(line)
            if record is None:
                # A write that a power cut has torn: nobody got an answer to it.
                continue
            # Invariant: each line is one record, whose number is one more.
            behind = link_of(record, line).number - known.number
        if behind <= 0:
            is_there = behind == 0 and hash_of(line.rstrip(b"\n")) == known.hash
            return offset + len(line) if is_there else None
        behind -= 1
    return None


def _backwards(file: BinaryIO, before: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, last first, each with its offset."""
    size = file.seek(0, os.SEEK_END)
    at = size if before is None else min(before, size)
    rest = b""
    while at > 0:
        step = min(_BLOCK, at)
        at -= step
        file.seek(at)
        rest = file.read(step) + rest
        lines = rest.splitlines(keepends=True)
        behind = at + len(rest)
        kept = 0 if at == 0 else 1
        for line in reversed(lines[kept:]):
            behind -= len(line)
            yield behind, line
        rest = lines[0] if kept else b""


def parse(line: bytes) -> dict[str, Any] | None:
    """The record that a line is; None where it is none, or an unfinished one."""
    if len(line) > MAX_LINE or not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def link_of(record: Mapping[str, Any], line: bytes) -> Link:
    """The place of `record`, which `line` holds; its number is 0 where it is in no chain."""
    number = record.get("number")
    chained = isinstance(number, int) and not isinstance(number, bool) and number > 0
    return Link(number=number if chained else 0, hash=hash_of(line.rstrip(b"\n")))  # type: ignore[arg-type]  # why: an int where it is chained


def is_older(record: Mapping[str, Any], before: float) -> bool:
    """Whether a record says that it is from before that time."""
    time = record.get("time")
    return isinstance(time, (int, float)) and time < before


def hash_of(line: bytes) -> str:
    """What the record after `line`, without its end, is tied to."""
    return hashlib.sha256(line).hexdigest()
