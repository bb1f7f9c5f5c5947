"""Surface of jupyter-server-proxy and jupyter-archive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import Nowhere
from . import places as at
from . import ports
from .core import ADMIN, INSPECT, ask, asks
from .table import Asks, Route
from .whole import all_in, plain

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call

_PROXY = "jupyter_server_proxy."
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FORWARDED = replace(ADMIN, forwards=True)
_EVERY = dict.fromkeys(_METHODS, _FORWARDED)
#: A port is its owner's; whoever listens in somebody's kernel was let into it.
_OWN_PORT = Asks(
    resource="kernels",
    questions=(
        ask("run", "kernels", ports.forwarded("kernels")),
        ask("type", "terminals", ports.forwarded("terminals")),
        ask("administer", "server", ports.nobodys),
    ),
    forwards=True,
)


def _packed(call: Call) -> tuple[Resource, ...]:
    """The folder that is packed.

    Raises:
        Nowhere: hidden files are asked for, which are not there for anybody, or a file.
    """
    if _with_hidden(call) and not call.settings["contents_manager"].allow_hidden:
        msg = "hidden files are asked for"
        raise Nowhere(msg)
    found = at.place(call, plain(call, call.group(0)))
    if found.kind == "file":
        msg = "a folder is packed, and this is a file"
        raise Nowhere(msg)
    return at.resources(found)


def _in_it(call: Call) -> tuple[Resource, ...]:
    top = plain(call, call.group(0))
    follows = call.query("followSymlinks", "true") == "true"
    found = all_in(call, top, follows=follows)
    if _with_hidden(call):
        return found
    return tuple(on for on in found if "/." not in on.id.removeprefix(top.rstrip("/")))


def _with_hidden(call: Call) -> bool:
    return call.query("downloadHidden") == "true"


ROUTES: tuple[Route, ...] = (
    Route(
        handler=_PROXY + "handlers.LocalProxyHandler",
        patterns=(r"/proxy/(\d+)(/.*|)", r"/proxy/absolute/(\d+)(/.*|)"),
        methods=dict.fromkeys(_METHODS, _OWN_PORT),
    ),
    # Another machine's ports, and programs that the server starts in its own account.
    *(
        Route(handler=_PROXY + name, methods=_EVERY)
        for name in (
            "handlers.RemoteProxyHandler",
            "handlers.NamedLocalProxyHandler",
            "handlers.SuperviseAndProxyHandler",
            "handlers.AddSlashHandler",
            "rawsocket.RawSocketHandler",
            "rawsocket.SuperviseAndRawSocketHandler",
        )
    ),
    Route(handler=_PROXY + "api.ServersInfoHandler", methods={"GET": INSPECT}),
    Route(handler=_PROXY + "api.IconHandler", methods={"GET": INSPECT}),
    Route(
        handler="jupyter_archive.handlers.DownloadArchiveHandler",
        methods={
            "GET": asks(
                "contents",
                ask("download", "contents", _packed),
                ask("download", "contents", _in_it, whole=True),
            )
        },
    ),
    # Writes wherever the archive says, in answer to a GET.
    Route(
        handler="jupyter_archive.handlers.ExtractArchiveHandler",
        methods={"GET": replace(ADMIN, acts=True)},
    ),
)
