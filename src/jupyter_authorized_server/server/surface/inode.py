"""Which file is at a place: the same after a rename, another one after a new start.

The number that the file system gives a file is used again soon after the file is
gone, so the moment of its birth stands beside it where the system tells it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_INODE_AND_BIRTH = 0x100 | 0x800


class _Time(ctypes.Structure):
    _fields_ = (
        ("seconds", ctypes.c_int64),
        ("nanoseconds", ctypes.c_uint32),
        ("_reserved", ctypes.c_int32),
    )


class _Statx(ctypes.Structure):
    """The beginning of the kernel's `struct statx`, and room for the rest of it."""

    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("_before_inode", ctypes.c_uint8 * 28),
        ("inode", ctypes.c_uint64),
        ("_sizes", ctypes.c_uint64 * 3),
        ("_accessed", _Time),
        ("born", _Time),
        ("_rest", ctypes.c_uint8 * 160),
    )


def _statx() -> Any:
    """The C library's `statx`; None where there is none."""
    if sys.platform != "linux":
        return None
    call = getattr(ctypes.CDLL(None), "statx", None)
    if call is not None:
        call.argtypes = (
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.POINTER(_Statx),
        )
    return call


_CALL = _statx()


def identity(path: str) -> str | None:
    """Which file, folder or link is at `path`; None where there is nothing to be seen."""
    if _CALL is not None:
        found = _Statx()
        try:
            name = os.fsencode(path)
        except UnicodeEncodeError:
            return None
        failed = b"\0" in name or _CALL(
            _AT_FDCWD, name, _AT_SYMLINK_NOFOLLOW, _INODE_AND_BIRTH, ctypes.byref(found)
        )
        if not failed and found.mask & _INODE_AND_BIRTH == _INODE_AND_BIRTH:
            return f"{found.inode}:{found.born.seconds}.{found.born.nanoseconds:09}"
    try:
        info = os.lstat(path)
    except (OSError, ValueError):
        return None
    born = getattr(info, "st_birthtime", None)
    return f"{info.st_ino}" if born is None else f"{info.st_ino}:{born:.6f}"
