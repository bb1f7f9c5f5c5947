"""What each confined process gets, and that it gets nothing else: view, home, sockets."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from weakref import WeakKeyDictionary

from ..errors import AuthorizationError, ConfigurationError
from ..policy.model import Resource
from ..policy.paths import ancestors, canonical
from .bubblewrap import Box, CannotConfine, Confined, Mount, start
from .view import View, compile_view, may_execute, runs_own_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal
    from .disk import Disk

_log = logging.getLogger(__name__)

#: What a process inherits of the server's environment: language and zone, no secret.
_INHERITED = ("LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM")
_NAME_BYTES = 200
#: Bytes that the path of a socket can have.
_SOCKET_PATH = 107
_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose a process is, fixed at its first start.

    Args:
        path: canonical contents path it was started for; None where there was none.
    """

    principal: Principal
    path: str | None


@dataclass(slots=True, kw_only=True)
class Room:
    """What one kernel has of its own on the machine, over all its restarts.

    Args:
        folder: private folder of its connection file and sockets.
        log: file of what its process prints.
    """

    origin: Origin
    kernel_id: str
    folder: Path
    log: Path
    view: View | None = None
    running: Confined | None = None

    @property
    def resource(self) -> Resource:
        """The kernel as the policy asks about it."""
        path = self.origin.path
        return Resource(
            type="kernels",
            id=self.kernel_id,
            within=() if path is None else ancestors(path),
            owner=self.origin.principal.name,
        )

    @property
    def connection_file(self) -> Path:
        """Where the server writes it; the kernel can only read it."""
        return self.folder / "kernel.json"

    @property
    def sockets(self) -> Path:
        """The one folder that kernel and server share."""
        return self.folder / "s"


