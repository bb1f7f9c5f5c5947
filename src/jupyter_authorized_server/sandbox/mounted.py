"""Whether a sandbox that waits has been built as it was planned: looked at, from outside.

What is mounted is opened beforehand, and where it is mounted is a path, on which somebody
else may put a link in the place of a folder meanwhile. What is mounted then lies elsewhere,
over the system's programs for example. So nothing runs before all is where it belongs.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .box import Mount

_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
#: By where something is to be mounted, what it is.
Planned = dict[bytes, os.stat_result]
_SECONDS = 30.0
_LOOK_SECONDS = 0.001
#: Of a line of `mountinfo`: what of a file system is mounted, and where.
_WHAT, _WHERE = 3, 4
#: The root of the sandbox is a folder of this name, which nothing is below in the end.
_MADE = b"/newroot"


def planned(mounts: Sequence[Mount]) -> Planned:
    """What `mounts`, which are open, show, and where."""
    return {os.fsencode(mount.at): os.fstat(mount.source) for mount in mounts}


def check(first: int, wanted: Planned, *, is_over: Callable[[], bool]) -> None:
    """Raise unless the process `first`, which bubblewrap has made, has all that is `wanted`.

    Args:
        is_over: whether it has ended, so that its number may be another's.

    Raises:
        OSError: it has not, or it does not get ready.
    """
    there = _built(first, is_over)
    root = os.open(f"/proc/{first}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        elsewhere = {_which(_at(root, at)) for at in there - {*wanted}}
        for at, shown in wanted.items():
            which = _which(shown)
            if at not in there or which in elsewhere or _which(_at(root, at)) != which:
                msg = (
                    f"`{os.fsdecode(at)}` is not what was to be shown there: somebody has "
                    "changed the folders on the way to it meanwhile; start it again"
                )
                raise OSError(msg)
    finally:
        os.close(root)
    if is_over():
        msg = "it ended while it was built"
        raise OSError(msg)


def _built(first: int, is_over: Callable[[], bool]) -> set[bytes]:
    """Where something is mounted in the sandbox, once all is."""
    end = time.monotonic() + _SECONDS
    own = _which(Path("/").stat())
    while True:
        # A look at all mounts holds up who makes them.
        if _has_own_root(first, own):
            made = _mounts(Path(f"/proc/{first}/mountinfo").read_bytes())
            roots = [what for where, what in made if where == b"/"]
            if roots == [_MADE] and not any(_is_in_the_making(where) for where, _ in made):
                return {where for where, _ in made}
        if is_over():
            msg = "it ended while it was built"
            raise OSError(msg)
        if time.monotonic() > end:
            msg = "it does not get built"
            raise OSError(msg)
        time.sleep(_LOOK_SECONDS)


def _has_own_root(first: int, own: tuple[int, int] | None) -> bool:
    """Whether the root of the process `first` looks like the one that is made for it."""
    root = f"/proc/{first}/root"
    return _which(Path(root).stat()) != own and not os.path.lexists(os.fsencode(root) + _MADE)


def _mounts(info: bytes) -> list[tuple[bytes, bytes]]:
    """Where something is mounted, and what of its file system; names may hold any letter."""
    lines = [line.split(b" ") for line in info.split(b"\n") if line]
    return [(_unescaped(words[_WHERE]), words[_WHAT]) for words in lines]


def places(first: int) -> frozenset[str]:
    """Where something is mounted for the process `first`."""
    made = _mounts(Path(f"/proc/{first}/mountinfo").read_bytes())
    return frozenset(os.fsdecode(where) for where, _ in made)


def _is_in_the_making(where: bytes) -> bool:
    return where == _MADE or where.startswith(_MADE + b"/")


def _unescaped(path: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), path)


def _at(root: int, path: bytes) -> os.stat_result | None:
    """What is at `path` below `root`, no link on the way; None where nothing can be found."""
    here = os.dup(root)
    try:
        for name in filter(None, path.split(b"/")):
            inner = os.open(name, _OPEN, dir_fd=here)
            os.close(here)
            here = inner
        return os.fstat(here)
    except OSError:
        return None
    finally:
        os.close(here)


def _which(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)
