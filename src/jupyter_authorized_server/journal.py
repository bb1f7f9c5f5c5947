"""The file of records: append-only, each record tied to the one before it; see `chain`.

Several processes write one file: a lock on the file makes them take turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
import threading
from typing import TYPE_CHECKING, Any

from .chain import ORIGIN, Link, hash_of, is_older, link_of, parse

try:
    import fcntl
except ImportError:  # pragma: no cover  # why: Windows, where one process writes a file
    fcntl = None  # type: ignore[assignment]  # why: asked before it is used

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from .chain import Once

#: What is read or copied at once.
_BLOCK = 2**16
#: ASCII escapes keep a hostile name from ending the line or driving a terminal. A record
#: holds no object twice.
_ENCODER = json.JSONEncoder(check_circular=False)


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
        #: Number and hash of the last record this process wrote, which tie the next one.
        self._tie: tuple[int, str] | None = None
        self._end = -1
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = -1
        self._open()
        self._sweep()

    def _open(self) -> None:
        """Hold the file that has the name now, instead of the one that was held."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        # Opened first: the number of one that is closed can be another file's at once.
        descriptor = os.open(self.path, flags, 0o600)
        here = os.fstat(descriptor)
        #: Which file it is; none that is made while it is held is the same.
        self._inode, self._device = here.st_ino, here.st_dev
        #: Whether the disk knows that this file has the name.
        self._is_named = False
        #: Up to where the disk has it, as far as this process knows, and whether it failed to
        #: take what is behind.
        self._on_disk, self._is_doubtful = here.st_size, False
        before, self._descriptor = self._descriptor, descriptor
        if before >= 0:
            os.close(before)

    @property
    def link(self) -> Link | None:
        """Of the last record this process wrote; None where it wrote none."""
        if self._tie is None:
            return None
        number, last_hash = self._tie
        return Link(number=number, hash=last_hash)

    def close(self) -> None:
        """Close the file; it takes no more records."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def last(self) -> int:
        """Number of the last record, whoever wrote it; 0 where there is none.

        Raises:
            OSError: the file cannot be read.
        """
        with self._lock:
            if self._descriptor < 0:
                return 0
            size = self._take()
            try:
                return self._last(size)[0]
            finally:
                self._give_back()

    def append(self, record: Mapping[str, Any], once: Once | None = None) -> dict[str, Any] | None:
        """Add `record`; returns it with its place in the chain, None once closed.

        It is with the system when this returns: a killed process loses nothing.

        Args:
            record: not in a chain yet.
            once: what somebody else may have added; where it is there, None too.

        Raises:
            OSError: it is not in the file, nor is a part of it.
        """
        with self._lock:
            if self._descriptor < 0:
                return None
            size = self._take()
            try:
                last, last_hash = self._last(size)
                if once is not None and once.look(self.path, last, record["id"]):
                    return None
                number = last + 1
                chained = {**record, "number": number, "previous": last_hash}
                line = _ENCODER.encode(chained).encode("ascii")
                self._write(line + b"\n")
                self._tie = number, hash_of(line)
                if once is not None:
                    once.looked = number
            finally:
                self._give_back()
            return chained

    def sync(self) -> None:
        """Have what was written outlast a power cut; nobody who writes waits for it.

        Raises:
            OSError: the disk does not take it; the next time it is given all of it again.
        """
        with self._lock:
            if self._descriptor < 0:
                return
            if self._is_doubtful and os.name == "posix":  # Windows has nothing to do it with.
                self._write_again()
            own, is_named = os.dup(self._descriptor), self._is_named
            self._is_named, reached = True, os.fstat(own).st_size
            held = self._inode, self._device
        try:
            os.fsync(own)
            if not is_named:
                _sync_folder(self.path.parent)
        except OSError:
            with self._lock:
                self._is_named, self._is_doubtful = False, True
            raise
        finally:
            os.close(own)
        with self._lock:
            if held == (self._inode, self._device):
                self._on_disk = reached

    def _write_again(self) -> None:
        """Have the system hold again for the disk what the disk has failed to take.

        Once it has said so, it takes that for written.
        """
        with self._locked():
            at, end = self._on_disk, os.fstat(self._descriptor).st_size
            # Not the one that only appends.
            again = os.open(self._name, os.O_WRONLY | os.O_CLOEXEC)
            try:
                while at < end:
                    block = os.pread(self._descriptor, min(_BLOCK, end - at), at)
                    at += os.pwrite(again, block, at)
            finally:
                os.close(again)
            self._is_doubtful = False

    def prune(self, before: float, announce: Callable[[Link], None]) -> int:
        """Drop the records at the file's start that are older; returns how many.

        The last one stays however old it is, since the next is tied to it. Records are added
        meanwhile: what there is already is looked through and copied before the lock is taken.

        Args:
            before: seconds since the epoch.
            announce: is told where the chain will begin, before anything is dropped.
        """
        while True:
            with self.path.open("rb") as file:
                start, offset, many = _older(file, before)
                if not many:
                    return 0
                announce(start)
                if self._begin_at(offset, file.fileno()):
                    return many

    def set_aside(self, name: str) -> None:
        """Give the file another name; what comes next begins a new chain in a new file."""
        with self._lock, self._locked():
            # Whoever writes it too sees that the name is another file's, and goes there.
            self.path.rename(self.path.with_name(name))
            self._tie = None

    def _begin_at(self, offset: int, old: int) -> bool:
        """Have the file begin with what the descriptor `old` holds from `offset` on.

        False where the file that has the name is not that one any more.
        """
        name = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}.new")
        with self._lock, self._locked():
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            if fcntl is not None:
                # So long as it is held, nobody takes it for one that was left behind.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            with open(descriptor, "wb") as new:  # noqa: PTH123  # why: made for the owner only
                copied = _copy(old, new, offset, self._whole(old, offset))
                with self._lock, self._locked():
                    here = os.fstat(old)
                    if (here.st_ino, here.st_dev) != (self._inode, self._device):
                        return False
                    _copy(old, new, copied, here.st_size)
                    name.replace(self.path)
                    self._open()
                    self._end = -1
                    return True
        finally:
            name.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what a process left behind that was killed while it dropped records."""
        left = re.compile(rf"\.{re.escape(self.path.name)}\.[0-9a-f]+\.new")
        # What is made under the lock is held by whoever made it.
        with self._lock, self._locked(), contextlib.suppress(OSError):
            for name in os.listdir(self.path.parent):  # noqa: PTH208  # why: names alone are looked at
                if left.fullmatch(name):
                    with contextlib.suppress(OSError):
                        _remove_unheld(self.path.with_name(name))

    def _whole(self, old: int, offset: int) -> int:
        """Where its last whole line ends, behind `offset`; nothing changes before that."""
        with self._lock, self._locked():
            size = os.fstat(old).st_size
        begin = max(offset, size - _BLOCK)
        os.lseek(old, begin, os.SEEK_SET)
        at = os.read(old, size - begin).rfind(b"\n")
        return offset if at < 0 else begin + at + 1

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the file; see `_take`."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> int:
        """Be alone with the file that has the name now, not one that was moved away; its size."""
        while True:
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                there = os.stat(self._name)  # noqa: PTH116  # why: half the time, for every record
                if there.st_ino == self._inode and there.st_dev == self._device:
                    return there.st_size
            except FileNotFoundError:
                pass
            except OSError:
                self._give_back()
                raise
            self._open()
            self._end = -1

    def _give_back(self) -> None:
        # A prune has put another file in the place of the one that was locked.
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _last(self, size: int) -> tuple[int, str]:
        """Number and hash of the last record, also where another process wrote it.

        `_end` is where the next one goes from now on.
        """
        if size == self._end and self._tie is not None:
            return self._tie
        found, self._end = self._find_last(size)
        return found.number, found.hash

    def _find_last(self, size: int) -> tuple[Link, int]:
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
                    return link_of(record, line), size
        return ORIGIN, size

    def _write(self, line: bytes) -> None:
        before, left = self._end, line
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            self._end = -1
            raise
        self._end = before + len(line)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder outlast a power cut: a file that has lost its own is gone."""
    if os.name == "posix":  # pragma: no branch  # why: Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_unheld(path: Path) -> None:
    """Remove a file that no process writes; what is none, such as a link, stays."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(descriptor)


def _older(file: BinaryIO, before: float) -> tuple[Link, int, int]:
    """Where the chain begins without the records that are older, the offset there, how many."""
    start, offset, many = ORIGIN, 0, 0
    last, passed, older = ORIGIN, 0, 0
    for line in file:
        if not line.endswith(b"\n"):
            # One that is being written: its other part is not the next line.
            break
        record = parse(line)
        if record is not None:
            start, offset, many = last, passed, older
            if not is_older(record, before):
                break
            last, older = link_of(record, line), older + 1
        passed += len(line)
    return start, offset, many


def _copy(old: int, new: BinaryIO, begin: int, end: int) -> int:
    """What is there from `begin` to `end`, put onto the disk itself; where it stopped."""
    os.lseek(old, begin, os.SEEK_SET)
    while begin < end and (block := os.read(old, min(_BLOCK, end - begin))):
        begin += new.write(block)
    new.flush()
    os.fsync(new.fileno())
    return begin
