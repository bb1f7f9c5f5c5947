"""Door: reading, making, moving, copying and deleting names, from folders that are held open.

Upstream does it by path. Here the path goes through the folder that was asked about, which
is held open meanwhile: what becomes of the names above it makes no difference.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from inspect import isawaitable, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from jupyter_server.services.contents import filemanager
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.services.contents.filemanager import FileContentsManager
from tornado.web import HTTPError

from ... import mistakes
from ...errors import UnsafePath
from ...policy.model import Resource
from ...policy.paths import ancestors
from ..surface import descent
from ..surface.descent import Held
from ..surface.disk import disk_of
from . import listing, opened, shape, trash, tree
from .sight import Afar
from .stepping import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .opened import SightOf
    from .sight import Sight

#: What each argument of a method has to be allowed: a name that goes, a name that comes.
_MOVES = {"delete_file": ("delete",), "rename_file": ("rename", "create")}
#: One of these has to be allowed where something is told of a file.
_ANY = ("list", *opened.READS, *opened.WRITES)
#: The paths of the system that the contents paths of the act at work mean.
_AT_HAND: ContextVar[Mapping[str, Held]] = ContextVar("jupyter_authorization_at_hand", default={})  # noqa: B039  # why: never changed


def methods(kind: type[Any], sight_of: SightOf) -> dict[str, Any]:
    """What a class of managers that moves files by path does by what is held open.

    Args:
        sight_of: who acts before one of that class; None for the server itself.
    """
    if not holds(kind):
        return {}
    _install()
    made: dict[str, Any] = {"_get_os_path": _path}
    for name, actions in _MOVES.items():
        made[name] = _holding(getattr(kind, name), sight_of, actions)
    made["_copy_dir"] = _copying(sight_of, is_async=iscoroutinefunction(kind._copy_dir))  # noqa: SLF001  # why: upstream's seam
    made["_save_directory"] = _making(kind._save_directory, sight_of)  # noqa: SLF001  # why: upstream's seam
    if kind._base_model is FileContentsManager._base_model:  # noqa: SLF001  # why: upstream's seam
        made["_base_model"] = _telling(kind._base_model, sight_of)  # noqa: SLF001  # why: upstream's seam
    if kind.resolve_path is FileContentsManager.resolve_path:
        made["resolve_path"] = _resolving(kind.resolve_path, sight_of)
    return made | listing.method(kind, _at_hand)


def holds(kind: type[Any]) -> bool:
    """Whether a class of managers knows files by their paths, and this system can hold them."""
    own = getattr(kind, "_get_os_path", None)
    return descent.STEPS and descent.THROUGH and own is FileManagerMixin._get_os_path  # noqa: SLF001  # why: upstream's seam


@contextmanager
def reading(manager: Any, path: object, target: str) -> Iterator[bool]:
    """Have `manager` read the contents path `path` from an open folder meanwhile, if it can.

    Args:
        target: the canonical path of the file or folder that it means.

    Raises:
        HTTPError: it is not there any more.
    """
    disk = disk_of(manager)
    if disk is None or getattr(type(manager), "_get_os_path", None) is not _path:
        yield False
        return
    try:
        found = descent.held(disk, target)
    except UnsafePath:
        raise HTTPError(404, opened.EXCHANGED) from None
    except OSError as error:
        raise HTTPError(404, f"file or directory does not exist: {path!r}") from error
    token = _AT_HAND.set({str(path).strip("/"): found})
    try:
        yield True
    except HTTPError as error:
        # Upstream calls what vanished before it was opened a bad request.
        if found.name and found.folder.look(found.name) is None:
            raise HTTPError(404, f"file or directory does not exist: {path!r}") from error
        raise shape.called(error, found, str(path).strip("/")) from None
    except FileNotFoundError as error:
        raise HTTPError(404, f"file or directory does not exist: {path!r}") from error
    finally:
        _AT_HAND.reset(token)


def _at_hand(manager: Any, path: str) -> Held:
    """The name at `path` in its open folder, which the server may have been given already."""
    found = _AT_HAND.get().get(path.strip("/"))
    return found or hold(manager, lambda _: None, path, "list", follows=True)


def _install() -> None:
    """Have upstream's module look at what is meant by a path that is held; once."""
    module: Any = filemanager
    if hasattr(module.is_hidden, "upstream"):
        return
    is_hidden, send2trash = module.is_hidden, module.send2trash

    def hidden(path: str, root: str = "") -> bool:
        if isinstance(path, Held):
            # As upstream has it, of what is held and not of its name; no system that can
            # hold it hides anything by a mark.
            is_below = bool(path.name)
            return is_below and ("/." in f"{path.folder.path}/{path.name}" or _is_shut(path))
        try:
            return bool(is_hidden(path, root))
        except NotADirectoryError as error:
            raise HTTPError(404, mistakes.FILE_ON_THE_WAY) from error

    def to_trash(path: str) -> None:
        if isinstance(path, Held):
            trash.put(path)
        else:
            send2trash(path)

    def move(source: str, to: str) -> Any:
        if isinstance(source, Held) and isinstance(to, Held):
            try:
                return tree.move(source, to)
            except FileExistsError as error:
                # Also a link that leads nowhere, which upstream does not see.
                raise HTTPError(409, mistakes.NAME_TAKEN) from error
        return shutil.move(source, to)

    module.shutil = _Shell(shutil, move)
    hidden.upstream = is_hidden  # type: ignore[attr-defined]  # why: a mark of our own
    module.is_hidden = hidden
    module.send2trash = to_trash


