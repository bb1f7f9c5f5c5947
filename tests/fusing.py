"""A file system of a program, for tests: it answers the machine's kernel, or lets it wait."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOKUP, _ATTRIBUTES, _OPEN, _READ, _STATFS = 1, 3, 14, 15, 17
_INIT, _OPEN_FOLDER, _LIST, _ACCESS = 26, 27, 28, 34
#: What is let go of; the first three hear no answer.
_NO_ANSWER, _RELEASES = {2, 36, 42}, {18, 25, 29}
_ROOT, _FILE = 1, 2
_TEXT = b"3,4\n"


class Slow:
    """One file in one folder, told to whoever asks, unless `holds` is set.

    Args:
        name: of the file.
        folds: whether it is found in upper and lower case.
    """

    def __init__(self, device: int, name: bytes, *, folds: bool) -> None:
        self._name = name
        self._folds = folds
        self.holds = threading.Event()
        #: Set once somebody waits.
        self.is_waited_for = threading.Event()
        self._device = device
        self._ends, self._end = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._end, b"x")
        self._thread.join()
        for each in (self._device, self._ends, self._end):
            os.close(each)

    def _serve(self) -> None:
        waiting: list[bytes] = []
        while True:
            ready = select.select([self._device, self._ends], [], [], 0.02)[0]
            if self._ends in ready:
                return
            if self._device in ready:
                with contextlib.suppress(OSError):
                    waiting.append(os.read(self._device, 1 << 18))
            if waiting and self.holds.is_set():
                self.is_waited_for.set()
                continue
            for asked in waiting:
                self._answer(asked)
            waiting = []

    def _answer(self, asked: bytes) -> None:
        _, kind, unique, node = struct.unpack_from("<IIQQ", asked)
        if kind in _NO_ANSWER:
            return
        try:
            error, told = 0, self._told(kind, node, asked[40:])
        except OSError as refused:
            error, told = -(refused.errno or errno.EIO), b""
        with contextlib.suppress(OSError):
            os.write(self._device, struct.pack("<IiQ", 16 + len(told), error, unique) + told)

    def _told(self, kind: int, node: int, words: bytes) -> bytes:
        asked = words.rstrip(b"\0")
        is_it = asked == self._name or (self._folds and asked.lower() == self._name.lower())
        if kind == _LOOKUP and not is_it:
            raise OSError(errno.ENOENT, "")
        offset, size = struct.unpack_from("<QI", words.ljust(20, b"\0"), 8)
        listed = struct.pack(
            f"<QQII{-(-len(self._name) // 8) * 8}s", _FILE, 1, len(self._name), 8, self._name
        )
        held = struct.pack("<QII", 0, 0, 0)
        answers = {
            _INIT: struct.pack("<IIIIHHIIHHI7I", 7, 31, 1 << 16, 0, 8, 8, 1 << 16, 1, *[0] * 10),
            _LOOKUP: struct.pack("<QQQQII", _FILE, 0, 0, 0, 0, 0) + _attributes(_FILE),
            _ATTRIBUTES: held + _attributes(node),
            _OPEN: held,
            _OPEN_FOLDER: held,
            _READ: _TEXT[offset : offset + size],
            _LIST: b"" if offset else listed,
            _STATFS: bytes(80),
            _ACCESS: b"",
            **dict.fromkeys(_RELEASES, b""),
        }
        if kind not in answers:
            raise OSError(errno.ENOSYS, "")
        return answers[kind]


def _attributes(node: int) -> bytes:
    size, mode = (0, 0o40755) if node == _ROOT else (len(_TEXT), 0o100644)
    return struct.pack("<6Q10I", node, size, 1, *[0] * 6, mode, 1, *[0] * 5)


@contextlib.contextmanager
def mounted(folder: Path, name: bytes = b"data.csv", *, folds: bool = False) -> Iterator[Slow]:
    """A file system of this program at `folder`, with one file.

    Args:
        name: of the file.
        folds: as of `Slow`.

    Raises:
        OSError: none can be mounted here.
    """
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    c = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if c.mount(b"test", os.fsencode(folder), b"fuse", 6, options):
        os.close(device)
        raise OSError(ctypes.get_errno(), "no file system of a program can be mounted here")
    made = Slow(device, name, folds=folds)
    try:
        yield made
    finally:
        made.holds.clear()
        c.umount2(os.fsencode(folder), 2)
        # Whoever still waits for it is told that it is gone.
        made.close()
