"""Whose a confined process is, and what it has of its own on the machine."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CannotConfine
from ..policy.model import ANONYMOUS, Principal, Resource
from ..policy.paths import ancestors, canonical
from .box import Mount
from .sockets import SOCKETS

if TYPE_CHECKING:
    from .box import Confined
    from .disk import Disk
    from .view import View

_log = logging.getLogger(__name__)

#: People whose rights are asked about again when a process that they share restarts; where
#: more have shared it, it never gets more.
_MOST_COMPANY = 64
OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOBODY = Principal(name=ANONYMOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose a process is, fixed at its first start.

    Args:
        path: canonical contents path it was started for; None where there was none.
        may_read: whether the configuration's own method lets its owner read.
        may_write: whether it lets its owner write.
        by_method: whether that method is the whole policy, and no path has a rule.
    """

    principal: Principal
    path: str | None
    may_read: bool = True
    may_write: bool = True
    by_method: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a program does for somebody on one folder, and ends; it is shown nothing else.

    What a folder makes a program run, others may have put there. So it has no home of whose
    errand it is, and of the contents that folder alone.

    Args:
        folder: its canonical contents path; empty where the program needs none.
        writes: whether it may change what is in the folder, and run what is told there.
        besides: of what a rule gives its owner's kernels besides, what it may use.
    """

    folder: str
    writes: bool = False
    besides: frozenset[str] = frozenset()

    def check(self, view: View) -> None:
        """Raise unless `view` shows the whole folder.

        Raises:
            CannotConfine: it does not.
        """
        if self.folder and not (view.writes if self.writes else view.reads)(self.folder):
            does = "change" if self.writes else "read"
            msg = (
                f"a program works on a folder as a whole, and `{view.principal}` may not always "
                f"{does} all that is in `contents:{self.folder}`"
            )
            raise CannotConfine(msg)


@dataclass(slots=True, kw_only=True)
class Room:
    """What one kernel or terminal has of its own on the machine, over all its restarts.

    Args:
        type: `kernels` or `terminals`.
        id: of the kernel; a name of our own for a terminal.
        folder: private folder of a kernel, with its sockets, or of a program and what it is told.
        spec: name of a kernel's kernelspec.
        scratch: folder of what its process forgets, where that has no root of its own.
        log: file of what a kernel's process prints.
        view: what its process is shown; None where none runs.
        company: who else may have run code in it.
        lacks: whether its owner may have more by now than it is shown.
        keeps: whether it has the home of its owner that is kept.
        stopped: why its process was ended for a change of the policy; else empty.
        unconfined: whether nothing confines its process, since a rule allows that.
        errand: what it does, where it is no kernel but a program that the server runs.
    """

    origin: Origin
    type: str
    id: str
    folder: Path | None = None
    spec: str = ""
    scratch: Path | None = None
    log: Path | None = None
    view: View | None = None
    running: Confined | None = None
    company: set[Principal] = field(default_factory=set)
    lacks: bool = False
    keeps: bool = False
    unconfined: bool = False
    stopped: str = ""
    errand: Errand | None = None

    def hold(self, confined: Confined) -> None:
        """Have `confined` run in it, unless that has been stopped meanwhile; in any thread."""
        self.running = confined
        if self.stopped:
            confined.kill()

    def clear(self) -> None:
        """Remove what it has on the disk."""
        for folder in (self.folder, self.scratch):
            if folder is not None:
                remove(folder, folder.parent)
        if self.log is not None:
            self.log.unlink(missing_ok=True)

    def admit(self, principal: Principal) -> None:
        """Somebody else may run code in it from now on."""
        full = len(self.company) >= _MOST_COMPANY
        self.company.add(_NOBODY if full else principal)

    @property
    def resource(self) -> Resource:
        """The kernel or terminal as the policy asks about it."""
        path = self.origin.path
        return Resource(
            type=self.type,
            id=self.id if self.type == "kernels" else "",
            within=() if path is None else ancestors(path),
            owner=self.origin.principal.name,
        )

    @property
    def program(self) -> Resource:
        """The kernelspec, or a terminal where this one was started, as the policy asks."""
        if self.type == "kernels":
            # Kernelspecs are found without regard to case.
            return Resource(type="kernelspecs", id=self.spec.lower())
        return self.resource

    @property
    def is_over(self) -> bool:
        """Whether a terminal's shell has ended by itself."""
        return self.type == "terminals" and self.running is not None and self.running.is_over