def _is_shut(path: str) -> bool:
    """Whether `path` is a folder that the server may not list."""
    return os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK)  # noqa: PTH112  # why: speed


class _Shell:
    """Upstream's `shutil`, with another way to move."""

    def __init__(self, theirs: Any, move: Callable[[str, str], Any]) -> None:
        self._theirs = theirs
        self.move = move

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)


def _path(self: Any, path: str) -> str:
    held = _AT_HAND.get().get(path.strip("/"))
    return FileManagerMixin._get_os_path(self, path) if held is None else held  # type: ignore[no-untyped-call]  # noqa: SLF001  # why: upstream's


def hold(manager: Any, sight_of: SightOf, path: str, *actions: str, follows: bool = False) -> Held:
    """The name at the contents path `path`, in its open folder, if one of `actions` is allowed.

    Raises:
        HTTPError: it is not, as if there were nothing.
    """
    disk, sight = disk_of(manager), sight_of(manager)
    if disk is None:
        raise HTTPError(404, opened.EXCHANGED)
    try:
        place = disk.place(path)
        found = descent.held(disk, place.target if follows else place.entry)
    except UnsafePath:
        raise HTTPError(404, opened.EXCHANGED) from None
    except OSError as error:
        raise HTTPError(404, f"file or directory does not exist: {path!r}") from error
    on = Resource(type="contents", id=f"{found.folder.path.rstrip('/')}/{found.name}")
    if sight is not None and not any(sight.allows(each, (on,)) for each in actions):
        raise HTTPError(404, opened.EXCHANGED)
    return found


class _Looking(dict[str, Held]):
    """Holds each path that is asked for, if the file there may be known of."""

    def __init__(self, manager: Any, sight_of: SightOf) -> None:
        super().__init__()
        self._manager, self._sight_of = manager, sight_of

    def get(self, path: str, _: Any = None) -> Any:
        return hold(self._manager, self._sight_of, path, *_ANY, follows=True)


def _resolving(original: Callable[..., Any], sight_of: SightOf) -> Any:
    """Whether a path is there: as the file that may be known of, whatever comes in its place."""

    @wraps(original)
    def resolve_path(self: Any, path: str) -> Any:
        token = _AT_HAND.set(_Looking(self, sight_of))
        try:
            return original(self, path)
        finally:
            _AT_HAND.reset(token)

    return resolve_path


def is_there(manager: Any, sight: Sight | None, path: str) -> bool:
    """Whether something is at the canonical path `path` that may be known of."""
    try:
        found = hold(manager, lambda _: sight, path, *_ANY)
    except HTTPError:
        return False
    return found.folder.look(found.name or ".") is not None


def _telling(original: Callable[..., Any], sight_of: SightOf) -> Any:
    """What upstream tells of a file or folder: of the one that may be read or written."""

    @wraps(original)
    def base_model(self: Any, path: str) -> Any:
        name, at_hand = path.strip("/"), _AT_HAND.get()
        if name in at_hand:
            return original(self, path)
        found = hold(self, sight_of, path, *_ANY, follows=True)
        token = _AT_HAND.set({**at_hand, name: found})
        try:
            return original(self, path)
        except FileNotFoundError as error:
            raise HTTPError(404, f"file or directory does not exist: {path!r}") from error
        finally:
            _AT_HAND.reset(token)

    return base_model


