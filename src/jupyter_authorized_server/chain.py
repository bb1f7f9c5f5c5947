"""The chain of records in a file: where it ends, and whether it is as it was written.

A line is one JSON object. Its `previous` is the SHA-256 of the line before, its `number`
one more, so that a line which is changed, dropped or moved breaks the chain at that
place. Whoever can write the file can make up a whole new chain; so the number and hash
of its last record are also kept in the store, and `verify` wants them found again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
    """

    records: int
    unchained: int
    problem: str | None


def verify(path: Path, *, start: Link = ORIGIN, head: Link | None = None) -> Verdict:
    """Whether every record is as it was written, and none is missing.

    Args:
        path: the file.
        start: where the chain begins, after records were dropped for their age; where they
            are still there, they have to lead to it.
        head: a place that the chain has to have.

    Raises:
        OSError: the file cannot be read.
    """
    walk = _Walk(start, head)
    problem, at = None, 0
    with path.open("rb") as file:
        for at, line in enumerate(file, start=1):  # noqa: B007  # why: told below
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
            return ORIGIN
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
    return f"record {last.number}, in the line before, is not as it was written"


def newest(path: Path, *, before: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file, newest first, each with the offset of its line.

    Args:
        path: the file; there may be none.
        before: an offset that was given out; only older records follow.

    Raises:
        OSError: the file cannot be read.
    """
    for offset, line in _backwards(path, before):
        record = parse(line)
        if record is not None:
            yield offset, record


def end_of(path: Path, known: Link = ORIGIN, *, start: Link = ORIGIN) -> Link | None:
    """The last place of the chain in a file; None where it does not lead back to `known`.

    Args:
        path: the file; there may be none.
        known: a place that the chain had.
        start: where the chain begins, after records were dropped for their age.

    Raises:
        OSError: the file cannot be read.
    """
    is_dropped = known == start or known.number < start.number
    last, behind = None, 0
    for _, line in _backwards(path):
        if last is None:
            record = parse(line)
            if record is None:
                # A write that a power cut has torn: nobody got an answer to it.
                continue
            last = link_of(record, line)
            if is_dropped:
                return last
            behind = last.number - known.number
        # Invariant: each line is one record, whose number is one more.
        if behind <= 0:
            is_there = behind == 0 and hash_of(line.rstrip(b"\n")) == known.hash
            return last if is_there else None
        behind -= 1
    return start if is_dropped and last is None else None


def _backwards(path: Path, before: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, last first, each with its offset."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
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


def hash_of(line: bytes) -> str:
    """What the record after `line`, without its end, is tied to."""
    return hashlib.sha256(line).hexdigest()