@dataclass(slots=True, kw_only=True)
class Launcher:
    """Starts the processes of kernels and terminals, each in the view of its owner.

    Args:
        bwrap: path of bubblewrap; empty where nothing here confines.
        missing: why nothing confines, with the remedy.
        folder: for the homes and logs.
        system: absolute paths that each process may read besides the system's.
    """

    point: DecisionPoint
    disk: Disk | None
    folder: Path
    bwrap: str = ""
    missing: str = ""
    system: tuple[str, ...] = ()
    origins: WeakKeyDictionary[Any, Origin] = field(default_factory=WeakKeyDictionary)
    rooms: dict[str, Room] = field(default_factory=dict)
    _runtime: Path | None = None

    def origin(self, manager: object) -> Origin:
        """Whose the kernel of `manager` is.

        Raises:
            CannotConfine: nobody's; it was not started through the server's own doors.
        """
        found = self.origins.get(manager)
        if found is None:
            msg = "a kernel that nobody has started is nobody's, so it is not started"
            raise CannotConfine(msg)
        return found

    def room(self, kernel_id: str, origin: Origin) -> Room:
        """A place for a new kernel, made now."""
        token = secrets.token_hex(12)
        folder = self._runtime_folder() / token
        sockets = folder / "s"
        sockets.mkdir(parents=True, mode=0o700)
        longest = sockets / "k-10"
        if len(os.fsencode(longest)) > _SOCKET_PATH:
            msg = f"`{longest}` is too long for a socket; set `TMPDIR` to a shorter folder"
            raise ConfigurationError(msg)
        logs = self.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        room = Room(origin=origin, kernel_id=kernel_id, folder=folder, log=logs / f"{token}.log")
        self.rooms[kernel_id] = room
        return room

    def _runtime_folder(self) -> Path:
        if self._runtime is None:
            base = os.environ.get("XDG_RUNTIME_DIR")
            fits = base is not None and os.access(base, os.W_OK)
            self._runtime = Path(tempfile.mkdtemp(prefix="jk-", dir=base if fits else None))
        return self._runtime

    def leave(self, room: Room) -> None:
        """Remove what `room` has on the disk."""
        if self.rooms.get(room.kernel_id) is room:
            del self.rooms[room.kernel_id]
        shutil.rmtree(room.folder, ignore_errors=True)
        room.log.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder of all sockets."""
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None

    def view(self, room: Room) -> View:
        """What the process in `room` may touch by the policy of now.

        Raises:
            CannotConfine: its owner may not run anything in it any more.
            AuthorizationError: it cannot be shown all that it should be.
        """
        origin = room.origin
        principal = self.principal(origin)
        if not may_execute(self.point, principal, room.resource):
            msg = f"`{principal.name}` may not run code here any more"
            raise CannotConfine(msg)
        if self.disk is None:
            return View(principal=principal.name, revision=self.point.revision)
        own = runs_own_code(self.point, principal, room.resource)
        return compile_view(self.point, principal, self.disk, may_write=own)

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

    def launch(
        self,
        room: Room,
        command: Sequence[str],
        *,
        spec: tuple[Mapping[str, str], str],
        cwd: str = "",
    ) -> Confined:
        """Run `command` for the kernel in `room`, in the view of its owner.

        Args:
            spec: the kernelspec's environment, and its folder.
            cwd: the folder to start in, where the process is shown it.

        Raises:
            AuthorizationError: it does not run.
        """
        if not self.bwrap:
            raise CannotConfine(self.missing)
        view = self.view(room)
        principal = room.origin.principal
        keeps = runs_own_code(self.point, principal, room.resource)
        variables, folder = spec
        mounts: list[Mount] = []
        try:
            home = self._home(principal.name, mounts if keeps else None)
            mounts += self._contents(view)
            mounts.append(Mount(source=os.open(room.folder, _OPEN), at=str(room.folder)))
            sockets = Mount(
                source=os.open(room.sockets, _OPEN), at=str(room.sockets), writable=True
            )
            mounts.append(sockets)
            box = Box(
                system=system_paths(command[0], folder, *self.system),
                mounts=tuple(mounts),
                home=home,
                user=_word(principal.name),
                cwd=self._cwd(view, cwd),
            )
            with room.log.open("w+b") as log:
                room.log.chmod(0o600)
                room.running = start(
                    self.bwrap,
                    box,
                    command,
                    environment=environment(home, box.user, variables),
                    output=log,
                )
        except OSError as error:
            msg = f"the process could not be given its folders: {error}"
            raise CannotConfine(msg) from error
        finally:
            for mount in mounts:
                with contextlib.suppress(OSError):
                    os.close(mount.source)
        room.view = view
        for path, why in view.left_out:
            _log.info("a kernel of %s is not shown %s: %s", principal.name, path, why)
        return room.running

    def _contents(self, view: View) -> list[Mount]:
        disk = self.disk
        if disk is None:
            return []
        made = []
        for path in sorted({*view.read_only, *view.writable}, key=lambda p: p.count("/") + len(p)):
            try:
                source = disk.open(path)
            except OSError as error:
                # It was a folder a moment ago; whatever it is now is not what was granted.
                _log.warning("a kernel is not shown %s, which has changed: %s", path, error)
                continue
            at = disk.place(path)
            made.append(Mount(source=source, at=at, writable=path in view.writable))
        return made

    def _home(self, name: str, mounts: list[Mount] | None) -> str:
        """Path of the home of `name`; in `mounts` too, where it is kept."""
        homes = self.folder / "homes"
        homes.mkdir(parents=True, exist_ok=True, mode=0o700)
        home = homes / _file_name(name)
        if mounts is not None:
            home.mkdir(exist_ok=True, mode=0o700)
            mounts.append(Mount(source=os.open(home, _OPEN), at=str(home), writable=True))
        return str(home)

    def _cwd(self, view: View, cwd: str) -> str:
        if not cwd or self.disk is None:
            return ""
        try:
            inside = Path(cwd).resolve().relative_to(self.disk.root)
            path = canonical("/" + inside.as_posix())
        except ValueError:
            return ""
        return self.disk.place(path) if view.reads(path) else ""


def _file_name(name: str) -> str:
    quoted = quote(name.replace(":", "-", 1), safe="")
    if len(quoted) <= _NAME_BYTES:
        return quoted
    return quoted[:100] + hashlib.sha256(name.encode()).hexdigest()


def _word(name: str) -> str:
    """`name` as a Unix account can be called."""
    bare = re.sub(r"[^a-z0-9_]+", "-", name.partition(":")[2].lower()).strip("-")[:30]
    return bare if bare[:1].isalpha() else f"u-{bare}".rstrip("-")


def environment(home: str, user: str, extra: Mapping[str, str]) -> dict[str, str]:
    """All the variables that a confined process has.

    Args:
        extra: those of the kernelspec.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("LC_")
    }
    packages = f"{home}/.packages"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/bash",
        # Where `pip install` puts what somebody installs, since all else is read-only.
        "PYTHONPATH": packages,
        "PIP_TARGET": packages,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONNOUSERSITE": "1",
        **inherited,
        **extra,
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "TMPDIR": "/tmp",  # noqa: S108  # why: the sandbox's own
    }


def system_paths(*paths: str) -> tuple[str, ...]:
    """The folders that hold the Python environment and `paths`, to be read.

    For a program in another environment, such as a kernel's, that environment.
    """
    found: dict[str, None] = {}
    for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *paths):
        for each in _environment_of(path):
            if each != "/" and os.path.exists(each):  # noqa: PTH110  # why: texts
                found.setdefault(each)
    return tuple(found)


def _environment_of(path: str) -> list[str]:
    if not os.path.isabs(path):  # noqa: PTH117  # why: texts
        return []
    place = Path(path)
    if place.is_dir():
        return list(dict.fromkeys((path, str(place.resolve()))))
    prefix = place.parent.parent
    if not ((prefix / "pyvenv.cfg").exists() or (prefix / "conda-meta").exists()):
        return [path]
    base = Path(os.path.realpath(place)).parent.parent
    return list(dict.fromkeys((str(prefix), str(prefix.resolve()), str(base))))
