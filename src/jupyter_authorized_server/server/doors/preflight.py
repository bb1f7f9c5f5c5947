"""The answer to a browser that asks which methods there are, for every API alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.base.handlers import APIHandler

if TYPE_CHECKING:
    from tornado.web import RequestHandler


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
