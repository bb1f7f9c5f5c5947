"""Door: shells. Who may start one, whose it is, who only watches.

A shell belongs to who started it. Its socket opens to whoever may watch it, and what is
typed there is asked about as it comes. A name that nobody runs is never made into a
shell by connecting to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from ... import mistakes, sentences
from ...policy.model import Resource
from ...policy.paths import ancestors
from ..acting import ACTING
from ..kernels import STARTING, Owned, TooMany
from ..surface import places
from ..surface.disk import disk_of
from .dark import darkening
from .keys import typing_by
from .live import FINAL, close
from .refusals import Refusals
from .sight import sight_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wiring import Wiring
    from .live import LiveDoor

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_SOCKET = "terminado.websocket.TermSocket"
_INSTALLED = "_jupyter_authorization_installed"
#: Rows and columns that a shell is told.
_MOST_CELLS = 10_000
#: Seconds between two notices on one screen.
_NOTICE_EVERY = 5.0


def install(settings: Mapping[str, Any], wired: Wiring) -> None:
    """Put this door over the manager of shells, if there is one; again is harmless.

    Called before each handler, since the extension that brings it is loaded after ours.
    """
    manager = settings.get("terminal_manager")
    if manager is None or getattr(manager, _INSTALLED, None) is wired:
        return
    create, list_ = manager.create, manager.list

    def started(**kwargs: Any) -> Any:
        acting, starting = ACTING.get(), STARTING.get()
        if acting is None:
            return create(**kwargs)
        path = None if starting is None else starting.path
        outside = _outside(wired, settings, path, kwargs.get("cwd"))
        if outside:
            # No grant on a folder of the contents reaches a shell that is in none.
            path = None
        _check_start(wired, list(manager.terminals.values()), acting.principal.name, path)
        options = _options(settings, manager, kwargs.get("name"), path)
        model = create(**options | outside)
        owned = Owned(owner=acting.principal.name, path=path)
        wired.terminals[manager.terminals[model["name"]]] = owned
        return model

    def running(name: str) -> Any:
        # Upstream's own makes a shell of any name.
        if name not in manager.terminals:
            raise HTTPError(404, sentences.NO_SUCH_TERMINAL)
        return manager.terminals[name]

    def seen() -> list[Any]:
        sight = sight_of(wired)
        return [
            model
            for model in list_()
            if sight is None
            or sight.allows("view", (places.terminal_of(settings, model["name"]),))
        ]

    manager.create, manager.get_terminal, manager.list = started, running, seen
    if os.name == "posix":
        manager.on_eof = darkening(manager)
    setattr(manager, _INSTALLED, wired)


def _check_start(wired: Wiring, shells: list[Any], owner: str, path: str | None) -> None:
    """Raise unless whoever acts may start a shell at `path`, and one more."""
    sight = sight_of(wired)
    within = () if path is None else ancestors(path)
    resource = Resource(type="terminals", within=within)
    if sight is None or not sight.allows("start", (resource,)):
        raise HTTPError(403, sentences.NO_TERMINALS)
    most = wired.config.max_terminals
    theirs = [
        owned for owned in map(wired.terminals.get, shells) if owned and owned.owner == owner
    ]
    if most and len(theirs) >= most:
        raise TooMany(most, "terminals")


def _options(
    settings: Mapping[str, Any], manager: Any, name: object, path: str | None
) -> dict[str, Any]:
    """What a client may choose: an unused name, and a folder.

    Everything else in the body would go to the process: its command, its environment.
    """
    options: dict[str, Any] = {}
    if name is not None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise HTTPError(400, mistakes.TERMINAL_NAME)
        if name in manager.terminals:
            raise HTTPError(409, mistakes.TERMINAL_THERE)
        options["name"] = name
    disk = disk_of(settings["contents_manager"])
    if disk is not None:
        folder = disk.path(path or "/")
        options["cwd"] = folder if Path(folder).is_dir() else disk.path("/")
    return options


def _outside(
    wired: Wiring, settings: Mapping[str, Any], path: str | None, meant: object
) -> dict[str, str]:
    """Where a shell begins that is to begin in no folder of the contents, as upstream has it.

    Only where the contents have nothing called `path` and nothing confines shells, and for
    who may run programs unconfined: everybody else begins in the contents root.

    Args:
        meant: what upstream takes the folder in the body for.
    """
    confinement, sight = wired.confinement, sight_of(wired)
    disk = disk_of(settings["contents_manager"])
    is_confined = confinement is not None and confinement.launcher.backend is not None
    if path is None or is_confined or disk is None or disk.there(path) or sight is None:
        return {}
    is_meant = meant == os.path.realpath(path) and Path(path).is_dir()
    return {"cwd": path} if is_meant and sight.allows("unconfined", (places.SERVER,)) else {}


def fit(handler: Any, door: LiveDoor, wired: Wiring) -> None:
    """Have what is typed in a shell's socket asked about, before the socket opens."""
    if any(f"{kind.__module__}.{kind.__qualname__}" == _SOCKET for kind in type(handler).__mro__):
        socket = _Socket(handler, door, wired)
        handler.open, handler.on_message = socket.open, socket.on_message

        if os.name == "posix":
            handler.stdin_to_ptyproc = typing_by(handler, socket.may_type)
        handler.on_pty_read, handler.on_pty_died = socket.on_pty_read, socket.on_pty_died


