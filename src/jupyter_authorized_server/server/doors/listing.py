"""Door: what is in a folder, read from the folder that was asked about.

Upstream lists by path, and asks the disk a dozen times for each name, by path too: whoever
puts a link in the place of the folder for a moment would be told the names, sizes and times
of another. Here the folder is held open, each name is looked at once, and what it is, a
file of its own, a link or one of several names, is kept for whoever asks what may be shown.
"""

from __future__ import annotations

import datetime as dt
import math
import mimetypes
import os
import stat
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from jupyter_server.services.contents.filemanager import (
    AsyncFileContentsManager,
    FileContentsManager,
)
from tornado.web import HTTPError

from ...errors import UnsafePath
from ..surface.disk import disk_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..surface.descent import Folder, Held
    from ..surface.disk import Disk, Place

    HoldOf = Callable[[Any, str], Held]

#: Methods on which a listing of upstream's hangs; of a class that has one of its own, the
#: listing is its own too.
_HANGS_ON = (
    "_dir_model",
    "_base_model",
    "_file_model",
    "_notebook_model",
    "_get_os_path",
    "get",
    "exists",
    "is_writable",
)
#: What upstream tells of each name.
_FIELDS = {
    "name",
    "path",
    "last_modified",
    "created",
    "content",
    "format",
    "mimetype",
    "size",
    "writable",
    "hash",
    "hash_algorithm",
    "type",
}
_HIDDEN = getattr(stat, "UF_HIDDEN", 0x8000)
_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class Entries(list[dict[str, Any]]):
    """The models of what is in a folder.

    Args:
        apart: what each name means that is a link or one of several names of a file; the
            others mean themselves.
    """

    __slots__ = ("apart",)

    def __init__(self) -> None:
        super().__init__()
        self.apart: dict[str, Place] = {}


def method(kind: type[Any], hold: HoldOf) -> dict[str, Any]:
    """The method of a class of managers that lists a folder, where it lists as upstream does.

    Args:
        hold: the name at a contents path, in its open folder.
    """
    if not _lists_as_upstream(kind):
        return {}
    original = kind._dir_model  # noqa: SLF001  # why: upstream's seam
    if iscoroutinefunction(original):

        @wraps(original)
        async def listed_later(self: Any, path: str, content: bool = True) -> Any:  # noqa: FBT002  # why: upstream's
            model = await original(self, path, content=False)
            if not content:
                return model
            if set(model) != _FIELDS:
                return await original(self, path)
            found = await run_sync(_entries, self, hold(self, path), path)
            return _with(self, model, found)

        return {"_dir_model": listed_later}

    @wraps(original)
    def listed(self: Any, path: str, content: bool = True) -> Any:  # noqa: FBT002  # why: upstream's
        model = original(self, path, content=False)
        if not content:
            return model
        if set(model) != _FIELDS:
            return original(self, path)
        return _with(self, model, _entries(self, hold(self, path), path))

    return {"_dir_model": listed}


def _lists_as_upstream(kind: type[Any]) -> bool:
    theirs: type[Any] = (
        AsyncFileContentsManager
        if issubclass(kind, AsyncFileContentsManager)
        else FileContentsManager
    )
    return all(getattr(kind, name, None) is getattr(theirs, name, "") for name in _HANGS_ON)


def _with(manager: Any, model: Any, found: Entries) -> Any:
    for each in found:
        manager.emit(data={"action": "get", "path": each["path"]})
    model["content"], model["format"] = found, "json"
    return model


def _entries(manager: Any, held: Held, path: str) -> Entries:
    disk: Disk | None = disk_of(manager)
    found = Entries()
    try:
        folder = held.folder.enter(held.name) if held.name else held.folder
        looked_at = [] if disk is None else folder.entries()
    except UnsafePath:
        raise HTTPError(404, f"directory does not exist: {path!r}") from None
    for name, info in looked_at:
        place = None
        if _is_apart(name, info):
            place = None if disk is None else disk.child(folder.path, name)
            if place is None:
                continue
        elif not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            continue
        is_folder = stat.S_ISDIR(info.st_mode) if place is None else place.kind == "folder"
        if not manager.should_list(name) or not (
            manager.allow_hidden or not _is_hidden(folder, name, info, is_folder=is_folder)
        ):
            continue
        if place is not None:
            found.apart[name] = place
        found.append(_model(folder, name, info, f"{path}/{name}".strip("/"), is_folder=is_folder))
    return found


def _is_apart(name: str, info: os.stat_result) -> bool:
    """Whether it takes a closer look to say what `name` means, or if it can be meant at all."""
    is_one = stat.S_ISDIR(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_nlink == 1)
    is_pipe = not is_one and not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode))
    return not is_pipe and not (is_one and name.isascii() and "\\" not in name and ":" not in name)


def _is_hidden(folder: Folder, name: str, info: os.stat_result, *, is_folder: bool) -> bool:
    if name.startswith(".") or getattr(info, "st_flags", 0) & _HIDDEN:
        return True
    return is_folder and not os.access(name, os.R_OK | os.X_OK, dir_fd=folder.number)


def _model(
    folder: Folder, name: str, info: os.stat_result, path: str, *, is_folder: bool
) -> dict[str, Any]:
    kind = "directory" if is_folder else "notebook" if name.endswith(".ipynb") else "file"
    born = getattr(info, "st_birthtime", None)
    return {
        "name": name,
        "path": path,
        "last_modified": _moment(info.st_mtime),
        "created": _moment(born if _is_moment(born) else info.st_ctime),
        "content": None,
        "format": None,
        "mimetype": mimetypes.guess_type(f"/{name}")[0] if kind == "file" else None,
        "size": None if is_folder else info.st_size,
        "writable": os.access(name, os.W_OK, dir_fd=folder.number),
        "hash": None,
        "hash_algorithm": None,
        "type": kind,
    }


def _is_moment(seconds: object) -> bool:
    return isinstance(seconds, (int, float)) and seconds >= 0 and math.isfinite(seconds)


def _moment(seconds: Any) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, tz=dt.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return _BEGINNING
