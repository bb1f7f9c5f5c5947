"""The one canonical form of a contents path: components under the root.

Everything that names a file for a decision comes through `components` or
`canonical`; nothing else compares or takes apart such strings. Pure: what is on
the disk (links, case) is no business of this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import mistakes
from ..errors import UnsafePath

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Longest component and path that common file systems can hold, in UTF-8 bytes.
MAX_COMPONENT_BYTES = 255
MAX_PATH_BYTES = 4096

_DRIVE = re.compile(r"^[A-Za-z]:")


def _possible(path: object) -> str:
    """`path`, if some file could have it."""
    if not isinstance(path, str):
        raise UnsafePath(mistakes.is_text("path", type(path).__name__))
    if "\0" in path:
        raise UnsafePath(mistakes.PATH_NUL)
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise UnsafePath(mistakes.PATH_NOT_UNICODE) from None
    if size > MAX_PATH_BYTES:
        raise UnsafePath(mistakes.path_too_long(str(size), str(MAX_PATH_BYTES)))
    # A backslash separates on Windows and is part of a name elsewhere; a rule
    # must not mean two things, so no name that holds one can be judged.
    if "\\" in path:
        raise UnsafePath(mistakes.PATH_BACKSLASH)
    if _DRIVE.match(path.lstrip("/")):
        raise UnsafePath(mistakes.PATH_DRIVE)
    return path


def components(path: object) -> tuple[str, ...]:
    """The components of `path` below the contents root; `()` is the root itself.

    Follows what jupyter_server's file managers do with an API path: slashes at
    both ends and repeated ones mean nothing, `.` is dropped, `..` folds. Unlike
    them it refuses to climb above the root instead of leaving that to the disk.

    Args:
        path: an API path, percent-decoded exactly once.

    Raises:
        UnsafePath: it climbs above the root, holds a NUL, a lone surrogate or a
            backslash, starts with a drive, or is longer than a path can be.
    """
    text = _possible(path)
    found: list[str] = []
    for part in text.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            if not found:
                raise UnsafePath(mistakes.PATH_ABOVE)
            found.pop()
            continue
        if len(part.encode()) > MAX_COMPONENT_BYTES:
            raise UnsafePath(mistakes.path_part_too_long(str(MAX_COMPONENT_BYTES)))
        found.append(part)
    return tuple(found)


def canonical(path: str) -> str:
    """`path` in its one written form: `/` for the root, else `/a/b.ipynb`.

    Raises:
        UnsafePath: as `components`.
    """
    return "/" + "/".join(components(path))


def ancestors(path: str) -> tuple[str, ...]:
    """`path` and each folder above it, nearest first, all canonical; ends with `/`.

    >>> ancestors("team/./a.ipynb")
    ('/team/a.ipynb', '/team', '/')
    """
    parts = components(path)
    return tuple("/" + "/".join(parts[:n]) for n in range(len(parts), -1, -1))


def signposted(marks: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """For each folder above one of `marks`: its names that lead there, and to which."""
    found: dict[str, dict[str, list[str]]] = {}
    for mark in sorted(marks):
        parts = components(mark)
        for depth, name in enumerate(parts):
            folder = "/" + "/".join(parts[:depth])
            found.setdefault(folder, {}).setdefault(name, []).append(mark)
    return found
