"""What is found out about what one person's processes, or one kernel, reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .reach import as_shown, attempts, reach, room_for
from .room import Room
from .view import may_execute

if TYPE_CHECKING:
    from .given import Given
    from .launch import Launcher
    from .reach import Tried, Walked
    from .room import Origin
    from .shown import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose process is tried, and for which file; which kernel, where it is one that runs."""

    origin: Origin
    kernel: str = ""
    shown: Shown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found out about one: the attempts by the processes that make them."""

    name: str
    shown: Shown | None
    walked: Walked
    given: list[dict[str, Any]]
    attempts: list[tuple[str, Tried]]

    @property
    def is_beyond(self) -> bool:
        """Whether anything is reached that must not be."""
        return bool(self.walked.reached) or any(each.is_beyond for _, each in self.attempts)


def found_of(launcher: Launcher, given: Given, asked: Asked, own: tuple[str, ...]) -> Found:
    """Try what is `asked`, in real sandboxes; this takes a while.

    Args:
        own: absolute paths of the server's own, to be looked for too.

    Raises:
        AuthorizationError: it could not be tried.
    """
    name, shown = asked.origin.principal.name, asked.shown
    if shown is None:
        besides = given.to(launcher.principal(asked.origin))
        rooms = _rooms(launcher, given, asked.origin)
    else:
        launcher = as_shown(launcher, shown)
        besides = [given.has(shown.view.program, shown.view.besides)]
        room, _ = room_for(launcher, asked.origin, asked.kernel)
        room.spec = shown.view.program.id
        rooms = {room.resource.name: room}
    walked = reach(launcher, asked.origin, kernel=asked.kernel, own=own)
    attempted = [
        (names, each) for names, room in rooms.items() for each in attempts(launcher, room)
    ]
    return Found(name=name, shown=shown, walked=walked, given=besides, attempts=attempted)


def _rooms(launcher: Launcher, given: Given, origin: Origin) -> dict[str, Room]:
    """A place for each kind of process that has something else besides, by those it stands for."""
    point = launcher.point
    first, principal = room_for(launcher, origin, "")
    if not may_execute(point, principal, first.resource):
        return {}
    found: dict[frozenset[str], tuple[Room, list[str]]] = {}
    for program in given.programs(principal):
        kind = "terminals" if program.type == "terminals" else "kernels"
        room = Room(origin=first.origin, type=kind, id="", spec=program.id)
        if may_execute(point, principal, room.resource):
            has = launcher.besides(principal, room.program)
            found.setdefault(has, (room, []))[1].append(program.name)
    # Who may run code and start nothing may join in what others have started.
    return {", ".join(names): room for room, names in found.values()} or {"kernels:": first}
