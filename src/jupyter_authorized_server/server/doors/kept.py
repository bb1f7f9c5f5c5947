"""Door: the copies of files that checkpoints keep beside them.

Whoever runs code in a folder can put a link where a copy is kept, or where the folder of
copies is, and has the server copy another file in or out. So both are gone to folder by
folder, a link in their place is taken away, and a link to a file has no copies of its
own: they are kept with the file, and are for whoever may have that one.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from jupyter_server.services.contents.filecheckpoints import FileCheckpoints
from tornado.web import HTTPError

from ... import mistakes
from ...errors import UnsafePath
from ...policy.paths import MAX_COMPONENT_BYTES
from ..surface import descent
from ..surface.descent import Folder, Held
from ..surface.disk import disk_of
from ..surface.places import place_of, resources
from . import opened, writing
from .turns import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from .opened import SightOf

_log = logging.getLogger(__name__)

_ANY = (*opened.READS, *opened.WRITES, "checkpoint")
#: What changes no copy, and one of these has to be allowed for what changes one.
_READING = {
    "list_checkpoints",
    "restore_checkpoint",
    "get_file_checkpoint",
    "get_notebook_checkpoint",
}
_CHANGING = ("checkpoint", "rename", "create", "delete")
#: Each takes as long as its disk does.
_THREADS = Threads("checkpoints", 4)


def methods(kind: type[Any], sight_of: SightOf, at_work: Callable[[], str]) -> dict[str, Any]:
    """What a class of checkpoints that keeps files does in a way of ours.

    Args:
        sight_of: who acts before a contents manager; None for the server itself.
        at_work: the name of the method of a manager, or of checkpoints, that is at work.
    """
    if not descent.STEPS or getattr(kind, "checkpoint_path", None) is not (
        FileCheckpoints.checkpoint_path
    ):
        return {}
    made = opened.asking(kind, lambda _: None)
    made["checkpoint_path"] = _path(kind.checkpoint_path, sight_of, at_work)
    made["_copy"] = _copying(sight_of, is_async=iscoroutinefunction(kind._copy))  # noqa: SLF001  # why: upstream's seam
    return made


def _path(original: Callable[..., str], sight_of: SightOf, at_work: Callable[[], str]) -> Any:
    @wraps(original)
    def checkpoint_path(self: Any, checkpoint_id: str, path: str) -> str:
        try:
            place, sight = place_of(self.parent, path), sight_of(self.parent)
            target, actions = place.target, _ANY if at_work() in _READING else _CHANGING
            # It may be another file by now than the one that was asked about.
            on = resources(place)
            if sight is not None and not any(sight.allows(each, on) for each in actions):
                raise HTTPError(404, opened.EXCHANGED)
            found = _held(self, checkpoint_id, target)
            return original(self, checkpoint_id, target) if found is None else found
        except UnsafePath:
            raise HTTPError(404, opened.EXCHANGED) from None
        except OSError as error:
            raise HTTPError(409, mistakes.IN_THE_WAY_OF_CHECKPOINTS) from error

    return checkpoint_path


def read(checkpoints: Any, checkpoint_id: str, target: str) -> str:
    """The text of a copy of the file at the canonical path `target`, which one may open.

    Raises:
        FileNotFoundError: there is none that is kept beside the file.
    """
    found = _held(checkpoints, checkpoint_id, target)
    if found is None:
        raise FileNotFoundError(target)
    number = opened.reading(found, lambda _: None)
    with os.fdopen(number, encoding="utf-8", errors="replace") as file:
        if os.fstat(number).st_size > opened.most():
            raise HTTPError(413, mistakes.TOO_LARGE_TO_OPEN)
        return file.read()


def _held(checkpoints: Any, checkpoint_id: str, target: str) -> Held | None:
    """Where the copy of the file at the canonical path `target` is kept, no link on the way.

    None where that is not in a folder beside the file.
    """
    disk, kept_in = disk_of(checkpoints), str(checkpoints.checkpoint_dir)
    if disk is None or kept_in in {"", ".", ".."} or os.sep in kept_in:
        return None
    above, _, name = target.rpartition("/")
    try:
        folder = descent.folder(disk, above or "/")
        if not os.access(".", os.W_OK, dir_fd=folder.number):
            return None
        _take_away(folder, kept_in, stat.S_ISDIR)
        if folder.look(kept_in) is None:
            os.mkdir(kept_in, dir_fd=folder.number)
        kept = descent.folder(disk, f"{above}/{kept_in}")
    except (FileNotFoundError, PermissionError):
        return None
    stem, ending = os.path.splitext(name)  # noqa: PTH122  # why: as upstream names it
    copy = f"{stem}-{checkpoint_id}{ending}"
    if len(os.fsencode(copy)) > MAX_COMPONENT_BYTES:
        # No copy has that name, and upstream says of none that it is not there.
        return None
    _take_away(kept, copy, stat.S_ISREG)
    return descent.through(kept, copy, disk.path(f"{above}/{kept_in}/{copy}"))


def _take_away(folder: Folder, name: str, is_right: Callable[[int], bool]) -> None:
    """Take away what stands in the place of a copy, or of their folder, and is none."""
    info = folder.look(name)
    if info is None or (
        is_right(info.st_mode) and (info.st_nlink == 1 or is_right is stat.S_ISDIR)
    ):
        return
    if stat.S_ISDIR(info.st_mode):
        raise HTTPError(409, mistakes.folder_in_the_way(name))
    _log.warning("a link stood where checkpoints are kept and was taken away: %s", name)
    folder.remove(name)


def _copying(sight_of: SightOf, *, is_async: bool) -> Any:
    def begun(self: Any, source: str, to: str) -> tuple[int, int, bool, Held]:
        if len(os.fsencode(to.rpartition(os.sep)[2])) > MAX_COMPONENT_BYTES:
            raise HTTPError(400, mistakes.CHECKPOINT_NAME_TOO_LONG)
        try:
            here, there = _side(self, source), _side(self, to)
            try:
                from_ = opened.reading(here, _allowing(sight_of, self, source, here, _ANY))
            except FileNotFoundError:
                raise HTTPError(404, mistakes.NO_CHECKPOINT) from None
            try:
                allow = _allowing(sight_of, self, to, there, opened.WRITES)
                number, is_new = writing.opened(there, allow)
            except BaseException:  # why: raised again
                os.close(from_)
                raise
        except UnsafePath:
            raise HTTPError(404, opened.EXCHANGED) from None
        return from_, number, is_new, there

    def copy(self: Any, source: str, to: str) -> None:
        with self.perm_to_403():
            _copy(*begun(self, source, to))

    async def copy_in_a_thread(self: Any, source: str, to: str) -> None:
        with self.perm_to_403():
            await run_sync(_copy, *begun(self, source, to), limiter=_THREADS.limiter)

    return copy_in_a_thread if is_async else copy


def _side(checkpoints: Any, path: str) -> Held:
    if isinstance(path, Held):
        return path
    for manager in (checkpoints.parent, checkpoints):
        if manager is not None and opened.below(manager, path) is not None:
            return opened.spot(manager, path)
    # Where the operator has checkpoints kept, or the system's place for such.
    above, name = os.path.split(path)
    number = os.open(above, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    return descent.through(Folder(number, above), name, path)


def _allowing(
    sight_of: SightOf, checkpoints: Any, path: str, found: Held, actions: tuple[str, ...]
) -> Callable[[int], None]:
    manager = checkpoints.parent
    if isinstance(path, Held) or manager is None or opened.below(manager, path) is None:
        return lambda _: None
    return opened.allowing(found, sight_of(manager), actions)


def _copy(from_: int, number: int, is_new: bool, to: Held) -> None:
    with os.fdopen(from_, "rb"):
        info = os.fstat(from_)
        with writing.over(to, number, is_new=is_new, keeps=True, text=False):
            writing.transfer(from_, number)
            os.fchmod(number, info.st_mode & 0o7777)
            os.utime(number, ns=(info.st_atime_ns, info.st_mtime_ns))
