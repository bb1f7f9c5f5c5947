"""Door: the contents manager, as whoever acts at the moment may see and use it.

`install` changes the class of the configured manager, whichever it is, to one whose
methods ask first. So an extension that calls the manager is bound like a route, a
folder is listed as its reader may see it, and `writable` tells the truth.

What a method does through other methods of the manager belongs to it and is not asked
again. In the server's own tasks nobody is asked, and each change is recorded.
"""

from __future__ import annotations

import asyncio
import errno
from contextvars import ContextVar
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from ... import mistakes
from ...errors import AuthorizationError, UnknownName
from ..acting import ACTING, SERVER
from ..surface.disk import disk_of
from ..wiring import OF_MANAGER, wiring_of
from . import kept, large, moving, opened, shape
from .follow import Follower
from .reader import Reader
from .sight import Sight
from .stepping import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..acting import Acting
    from ..wiring import Wiring

    Method = Callable[..., Any]

#: The method of a manager that is at work, and the task it works in: a task that it
#: starts is not part of it.
_AT_WORK: ContextVar[tuple[str, object] | None] = ContextVar(
    "jupyter_authorization_at_work", default=None
)
#: Methods that change something.
CHANGES = frozenset(
    {
        "save",
        "new",
        "new_untitled",
        "copy",
        "update",
        "rename",
        "rename_file",
        "delete",
        "delete_file",
        "create_checkpoint",
        "restore_checkpoint",
        "delete_checkpoint",
        "trust_notebook",
    }
)
#: Methods that pick the name of what they save.
_NAMING = frozenset({"new_untitled", "copy"})
#: Methods whose answer tells only whether something is there.
_EXISTS = frozenset({"exists", "file_exists", "dir_exists"})
#: Methods that look at the name alone.
_UNASKED = frozenset({"is_hidden"})
_OTHERS = frozenset({"get", "is_hidden", "resolve_path", "list_checkpoints"})
METHODS = CHANGES | _EXISTS | _OTHERS
#: Methods of a manager's checkpoints, which an extension may call past the manager: what
#: each asks, and about which of its arguments.
CHECKPOINTS = {
    "create_checkpoint": (("checkpoint", 1, "path"),),
    "create_file_checkpoint": (("checkpoint", 2, "path"),),
    "create_notebook_checkpoint": (("checkpoint", 1, "path"),),
    "get_file_checkpoint": (("open", 1, "path"),),
    "get_notebook_checkpoint": (("open", 1, "path"),),
    "list_checkpoints": (("open", 0, "path"),),
    "restore_checkpoint": (("restore", 2, "path"),),
    "delete_checkpoint": (("checkpoint", 1, "path"),),
    "delete_all_checkpoints": (("checkpoint", 0, "path"),),
    "rename_checkpoint": (
        ("open", 1, "old_path"),
        ("checkpoint", 1, "old_path"),
        ("checkpoint", 2, "new_path"),
    ),
    "rename_all_checkpoints": (
        ("open", 0, "old_path"),
        ("checkpoint", 0, "old_path"),
        ("checkpoint", 1, "new_path"),
    ),
}


def install(manager: Any, wired: Wiring) -> None:
    """Have `manager` ask, whoever holds it; once.

    Raises:
        AuthorizationError: its class cannot be changed.
    """
    kind = type(manager)
    if hasattr(kind, OF_MANAGER):
        return
    wired.follower = Follower(wired, manager)
    ours = opened.asking(kind, _sight) | moving.methods(kind, _sight) | large.methods(kind, _sight)
    theirs = {name: getattr(kind, name) for name in METHODS if hasattr(kind, name)}
    asking = ours | {name: _asking(name, ours.get(name, do)) for name, do in theirs.items()}
    try:
        manager.__class__ = type(f"Guarded{kind.__name__}", (kind,), {OF_MANAGER: wired, **asking})
    except TypeError as error:
        msg = f"the contents manager `{kind.__qualname__}` cannot be guarded: {error}"
        raise AuthorizationError(msg) from error
    _install_on_checkpoints(manager)


def _install_on_checkpoints(manager: Any) -> None:
    checkpoints = getattr(manager, "checkpoints", None)
    kind = type(checkpoints)
    asking = {
        name: _asking_directly(manager, name, getattr(kind, name))
        for name in CHECKPOINTS
        if hasattr(kind, name)
    }
    if not asking:
        return
    asking |= kept.methods(kind, _sight, _work)
    try:
        checkpoints.__class__ = type(f"Guarded{kind.__name__}", (kind,), asking)
    except TypeError as error:
        msg = f"the checkpoints `{kind.__qualname__}` cannot be guarded: {error}"
        raise AuthorizationError(msg) from error