def remove(folder: Path, runtime: Path) -> None:
    """Have nothing be at `folder` now, and what was in it be removed without anybody waiting.

    Whoever's process it was may have put very much into it.

    Args:
        runtime: a folder of the same file system, where it goes until then.
    """
    gone = runtime / f"gone-{secrets.token_hex(8)}"
    try:
        folder.rename(gone)
    except OSError:
        # It is not there, as is wanted, or cannot be moved.
        gone = folder
    if gone.exists():
        threading.Thread(
            target=shutil.rmtree, args=(gone,), kwargs={"ignore_errors": True}
        ).start()


def own_in(room: Room, sockets: str = "") -> list[Mount]:
    """What the next process in `room` has of its own, with nothing of the one before.

    A kernel has a folder for its sockets, a program what it is told, a shell nothing.

    Args:
        sockets: where a kernel has that folder; where the machine has it if empty.
    """
    if room.folder is None:
        return []
    if room.errand is not None:
        return [Mount(source=os.open(room.folder, OPEN), at=str(room.folder))]
    folder = room.folder / SOCKETS
    remove(folder, room.folder.parent)
    folder.mkdir(mode=0o700)
    return [Mount(source=os.open(folder, OPEN), at=sockets or str(folder), writable=True)]


def new_scratch(room: Room, folder: Path) -> str:
    """Path of what the next process in `room` forgets, with nothing of the one before."""
    if room.scratch is not None:
        remove(room.scratch, folder)
    room.scratch = Path(tempfile.mkdtemp(prefix="t-", dir=folder))
    for name in ("home", "temporary"):
        (room.scratch / name).mkdir(mode=0o700)
    return str(room.scratch)


def home_in(folder: Path, name: str, *, is_kept: bool = True, since: float | None = None) -> str:
    """Path of the home called `name`; it is there, where it is kept.

    Args:
        since: when the person whose it is came to be; None where that is not known. A home
            of somebody else's, who had that name before, is set apart.
    """
    homes = folder / "homes"
    homes.mkdir(parents=True, exist_ok=True, mode=0o700)
    home = homes / name
    if is_kept:
        if since is not None:
            _set_apart(folder, home, repr(since))
        home.mkdir(exist_ok=True, mode=0o700)
    return str(home)


def _set_apart(folder: Path, home: Path, since: str) -> None:
    """Move `home` away, start-up files and all, if it is not known to be of who came `since`."""
    marks, left = folder / "owners", folder / "left"
    for each in (marks, left):
        each.mkdir(exist_ok=True, mode=0o700)
    mark = marks / home.name
    known = mark.read_text("ascii") if mark.exists() else since
    if known != since and home.exists():
        place = Path(tempfile.mkdtemp(prefix="home-", dir=left))
        home.rename(place / home.name)
        _log.warning("the home of a former %s is at %s", home.name, place)
    if known != since or not mark.exists():
        mark.write_text(since, "ascii")


def contents_in(disk: Disk | None, view: View) -> list[Mount]:
    """The folders of `view`, the outermost first; whoever asks closes them."""
    made: list[Mount] = []
    if disk is None:
        return made
    shown = {*view.read_only, *view.writable}
    for path in sorted(shown, key=lambda p: p.count("/") + len(p)):
        try:
            source = disk.open(path)
        except OSError as error:
            # It was a folder a moment ago; whatever it is now is not what was granted.
            _log.warning("a kernel is not shown %s, which has changed: %s", path, error)
            continue
        made.append(Mount(source=source, at=disk.place(path), writable=path in view.writable))
    return made


def start_in(disk: Disk | None, view: View, cwd: str) -> str:
    """Where the folder `cwd` of the machine is, if it is in `view`; empty where it is not."""
    if not cwd or disk is None:
        return ""
    try:
        path = canonical("/" + Path(cwd).resolve().relative_to(disk.root).as_posix())
    except ValueError:
        return ""
    return disk.place(path) if view.reads(path) else ""