class _Socket:
    """Stands between a client and a shell."""

    def __init__(self, handler: Any, door: LiveDoor, wired: Wiring) -> None:
        self._handler = handler
        self._door = door
        self._wired = wired
        self._open, self._pass_on = handler.open, handler.on_message
        self._show, self._tell_end = handler.on_pty_read, handler.on_pty_died
        self._terminal = next(
            (on for _, on in door.questions if on.type == "terminals"), Resource(type="terminals")
        )
        self._refusals = Refusals(wired.point.audit, door, self._terminal)
        self._told = 0.0

    def open(self, name: Any = None) -> None:
        """Open, if the name still means the shell that was asked about."""
        if places.terminal_of(self._handler.settings, str(name)) != self._terminal:
            close(self._handler, FINAL, sentences.ANOTHER_TERMINAL)
            return
        self._open(name)

    def on_pty_read(self, text: str) -> None:
        """What the shell shows. A client that is gone keeps the next one from nothing."""
        if self._wired.live.current(self._door).allowed:
            with contextlib.suppress(WebSocketClosedError):
                self._show(text)

    def on_pty_died(self) -> None:
        """The shell has ended, and with it this socket; as above."""
        with contextlib.suppress(WebSocketClosedError):
            self._tell_end()
        # Upstream forgets it only where the client could be told.
        self._handler.terminal = None

    async def on_message(self, message: Any) -> None:
        """What the client sends: keys, or the size of its screen.

        Nothing is awaited between the look at the shell and what upstream does with it.
        """
        if self._handler.terminal is None:
            # It was on its way when the shell ended.
            return
        kind = _kind(message)
        if kind and self.may_type(told=kind == "keys"):
            await ensure_async(self._pass_on(message))

    def may_type(self, *, told: bool = False) -> bool:
        """Whether keys may go to the shell now; `told` says on the screen where not."""
        live, door = self._wired.live, self._door
        if not live.current(door).allowed:
            return False
        decision = live.ask(door, "type", self._terminal, door_name="terminal")
        if decision.allowed:
            return True
        if self._terminal.owner == door.name:
            # Whoever may start shells may type in those that are theirs.
            decision = live.ask(door, "start", self._terminal, door_name="terminal")
            if decision.allowed:
                return True
        if told:
            self._refuse(self._refusals.of_policy("keys", decision, door))
        return False

    def _refuse(self, sentence: str) -> None:
        now = self._wired.live.clock()
        if now - self._told >= _NOTICE_EVERY:
            self._told = now
            # The shell may have ended, with its socket, while the keys were on their way.
            with contextlib.suppress(WebSocketClosedError):
                self._handler.write_message(json.dumps(["stdout", f"\r\n{sentence}\r\n"]))


def _kind(message: object) -> str:
    """What a message is, if it is one that upstream can read."""
    try:
        command = json.loads(message)  # type: ignore[arg-type]  # why: whatever it is
    except (ValueError, TypeError, RecursionError):
        return ""
    match command:
        case ["stdin", str(keys)] if _is_text(keys):
            return "keys"
        case ["set_size", *size] if len(size) >= 2 and all(_is_size(each) for each in size[:2]):  # noqa: PLR2004  # why: rows and columns
            return "size"
    return ""


def _is_text(keys: str) -> bool:
    try:
        keys.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value <= _MOST_CELLS
