"""A name as its folder lists it, where the file system finds it by other spellings too."""

from __future__ import annotations

import contextlib
import os
import unicodedata

from ...errors import Nowhere


def _other_spelling(name: str) -> str | None:
    """`name` as only a file system that folds case or Unicode would also find it."""
    other = name.swapcase()
    if other != name:
        return other
    if name.isascii():
        return None
    other = unicodedata.normalize("NFD", name)
    return other if other != name else None


#: Folders that find no name by another spelling of its letters, until they change.
_PLAIN: dict[tuple[int, int], int] = {}
_MOST_PLAIN = 4_096


def listed(
    folder: str, name: str, info: os.stat_result, above: os.stat_result | None = None
) -> str:
    """`name` as `folder` lists it; another one only where its file system folds names.

    Args:
        above: what `folder` is, where that is known. Whether names fold in it can be
            changed only while it is empty, and whatever changes it changes its time.
    """
    plain = name.isascii() and above is not None
    if (
        plain
        and above is not None
        and _PLAIN.get((above.st_dev, above.st_ino)) == above.st_ctime_ns
    ):
        return name
    found = _found(folder, name, info)
    if plain and above is not None and found is None and name.swapcase() != name:
        if len(_PLAIN) >= _MOST_PLAIN:
            _PLAIN.clear()
        _PLAIN[above.st_dev, above.st_ino] = above.st_ctime_ns
    return name if found is None else found


def _found(folder: str, name: str, info: os.stat_result) -> str | None:
    """`name` as `folder` lists it, if another spelling of it finds it there too."""
    other = _other_spelling(name)
    if other is None:
        return None
    spelled = f"{folder}{os.sep}{other}"
    # Nearly always nothing is there, and `access` says so without an exception.
    if not os.access(spelled, os.F_OK):
        return None
    try:
        found = os.lstat(spelled)
    except OSError:
        return None
    if (found.st_ino, found.st_dev) != (info.st_ino, info.st_dev):
        return None
    try:
        names = os.listdir(folder or os.sep)  # noqa: PTH208  # why: speed
    except OSError:
        names = []
    if name in names:
        return name
    # Not by the numbers that the folder lists: some file systems tell others there.
    folded = _folded(name)
    for each in sorted(names, key=lambda listed: _folded(listed) != folded):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(f"{folder}{os.sep}{each}"), info):
                return each
    msg = "the name is another one than its folder lists"
    raise Nowhere(msg)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
