"""What a process is shown of a program that lies among the contents, where people write.

A kernelspec may name one, such as that of an environment that a team shares. Whoever may
change the folders around it can put a link in the place of the program, and have its
environment be looked for where that leads. So nothing is taken from behind a link, and what
is shown is what has been opened.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .box import Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .disk import Disk

_log = logging.getLogger(__name__)
_ANY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


class Among(NamedTuple):
    """A program or folder among the contents.

    Args:
        path: absolute, as it is called.
        inner: below the contents root.
    """

    path: Path
    inner: Path


def among(disk: Disk | None, paths: Iterable[str]) -> tuple[list[Among], list[str]]:
    """Those of `paths` that lie among the contents of `disk`, and the others."""
    found: list[Among] = []
    others: list[str] = []
    for path in paths:
        inner = None if disk is None else _inner(Path(os.path.abspath(path)), disk.root)  # noqa: PTH100  # why: without following links
        if inner is None or not path:
            others.append(path)
        else:
            found.append(Among(Path(os.path.abspath(path)), inner))  # noqa: PTH100  # why: as above
    return found, others


def _inner(path: Path, root: Path) -> Path | None:
    """Where `path` is below `root`, by the links around it alone; None where it is not."""
    for above in reversed(path.parents):
        real = above.resolve()
        if real.is_relative_to(root):
            return real.relative_to(root) / path.relative_to(above)
    return None


def opened(disk: Disk | None, programs: Iterable[Among], beside: Sequence[Mount]) -> list[Mount]:
    """What is shown of `programs`; whoever asks closes it.

    Args:
        beside: what is shown besides, around and in which nothing more is.
    """
    shown: list[Mount] = []
    if disk is None:
        return shown
    for each in programs:
        for mount in _shown(disk, each):
            at = Path(mount.at)
            others = [Path(other.at) for other in (*beside, *shown)]
            if any(at.is_relative_to(o) or o.is_relative_to(at) for o in others):
                os.close(mount.source)
            else:
                shown.append(mount)
    return shown


def _shown(disk: Disk, program: Among) -> Iterator[Mount]:
    path, inner = program
    try:
        folder = disk.open(f"/{inner.parent}")
    except OSError as error:
        _log.warning("the program `%s` is not shown: %s", path, error.strerror)
        return
    try:
        source = os.open(inner.name, _ANY, dir_fd=folder)
    except OSError as error:
        _log.warning("the program `%s` is not shown: %s", path, error.strerror)
        return
    finally:
        os.close(folder)
    environment = None
    if not stat.S_ISDIR(os.fstat(source).st_mode):
        environment = _environment(disk, inner.parent.parent)
    if environment is not None:
        os.close(source)
        source, path, inner = environment, path.parent.parent, inner.parent.parent
        yield from _base(disk, environment, program.path.name)
    elif stat.S_ISLNK(os.fstat(source).st_mode):
        os.close(source)
        _log.warning("the program `%s` is not shown: it is a link in no environment", path)
        return
    real = disk.root / inner
    if real != path:
        yield Mount(source=os.dup(source), at=str(real))
    yield Mount(source=source, at=str(path))


def _environment(disk: Disk, inner: Path) -> int | None:
    """A descriptor of the folder `inner`, if it is an environment."""
    try:
        found = disk.open(f"/{inner}")
    except OSError:
        return None
    for mark in ("pyvenv.cfg", "conda-meta"):
        with contextlib.suppress(OSError):
            os.stat(mark, dir_fd=found, follow_symlinks=False)
            return found
    os.close(found)
    return None


def _base(disk: Disk, environment: int, name: str) -> Iterator[Mount]:
    """The installation of Python that an environment rests on, if it lies elsewhere."""
    program = Path(os.path.realpath(f"/proc/self/fd/{environment}/bin/{name}"))
    base = program.parent.parent
    if base.is_relative_to(disk.root) or base in {Path("/"), Path("/usr")}:
        return
    with contextlib.suppress(OSError):
        source = os.open(base, _FOLDER)
        # What has been opened may be another folder than the one that was meant.
        is_meant = os.readlink(f"/proc/self/fd/{source}") == str(base)  # noqa: PTH115  # why: a text
        if is_meant and glob.glob(f"/proc/self/fd/{source}/lib/python3*/os.py"):  # noqa: PTH207  # why: a text
            yield Mount(source=source, at=str(base))
        else:
            os.close(source)
