"""Door: a copy of a file that is too large to be opened.

Upstream opens what it copies as a whole, in the one process that answers everybody. A large
file goes from one descriptor to another instead, in parts, beside the requests of others;
it is asked about as a folder that is copied is.
"""

from __future__ import annotations

import stat
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.filemanager import (
    AsyncFileContentsManager,
    FileContentsManager,
)
from jupyter_server.services.contents.manager import copy_pat
from tornado.web import HTTPError

from ... import mistakes
from . import moving, opened
from .stepping import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from .opened import SightOf


def methods(kind: type[Any], sight_of: SightOf) -> dict[str, Any]:
    """What a class of managers that copies by what upstream has does with large files.

    Args:
        sight_of: as for `moving.methods`.
    """
    theirs = (FileContentsManager.copy, AsyncFileContentsManager.copy)
    if not moving.holds(kind) or kind.copy not in theirs:
        return {}
    return {"copy": _copying(kind.copy, sight_of)}


def _copying(original: Callable[..., Any], sight_of: SightOf) -> Any:
    is_async = iscoroutinefunction(original)

    async def copied(self: Any, from_path: str, to_path: str | None) -> Any:
        here = moving.hold(self, sight_of, from_path, "copy", follows=True)
        info = here.folder.look(here.name or ".")
        if info is None or not stat.S_ISREG(info.st_mode) or info.st_size <= opened.most():
            model = original(self, from_path, to_path)
            return await model if isawaitable(model) else model
        to = await _name(self, from_path, to_path)
        there = moving.hold(self, sight_of, to, "create")
        await moving.copy(self, sight_of, here, there, named=from_path, waits=is_async)
        self.emit(data={"action": "copy", "path": to, "source_path": from_path})
        model = self.get(to, content=False)
        return await model if isawaitable(model) else model

    @wraps(original)
    def copy(self: Any, from_path: str, to_path: str | None = None) -> Any:
        return now(copied(self, from_path, to_path))

    @wraps(original)
    async def copy_and_wait(self: Any, from_path: str, to_path: str | None = None) -> Any:
        return await copied(self, from_path, to_path)

    return copy_and_wait if is_async else copy


async def _name(manager: Any, from_path: str, to_path: str | None) -> str:
    """What the copy is called: a free name, where `to_path` is a folder, as upstream has it."""
    folder, _, name = from_path.strip("/").rpartition("/")
    to = folder if to_path is None else to_path.strip("/")
    if await ensure_async(manager.dir_exists(to)):
        wanted = copy_pat.sub(".", name)
        free = await ensure_async(manager.increment_filename(wanted, to, insert="-Copy"))
        return f"{to}/{free}".lstrip("/")
    if not await ensure_async(manager.dir_exists(to.rpartition("/")[0])):
        raise HTTPError(404, mistakes.NO_SUCH_FOLDER)
    return to
