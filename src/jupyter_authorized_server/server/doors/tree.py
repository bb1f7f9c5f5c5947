"""Copying a file or a folder, and moving a name, from one held folder into another.

A link in a folder that is copied is the file behind it, as upstream has it; that file has
to be allowed at the moment it is opened, and one to a folder is not followed. What is moved
is moved as it is.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from tornado.web import HTTPError

from ... import mistakes
from ...errors import Nowhere
from ...policy.model import Resource
from ..surface import descent
from . import opened, writing
from .turns import Threads

if TYPE_CHECKING:
    from ..surface.descent import Folder, Held
    from ..surface.disk import Disk
    from .sight import Allows

#: Most folders in one another that are copied, two of each of which are held open.
MOST = 400
_COPIES = ("copy", "download")
#: How a copy is called that is not whole yet.
_PART = ".~copy-"
#: Of the copies that are made at once; each takes as long as its disk does.
THREADS = Threads("copies", 4)


def copy(disk: Disk | None, may: Allows | None, source: Held, to: Held) -> None:
    """Copy the file or folder `source` to the name `to`, which it has once it is whole.

    Until then it is hidden beside it, and nothing of it is left where that fails.

    Args:
        may: what whoever asks may do, asked of each file and at the end; None for all.
        disk: where the links in it lead; None where they stay links.

    Raises:
        UnsafePath: something in it was exchanged, or leads nowhere.
        HTTPError: something in it may not be copied, or the copy not be made any more.
        OSError: the system does not allow it, or something has that name.
    """
    if to.folder.look(to.name) is not None:
        raise FileExistsError(errno.EEXIST, "something has that name")
    part = descent.through(to.folder, f"{_PART}{secrets.token_hex(8)}", to.named)
    info = source.folder.look(source.name)
    try:
        if info is not None and stat.S_ISREG(info.st_mode):
            _file(source, may, to.folder, part.name)
        else:
            os.mkdir(part.name, dir_fd=to.folder.number)
            _fill(disk, may, source.folder.enter(source.name), to.folder.enter(part.name))
        _require_made(may, to)
        move(part, to)
    except BaseException as error:  # why: raised again
        # What was held open on the way down is let go, or there may be none left to remove it.
        traceback.clear_frames(error.__traceback__)
        shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            to.folder.remove(part.name)
        raise


def _require_made(may: Allows | None, to: Held) -> None:
    on = Resource(type="contents", id=f"{to.folder.path.rstrip('/')}/{to.name}")
    if may is not None and not may.allows("create", (on,)):
        raise HTTPError(404, opened.EXCHANGED)


def move(source: Held, to: Held) -> None:
    """Give what is at `source` the name `to`, which nothing has yet.

    By its path it would go into a folder that somebody has put in the place of the new
    name, or behind a link there.

    Raises:
        UnsafePath: it was exchanged meanwhile.
        OSError: the system does not allow it, or something has that name.
    """
    info, taken = source.folder.look(source.name), to.folder.look(to.name)
    if info is None:
        raise FileNotFoundError(errno.ENOENT, mistakes.NO_SUCH_FILE)
    if taken is not None and not os.path.samestat(info, taken):
        raise FileExistsError(errno.EEXIST, mistakes.NAME_TAKEN)
    here, there = source.folder.number, to.folder.number
    try:
        os.rename(source.name, to.name, src_dir_fd=here, dst_dir_fd=there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry(source, to, info)


def _carry(source: Held, to: Held, info: os.stat_result) -> None:
    """Move something to another disk: to copy it as it is, and to take it away here."""
    if stat.S_ISDIR(info.st_mode):
        copy(None, None, source, to)
        shutil.rmtree(source)
        return
    if stat.S_ISLNK(info.st_mode):
        _link(source.folder, source.name, to.folder, to.name)
    else:
        try:
            _file(source, None, to.folder, to.name)
        except BaseException:  # why: raised again
            to.folder.remove(to.name)
            raise
    source.folder.remove(source.name)


def _link(source: Folder, name: str, to: Folder, as_: str) -> None:
    os.symlink(os.readlink(name, dir_fd=source.number), as_, dir_fd=to.number)


def _require_shallow(folder: Folder) -> None:
    if folder.path.count("/") > MOST:
        raise HTTPError(400, mistakes.too_deep(str(MOST)))


def _fill(disk: Disk | None, may: Allows | None, source: Folder, to: Folder) -> None:
    _require_shallow(source)
    for name in source.names():
        info = source.look(name)
        if info is None:
            continue
        if stat.S_ISDIR(info.st_mode):
            os.mkdir(name, dir_fd=to.number)
            _fill(disk, may, source.enter(name), to.enter(name))
            continue
        found = descent.through(source, name, name)
        if stat.S_ISLNK(info.st_mode) and disk is None:
            _link(source, name, to, name)
            continue
        if stat.S_ISLNK(info.st_mode) and disk is not None:
            target = disk.place(f"{source.path.rstrip('/')}/{name}").target
            found = descent.held(disk, target)
        elif not stat.S_ISREG(info.st_mode):
            msg = "something in the folder is neither file nor folder"
            raise Nowhere(msg)
        _file(found, may, to, name)
    _times(source, to)


def _file(found: Held, may: Allows | None, to: Folder, name: str) -> None:
    allow = opened.allowing(found, may, _COPIES)
    number = opened.reading(found, allow)
    with os.fdopen(number, "rb"):
        made = to.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(made, "wb"):
            writing.transfer(number, made, lambda: allow(os.fstat(number).st_nlink))
            info = os.fstat(number)
            os.fchmod(made, info.st_mode & 0o7777)
            os.utime(made, ns=(info.st_atime_ns, info.st_mtime_ns))


def _times(source: Folder, to: Folder) -> None:
    info = os.stat(".", dir_fd=source.number)
    os.chmod(".", info.st_mode & 0o7777, dir_fd=to.number)
    os.utime(".", ns=(info.st_atime_ns, info.st_mtime_ns), dir_fd=to.number)
