"""Door: the files that a contents manager opens, whatever their path was a moment ago.

A path is judged before it is used, and in between somebody may put a link in the place of
a folder, and back again. So a file is opened folder by folder, following no link: what is
opened is what the path means at that moment, and that is asked about before anything is
read from it, or written to it.
"""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from functools import cache
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
    LargeFileManager,
)
from tornado.web import HTTPError

from ... import mistakes
from ...errors import Nowhere, UnsafePath
from ...policy.paths import canonical
from ...sandbox.machine import memory
from ..acting import STRAIGHT
from ..surface import descent
from ..surface.descent import Held
from ..surface.disk import Disk, Place, disk_of
from ..surface.places import resources
from . import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...policy.model import Resource
    from .sight import Allows, Sight

    SightOf = Callable[[Any], Sight | None]

#: What somebody may do with a file that the manager reads, and with one that it writes.
READS, WRITES = ("open", "copy", "download", "export"), ("save", "create", "upload", "restore")
#: Methods by which the managers of files open one.
OPENING = ("open", "atomic_writing")
#: What the system adds to the name of a file that was replaced since it was opened.
_GONE = " (deleted)"
_OUTSIDE = "the path lies outside the contents root"
EXCHANGED = "the file was exchanged for another one meanwhile"


def asking(kind: type[Any], sight_of: SightOf) -> dict[str, Any]:
    """The methods of a class of managers that open files, asking about what they open.

    Args:
        kind: of a manager, or of its checkpoints.
        sight_of: who acts before one of that class; None for the server itself.
    """
    made = {
        name: _asking(getattr(kind, name), sight_of, writes=name == "atomic_writing")
        for name in OPENING
        if hasattr(kind, name)
    }
    # A class that opens files in a way of its own is asked what it has opened.
    if descent.STEPS and getattr(kind, "open", None) is FileManagerMixin.open:
        made["open"] = _opening(sight_of)
    if descent.STEPS and getattr(kind, "atomic_writing", None) is FileManagerMixin.atomic_writing:
        made["atomic_writing"] = _writing(sight_of)
    for large in (LargeFileManager, AsyncLargeFileManager):
        own = getattr(kind, "_save_large_file", None)
        if own is vars(large)["_save_large_file"]:
            made["_save_large_file"] = _appending(iscoroutinefunction(own))
    return made


def _opening(sight_of: SightOf) -> Any:
    @contextmanager
    def opening(self: Any, os_path: str, mode: str = "r", **kwargs: Any) -> Iterator[Any]:
        with self.perm_to_403(os_path), _saying_404():
            found = spot(self, os_path)
            if set(mode) & set("wax+"):
                allow = allowing(found, sight_of(self), WRITES)
                number, _ = writing.opened(found, allow)
                if "w" in mode:
                    os.ftruncate(number, 0)
                elif "a" in mode:
                    os.lseek(number, 0, os.SEEK_END)
            else:
                number = reading(found, allowing(found, sight_of(self), READS))
                if os.fstat(number).st_size > most():
                    os.close(number)
                    raise HTTPError(413, mistakes.TOO_LARGE_TO_OPEN)
            file = os.fdopen(number, mode, **kwargs)
        with file:
            yield file

    return opening


