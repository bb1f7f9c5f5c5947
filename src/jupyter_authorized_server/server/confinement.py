"""Seam: every process that this server starts for somebody goes into the sandbox."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from .. import sentences
from ..errors import AuthorizationError, CannotConfine, ConfigurationError
from ..sandbox import interrupts, provisioner
from ..sandbox.ceiling import WATCHED
from ..sandbox.launch import Launcher
from ..sandbox.machine import memory
from ..sandbox.printed import cut
from ..sandbox.probe import begin
from ..sandbox.room import Origin, Room
from ..sandbox.runtime import sweep
from ..sandbox.unconfined import may_be_unconfined
from ..sandbox.view import is_wider
from ..sandbox.watch import Watch
from .acting import ACTING
from .doors.admission import admission
from .doors.authorizer import HandlerMethodAuthorizer
from .doors.company import Company
from .kernels import STARTING
from .premises import contents_disk, extra_of, import_nothing_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_server.serverapp import ServerApp

    from ..audit import Value
    from ..policy.model import Principal, Resource
    from ..sandbox.room import Errand
    from .wiring import Wiring

_log = logging.getLogger(__name__)

#: Between two looks at whether what somebody may has begun by the clock.
_TURN_SECONDS = 1.0

#: Most kernels of which it is remembered that the policy has ended them.
MOST_ENDED = 1000


class Confinement:
    """Wires a `Launcher` into one server, and ends what the policy no longer allows.

    Raises:
        ConfigurationError: a sandbox is required, and this machine has none.
    """

    def __init__(self, app: ServerApp, wired: Wiring) -> None:
        self._kernels: Any = app.kernel_manager
        self._terminals: Any = None
        self._wired = wired
        config = wired.config
        self.launcher = Launcher(
            point=wired.point,
            disk=contents_disk(app, wired),
            folder=config.sandbox_folder(),
            processes=config.sandbox_processes,
            memory=(config.sandbox_memory << 20) or memory() // 4 * 3,
            opened=tuple(config.sandbox_internet),
            extra=extra_of(app, wired),
        )
        if wired.kernels.elsewhere:
            self.launcher.elsewhere = sentences.GATEWAY
        self.launcher.told = self._told
        self.launcher.outgrown = self._record_end
        self.company = Company(
            wired.point,
            self.launcher,
            self._room_of,
            runs=lambda kernel_id: kernel_id in self._kernels,
            private=config.sandbox_homes == "private",
        )
        interrupts.pass_on()
        found = (wired.probing or begin(config.sandbox)).result()
        #: What was found out about this machine.
        self.probed = found
        if found.backend is not None:
            self.launcher.backend = found.backend
            app.log.info("kernels and terminals are confined by %s", found.backend.name)
            if found.why:
                app.log.warning("nothing better confines them here: %s", found.why)
            self.launcher.bounds = found.bounds
            if found.bounds is not None:
                app.log.info(
                    "a control group bounds the memory and the processes of each (version %d)",
                    found.bounds.version,
                )
            else:
                app.log.info(
                    "what each holds in memory is counted once a second: %s", found.unbounded
                )
            if WATCHED in found.backend.leaves_open:
                app.log.warning(
                    "this machine cannot limit how many processes a kernel or terminal has: "
                    "each is counted once a second, and stopped above %d; Linux 6.14 with "
                    "`nsenter`, or a server that is not root's, limits them",
                    config.sandbox_processes,
                )
        else:
            self.launcher.missing = (
                f"code cannot be run on this server: {found.why}; "
                "`c.JupyterAuthorization.sandbox` says what else can be chosen"
            )
            if config.sandbox != "auto":
                msg = f"kernels cannot be confined: {found.why}"
                raise ConfigurationError(msg)
            app.log.error("%s", self.launcher.missing)
        if self.launcher.disk is not None:
            import_nothing_from(self.launcher.disk.root)
        # Much may have been left, and nobody waits for it.
        threading.Thread(target=sweep, args=(self.launcher.folder,), daemon=True).start()
        self._install()
        self._ending: set[asyncio.Task[None]] = set()
        #: By kernel, whose it was and for which document; the last one that ended is last.
        self.ended: dict[str, Origin] = {}
        self._turn, self._next_turn = 0, 0.0
        self._watch = Watch(self.launcher, self._end_for_size)
        wired.point.on_change(lambda _: self.look_again())
        atexit.register(self.launcher.close)

    def _told(self) -> None:
        """What a process shows has changed, so what was said about it may not hold."""
        live = self._wired.live
        if live is not None:
            live.generation += 1

    def word(self, resource: Resource) -> str:
        """What confines a kernel or terminal, for records: `unconfined` where nothing does."""
        room = self._room_of(resource)
        if room is not None and room.unconfined:
            return "unconfined"
        return self._backend

    @property
    def _backend(self) -> str:
        backend = self.launcher.backend
        return "none" if backend is None else backend.word

    def standing(self, principal: Principal) -> dict[str, Any]:
        """How what `principal` starts is confined, for pages."""
        launcher = self.launcher
        confined = launcher.backend is not None and not launcher.elsewhere
        runs = confined or may_be_unconfined(self._wired.point, principal)
        why = None if runs else launcher.elsewhere or launcher.missing
        backend = "gateway" if launcher.elsewhere else self._backend
        return {"backend": backend, "confined": confined, "runs": runs, "why": why}

    def lacks(self, principal: Principal, resource: Resource) -> bool:
        """Whether a restart would show `principal`'s own kernel more than it is shown."""
        room = self._room_of(resource)
        return room is not None and room.lacks and room.origin.principal.name == principal.name

    def _room_of(self, resource: Resource) -> Room | None:
        """The room of a kernel or terminal that has one."""
        if resource.type == "kernels":
            rooms = self.launcher.rooms.values()
            return next((r for r in rooms if r.type == "kernels" and r.id == resource.id), None)
        shells = getattr(self._terminals, "terminals", {})
        found = getattr(shells.get(resource.id), "room", None)
        return found if isinstance(found, Room) else None

    def _install(self) -> None:
        manager, origins = self._kernels, self.launcher.origins
        prepare = manager.pre_start_kernel

        def pre_start_kernel(*args: Any, **kwargs: Any) -> Any:
            made = prepare(*args, **kwargs)
            origin = self.origin()
            if origin is not None:
                origins[made[0]] = origin
            return made

        manager.pre_start_kernel = pre_start_kernel
        provisioner.install(self.launcher)

    def origin(self) -> Origin | None:
        """Whose a process is that is started now; None where it is nobody's."""
        starting, acting = STARTING.get(), ACTING.get()
        if starting is None:
            return None
        origin = Origin(
            principal=starting.principal,
            path=starting.path,
            by_method=isinstance(self._wired.authorizer, HandlerMethodAuthorizer),
        )
        found = None if acting is None else admission(acting.request)
        if found is None:
            return origin
        return replace(
            origin,
            may_read=found.hook.allows("read", "contents"),
            may_write=found.hook.allows("write", "contents"),
        )

    def room_for(self, errand: Errand) -> Room:
        """A place for a program that works on one folder for whoever asks now.

        Raises:
            CannotConfine: nobody asks.
        """
        acting = ACTING.get()
        origin = self.origin()
        if origin is None or acting is None:
            msg = "a program that nobody has asked for is not started"
            raise CannotConfine(msg)
        origin = replace(
            origin,
            path=errand.folder or None,
            may_write=origin.may_write and errand.writes,
        )
        kind = str(self._kernels.default_kernel_name)
        room = self.launcher.kernel_room(f"errand-{secrets.token_hex(8)}", origin, kind)
        room.errand, room.log = errand, None
        return room

    def confine_terminals(self, manager: Any) -> None:
        """Have the shells of a terminal manager confined; None where the server has none."""
        if manager is None or self._terminals is manager:
            return
        self._terminals = manager
        from ..sandbox.shell import ConfinedPty  # noqa: PLC0415  # why: not on Windows

        def new_terminal(**kwargs: Any) -> ConfinedPty:
            origin = self.origin()
            if origin is None:
                raise HTTPError(403, sentences.NOBODYS_TERMINAL)
            room = self.launcher.terminal_room(origin)
            try:
                # Of what a client sends only the folder counts; the command is ours.
                return ConfinedPty(
                    self.launcher,
                    room,
                    list(manager.shell_command),
                    cwd=str(kwargs.get("cwd") or ""),
                    screen=str(manager.term_settings.get("type", "xterm-256color")),
                )
            except AuthorizationError as error:
                self.launcher.leave(room)
                _log.error("a terminal is not started: %s", error)  # why: what is said is all
                raise HTTPError(403, str(error)) from error

        manager.new_terminal = new_terminal

    def check_installed(self) -> None:
        """Raise unless kernels are confined.

        Raises:
            ConfigurationError: they are not.
        """
        provisioner.check_installed(self.launcher)

    def look_again(self) -> None:
        """End each process that has more than its owner may have now."""
        self._look_again_at([*self.launcher.rooms.values()])

    def _look_again_at(self, rooms: list[Room]) -> None:
        ended: list[tuple[Room, str]] = []
        for room in rooms:
            why = self._too_much(room)
            if why:
                ended.append((room, why))
                self._remember(room)
                self._record_end(room, why)
                self._end(room, why)
        for room, why in ended:
            self._say_why(room, why)

    def _remember(self, room: Room) -> None:
        """Keep in mind whose kernel it is that ends, for the pages that lose it."""
        if room.type == "kernels" and room.errand is None:
            self.ended[room.id] = room.origin
            while len(self.ended) > MOST_ENDED:
                del self.ended[next(iter(self.ended))]

    def look_at_the_clock(self) -> None:
        """As `look_again`, where a grant has ended that a process rests on; logs are cut.

        What has begun by the clock shows nothing less, so one process after the other is looked
        at for it.
        """
        for room in self.launcher.rooms.values():
            if room.log is not None:
                cut(room.log)
        self._watch.look()
        now = time.time()
        views = (room.view for room in self.launcher.rooms.values())
        if any(view is not None and view.ends <= now for view in views):
            self.look_again()
        elif time.monotonic() >= self._next_turn:
            self._next_turn = time.monotonic() + _TURN_SECONDS
            self._look_again_at([*self._in_turn()])

    def _in_turn(self) -> Iterator[Room]:
        """The process that has not been looked at for longest."""
        rooms = [*self.launcher.rooms.values()]
        if rooms:
            self._turn += 1
            yield rooms[self._turn % len(rooms)]

    def _too_much(self, room: Room) -> str:
        if room.view is None:
            return ""
        try:
            if room.unconfined:
                return self.launcher.why_confined(room, self.launcher.principal(room.origin))
            before = self._silences
            now = self.launcher.view(room)
        except AuthorizationError as error:
            return str(error)
        if is_wider(room.view, now):
            # Of what does not answer the policy alone can say what its owner may have.
            if before != self._silences and (
                room.origin.by_method or self.launcher.joins(room.origin.principal, room.view)
            ):
                return ""
            return "it was shown more than its owner may have now; a new one has what is left"
        # What has shared a process keeps it from what others may not have.
        lacks = is_wider(self.launcher.with_company(room, now), room.view)
        if lacks is not room.lacks:
            room.lacks = lacks
            self._told()
        room.view = replace(room.view, revision=now.revision, ends=now.ends)
        return ""

    @property
    def _silences(self) -> int:
        disk = self.launcher.disk
        return 0 if disk is None else disk.silences

    def _end_for_size(self, room: Room, why: str) -> None:
        """End a process that has grown too large; a kernel starts again, as after a crash."""
        self._record_end(room, why)
        if room.type == "terminals":
            self._end(room, why)
            self._say_why(room, why)
        elif room.running is not None:
            room.stopped = why
            room.running.kill()

    def _record_end(self, room: Room, why: str) -> None:
        """Tell its owner, whose own records a page shows, and the log."""
        _log.warning("a process of %s is stopped: %s", room.origin.principal.name, why)
        if room.errand is not None:
            # Whoever asked for it waits, and is told.
            return
        process = f"{room.type}:{room.id}" if room.type == "kernels" else room.resource.name
        fields: dict[str, Value] = {"process": process, "path": room.origin.path, "reason": why}
        with contextlib.suppress(OSError):
            self._wired.point.audit.event(
                "stopped", actor=room.origin.principal.name, fields=fields
            )

    def _say_why(self, room: Room, why: str) -> None:
        """Tell on a terminal's screens why nothing answers there any more."""
        notice = f"\r\nThis terminal was stopped: {why}.\r\n"
        for shell in [*getattr(self._terminals, "terminals", {}).values()]:
            for client in [*shell.clients] if getattr(shell, "room", None) is room else []:
                with contextlib.suppress(WebSocketClosedError):
                    client.on_pty_read(notice)

    def _end(self, room: Room, why: str) -> None:
        room.stopped = why
        if room.running is not None:
            room.running.kill()
        room.view = None
        if room.type == "terminals" or room.errand is not None:
            # Its manager sees it end, and tells whoever looks at it, or whoever waits for it.
            self.launcher.leave(room)
            return
        task = asyncio.ensure_future(self._shut_down(room.id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _shut_down(self, kernel_id: str) -> None:
        try:
            await ensure_async(self._kernels.shutdown_kernel(kernel_id, now=True))
        except Exception:  # noqa: BLE001  # why: the kernel is dead; what is left must not end the server
            _log.exception("a kernel that was stopped could not be cleaned up after")
