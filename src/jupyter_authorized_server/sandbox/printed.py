"""What a confined process prints: a file of its own, kept short, and read when it has died."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

#: A file that has grown beyond this is cut.
MOST = 1 << 20
#: Bytes that are kept of one that is cut.
_KEPT = 64 << 10
#: Characters of it that are told.
_TOLD = 400
#: What a screen takes for a colour, or a move of its cursor.
_FOR_SCREENS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def opened(path: Path) -> BinaryIO:
    """An empty file at `path` for what a process prints.

    All is appended, so that what is written after a cut begins where the cut was made.
    """
    return os.fdopen(os.open(path, _FLAGS | os.O_CLOEXEC, 0o600), "r+b", buffering=0)


def cut(path: Path) -> None:
    """Keep only the end of the file at `path` where it is long."""
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size <= MOST:
                return
            file.seek(size - _KEPT)
            end = file.read(_KEPT)
            file.truncate(0)
    except OSError:
        return
    with path.open("ab") as file:
        file.write(b"[what came before has been cut]\n" + end)


def last_words(path: Path) -> str:
    """The last lines that were printed, fit for one line of a log or a dialog."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4 * _TOLD))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    text = _FOR_SCREENS.sub("", text)
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    return " | ".join(line for line in lines if line)[-_TOLD:]
