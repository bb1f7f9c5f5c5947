"""Door: folders that jupyter-archive packs, from folders that are held open.

It goes through a folder by path and follows links, in a thread and for as long as that
takes; whoever puts a link into the folder meanwhile would have another folder packed. So
each file is opened from the folder before it, and asked about as what it is then. When the
right to the whole folder ends, or the login, the archive is cut off: only so can whoever reads
it tell that it is not all.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
import time
import zipfile
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from ...errors import AuthorizationError, Nowhere, UnsafePath
from ..surface import descent, whole
from ..surface.disk import Place, disk_of
from ..surface.places import resources
from ..wiring import wiring
from .admission import admission
from .sight import Afar, Sight
from .tree import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...policy.model import Resource
    from ..surface.descent import Folder, Held
    from ..surface.disk import Disk

_PACKER = "jupyter_archive.handlers.DownloadArchiveHandler"
_LOOP = "_jupyter_authorization_loop"
_CHUNK = 64 * 1024
#: Seconds for which one answer is enough.
_A_MOMENT = 1.0
#: A zip file can tell of no time before that.
_ZIP_BEGINS = (1980, 1, 1, 0, 0, 0)


def install(kind: type[Any] | None) -> None:
    """Put this door under the handler that packs, if `kind` is that; once."""
    if kind is None or f"{kind.__module__}.{kind.__qualname__}" != _PACKER:
        return
    if not descent.STEPS or hasattr(kind, _LOOP):
        return
    original = kind.get

    @wraps(original)
    async def get(self: Any, *args: Any, **kwargs: Any) -> None:
        setattr(self, _LOOP, asyncio.get_running_loop())
        await original(self, *args, **kwargs)

    kind.get, kind.archive_and_download = get, _pack
    setattr(kind, _LOOP, None)


def _pack(handler: Any, path: Any, form: str, *more: Any) -> None:
    """In place of upstream's, in a thread: pack the folder that the system calls `path`."""
    disk = disk_of(handler.contents_manager)
    found = admission(handler.request)
    if disk is None or found is None:
        msg = "nobody is known who could have this packed"
        raise Nowhere(msg)
    wired, asker = wiring(handler.settings), found.principal

    def sight() -> Sight:
        principal = wired.point.as_now(asker, must_exist=False)
        return Sight(wired.authorizer, wired.point, handler.request, principal)

    top = descent.folder(disk, disk.place(disk.inside(os.path.realpath(path))).target)
    loop: asyncio.AbstractEventLoop = getattr(handler, _LOOP)
    going = _Going(handler, sight, loop, top)
    module = sys.modules[type(handler).__module__]
    packing = _Packing(disk, follows=bool(more[-2]), hidden=bool(more[-1]))
    try:
        with module.make_writer(handler, form) as archive:
            for name, held in packing.files(top, path.name, frozenset({top.path})):
                if handler.canceled:
                    return
                going.on()
                _add(archive, name, held, going)
    except ValueError:
        # So the stream says where there is nobody any more, and nothing ends the archive.
        if not handler.canceled:
            raise


class _Going:
    """Whether the packing of a folder goes on: asked about once more each second.

    Args:
        handler: of the request, upstream's.
        sight: of who asked, as they are now.
        loop: where everything is asked.
        top: the folder that is packed.
    """

    def __init__(
        self,
        handler: Any,
        sight: Callable[[], Sight],
        loop: asyncio.AbstractEventLoop,
        top: Folder,
    ) -> None:
        self.may = Afar(sight, loop)
        self._handler, self._sight, self._loop = handler, sight, loop
        self._top = resources(Place(target=top.path, entry=top.path, kind="folder"))
        self._asked = time.monotonic()

    def on(self, file: tuple[Resource, ...] = ()) -> None:
        """Go on, in the middle of `file`.

        Raises:
            ValueError: it is not allowed any more.
        """
        if time.monotonic() < self._asked + _A_MOMENT:
            return
        for each in filter(None, (self._top, file)):
            if not self.may.allows("download", each):
                self._handler.canceled = True
                self._loop.call_soon_threadsafe(self._end, each)
                msg = "what is packed may not be downloaded any more"
                raise ValueError(msg)
        self._asked = time.monotonic()

    def _end(self, refused: tuple[Resource, ...]) -> None:
        with suppress(AuthorizationError):
            sight = self._sight()
            if not sight.allows("download", refused):
                for each in refused:
                    sight.decide("download", each, record=True)
        # What was announced does not come: only so can whoever reads it tell.
        self._handler.request.connection.stream.close()


