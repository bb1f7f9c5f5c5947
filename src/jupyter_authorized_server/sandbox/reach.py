"""What a person's process reaches that the policy denies them: tried inside their own view.

A walk over the contents runs in the very sandbox that the person's kernel would get, and
what it could read or change is compared with what the policy decides about each path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CannotConfine
from ..policy.model import Resource
from ..policy.paths import ancestors
from .ceiling import WATCHED
from .launch import Launcher
from .probe import NEEDS, attempted, attempted_without, surrounded
from .room import Room
from .starting import start
from .surroundings import environment
from .view import View, may_execute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal
    from .disk import Disk
    from .room import Origin
    from .shown import Shown

#: Seconds that a walk may take.
_SECONDS = 600
#: Letters of what the walk is told beforehand; one argument has room for few more.
_MOST_TOLD = 100_000
#: What a rule opens, by the right that it gives.
_BY_RULE = {
    "reaches a port of the machine": "network",
    "sends to a socket of the machine": "network",
}
#: What is an attempt only on the folders of the probe of the machine.
_OF_THE_PROBE = {"writes a file to be read", WATCHED}
#: Runs in the sandbox. One JSON line for each thing: path, whether a folder, whether it
#: can be read and changed, how many names it has, whether the server's, device and number
#: on it. Opens nothing but plain files and folders, and leaves nothing in them.
_WALK = """
import errno, json, os, stat, sys
root, kept, waiting = json.loads(sys.argv[1])
def opens(path, folder):
    try:
        if folder:
            os.scandir(path).close()
        else:
            os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW))
    except (OSError, ValueError):
        return False
    return True
def changes(path, folder):
    if not os.access(path, os.W_OK):
        return False
    how = os.O_TMPFILE if folder else os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        os.close(os.open(path, os.O_WRONLY | how, 0o600))
    except OSError as error:
        return error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ETXTBSY)
    return True
def say(name, path, of_the_server):
    try:
        info = os.lstat(path)
    except (OSError, ValueError):
        return False
    folder = stat.S_ISDIR(info.st_mode)
    if folder or stat.S_ISREG(info.st_mode):
        names = 1 if folder else info.st_nlink
        print(json.dumps([name, folder, opens(path, folder), changes(path, folder), names,
                          of_the_server, info.st_dev, info.st_ino]))
    return folder
seen = set()
while waiting:
    inner = waiting.pop()
    here = root + inner
    if inner in seen:
        continue
    seen.add(inner)
    if not say(inner or "/", here, False):
        continue
    try:
        names = sorted(os.listdir(here))
    except OSError:
        continue
    waiting += [inner + "/" + name for name in names]
for path in kept:
    say(path, path, True)
