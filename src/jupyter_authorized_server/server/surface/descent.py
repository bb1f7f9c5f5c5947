"""Going to a file folder by folder, by what is held open and following no link.

A path that was judged may lead elsewhere a moment later. A folder that is held open does
not, whatever its name is by then; so each step is taken from the folder before it.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from ... import far
from ...errors import Nowhere
from ...policy import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .disk import Disk

#: Whether this system takes a name relative to an open folder, as all but Windows do.
STEPS = {os.open, os.stat, os.mkdir, os.unlink, os.rename} <= os.supports_dir_fd
#: Whether it tells of the open files by a path that leads through them.
THROUGH = os.path.isdir("/proc/self/fd")  # noqa: PTH112  # why: asked once
_FOLDER = (
    os.O_RDONLY
    | getattr(os, "O_PATH", 0)
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
#: A pipe in the place of a file must not hold the server up.
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
#: What the system says of a link, a folder, a file or a pipe in the place of another.
_ANOTHER = {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.EMLINK}
_EXCHANGED = "the path was exchanged for another one meanwhile"


class Folder:
    """A folder that is held open for as long as somebody refers to it.

    Args:
        number: its descriptor, which is closed with it.
        path: its canonical contents path when it was opened.
    """

    __slots__ = ("number", "path")

    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.path = path

    def __del__(self) -> None:
        os.close(self.number)

    def look(self, name: str) -> os.stat_result | None:
        """What is called `name` in it, no link followed; None for nothing."""
        try:
            return os.stat(name, dir_fd=self.number, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A descriptor of the file called `name` in it.

        Raises:
            Nowhere: it is a link, or no file.
            OSError: the system does not allow it.
        """
        try:
            number = os.open(name, flags | _FILE, mode, dir_fd=self.number)
        except OSError as error:
            if error.errno not in _ANOTHER:
                raise
            raise Nowhere(_EXCHANGED) from None
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise Nowhere(_EXCHANGED)
        return number

    def enter(self, name: str) -> Folder:
        """The folder called `name` in it.

        Raises:
            Nowhere: it is a link, or no folder.
            OSError: the system does not allow it.
        """
        try:
            number = os.open(name, _FOLDER, dir_fd=self.number)
        except OSError as error:
            if error.errno not in _ANOTHER:
                raise
            raise Nowhere(_EXCHANGED) from None
        return Folder(number, f"{self.path.rstrip('/')}/{name}")

    def names(self) -> list[str]:
        """What is in it."""
        number = os.open(".", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0), dir_fd=self.number)
        try:
            return os.listdir(number)  # noqa: PTH208  # why: of a descriptor
        finally:
            os.close(number)

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """What is in it, with what each name is itself.

        What vanishes meanwhile is left out, and so is what does not answer.

        Raises:
            OSError: the system does not allow it.
        """
        number = os.open(".", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0), dir_fd=self.number)
        try:
            silent: frozenset[str] = frozenset()
            if far.MOUNTED.all:
                silent = far.silent_in(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115  # why: speed
            with os.scandir(number) as found:
                for each in found:
                    if each.name in silent:
                        continue
                    try:
                        info = each.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    yield each.name, info
        finally:
            os.close(number)

    def remove(self, name: str) -> None:
        """Take away the file or link called `name`, if it is there."""
        try:
            os.unlink(name, dir_fd=self.number)
        except FileNotFoundError:
            return


class Held(str):
    """A path of the system, by way of a folder that is held open while the path is.

    Args:
        folder: that one.
        name: of what is meant in it.
        named: the path as anybody else would write it.
    """

    __slots__ = ("folder", "name", "named")

    folder: Folder
    name: str
    named: str


def through(folder: Folder, name: str, named: str) -> Held:
    """`name` in `folder`, written so that every call of this process that takes a path takes it.

    Args:
        named: the path as anybody else would write it.
    """
    found = Held(f"/proc/self/fd/{folder.number}/{name}" if THROUGH else named)
    found.folder, found.name, found.named = folder, name, named
    return found


def folder(disk: Disk, path: str) -> Folder:
    """The folder at the canonical path `path`.

    Raises:
        Nowhere: a link, or something else than a folder, stands on the way.
        OSError: the system does not allow it.
    """
    here = Folder(os.open(disk.path("/"), _FOLDER & ~getattr(os, "O_NOFOLLOW", 0)), "/")
    for name in paths.components(path):
        here = here.enter(name)
    return here


def held(disk: Disk, path: str) -> Held:
    """The canonical path `path`, of something that need not be there, by its open folder.

    Raises:
        Nowhere: a link, or something else than a folder, stands on the way.
        OSError: the system does not allow it.
    """
    above, _, name = path.rpartition("/")
    return through(folder(disk, above or "/"), name, disk.path(path))