class _Read:
    """A file that is read for an archive, for as long as that goes on."""

    def __init__(self, file: Any, going: _Going, on: tuple[Resource, ...]) -> None:
        self._file, self._going, self._on = file, going, on

    def read(self, size: int = -1) -> bytes:
        """The next bytes of it.

        Raises:
            ValueError: it is not allowed any more.
        """
        self._going.on(self._on)
        part: bytes = self._file.read(size)
        return part


class _Packing:
    """Goes through a folder, as it is then, for one archive.

    Args:
        disk: where the contents are kept.
        follows: whether links to folders are followed, each once on a way.
        hidden: whether hidden files are packed.
    """

    def __init__(self, disk: Disk, *, follows: bool, hidden: bool) -> None:
        self._disk = disk
        self._follows = follows
        self._hidden = hidden
        self._passed = 0

    def files(
        self, folder: Folder, above: str, way: frozenset[str], depth: int = 0
    ) -> Iterator[tuple[str, Held]]:
        """Each file below `folder`, with its name in the archive.

        Args:
            folder: to go through.
            above: its name in the archive.
            way: what was packed on the way to it; a link that leads back there is left out.
            depth: how many folders it is in.

        Raises:
            Nowhere: there is more than was asked about.
        """
        if depth > MOST:
            return
        for name, info in sorted(folder.entries(), key=lambda each: each[0]):
            self._count()
            if name.startswith(".") and not self._hidden:
                continue
            try:
                found = self._behind(folder, name, info, way)
            except (UnsafePath, FileNotFoundError):
                # It was exchanged or taken away meanwhile.
                continue
            if isinstance(found, tuple):
                yield from self.files(found[0], f"{above}/{name}", found[1], depth + 1)
            elif found is not None:
                yield f"{above}/{name}", found

    def _behind(
        self, folder: Folder, name: str, info: os.stat_result, way: frozenset[str]
    ) -> Held | tuple[Folder, frozenset[str]] | None:
        """The file called `name` in `folder`, or the folder with the way to what is in it."""
        if stat.S_ISDIR(info.st_mode):
            return folder.enter(name), way
        if stat.S_ISREG(info.st_mode):
            return descent.through(folder, name, name)
        if stat.S_ISLNK(info.st_mode):
            place = self._disk.place(f"{folder.path.rstrip('/')}/{name}")
            if place.kind == "file" and self._shows(place):
                return descent.held(self._disk, place.target)
            is_ahead = self._follows and place.target not in way
            if is_ahead and place.kind == "folder" and self._shows(place):
                return descent.folder(self._disk, place.target), way | {place.target}
        return None

    def _shows(self, place: Place) -> bool:
        return self._hidden or not place.hidden

    def _count(self) -> None:
        self._passed += 1
        if self._passed > whole.MOST:
            msg = "there is more in this folder than was asked about"
            raise Nowhere(msg)


def _add(archive: Any, name: str, held: Held, going: _Going) -> None:
    path = f"{held.folder.path.rstrip('/')}/{held.name}"
    try:
        number = held.folder.open(held.name, os.O_RDONLY)
    except (UnsafePath, FileNotFoundError):
        return
    with os.fdopen(number, "rb") as file:
        info = os.fstat(number)
        on = resources(Place(target=path, entry=path, kind="file", names=info.st_nlink))
        if not going.may.allows("download", on):
            return
        read = _Read(file, going, on)
        if isinstance(archive, zipfile.ZipFile):
            moment = max(time.localtime(info.st_mtime)[:6], _ZIP_BEGINS)
            told = zipfile.ZipInfo(name, moment)
            told.external_attr = (info.st_mode & 0xFFFF) << 16
            told.compress_type = archive.compression
            with archive.open(told, "w", force_zip64=True) as packed:
                shutil.copyfileobj(read, packed, _CHUNK)
        else:
            archive.addfile(archive.gettarinfo(arcname=name, fileobj=file), read)
