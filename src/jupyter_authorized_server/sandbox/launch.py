"""What each confined process gets, and that it gets nothing else: view, home, sockets."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..errors import AuthorizationError, CannotConfine, ConfigurationError, Overtaken
from ..sentences import NOBODYS_KERNEL
from . import programs, runtime, shown
from .box import MEMORY, PROCESSES, TEMPORARY, Box, Mount
from .extra import Extra
from .machine import private
from .room import OPEN, Room, contents_in, home_in, new_scratch, own_in, start_in
from .sockets import INSIDE, SOCKET, SOCKETS
from .surroundings import SOCKET_PATH, account, file_name, system_paths
from .unconfined import may_be_unconfined
from .view import (
    BESIDES,
    Open,
    View,
    by_rule,
    compile_view,
    covers,
    has_besides,
    have_the_same,
    is_wider,
    may_execute,
    narrowed,
    runs_own_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from typing import Any

    from ..audit import Value
    from ..decision_point import DecisionPoint
    from ..policy.model import Principal, Resource
    from .bounds import Bounds
    from .box import Backend
    from .disk import Disk
    from .room import Origin

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Launcher:
    """Starts the processes of kernels and terminals, each in the view of its owner.

    Args:
        backend: what confines; None where nothing here does.
        missing: why nothing confines, with the remedy.
        elsewhere: why nothing confines kernels, where they are behind a gateway; else empty.
        folder: for the homes and logs.
        processes: how many one sandbox may have, with their threads.
        memory: bytes that all in one sandbox may hold together.
        opened: networks that the right to the internet reaches besides.
        bounds: where each gets a control group; None where none can be made.
        extra: what settings name for all, and for whom a rule gives it.
        told: called when a process has been shown something.
        outgrown: called when the machine has ended one for its memory, with what is said.
    """

    point: DecisionPoint
    disk: Disk | None
    folder: Path
    backend: Backend | None = None
    missing: str = ""
    elsewhere: str = ""
    origins: WeakKeyDictionary[Any, Origin] = field(default_factory=WeakKeyDictionary)
    rooms: dict[str, Room] = field(default_factory=dict)
    processes: int = PROCESSES
    memory: int = MEMORY
    opened: tuple[str, ...] = ()
    bounds: Bounds | None = None
    extra: Extra = field(default_factory=Extra)
    told: Callable[[], None] = lambda: None
    outgrown: Callable[[Room, str], None] = lambda room, why: None  # noqa: ARG005  # why: as it is called
    _runtime: Path | None = None
    _mark: int = -1

    def aside(self, point: DecisionPoint, folder: Path) -> Launcher:
        """One that starts the same, as `point` decides and with homes in `folder` alone."""
        own = {"point", "folder", "origins", "rooms", "told", "outgrown", "_runtime", "_mark"}
        same = {
            name: getattr(self, name) for each in fields(self) if (name := each.name) not in own
        }
        return Launcher(point=point, folder=folder, **same)

    def origin(self, manager: object) -> Origin:
        """Whose the kernel of `manager` is.

        Raises:
            CannotConfine: nobody's; it was not started through the server's own doors.
        """
        found = self.origins.get(manager)
        if found is None:
            raise CannotConfine(NOBODYS_KERNEL)
        return found

    def kernel_room(self, kernel_id: str, origin: Origin, spec: str = "") -> Room:
        """A place for a new kernel, made now."""
        token = secrets.token_hex(12)
        folder = self.runtime_folder() / token
        sockets = folder / SOCKETS
        longest = sockets / f"{SOCKET}-10"
        if len(os.fsencode(longest)) > SOCKET_PATH:
            msg = f"`{longest}` is too long for a socket; set `TMPDIR` to a shorter folder"
            raise ConfigurationError(msg)
        logs = self.folder / runtime.LOGS
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = logs / f"{token}.log"
        room = Room(origin=origin, type="kernels", id=kernel_id, folder=folder, spec=spec, log=log)
        try:
            sockets.mkdir(parents=True, mode=0o700)
        except OSError:
            room.clear()
            raise
        self.rooms[token] = room
        return room

    def terminal_room(self, origin: Origin) -> Room:
        """A place for a new terminal, made now; those that have ended are cleared away."""
        for room in [room for room in self.rooms.values() if room.is_over]:
            self.leave(room)
        token = secrets.token_hex(12)
        room = self.rooms[token] = Room(origin=origin, type="terminals", id=token)
        return room

    def runtime_folder(self) -> Path:
        """Where all is that ends with this server; removed then."""
        if self._runtime is None:
            self._runtime, self._mark = runtime.new_folder()
        return self._runtime

    def leave(self, room: Room) -> None:
        """Remove what `room` has on the disk."""
        for token in [token for token, each in self.rooms.items() if each is room]:
            del self.rooms[token]
        if room.running is not None:
            room.running.close()
            room.running = None
        if room.type == "kernels":
            shown.forget(self.folder, room.id)
        room.clear()

    def close(self) -> None:
        """Remove the folder of all sockets."""
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            os.close(self._mark)
            self._runtime = None

    def view(self, room: Room) -> View:
        """What the process in `room` may touch by the policy of now.

        Raises:
            CannotConfine: its owner may not run anything in it any more.
            AuthorizationError: it cannot be shown all that it should be.
        """
        origin, errand = room.origin, room.errand
        principal = self.principal(origin)
        runs = not origin.by_method and (errand is None or errand.writes)
        if runs and not may_execute(self.point, principal, room.resource):
            msg = f"`{principal.name}` may not run code here any more"
            raise CannotConfine(msg)
        program = room.program
        besides = self.besides(principal, program)
        top = "/"
        if errand is not None:
            besides, top = besides & errand.besides, errand.folder
        if self.disk is None or not origin.may_read or not top:
            view = View(principal=principal.name, revision=self.point.revision)
        else:
            may_write = origin.may_write and self._runs_own(room, principal)
            rights = Open() if origin.by_method else self.point
            view = compile_view(rights, principal, self.disk, may_write=may_write, top=top)
        if errand is not None:
            errand.check(view)
        return replace(view, besides=besides, program=program)

    def besides(self, principal: Principal, program: Resource) -> frozenset[str]:
        """What a rule gives a process of `principal` besides the contents."""
        # Without a root of its own all sockets in folders would come with the machine's.
        can = self.backend is None or self.backend.has_root
        return frozenset(
            right
            for right in BESIDES
            if (can or right != "network") and by_rule(self.point, principal, right, program)
        )

    def with_company(self, room: Room, view: View) -> View:
        """Of `view`, what whoever has shared the process may touch too, or has had in it.

        What they have sent may still wait for the process, and reach the next one.
        """
        had = room.view
        if had is None or all(self.joins(each, view) for each in room.company):
            return view
        return narrowed(view, had)

    def joins(self, principal: Principal, view: View) -> bool:
        """Whether `principal` may, by the rights of now, touch all that is in `view`."""
        try:
            now = self.point.principal(
                principal.name, token=principal.token, session=principal.session,
                must_exist=self.point.directory.knows(principal.name),
            )  # fmt: skip
        except AuthorizationError:
            return False
        return covers(self.point, now, view)[0]

    def _runs_own(self, room: Room, principal: Principal) -> bool:
        """Whether all that runs in `room` is its owner's own code."""
        return (
            room.origin.by_method
            or room.type == "terminals"
            or runs_own_code(self.point, principal, room.resource)
        )

    def principal(self, origin: Origin) -> Principal:
        """The owner with the groups of now.

        Raises:
            CannotConfine: there is no such person any more.
        """
        was = origin.principal
        known = self.point.directory.knows(was.name)
        try:
            return self.point.principal(
                was.name, token=was.token, session=was.session, must_exist=known
            )
        except AuthorizationError as error:
            raise CannotConfine(str(error)) from error

    @contextlib.contextmanager
    def box(
        self, room: Room, *needed: str, cwd: str = "", terminal: bool = False
    ) -> Iterator[Box]:
        """All that the process in `room` gets, by the policy of now.

        Args:
            needed: absolute paths of programs besides the Python environment.
            cwd: the folder to start in, where the process is shown it.

        Raises:
            AuthorizationError: it may not run, or not be confined.
        """
        if self.backend is None:
            raise CannotConfine(self.missing)
        view = self.with_company(room, self.view(room))
        principal = room.origin.principal
        keeps = room.errand is None and self._runs_own(room, principal)
        mounts: list[Mount] = []
        try:
            since = self.point.state.since(principal.name)
            home = home_in(self.folder, self._home_of(room, view), is_kept=keeps, since=since)
            if keeps:
                mounts.append(Mount(source=os.open(home, OPEN), at=home, writable=True))
            temporary = TEMPORARY
            if not self.backend.has_root:
                # What a root of its own would hold of itself has to have a place.
                scratch = new_scratch(room, self.runtime_folder())
                mounts.append(Mount(source=os.open(scratch, OPEN), at=scratch, writable=True))
                home = home if keeps else f"{scratch}/home"
                temporary = f"{scratch}/temporary"
            mounts += contents_in(self.disk, view)
            mounts += self.extra.opened(mounts="mounts" in view.besides)
            among, elsewhere = programs.among(self.disk, needed)
            mounts += programs.opened(self.disk, among, mounts)
            mounts += own_in(room, INSIDE if self.backend.has_root else "")
            own = self._own()
            yield Box(
                system=system_paths(
                    *elsewhere,
                    apart=(*own, Path.home()),
                    contents=None if self.disk is None else self.disk.root,
                ),
                hidden=(*map(str, own), *private()),
                mounts=tuple(mounts),
                home=home,
                user=account(principal.name),
                cwd=start_in(self.disk, view, cwd),
                terminal=terminal,
                network="network" in view.besides,
                internet="internet" in has_besides(view) and "network" not in view.besides,
                opened=self.opened,
                devices=self.extra.nodes() if "devices" in view.besides else (),
                temporary=temporary,
                processes=self.processes,
                memory=self.memory,
                bounds=self.bounds,
            )
        except OSError as error:
            msg = f"the process could not be given its folders: {error}"
            raise CannotConfine(msg) from error
        finally:
            for mount in mounts:
                with contextlib.suppress(OSError):
                    os.close(mount.source)
        room.view, room.keeps, room.lacks = view, keeps, False
        if room.errand is None:
            self.told()
        for path, why in view.left_out:
            _log.info("a process of %s is not shown %s: %s", principal.name, path, why)

    def _own(self) -> tuple[Path, ...]:
        """What no process is shown with the system, wherever it is: the server's own."""
        own = (*self.extra.kept, self.folder.absolute())
        return own if self.disk is None else (*own, self.disk.root)

    def look_again(self, room: Room, met: AbstractSet[Principal]) -> None:
        """Raise unless the process in `room` may still have what it was given.

        Others were served while it was begun, and what they did may have changed that.

        Args:
            met: who had shared it before it was begun.

        Raises:
            Overtaken: it was given more.
            AuthorizationError: it may not run at all.
        """
        given = room.view
        if given is None:
            return
        is_less = given.revision != self.point.revision and is_wider(given, self.view(room))
        # What somebody has sent meanwhile, by what was shown before, waits for this one.
        if is_less or not all(self.joins(each, given) for each in room.company - met):
            msg = f"`{given.principal}` may have less by now than it was begun with; start again"
            raise Overtaken(msg)

    def unconfine(self, room: Room) -> tuple[str, str]:
        """Let the process in `room` run unconfined, as `let_out`; its home and account."""
        principal = self.let_out(room)
        if room.folder is not None and not self._runs_own(room, principal):
            home = room.folder / "home"
            home.mkdir(exist_ok=True, mode=0o700)
            return str(home), account(principal.name)
        since = self.point.state.since(principal.name)
        kept = home_in(self.folder, file_name(principal.name), since=since)
        return kept, account(principal.name)

    def let_out(self, room: Room) -> Principal:
        """Record that nothing confines the process in `room`, or raise; its owner."""
        principal = self.principal(room.origin)
        why = self.why_confined(room, principal)
        if why:
            raise CannotConfine(why)
        fields: dict[str, Value] = {
            "process": room.resource.name,
            "path": room.origin.path,
            "token": principal.token,
            "sandbox": "unconfined",
        }
        try:
            self.point.audit.event("unconfined", actor=principal.name, fields=fields)
        except OSError as error:
            msg = "a process that nothing confines cannot be recorded, so it is not started"
            raise CannotConfine(msg) from error
        _log.warning("a process of %s runs unconfined", principal.name)
        room.unconfined = True
        room.view = View(principal=principal.name, revision=self.point.revision)
        self.told()
        return principal

    def why_confined(self, room: Room, principal: Principal) -> str:
        """Why the process in `room` may not run unconfined; empty where it may."""
        by_method = room.origin.by_method
        if not by_method and not may_execute(self.point, principal, room.resource):
            return f"`{principal.name}` may not run code here any more"
        return "" if may_be_unconfined(self.point, principal) else self.elsewhere or self.missing

    def _home_of(self, room: Room, view: View) -> str:
        """Name of the home of whose process it is.

        A token that may less than its owner has its own, or what it plants there would run
        in the owner's next kernel.
        """
        principal = room.origin.principal
        if principal.token is None:
            return file_name(principal.name)
        if principal.scope is None:
            owner = replace(principal, token=None)
            full = self.view(replace(room, origin=replace(room.origin, principal=owner)))
            shows_the_same = (full.read_only, full.writable) == (view.read_only, view.writable)
            now = self.principal(room.origin)
            if shows_the_same and have_the_same(self.point, now, owner, room.program):
                return file_name(principal.name)
        return file_name(f"token:{principal.token}")