def _holding(original: Callable[..., Any], sight_of: SightOf, actions: tuple[str, ...]) -> Any:
    named = signature(original)

    def hold_all(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Held]:
        paths = list(named.bind(self, *args, **kwargs).arguments.values())[1:]
        return {
            path.strip("/"): hold(self, sight_of, path, action)
            for path, action in zip(paths, actions, strict=True)
        }

    if iscoroutinefunction(original):

        @wraps(original)
        async def held(self: Any, *args: Any, **kwargs: Any) -> Any:
            token = _AT_HAND.set(hold_all(self, args, kwargs))
            try:
                return await original(self, *args, **kwargs)
            finally:
                _AT_HAND.reset(token)

        return held

    @wraps(original)
    def held_now(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _AT_HAND.set(hold_all(self, args, kwargs))
        try:
            return original(self, *args, **kwargs)
        finally:
            _AT_HAND.reset(token)

    return held_now


def _making(original: Callable[..., Any], sight_of: SightOf) -> Any:
    @wraps(original)
    def save_directory(self: Any, os_path: str, model: Any, path: str = "") -> Any:  # noqa: ARG001  # why: upstream's argument
        return original(self, hold(self, sight_of, path, "create"), model, path)

    return save_directory


def _copying(sight_of: SightOf, *, is_async: bool) -> Any:
    """A copy of a folder to a name that its caller has picked."""

    async def copied(self: Any, source: str, to: str) -> Any:
        here = hold(self, sight_of, source, "copy", follows=True)
        with _way_made(self, sight_of, to):
            there = hold(self, sight_of, to, "create")
            await copy(self, sight_of, here, there, named=source, waits=is_async)
        model = self.get(to, content=False)
        return await model if isawaitable(model) else model

    def copy_dir(self: Any, from_path: str, *, to_path: str, **_: str) -> Any:
        return now(copied(self, from_path, to_path))

    async def copy_dir_and_wait(self: Any, from_path: str, *, to_path: str, **_: str) -> Any:
        return await copied(self, from_path, to_path)

    return copy_dir_and_wait if is_async else copy_dir


async def copy(
    manager: Any, sight_of: SightOf, here: Held, there: Held, *, named: str, waits: bool
) -> None:
    """Copy what is at `here` to the free name `there`.

    Args:
        named: what whoever asked calls it.
        waits: whether `manager` can; then it is done in a thread, which asks all over again.

    Raises:
        HTTPError: it is not copied, and nothing of it is left.
    """
    disk = disk_of(manager)
    try:
        if waits:
            may = Afar(lambda: sight_of(manager), asyncio.get_running_loop())
            await run_sync(tree.copy, disk, may, here, there, limiter=tree.THREADS.limiter)
        else:
            tree.copy(disk, sight_of(manager), here, there)
    except UnsafePath:
        raise HTTPError(404, opened.EXCHANGED) from None
    except FileExistsError:
        raise HTTPError(409, mistakes.NAME_TAKEN) from None
    except OSError as error:
        raise HTTPError(400, mistakes.not_copied(named, str(error.strerror))) from error


@contextmanager
def _way_made(manager: Any, sight_of: SightOf, path: str) -> Iterator[None]:
    """Make the folders above the contents path `path` that are missing, as upstream does.

    Each one has to be allowed, and none stays where what they are for fails.

    Raises:
        HTTPError: one may not be made, as if there were nothing.
    """
    made: list[Held] = []
    try:
        for above in _missing(manager, path):
            found = hold(manager, sight_of, above, "create")
            try:
                os.mkdir(found.name, dir_fd=found.folder.number)
            except FileExistsError:
                continue
            except OSError as error:
                raise HTTPError(400, mistakes.not_made(above, str(error.strerror))) from error
            made.append(found)
        yield
    except BaseException:  # why: raised again
        for each in reversed(made):
            # Somebody else may have put something there by now.
            with suppress(OSError):
                os.rmdir(each.name, dir_fd=each.folder.number)
        raise


def _missing(manager: Any, path: str) -> list[str]:
    """The folders above the contents path `path` that are not there, the highest first."""
    disk = disk_of(manager)
    try:
        return [
            each
            for each in reversed(ancestors(path)[1:-1])
            if disk is not None and not disk.place(each).kind
        ]
    except UnsafePath:
        raise HTTPError(404, opened.EXCHANGED) from None