@cache
def most() -> int:
    """Bytes of a file that is opened as a whole.

    It is read, made JSON and sent by the one process that answers everybody, and takes up to
    twenty times its size there, as one of nothing but zeros does, which needs no disk.
    """
    return min(256 << 20, max(64 << 20, memory() // 32))


def _writing(sight_of: SightOf) -> Any:
    @contextmanager
    def atomic_writing(self: Any, os_path: str, **kwargs: Any) -> Iterator[Any]:
        with self.perm_to_403(os_path):
            with _saying_404():
                try:
                    found = spot(self, os_path)
                except FileNotFoundError as error:
                    raise HTTPError(404, mistakes.NO_SUCH_FOLDER) from error
                allow = allowing(found, sight_of(self), WRITES)
                number, is_new = writing.opened(found, allow)
            keeps = bool(self.use_atomic_writing)
            with writing.over(found, number, is_new=is_new, keeps=keeps, **kwargs) as file:
                yield file

    return atomic_writing


def _appending(is_async: bool) -> Any:
    """What comes of a large file after its first part."""

    def decoded(content: Any, kind: object) -> bytes:
        try:
            if kind == "text":
                return bytes(content.encode())
            if kind == "base64":
                return base64.b64decode(content.encode("ascii"))
        except (AttributeError, ValueError) as error:
            raise HTTPError(400, mistakes.CONTENT_NOT_AS_FORMAT) from error
        raise HTTPError(400, mistakes.WHICH_FORMAT)

    def append(self: Any, os_path: str, content: Any, format: object) -> None:  # noqa: A002  # why: upstream's
        data = decoded(content, format)
        with self.open(os_path, "ab") as file:
            file.write(data)

    async def append_in_a_thread(self: Any, os_path: str, content: Any, format: object) -> None:  # noqa: A002  # why: upstream's
        data = decoded(content, format)
        with self.open(os_path, "ab") as file:
            await run_sync(file.write, data)

    return append_in_a_thread if is_async else append


def spot(manager: Any, os_path: str) -> Held:
    """The file that `manager` calls `os_path`, by its folder, which is held open.

    Raises:
        UnsafePath: there can be none that may be judged.
    """
    if isinstance(os_path, Held):
        return os_path
    disk = disk_of(manager)
    if disk is None:
        raise Nowhere(_OUTSIDE)
    return descent.held(disk, _target(disk, manager, os_path))


def _target(disk: Disk, manager: Any, os_path: str) -> str:
    """The canonical path of the file that `manager` calls `os_path`.

    Raises:
        UnsafePath: there can be none that may be judged, or a link leads there where none
            is followed.
    """
    if isinstance(os_path, Held):
        return f"{os_path.folder.path.rstrip('/')}/{os_path.name}"
    path = below(manager, os_path)
    if path is None:
        raise Nowhere(_OUTSIDE)
    target = disk.place(path).target
    if STRAIGHT.get() and target != canonical(path):
        raise Nowhere(EXCHANGED)
    return target


def below(manager: Any, os_path: str) -> str | None:
    """`os_path` as a contents path of `manager`; None where it is not below its root."""
    root = os.path.abspath(manager.root_dir).rstrip(os.sep) + os.sep  # noqa: PTH100  # why: links stay
    return os_path[len(root) :].replace(os.sep, "/") if os_path.startswith(root) else None


def reading(found: Held, allow: Callable[[int], None]) -> int:
    """A descriptor of the file at `found`, to be read.

    Args:
        allow: raises unless a file of so many names may be read there.
    """
    number = found.folder.open(found.name, os.O_RDONLY)
    try:
        allow(os.fstat(number).st_nlink)
    except BaseException:  # why: raised again
        os.close(number)
        raise
    return number


def allowing(found: Held, sight: Allows | None, actions: tuple[str, ...]) -> Callable[[int], None]:
    """Whether a file of so many names at `found` may be used: it raises where not."""
    path = f"{found.folder.path.rstrip('/')}/{found.name}"

    def allow(names: int) -> None:
        place = Place(target=path, entry=path, kind="file", names=names)
        _require_one(sight, actions, resources(place))

    return allow


def _require_one(sight: Allows | None, actions: tuple[str, ...], on: tuple[Resource, ...]) -> None:
    if sight is not None and not any(sight.allows(action, on) for action in actions):
        raise HTTPError(404, EXCHANGED)


@contextmanager
def _saying_404() -> Iterator[None]:
    try:
        yield
    except UnsafePath:
        raise HTTPError(404, EXCHANGED) from None


def _asking(original: Any, sight_of: SightOf, *, writes: bool) -> Any:
    """`original`, which opens a file in a way of its own, asking before, and what it opened."""

    @contextmanager
    def opening(self: Any, os_path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        disk, sight = disk_of(self), sight_of(self)
        mode = str(args[0] if args else kwargs.get("mode", "r"))
        actions = WRITES if writes or set(mode) & set("wax+") else READS
        if disk is not None and (sight is not None or STRAIGHT.get()):
            with _saying_404():
                on = resources(disk.place(_target(disk, self, os_path)))
            # To open a file for writing can empty it.
            _require_one(sight, actions, on)
        with original(self, os_path, *args, **kwargs) as file:
            if sight is not None:
                _require(self, sight, file, actions)
            yield file

    return opening


def _require(manager: Any, sight: Sight, file: Any, actions: tuple[str, ...]) -> None:
    """See that what `file` is may be read or written.

    Raises:
        HTTPError: it may not, as if it were not there.
    """
    disk = disk_of(manager)
    if disk is None:
        return
    try:
        number = file.fileno()
        path, names = os.readlink(f"/proc/self/fd/{number}"), os.fstat(number).st_nlink  # noqa: PTH115  # why: no path
    except (OSError, AttributeError):
        # No such list of open files here: what was looked at before and after has to do.
        return
    try:
        inside = disk.inside(path.removesuffix(_GONE))
    except UnsafePath:
        raise HTTPError(404, EXCHANGED) from None
    place = Place(target=inside, entry=inside, kind="file", names=names)
    _require_one(sight, actions, resources(place))
