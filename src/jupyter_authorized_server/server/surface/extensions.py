"""Surface of the smaller server extensions: terminals, resource usage, file ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import mistakes
from ...errors import Nowhere
from . import places as at
from .core import INSPECT, USE, ask, asks, to_guests
from .table import Route, Unanswerable
from .whole import plain

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call

_TERMINAL = at.terminal()


def _of_query(call: Call) -> tuple[Resource, ...]:
    # An id is issued for any text; so it is for one spelling of what is there.
    return at.contents(call, plain(call, call.query("path")))


def _of_id(call: Call) -> tuple[Resource, ...]:
    """The file behind an id, wherever it is now.

    Raises:
        Unanswerable: no id is given.
        Nowhere: there is none.
    """
    if "id" not in call.request.query_arguments:
        raise Unanswerable(400, mistakes.FILE_BY_ID)
    path = call.settings["file_id_manager"].get_path(call.query("id"))
    if not isinstance(path, str):
        msg = "no file has this id"
        raise Nowhere(msg)
    return at.contents(call, path)


ROUTES: tuple[Route, ...] = (
    Route(
        handler="jupyter_server_terminals.api_handlers.TerminalRootHandler",
        methods={
            # The list holds what may be watched; see `doors.lists`.
            "GET": to_guests(asks("terminals", USE)),
            "POST": asks(
                "terminals",
                ask("launch", "contents", at.body_path("cwd")),
                ask("start", "terminals", at.new_terminal),
            ),
        },
    ),
    Route(
        handler="jupyter_server_terminals.api_handlers.TerminalHandler",
        methods={
            "GET": asks("terminals", ask("view", "terminals", _TERMINAL)),
            "DELETE": asks("terminals", ask("end", "terminals", _TERMINAL)),
        },
    ),
    Route(
        handler="jupyter_server_terminals.handlers.TermSocket",
        # What is typed is asked about as it comes; see `doors.terminals`.
        methods={"GET": asks("terminals", ask("view", "terminals", _TERMINAL), inside=True)},
    ),
    Route(handler="jupyter_resource_usage.api.ApiHandler", methods={"GET": INSPECT}),
    Route(
        handler="jupyter_resource_usage.api.KernelUsageHandler",
        methods={"GET": asks("kernels", ask("watch", "kernels", at.kernel_group(0)))},
    ),
    Route(
        handler="jupyter_server_fileid.handler.FileIDHandler",
        methods={"GET": asks("contents", ask("open", "contents", _of_query))},
    ),
    Route(
        handler="jupyter_server_fileid.handler.FilePathHandler",
        methods={"GET": asks("contents", ask("open", "contents", _of_id))},
    ),
)
