"""Surface of jupyter-collaboration: the rooms in which documents are edited together.

A room is named by the id of its file, so it is asked about as that file, wherever that
is now. What is sent in one is asked about as it comes; see `doors.rooms`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...errors import Nowhere
from . import places as at
from .core import ADMIN, ask, asks
from .table import Route
from .whole import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...policy.model import Resource
    from .call import Call

_YDOC = "jupyter_server_ydoc.handlers."
#: The room in which pages tell who is there; it has no file.
GLOBAL = "JupyterLab:globalAwareness"


def room_of(path: str) -> str:
    """The name of the room that a request for `path` opens, as its handler reads it."""
    return path.rpartition("/")[2]


def path_of(settings: Mapping[str, Any], room: str) -> str:
    """The contents path of the file of a room, or of what the room is a fork of.

    Raises:
        Nowhere: it is the room of no file.
    """
    forks: Mapping[str, Mapping[str, str]] = getattr(
        sys.modules.get(_YDOC.rstrip(".")), "FORK_ROOMS", {}
    )
    if room in forks:
        room = forks[room]["root_roomid"]
    parts = room.split(":", 2)
    found = settings["file_id_manager"].get_path(parts[2]) if len(parts) == 3 else None  # noqa: PLR2004  # why: format, type, id
    if not isinstance(found, str):
        msg = "no file has this room"
        raise Nowhere(msg)
    return found


def _file(call: Call, room: str) -> tuple[Resource, ...]:
    # A room follows no link, see `acting.STRAIGHT`; so it is that of no link.
    return at.contents(call, plain(call, path_of(call.settings, room)))


def _opened(call: Call) -> tuple[Resource, ...] | None:
    room = room_of(call.request.path)
    return _file(call, room) if room.count(":") > 1 else None


def _forked(call: Call) -> tuple[Resource, ...] | None:
    room = room_of(call.request.path)
    forks = getattr(sys.modules.get(_YDOC.rstrip(".")), "FORK_ROOMS", {})
    return _file(call, room) if room in forks else None


def _of_all(call: Call) -> Resource | None:
    return at.SERVER if room_of(call.request.path) == GLOBAL else None


def _of_none(call: Call) -> Resource | None:
    room = room_of(call.request.path)
    known = room == GLOBAL or room.count(":") > 1 or _forked(call) is not None
    return None if known else at.SERVER


def _named(call: Call) -> tuple[Resource, ...]:
    return _file(call, call.group(0))


def _session(call: Call) -> tuple[Resource, ...]:
    # An id is issued for any text; so it is for one spelling of what is there.
    return at.contents(call, plain(call, call.group(0)))


_READ = asks("contents", ask("open", "contents", _named))
_WRITE = asks("contents", ask("save", "contents", _named))

ROUTES: tuple[Route, ...] = (
    Route(
        handler=_YDOC + "YDocWebSocketHandler",
        methods={
            "GET": asks(
                "contents",
                ask("open", "contents", _opened),
                ask("open", "contents", _forked),
                ask("use", "server", _of_all),
                ask("administer", "server", _of_none),
                inside=True,
                service=True,
            )
        },
    ),
    Route(
        handler=_YDOC + "DocSessionHandler",
        methods={"PUT": asks("contents", ask("open", "contents", _session))},
    ),
    # A fork is a copy in which nobody has edited yet, kept beside its document.
    Route(
        handler=_YDOC + "DocForkHandler",
        methods={"GET": _READ, "PUT": _WRITE, "DELETE": _WRITE},
    ),
    # What was in a document once; the rooms that this makes are not told apart.
    Route(handler=_YDOC + "TimelineHandler", methods={"GET": ADMIN}),
    Route(handler=_YDOC + "UndoRedoHandler", methods={"PUT": ADMIN}),
)
