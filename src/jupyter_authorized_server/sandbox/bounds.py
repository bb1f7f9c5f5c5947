"""What a sandbox as a whole may hold at any moment: a control group, where one can be made.

It bounds memory and processes whoever the server is, and needs a group that the server may
make groups in: any for root and the older kind, one that is delegated to it for the newer.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CannotConfine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KINDS = ("memory", "pids")
_PREFIX = "jupyter-"
#: Where the server itself goes in a group that is delegated to it: beside those it makes.
_LEAF = "jupyter-server"
#: By the version of control groups: the file of a limit, and of what has been ended for it.
_LIMITS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {"memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), "pids": ("pids.max",)},
    2: {"memory": ("memory.max", "memory.swap.max"), "pids": ("pids.max",)},
}
_EVENTS = {1: "memory.oom_control", 2: "memory.events"}


#: Sandboxes are begun by several threads.
_LEFT = threading.Lock()
_MEBIBYTE = 1 << 20


def too_much(*, held: int, may: int) -> str:
    """What is said of processes that held, or would have held, more memory than they may."""
    return (
        f"its processes held {held // _MEBIBYTE} MiB of memory together, and may "
        f"hold {may // _MEBIBYTE} MiB; use less, or ask for a higher `sandbox_memory`"
    )


@dataclass(slots=True, kw_only=True)
class Bounds:
    """Where control groups are made.

    Args:
        places: by the kind of what is bounded, the folder of the group that holds ours.
        left: groups of ours that could not be removed yet.
    """

    version: int
    places: dict[str, Path]
    left: list[Path] = field(default_factory=list)

    def make(self, *, memory: int, processes: int) -> Bound:
        """A group whose processes hold `memory` bytes and are `processes` with their threads.

        Raises:
            OSError: it cannot be made.
        """
        with _LEFT:
            self.left = [folder for folder in self.left if not _removed(folder)]
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}"
        made = Bound(
            bounds=self,
            memory=memory,
            folders=tuple({place / name for place in self.places.values()}),
        )
        try:
            for folder in made.folders:
                folder.mkdir()
            for kind, most in (("memory", memory), ("pids", processes)):
                first, *more = _LIMITS[self.version][kind]
                (self.places[kind] / name / first).write_text(str(most))
                for other in more:
                    # Swapped pages too, where they are counted: the older kind counts them with
                    # the rest, the newer one apart, which would be so much more.
                    together = most if self.version == 1 else 0
                    with contextlib.suppress(OSError):
                        (self.places[kind] / name / other).write_text(str(together))
        except OSError:
            made.remove()
            raise
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The control group of one sandbox."""

    bounds: Bounds
    memory: int
    folders: tuple[Path, ...]

    def hold(self, process: int) -> None:
        """Put `process` into it, and so all that will come from it.

        Raises:
            OSError: it cannot be put there.
        """
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(process))

    @property
    def is_exceeded(self) -> bool:
        """Whether the machine has ended a process of it for its memory."""
        name = _EVENTS[self.bounds.version]
        for folder in self.folders:
            with contextlib.suppress(OSError):
                for line in (folder / name).read_text("ascii").splitlines():
                    if line.startswith("oom_kill ") and line.split()[1] != "0":
                        return True
        return False

    def remove(self) -> None:
        """Remove it, or later where something in it has not quite ended."""
        with _LEFT:
            self.bounds.left += [folder for folder in self.folders if not _removed(folder)]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def find(kinds: Iterable[str] = _KINDS) -> Bounds:
    """Where control groups can be made; tried by making one.

    Raises:
        CannotConfine: nowhere; the message says why.
    """
    kinds = tuple(kinds)
    try:
        found = _found(kinds)
        for place in found.places.values():
            _sweep(place)
        found.make(memory=1 << 30, processes=1 << 10).remove()
    except (OSError, ValueError, LookupError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        msg = f"no control group can be made here: {said or error}"
        raise CannotConfine(msg) from error
    return found


def _found(kinds: tuple[str, ...]) -> Bounds:
    own = dict(_own())
    if all(kind in own for kind in kinds):
        return Bounds(version=1, places={kind: own[kind] for kind in kinds})
    if "" not in own:
        msg = "none is mounted"
        raise LookupError(msg)
    place = delegated(own[""], kinds)
    return Bounds(version=2, places=dict.fromkeys(kinds, place))


def _own() -> Iterator[tuple[str, Path]]:
    """The control groups that this process is in, by kind; of the newer version by no name."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, kinds, path = line.split(":", 2)
        for kind in kinds.split(","):
            paths[kind] = path
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        words = line.split()
        kind, options = words[words.index("-") + 1], words[-1].split(",")
        names = {"cgroup": options, "cgroup2": [""]}.get(kind, [])
        for name in names:
            if name in paths:
                with contextlib.suppress(ValueError):
                    yield name, Path(words[4], Path(paths[name]).relative_to(words[3]))


def delegated(own: Path, kinds: tuple[str, ...]) -> Path:
    """The group of the newer version in which this process may make others, from its `own`.

    A group with groups in it that are bounded has no process itself, so that the server goes
    into one of its own. It does so only where nobody else is in the group.

    Raises:
        OSError: there is none.
        LookupError: likewise.
    """
    if own.name == _LEAF and _bounds_all(own.parent, kinds):
        return own.parent
    if _bounds_all(own, kinds):
        return own
    if not set(kinds) <= set((own / "cgroup.controllers").read_text("ascii").split()):
        msg = "this server's own bounds nothing; start it in one with `Delegate=yes`"
        raise LookupError(msg)
    asked = " ".join(f"+{kind}" for kind in kinds)
    members = set((own / "cgroup.procs").read_text("ascii").split())
    if members != {str(os.getpid())}:
        msg = "this server is not alone in its own; start it in one with `Delegate=yes`"
        raise LookupError(msg)
    leaf = own / _LEAF
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text(str(os.getpid()))
    try:
        (own / "cgroup.subtree_control").write_text(asked)
    except OSError:
        (own / "cgroup.procs").write_text(str(os.getpid()))
        _removed(leaf)
        raise
    return own


def _bounds_all(group: Path, kinds: tuple[str, ...]) -> bool:
    """Whether the groups in `group` are bounded in all `kinds`."""
    return set(kinds) <= set((group / "cgroup.subtree_control").read_text("ascii").split())


def _sweep(place: Path) -> None:
    """Remove what servers that have ended have left in `place`."""
    for folder in place.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            _removed(folder)
