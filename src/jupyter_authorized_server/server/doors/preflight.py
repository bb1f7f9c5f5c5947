"""Which methods there are: the answer to a browser that asks, and to who uses another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.base.handlers import APIHandler
from tornado.web import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The methods that are let through to any handler.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Preflight(APIHandler):
    """Answers OPTIONS with upstream's own method, in place of a handler that inherits it.

    So the question costs nothing of the handler's: not its constructor, not its
    preparations (jupyterlab_server's licenses handler never answered it at all).
    """


def answers(handler: type[RequestHandler] | None, method: str | None) -> bool:
    """Whether `Preflight` answers `method` for `handler`."""
    return (
        method == "OPTIONS"
        and handler is not None
        and getattr(handler, "options", None) is APIHandler.options
    )


def methods(handler: type[RequestHandler]) -> Sequence[str]:
    """The methods that `handler` answers."""
    return [
        method
        for method in METHODS
        if getattr(handler, method.lower(), None)
        not in {None, getattr(RequestHandler, method.lower())}
    ]
