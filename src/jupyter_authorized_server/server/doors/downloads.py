"""Door: downloads under `/files/`, which are read past the contents manager.

Upstream looks at a path, and opens it again for what it sends. Here the file is opened
once, folder by folder and following no link, and asked about; its size, its time and what
is sent are those of that file, whatever its path leads to by then. What takes long is asked
about again while it is sent, and is cut off when it is not allowed any more, or whoever asked
has signed out.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import AuthenticatedFileHandler
from tornado.web import HTTPError

from ... import sentences
from ...errors import AuthorizationError, Nowhere, UnsafePath
from ..acting import ACTING
from ..surface import descent
from ..surface.disk import Disk, Place, disk_of
from ..surface.places import resources
from ..wiring import wiring_of
from . import opened
from .sight import Sight, sight_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..surface.descent import Held

#: Bytes that are read at once, as upstream does.
CHUNK = 64 * 1024
#: Seconds for which one answer is enough.
_A_MOMENT = 1.0
_FILE = "_jupyter_authorization_file"


def install() -> None:
    """Put this door under the handler of downloads; once."""
    kind: Any = AuthenticatedFileHandler
    if not descent.STEPS or hasattr(kind.validate_absolute_path, "upstream"):
        return
    upstream, on_finish = kind.validate_absolute_path, kind.on_finish

    def validate_absolute_path(self: Any, root: str, absolute_path: str) -> str | None:
        path: str | None = upstream(self, root, absolute_path)
        disk = disk_of(self.contents_manager)
        if path is not None and disk is not None:
            _open(self, disk, root, path)
        return path

    def finished(self: Any) -> None:
        with suppress(AttributeError):
            getattr(self, _FILE).close()
        on_finish(self)

    validate_absolute_path.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    kind.validate_absolute_path = validate_absolute_path
    kind.on_finish = finished


def _open(handler: Any, disk: Disk, root: str, path: str) -> None:
    """Have `handler` serve what the system calls `path` now, and nothing else.

    Args:
        root: the folder that it serves from.
    """
    real = os.path.realpath(path)
    # Of the manager, whose files they are: a handler that is made without the application's
    # settings asks the same.
    sight = sight_of(wiring_of(handler.contents_manager))
    if not (_is_in(disk, real) or _is_in(disk, os.path.realpath(root))):
        # An extension's own folder, which has no paths that could be asked about.
        disk, sight = Disk(os.sep), None
    try:
        found = descent.held(disk, disk.place(disk.inside(real)).target)
        number = opened.reading(found, opened.allowing(found, sight, ("download",)))
    except UnsafePath:
        raise HTTPError(404, opened.EXCHANGED) from None
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise HTTPError(404 if missing else 403, sentences.FILE_UNREAD) from error
    file = _Open(number)
    setattr(handler, _FILE, file)
    handler._stat_result = os.fstat(number)  # noqa: SLF001  # why: Tornado's own place for it

    def goes_on() -> bool:
        if sight is None or _may_still(handler, found, os.fstat(file.number).st_nlink):
            return True
        # What was announced does not come: only so can whoever reads it tell.
        handler.request.connection.stream.close()
        return False

    handler.get_content = lambda _, start=None, end=None: _parts(file, start, end, goes_on)


def _may_still(handler: Any, found: Held, names: int) -> bool:
    """Whether who asked may download the file of so many names, as they are now; else recorded."""
    wired, acting = wiring_of(handler.contents_manager), ACTING.get()
    if acting is None:
        return True
    path = f"{found.folder.path.rstrip('/')}/{found.name}"
    on = resources(Place(target=path, entry=path, kind="file", names=names))
    try:
        principal = wired.point.as_now(acting.principal, must_exist=False)
    except AuthorizationError:
        return False
    sight = Sight(wired.authorizer, wired.point, acting.request, principal)
    if not sight.is_signed_in():
        return False
    if sight.allows("download", on):
        return True
    for each in on:
        sight.decide("download", each, record=True)
    return False


def _is_in(disk: Disk, real: str) -> bool:
    """Whether what the system calls `real` is a file of the contents, or their root."""
    try:
        disk.inside(real)
    except Nowhere:
        return False
    except UnsafePath:
        # It is, and cannot be judged.
        return True
    return True


class _Open:
    """A file that is held open until it was served, or nobody refers to it."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Let it go; again is harmless."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        # Not every handler is finished: one whose client has gone is not.
        self.close()


def _parts(
    file: _Open, start: int | None, end: int | None, goes_on: Callable[[], bool]
) -> Iterator[bytes]:
    at, asked = start or 0, time.monotonic()
    while end is None or at < end:
        if time.monotonic() >= asked + _A_MOMENT:
            if not goes_on():
                return
            asked = time.monotonic()
        part = os.pread(file.number, CHUNK if end is None else min(CHUNK, end - at), at)
        if not part:
            return
        at += len(part)
        yield part