def _asking_directly(manager: Any, name: str, original: Method) -> Method:
    """`original`, the method `name` of checkpoints, asking unless the manager has asked."""

    def ask(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        acting = ACTING.get()
        if acting is None or _is_part(name):
            return
        reader, do = _reader(manager, acting), _Doing(self, original, args, kwargs)
        for action, position, argument in CHECKPOINTS[name]:
            reader.require(action, do.argument(position, argument))

    if iscoroutinefunction(original):

        @wraps(original)
        async def asking(self: Any, *args: Any, **kwargs: Any) -> Any:
            ask(self, args, kwargs)
            token = _AT_WORK.set((name, _task()))
            try:
                return await original(self, *args, **kwargs)
            finally:
                _AT_WORK.reset(token)

        return asking

    @wraps(original)
    def asking_now(self: Any, *args: Any, **kwargs: Any) -> Any:
        ask(self, args, kwargs)
        token = _AT_WORK.set((name, _task()))
        try:
            return original(self, *args, **kwargs)
        finally:
            _AT_WORK.reset(token)

    return asking_now


def check_installed(manager: object) -> None:
    """Raise unless `manager` asks.

    Raises:
        AuthorizationError: it does not; another extension put it there.
    """
    if not hasattr(type(manager), OF_MANAGER):
        msg = "the contents manager is not guarded; another extension replaced it"
        raise AuthorizationError(msg)


def _task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _is_part(name: str) -> bool:
    """Whether another method of the manager, that has asked already, is calling."""
    at_work = _AT_WORK.get()
    if at_work is None or at_work[1] is not _task():
        return False
    # The name that was picked has not been asked about yet.
    return not (name == "save" and _names())


def _work() -> str:
    """The name of the method that is at work."""
    at_work = _AT_WORK.get()
    return "" if at_work is None else at_work[0]


def _names() -> bool:
    """Whether a method is at work that picks the name of what it saves, and has it."""
    at_work = _AT_WORK.get()
    return at_work is not None and at_work[1] is _task() and at_work[0] in _NAMING


def _asking(name: str, original: Method) -> Method:
    """`original`, the method `name` of a manager, asking first."""

    async def ask_and_do(self: Any, *args: Any, **kwargs: Any) -> Any:
        acting = ACTING.get()
        do = _Doing(self, original, args, kwargs)
        do.of_the_server = _names()
        token = _AT_WORK.set((name, _task()))
        try:
            if acting is None or name in _UNASKED:
                return await _as_the_server(self, name, do)
            with shape.without_root(getattr(self, "root_dir", None)):
                return await answer(_reader(self, acting), name, do)
        finally:
            _AT_WORK.reset(token)

    if iscoroutinefunction(original):

        @wraps(original)
        async def asking(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not _is_part(name):
                return await ask_and_do(self, *args, **kwargs)
            try:
                return await original(self, *args, **kwargs)
            except HTTPError as error:
                _leave_out(self, name, error)
                raise

        return asking

    @wraps(original)
    def asking_now(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_part(name):
            return now(ask_and_do(self, *args, **kwargs))
        try:
            return original(self, *args, **kwargs)
        except HTTPError as error:
            _leave_out(self, name, error)
            raise

    return asking_now


def _leave_out(manager: Any, name: str, error: HTTPError) -> None:
    """Leave out an entry that vanishes, or cannot be read, while its folder is listed.

    Upstream passes over an entry that the system does not let it read, and gives up on
    the whole folder at anything else.

    Raises:
        PermissionError: a listing is at work.
    """
    at_work = _AT_WORK.get()
    listing = name == "get" and at_work is not None and at_work[0] == "get"
    if listing and disk_of(manager) is not None:
        raise PermissionError(errno.EACCES, "left out of the listing") from error


class _Doing:
    """A call of a manager's method that has not been made yet."""

    __slots__ = ("_args", "_kwargs", "_manager", "_original", "of_the_server")

    def __init__(
        self, manager: Any, original: Method, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._manager = manager
        self._original = original
        self._args = args
        self._kwargs = kwargs
        #: Whether what it saves is the server's, and nobody brings it.
        self.of_the_server = False

    def __call__(self) -> Any:
        return self._original(self._manager, *self._args, **self._kwargs)

    async def done(self) -> Any:
        """Make the call; its answer, waited for where it has to be."""
        answer = self()
        return await answer if isawaitable(answer) else answer

    def argument(self, position: int, name: str, default: Any = "") -> Any:
        """An argument of the call, given either way."""
        if name in self._kwargs:
            return self._kwargs[name]
        return self._args[position] if position < len(self._args) else default


def _sight(manager: Any) -> Sight | None:
    """Of who acts before `manager`; None for the server itself."""
    acting = ACTING.get()
    return None if acting is None else _sight_of(manager, acting)


def _reader(manager: Any, acting: Acting) -> Reader:
    return Reader(manager, _sight_of(manager, acting))


def _sight_of(manager: Any, acting: Acting) -> Sight:
    wired = wiring_of(manager)
    asked = acting.principal
    try:
        # As they are now: a request may last, and groups change.
        principal = wired.point.as_now(asked, must_exist=False)
    except UnknownName as error:
        raise HTTPError(403, str(error)) from None
    return Sight(wired.authorizer, wired.point, acting.request, principal, door="contents")


async def _as_the_server(manager: Any, name: str, do: _Doing) -> Any:
    if name in CHANGES:
        wired = wiring_of(manager)
        path = do.argument(1 if name in _PATH_SECOND else 0, _NAME_OF_PATH.get(name, "path"))
        wired.point.audit.event(
            "service",
            actor=SERVER,
            fields={
                "action": name,
                "resource": f"contents:/{str(path).lstrip('/')}",
                "door": "contents",
            },
        )
    return await _followed(manager, name, do)


async def _followed(manager: Any, name: str, do: _Doing) -> Any:
    """Do it, and have the grants go where their files go."""
    if name not in CHANGES:
        return await do.done()
    path = do.argument(1 if name in _PATH_SECOND else 0, _NAME_OF_PATH.get(name, "path"))
    new = None
    if name == "update":
        new = do.argument(0, "model", {}).get("path", path)
    elif name in _NEW_PATH:
        new = do.argument(1, _NEW_PATH[name], None)
    wired = wiring_of(manager)
    try:
        return await wired.follower.act(name, do.done, path, new)
    except OSError as error:
        # Upstream lets some through, with the place of the file in the message.
        raise HTTPError(500, mistakes.disk_refuses(str(error.strerror))) from error


_PATH_SECOND = frozenset({"save", "new", "update", "restore_checkpoint", "delete_checkpoint"})
_NEW_PATH = {"copy": "to_path", "rename": "new_path", "rename_file": "new_path"}
_NAME_OF_PATH = {"copy": "from_path", "rename": "old_path", "rename_file": "old_path"}
_SIMPLE = {
    "new_untitled": "create",
    "create_checkpoint": "checkpoint",
    "restore_checkpoint": "restore",
    "list_checkpoints": "open",
    "delete_checkpoint": "checkpoint",
    "trust_notebook": "trust",
}


async def answer(reader: Reader, name: str, do: _Doing) -> Any:
    """Ask what the method `name` amounts to, do it, and show what may be seen of it.

    Raises:
        HTTPError: 404 where nobody may know of it, 403 where it is not allowed.
    """
    path = do.argument(1 if name in _PATH_SECOND else 0, _NAME_OF_PATH.get(name, "path"))
    if name in _EXISTS:
        return reader.sees(path) and await do.done()
    if name == "get":
        is_whole = bool(do.argument(1, "content", default=True))
        return await reader.read(path, do.done, is_whole=is_whole)
    if name in _SIMPLE:
        reader.require(_SIMPLE[name], path)
    elif name in {"save", "new"}:
        model = do.argument(0, "model", None)
        await reader.save(path, None if do.of_the_server else model)
        shape.check(model)
    elif name == "copy":
        await reader.copy(path, do.argument(1, "to_path", None))
    elif name in {"rename", "rename_file"}:
        await reader.rename(path, do.argument(1, "new_path"))
    elif name == "update":
        model = do.argument(0, "model", {})
        await reader.rename(path, model.get("path", path))
    elif name in {"delete", "delete_file"}:
        await reader.delete(path)
    result = await _followed(reader.manager, name, do)
    if name == "resolve_path":
        return result if result is not None and reader.sees(result) else None
    return reader.truthful(result)
