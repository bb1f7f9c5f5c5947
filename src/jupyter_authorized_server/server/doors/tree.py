"""Copying a folder with all that is in it, from one held folder into another.

A link in it is the file behind it, as upstream has it; that file has to be allowed at the
moment it is opened, and one to a folder is not followed.
"""

from __future__ import annotations

import os
import shutil
import stat
import traceback
from typing import TYPE_CHECKING

from tornado.web import HTTPError

from ...errors import Nowhere
from ..surface import descent
from . import opened

if TYPE_CHECKING:
    from ..surface.descent import Folder, Held
    from ..surface.disk import Disk
    from .sight import Sight

#: Most folders in one another that are copied, two of each of which are held open.
MOST = 400
_COPIES = ("copy", "download")


def copy(disk: Disk, sight: Sight | None, source: Held, to: Held) -> None:
    """Copy the folder `source` to the name `to`; nothing of it is left where that fails.

    Raises:
        UnsafePath: something in it was exchanged, or leads nowhere.
        HTTPError: something in it may not be copied.
        OSError: the system does not allow it.
    """
    os.mkdir(to.name, dir_fd=to.folder.number)
    made = to.folder.enter(to.name)
    try:
        _fill(disk, sight, source.folder.enter(source.name), made)
    except BaseException as error:  # why: raised again
        # What was held open on the way down is let go, or there may be none left to remove it.
        traceback.clear_frames(error.__traceback__)
        shutil.rmtree(to, ignore_errors=True)
        raise


def _require_shallow(folder: Folder) -> None:
    if folder.path.count("/") > MOST:
        raise HTTPError(400, f"more than {MOST} folders in one another cannot be copied")


def _fill(disk: Disk, sight: Sight | None, source: Folder, to: Folder) -> None:
    _require_shallow(source)
    for name in source.names():
        info = source.look(name)
        if info is None:
            continue
        if stat.S_ISDIR(info.st_mode):
            os.mkdir(name, dir_fd=to.number)
            _fill(disk, sight, source.enter(name), to.enter(name))
            continue
        found = descent.through(source, name, name)
        if stat.S_ISLNK(info.st_mode):
            target = disk.place(f"{source.path.rstrip('/')}/{name}").target
            found = descent.held(disk, target)
        elif not stat.S_ISREG(info.st_mode):
            msg = "something in the folder is neither file nor folder"
            raise Nowhere(msg)
        _file(found, sight, to, name)
    _times(source, to)


def _file(found: Held, sight: Sight | None, to: Folder, name: str) -> None:
    number = opened.reading(found, opened.allowing(found, sight, _COPIES))
    with os.fdopen(number, "rb") as source:
        made = to.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(made, "wb") as copied:
            shutil.copyfileobj(source, copied, 1 << 20)
            copied.flush()
            info = os.fstat(number)
            os.fchmod(made, info.st_mode & 0o7777)
            os.utime(made, ns=(info.st_atime_ns, info.st_mtime_ns))


def _times(source: Folder, to: Folder) -> None:
    info = os.stat(".", dir_fd=source.number)
    os.chmod(".", info.st_mode & 0o7777, dir_fd=to.number)
    os.utime(".", ns=(info.st_atime_ns, info.st_mtime_ns), dir_fd=to.number)
