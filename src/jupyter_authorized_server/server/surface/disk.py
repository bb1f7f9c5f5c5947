"""Where a contents path leads on the disk: links, other spellings, hard links.

`policy.paths` says what a path is as text; this module says which file it is. All
that is asked of the disk before a decision is asked here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from jupyter_server.services.contents.fileio import FileManagerMixin

from ... import far
from ...errors import Nowhere, UnsafePath
from ...policy import paths
from .spelling import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Links that one path may lead through, as the kernel of the system has it.
MAX_LINKS = 40
_ANOTHER_ROOT = "the path leads out of the contents root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a path means.

    Args:
        target: canonical path of the file behind it, with every link followed.
        entry: canonical path of the name in its folder: the folder's links are
            followed, its own is not. It differs from `target` only for a link.
        kind: `file`, `folder`, or empty where there is nothing yet.
        names: how many names a file has; more than one are hard links.
        keeps: whether something of the server's own, as its policy, is below it.
    """

    target: str
    entry: str
    kind: str = ""
    names: int = 1
    keeps: bool = False

    @property
    def hidden(self) -> bool:
        """Whether a name on the way to it, or to its link, begins with a dot."""
        return "/." in self.target or "/." in self.entry


class Disk:
    """The contents root of a contents manager that keeps files.

    Args:
        root: the folder, as configured.
    """

    #: What is the server's own in it; see `premises`. A folder has a slash behind it, and
    #: what stands beside a file and begins with its name is a part of it.
    own: tuple[str, ...] = ()

    def __init__(self, root: str) -> None:
        drive, tail = os.path.splitdrive(os.path.realpath(root))
        self._drive = drive
        self._root = tuple(part for part in tail.split(os.sep) if part)  # noqa: PTH206  # why: speed

    def path(self, place: str) -> str:
        """Where the canonical path `place` is in the file system."""
        return self._joined((*self._root, *paths.components(place)))

    def inside(self, path: str) -> str:
        """The canonical path of the file that the system calls `path`, its links followed.

        Raises:
            Nowhere: it lies outside the root.
        """
        root = self.path("/").rstrip(os.sep) + os.sep
        if f"{path}{os.sep}" != root and not path.startswith(root):
            msg = "the path lies outside the contents root"
            raise Nowhere(msg)
        return paths.canonical(path[len(root) :].replace(os.sep, "/"))

    def _joined(self, parts: Iterable[str]) -> str:
        return self._drive + os.sep + os.sep.join(parts)  # noqa: PTH118  # why: speed

    def place(self, path: object) -> Place:
        """What the contents path `path` means, in any spelling.

        Some doors fold `..` and then follow links, others hand the spelling to the
        system, which does it the other way round. Where that makes a difference the
        path means two files and none may be judged for the other.

        Raises:
            UnsafePath: it is no possible path.
            Nowhere: it leads out of the root, in a circle, to something that is
                neither file nor folder, means two files, or cannot be looked at.
        """
        return far.answered(lambda: self._placed(path))

    def _placed(self, path: object) -> Place:
        found = self._follow(paths.components(path))
        as_written = [part for part in str(path).split("/") if part not in {"", "."}]
        if ".." in as_written and self._follow(tuple(as_written)) != found:
            msg = "the path means two things, before and after its links are followed"
            raise Nowhere(msg)
        return found

    def _follow(self, parts: tuple[str, ...]) -> Place:  # noqa: C901  # why: one way, told in order
        done = list(self._root)
        todo = list(reversed(parts))
        here = self._joined(done) if done else self._drive
        info: os.stat_result | None = None
        above: os.stat_result | None = None
        entry: tuple[str, ...] | None = None if todo else tuple(done)
        links, missing, renamed = 0, False, False
        while todo:
            name = todo.pop()
            if name == "..":
                if done:
                    done.pop()
                here = self._joined(done) if done else self._drive
                info, above, missing = None, None, False
                continue
            info = None if missing else _look(f"{here}{os.sep}{name}")
            if info is None:
                missing = True
            elif stat.S_ISLNK(info.st_mode):
                links += 1
                if links > MAX_LINKS:
                    msg = "the path leads through too many links"
                    raise Nowhere(msg)
                name = listed(here, name, info, above)
                if not todo and entry is None:
                    entry = (*done, name)
                if self._turn(f"{here}{os.sep}{name}", todo):
                    done = []
                    here = self._drive
                info = above = None
                continue
            else:
                called = listed(here, name, info, above)
                renamed, name, above = renamed or called != name, called, info
            done.append(name)
            here = f"{here}{os.sep}{name}"
            if not todo and entry is None:
                entry = tuple(done)
        if info is None and not missing:
            info = _look(here or os.sep)
        place = Place(
            target=self._below(done),
            entry=self._below(entry or tuple(done)),
            kind=_kind(info),
            names=info.st_nlink if info is not None and stat.S_ISREG(info.st_mode) else 1,
        )
        if links or renamed:
            _check_possible(place)
        return place

    def _turn(self, link: str, todo: list[str]) -> bool:
        """Put what `link` says before the rest of the way; whether it starts at the top."""
        try:
            said = os.readlink(link)  # noqa: PTH115  # why: a Path would drop dots
        except OSError:
            msg = "a link on the way cannot be read"
            raise Nowhere(msg) from None
        drive, tail = os.path.splitdrive(said)
        if drive and drive != self._drive:
            raise Nowhere(_ANOTHER_ROOT)
        said_parts = reversed(tail.split(os.sep))  # noqa: PTH206  # why: a Path would drop dots
        todo.extend(part for part in said_parts if part not in {"", "."})
        return tail.startswith(os.sep)

    def _below(self, parts: Iterable[str]) -> str:
        found = tuple(parts)
        depth = len(self._root)
        if found[:depth] != self._root:
            raise Nowhere(_ANOTHER_ROOT)
        return "/" + "/".join(found[depth:])

    def child(self, folder: str, name: str) -> Place | None:
        """What `name` in the listed folder at the canonical path `folder` means.

        None where it may not be shown: it vanished meanwhile, or leads nowhere.
        """
        try:
            return far.answered(lambda: self._child(folder, name))
        except UnsafePath:
            return None

    def _child(self, folder: str, name: str) -> Place | None:
        here = "/" + name if folder == "/" else f"{folder}/{name}"
        try:
            info = _look(self._joined((*self._root, *here[1:].split("/"))))
            if info is None:
                return None
            if stat.S_ISLNK(info.st_mode):
                return self.place(here)
            names = info.st_nlink if stat.S_ISREG(info.st_mode) else 1
            place = Place(target=here, entry=here, kind=_kind(info), names=names)
            _check_possible(place)
        except UnsafePath:
            return None
        return place

    def plain(self, folder: str) -> Callable[[str], bool]:
        """Tells of names in `folder` whether each is surely a file or folder of one name."""
        here = self.path(folder).rstrip(os.sep) + os.sep
        # What may not answer takes a closer look.
        is_near = far.is_near(self.path(folder))

        def is_plain(name: str) -> bool:
            if is_near or "\\" in name or not name.isascii():
                return False
            try:
                info = os.lstat(here + name)
            except (OSError, ValueError):
                return False
            return stat.S_ISDIR(info.st_mode) or (
                stat.S_ISREG(info.st_mode) and info.st_nlink == 1
            )

        return is_plain

    def below(self, folder: str) -> Iterator[tuple[str, Place | None]]:
        """Every name below the canonical path `folder`, relative to it, with what it means.

        None stands for what leads nowhere. Links are not walked into.

        Raises:
            Nowhere: a folder in it cannot be listed.
        """
        for inner, names in self._walk(folder):
            here = f"{folder.rstrip('/')}/{inner}".rstrip("/") or "/"
            for name in names:
                yield f"{inner}/{name}".lstrip("/"), self.child(here, name)

    def holds_more(self, folder: str, most: int) -> bool:
        """Whether more than `most` names are below the canonical path `folder`.

        Raises:
            Nowhere: a folder in it cannot be listed.
        """
        passed = 0
        for _, names in self._walk(folder):
            passed += len(names)
            if passed > most:
                return True
        return False

    def _walk(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        """Each folder below `folder`, relative to it, with the names in it."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            here = f"{folder.rstrip('/')}/{inner}".rstrip("/") or "/"
            names = far.answered(partial(_names, self.path(here)))
            waiting += [f"{inner}/{name}".lstrip("/") for name, is_folder in names if is_folder]
            yield inner, [name for name, _ in names]

    def git(self, place: str) -> str:
        """Whether a folder is the top of a git repository, kept `here` or `elsewhere`.

        Raises:
            Nowhere: it cannot be looked at.
        """
        info = far.answered(lambda: _look(f"{self.path(place)}{os.sep}.git"))
        if info is None:
            return ""
        return "here" if stat.S_ISDIR(info.st_mode) else "elsewhere"

    def there(self, place: str) -> bool:
        """Whether the canonical path `place` has a file, a folder or a link."""
        try:
            return far.answered(lambda: _look(self.path(place))) is not None
        except UnsafePath:
            return False


def _names(folder: str) -> list[tuple[str, bool]]:
    """What is in `folder`, and whether it is a folder."""
    far.check(folder)
    try:
        with os.scandir(folder) as entries:
            return [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
    except OSError:
        msg = "a folder in it cannot be listed"
        raise Nowhere(msg) from None


def _look(path: str) -> os.stat_result | None:
    """What is at `path`, without following a link there; None for nothing."""
    if far.MOUNTED.all:
        far.check(path)
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        msg = "the path cannot be looked at"
        raise Nowhere(msg) from None


def _kind(info: os.stat_result | None) -> str:
    if info is None:
        return ""
    if stat.S_ISREG(info.st_mode):
        return "file"
    if stat.S_ISDIR(info.st_mode):
        return "folder"
    msg = "the path leads to something that is neither file nor folder"
    raise Nowhere(msg)


def _check_possible(place: Place) -> None:
    """Refuse what the disk may hold and no resource can be called."""
    for path in (place.target, place.entry):
        if paths.canonical(path) != path:
            msg = "a link leads to a name that no path can have"
            raise Nowhere(msg)


@lru_cache(maxsize=8)
def _at(root: str) -> Disk:
    return Disk(root)


def disk_of(manager: Any) -> Disk | None:
    """The disk that `manager` keeps its files on; None where it keeps them elsewhere."""
    if not isinstance(manager, FileManagerMixin):
        return None
    root = getattr(manager, "root_dir", None)
    return _at(root) if isinstance(root, str) and root else None
