"""The file of records: append-only, each record tied to the one before it by its hash.

A line is one JSON object. Its `previous` is the SHA-256 of the line before, its `number`
one more, so that a line which is changed, dropped or moved breaks the chain at that
place. Whoever can write the file can make up a whole new chain; so the number and hash
of its last record are also kept in the store, and `verify` wants them found again.

Several processes write one file: a lock on the file makes them take turns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

try:
    import fcntl
except ImportError:  # pragma: no cover  # why: Windows, where one process writes a file
    fcntl = None  # type: ignore[assignment]  # why: asked before it is used

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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


class Journal:
    """An open file of records.

    Args:
        path: made with mode 0600 where it is missing.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._end = -1
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = self._open()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    @property
    def link(self) -> Link | None:
        """Of the last record this process wrote; None where it wrote none."""
        return self._link

    def close(self) -> None:
        """Close the file; it takes no more records."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def append(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """Add `record`; returns it with its place in the chain, None once closed.

        It is with the system when this returns: a killed process loses nothing.

        Raises:
            OSError: it is not in the file, nor is a part of it.
        """
        with self._lock:
            if self._descriptor < 0:
                return None
            with self._locked() as size:
                last = self._last(size)
                chained = {**record, "number": last.number + 1, "previous": last.hash}
                # ASCII escapes keep a hostile name from ending the line or driving a terminal.
                line = json.dumps(chained, ensure_ascii=True).encode("ascii")
                self._write(line + b"\n")
                self._link = Link(number=last.number + 1, hash=_hash(line))
            return chained

    def sync(self) -> None:
        """Have what was written outlast a power cut; nobody who writes waits for it."""
        with self._lock:
            if self._descriptor < 0:
                return
            own = os.dup(self._descriptor)
        try:
            os.fsync(own)
        finally:
            os.close(own)

    def prune(self, before: float, announce: Callable[[Link], None]) -> int:
        """Drop the records at the file's start that are older; returns how many.

        The last one stays however old it is, since the next is tied to it.

        Args:
            before: seconds since the epoch.
            announce: is told where the chain will begin, before anything is dropped.
        """
        with self._lock, self._locked():
            start, offset, many = ORIGIN, 0, 0
            last, passed, older = ORIGIN, 0, 0
            with self.path.open("rb") as file:
                for line in file:
                    record = parse(line)
                    if record is not None:
                        start, offset, many = last, passed, older
                        if not _is_older(record, before):
                            break
                        last, older = _link_of(record, line), older + 1
                    passed += len(line)
                if not many:
                    return 0
                announce(start)
                file.seek(offset)
                self._put(file)
            os.close(self._descriptor)
            self._descriptor = self._open()
            self._end = -1
            return many

    def set_aside(self, name: str) -> None:
        """Give the file another name; what comes next begins a new chain in a new file."""
        with self._lock, self._locked():
            # Whoever writes it too sees that the name is another file's, and goes there.
            self.path.rename(self.path.with_name(name))
            self._link = None

    def _put(self, rest: BinaryIO) -> None:
        """Have `rest` be the whole file, or nothing happen."""
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  # why: made for the owner only
                while block := rest.read(_BLOCK):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Alone with the file that has the name now, not one that was moved away; its size."""
        while True:
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if (size := self._size_if_current()) is not None:
                break
            os.close(self._descriptor)
            self._descriptor = self._open()
            self._end = -1
        try:
            yield size
        finally:
            # A prune has put another file in the place of the one that was locked.
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _size_if_current(self) -> int | None:
        """The size of the open file, if it is the one that has the name."""
        try:
            there = os.stat(self._name)  # noqa: PTH116  # why: half the time, for every record
        except FileNotFoundError:
            return None
        here = os.fstat(self._descriptor)
        return here.st_size if os.path.samestat(there, here) else None

    def _last(self, size: int) -> Link:
        """The place of the last record, also where another process wrote it."""
        if size == self._end and self._link is not None:
            return self._link
        return self._find_last(size)

    def _find_last(self, size: int) -> Link:
        tail, at = b"", size
        while at > 0:
            step = min(_BLOCK, at)
            at -= step
            os.lseek(self._descriptor, at, os.SEEK_SET)
            tail = os.read(self._descriptor, step) + tail
            whole, newline, rest = tail.rpartition(b"\n")
            if rest and (newline or at == 0):
                # A write that a power cut has torn: nobody got an answer to it.
                size -= len(rest)
                os.ftruncate(self._descriptor, size)
                tail = whole + newline
            lines = tail.splitlines(keepends=True)
            for line in reversed(lines if at == 0 else lines[1:]):
                record = parse(line)
                if record is not None:
                    return _link_of(record, line)
        return ORIGIN

    def _write(self, line: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                os.write(self._descriptor, line[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            self._end = -1
            raise
        self._end = before + len(line)


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
        start: where the chain begins, after records were dropped for their age.
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
        self._head = head
        self._last: Link | None = None
        self._before = b""
        self.records = self.unchained = 0

    def step(self, line: bytes) -> str | None:
        """What is wrong at this line, or None."""
        record = parse(line)
        if record is None:
            return "this is no record"
        link = _link_of(record, line)
        if not link.number:
            if self._last is not None:
                return "this record has no place in the chain; it was put in or changed"
            self.unchained, self._before = self.unchained + 1, line
            return None
        last = self._beginning(link) if self._last is None else self._last
        problem = _tie(record, link, last, is_first=not self.records)
        if problem is None and self._head is not None and link.number == self._head.number:
            known = link.hash == self._head.hash
            problem = None if known else f"record {link.number} is not the one the store knows"
        if problem is None:
            self._last, self.records = link, self.records + 1
        return problem

    def end(self) -> str | None:
        """What is wrong behind the last line, or None."""
        reached = 0 if self._last is None else self._last.number
        if self._head is None or self._head.number <= reached:
            return None
        return f"records {reached + 1} to {self._head.number} are gone from the end"

    def _beginning(self, first: Link) -> Link:
        """What the first chained record has to be tied to."""
        if first.number == 1 and self._before:
            return Link(number=0, hash=_hash(self._before.rstrip(b"\n")))
        return ORIGIN if first.number == 1 else self._start


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
            last = _link_of(record, line)
            if is_dropped:
                return last
            behind = last.number - known.number
        # Invariant: each line is one record, whose number is one more.
        if behind <= 0:
            is_there = behind == 0 and _hash(line.rstrip(b"\n")) == known.hash
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


def _link_of(record: Mapping[str, Any], line: bytes) -> Link:
    number = record.get("number")
    chained = isinstance(number, int) and not isinstance(number, bool) and number > 0
    return Link(number=number if chained else 0, hash=_hash(line.rstrip(b"\n")))  # type: ignore[arg-type]  # why: an int where it is chained


def _is_older(record: Mapping[str, Any], before: float) -> bool:
    time = record.get("time")
    return isinstance(time, (int, float)) and time < before


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
