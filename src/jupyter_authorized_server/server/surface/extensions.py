"""Surface of the smaller server extensions: terminals, resource usage, file ids."""

from __future__ import annotations

from . import places as at
from .core import ADMIN, INSPECT, ask, asks
from .table import Route

_TERMINAL = at.named("terminals", 0)

ROUTES: tuple[Route, ...] = (
    Route(
        handler="jupyter_server_terminals.api_handlers.TerminalRootHandler",
        methods={
            "GET": asks("terminals", ask("view", "terminals", at.every("terminals"))),
            "POST": asks("terminals", ask("start", "terminals", at.every("terminals"))),
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
        methods={
            "GET": asks(
                "terminals",
                ask("type", "terminals", _TERMINAL),
                ask("view", "terminals", _TERMINAL),
            )
        },
    ),
    Route(handler="jupyter_resource_usage.api.ApiHandler", methods={"GET": INSPECT}),
    Route(
        handler="jupyter_resource_usage.api.KernelUsageHandler",
        methods={"GET": asks("kernels", ask("watch", "kernels", at.kernel_group(0)))},
    ),
    # A file id is issued for any text and tells whether a path exists; closed until
    # ids are judged by the path behind them.
    Route(handler="jupyter_server_fileid.handler.FileIDHandler", methods={"GET": ADMIN}),
    Route(handler="jupyter_server_fileid.handler.FilePathHandler", methods={"GET": ADMIN}),
)