print(json.dumps("done"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Something that a process reaches and the policy denies.

    Args:
        path: canonical contents path, or an absolute one of the server's own.
        how: `reads` or `writes`.
        why: what the policy says, or what is wrong with it.
        told: the same, as whose process it is may know it.
    """

    path: str
    how: str
    why: str
    told: str


class _Thing(NamedTuple):
    path: str
    folder: bool
    reads: bool
    writes: bool
    names: int
    of_the_server: bool
    device: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk found.

    Args:
        things: how many files and folders it came by.
        reached: those that the policy denies.
    """

    things: int
    reached: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Something that a process must not do, and whether it could.

    Args:
        state: `closed`, `open`, or `cannot tell` where it cannot be done without a sandbox either.
        why: it is open, where that is known; empty where it is not.
    """

    what: str
    state: str
    why: str = ""

    @property
    def is_beyond(self) -> bool:
        """Whether it is open, and nothing says that it is."""
        return self.state == "open" and not self.why


@dataclass(slots=True, kw_only=True)
class _AsShown(Launcher):
    """Shows a process what another was shown, whatever the policy says now."""

    was: View

    def view(self, room: Room) -> View:
        """What that other was shown."""
        return self.was if room.type == "kernels" else Launcher.view(self, room)


def as_shown(launcher: Launcher, shown: Shown) -> Launcher:
    """`launcher`, for which a kernel is the one that runs and was `shown` that.

    Raises:
        CannotConfine: it does not have what is known of it.
    """
    disk, mounts = launcher.disk, shown.mounts
    if disk is not None and mounts is not None:
        known = {disk.place(path) for path in (*shown.view.read_only, *shown.view.writable)}
        root = f"{str(disk.root).rstrip('/')}/"
        has = {at for at in mounts if f"{at}/".startswith(root)}
        if has ^ known:
            msg = (
                f"`{min(has ^ known)}` is mounted for the kernel, or was to be, and not both; "
                "see that `--root` is the contents root of its server"
            )
            raise CannotConfine(msg)
    given = {each.name: getattr(launcher, each.name) for each in fields(launcher)}
    return _AsShown(**given, was=shown.view)


def attempts(launcher: Launcher, room: Room) -> list[Tried]:
    """What a process in `room` can do besides reading and changing files.

    Raises:
        CannotConfine: nothing confines here.
        AuthorizationError: the view cannot be made.
    """
    backend = launcher.backend
    if backend is None:
        raise CannotConfine(launcher.missing)
    with surrounded() as (_, around):
        told = {**around, "many": 0}
        without = attempted_without({**told, "changes": False})
        try:
            with launcher.box(room, sys.executable) as box:
                within = attempted(backend, box, {**told, "home": box.home})
        except CannotConfine as error:
            return [Tried(what="all", state="cannot tell", why=f"it is not started: {error}")]
    besides = frozenset() if room.view is None else room.view.besides
    found = []
    for what, succeeded in within.items():
        right = _BY_RULE.get(what, "")
        if what.startswith(NEEDS) or what in _OF_THE_PROBE:
            continue
        if not succeeded:
            found.append(Tried(what=what, state="closed" if without[what] else "cannot tell"))
        elif what in backend.leaves_open:
            why = f"{backend.name} keeps no process from it"
            found.append(Tried(what=what, state="open", why=why))
        else:
            why = f"a rule gives it `{right}`" if right in besides else ""
            found.append(Tried(what=what, state="open", why=why))
    return found


def reach(
    launcher: Launcher, origin: Origin, *, kernel: str = "", own: tuple[str, ...] = ()
) -> Walked:
    """What a kernel started by `origin` reaches against the policy of now.

    Whoever may run nothing reaches nothing.

    Args:
        kernel: its id, where `launcher` is `as_shown`; empty for one that might be started.
        own: absolute paths of the server's own, to be looked for too.

    Raises:
        CannotConfine: it could not be tried; the message says why.
        AuthorizationError: the view cannot be made.
    """
    room, principal = room_for(launcher, origin, kernel)
    if not kernel and not may_execute(launcher.point, principal, room.resource):
        return Walked(things=0, reached=())
    things = list(_walk(launcher, room, own))
    found = [each for thing in things for each in _denied(launcher.point, principal, thing)]
    return Walked(things=len(things), reached=tuple(found))


def room_for(launcher: Launcher, origin: Origin, kernel: str) -> tuple[Room, Principal]:
    """The place of a kernel of `origin`, and its owner as now.

    Args:
        kernel: its id; empty for one that might be started where `origin` may run code.

    Raises:
        CannotConfine: there is no such person any more.
    """
    principal = launcher.principal(origin)
    if not kernel:
        origin = _where_code_runs(launcher.point, principal, origin)
    return Room(origin=origin, type="kernels", id=kernel), principal


def _where_code_runs(point: DecisionPoint, principal: Principal, origin: Origin) -> Origin:
    """`origin` with a place for whose files that principal may run code, where there is one."""
    for path in (origin.path, *sorted(point.snapshot.signposts(principal))):
        found = replace(origin, path=path)
        room = Room(origin=found, type="kernels", id="")
        if may_execute(point, principal, room.resource):
            return found
    return origin


def _walk(launcher: Launcher, room: Room, own: tuple[str, ...]) -> Iterator[_Thing]:
    disk, backend = launcher.disk, launcher.backend
    if disk is None:
        return
    if backend is None:
        raise CannotConfine(launcher.missing)
    begins = _beginnings(launcher.view(room), disk)
    asked = json.dumps([str(disk.root).rstrip("/"), own, begins])
    command = [sys.executable, "-I", "-S", "-c", _WALK, asked]
    with tempfile.TemporaryFile() as output:
        with launcher.box(room, command[0]) as box:
            # Nothing is said of the network, and none is needed.
            box.internet = False
            confined, process = start(
                backend, box, command,
                environment=environment(box.home, box.user, {}, box.temporary), output=output,
            )  # fmt: skip
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired as error:
            confined.kill()
            process.wait()
            msg = f"the walk through the contents took longer than {_SECONDS} seconds"
            raise CannotConfine(msg) from error
        finally:
            confined.close()
        output.seek(0)
        said = [json.loads(line) for line in output]
    if not said or said[-1] != "done":
        msg = "the walk through the contents broke off"
        raise CannotConfine(msg)
    for each in said[:-1]:
        thing = _Thing(*each)
        if _is_real(thing, thing.path if thing.of_the_server else disk.place(thing.path)):
            yield thing


def _beginnings(view: View, disk: Disk) -> list[str]:
    """Where the walk begins: the top, what is shown, and what stands beside the way to it.

    Where a folder on the way cannot be listed, it is known what is in it all the same.
    """
    shown = [*view.read_only, *view.writable]
    above = dict.fromkeys(each for path in shown for each in ancestors(path)[1:])
    found = [
        f"{folder.rstrip('/')}/{name}"
        for folder in ("/", *above)
        for name, kind in disk.entries(folder)
        if kind in {"folder", "file"}
    ]
    begins = list(dict.fromkeys(["", *(path.rstrip("/") for path in shown), *found]))
    while len(json.dumps(begins)) > _MOST_TOLD:
        begins = begins[: len(begins) // 2]
    return begins


def _is_real(thing: _Thing, place: str) -> bool:
    """Whether it is what the machine has at `place`, and not the sandbox's own stand-in."""
    try:
        info = os.lstat(place)
    except (OSError, ValueError):
        return False
    return (info.st_dev, info.st_ino) == (thing.device, thing.number)


def _denied(point: DecisionPoint, principal: Principal, thing: _Thing) -> Iterator[Reached]:
    if thing.of_the_server:
        for how, does in (("reads", thing.reads), ("writes", thing.writes)):
            if does:
                why = "it is the server's own"
                yield Reached(path=thing.path, how=how, why=why, told=why)
        return
    reading, writing = ("list", "create") if thing.folder else ("open", "save")
    for how, does, action in (("reads", thing.reads, reading), ("writes", thing.writes, writing)):
        why, told = _why_not(point, principal, action, thing) if does else ("", "")
        if why and not (how == "reads" and thing.folder and _leads_on(point, principal, thing)):
            yield Reached(path=thing.path, how=how, why=why, told=told)


def _why_not(
    point: DecisionPoint, principal: Principal, action: str, thing: _Thing
) -> tuple[str, str]:
    """What the policy says against `action`, to all and to that person; empty where it allows."""
    # A file of several names may be under several rules; see `server.surface.places`.
    for path in (thing.path, "/") if thing.names > 1 else (thing.path,):
        on = Resource(type="contents", id=path)
        decision = point.decide(principal, action, on, door="sandbox", record=False)
        if not decision.allowed:
            other = "" if path == thing.path else "; it has other names, which nobody can list"
            said = decision.reason_user
            return f"{decision.reason_admin or said}{other}", f"{said}{other}"
    return "", ""


def _leads_on(point: DecisionPoint, principal: Principal, thing: _Thing) -> bool:
    """Whether a folder is there only for the way to what may be read."""
    return bool(point.ways(principal, thing.path, door="sandbox"))
