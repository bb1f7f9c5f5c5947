"""Door: what an address alone may not do, since whoever writes a document chooses addresses.

Each of its readers' browsers asks for its images, with the reader's cookie, and what a GET
does on a route that nobody has placed nobody knows. So of these no document is shown
anything but files, and where a page leads to one, whoever is led there is asked first.
What an extension's own page shows or leads to is not chosen by a document, and a rule that
lets somebody in says that the route may be asked for by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import StaticFileHandler

from ... import sentences
from ...policy.model import Effect
from ..origin import is_a_page, is_held_by_a_document, is_led_here, is_on_this_server
from ..surface import SURFACE
from .declared import declared
from .routing import match

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.web import Application, RequestHandler

    from .admission import Admission
    from .routing import Target


def why_not_by_address(
    application: Application, request: HTTPServerRequest, target: Target, found: Admission
) -> str:
    """What is said where a link or an image may have had a browser send `request`, which may
    change something; empty where none has, or it does not matter.
    """
    if _is_by_script(found.gate):
        return ""
    if found.entry is not None:
        return sentences.BY_ADDRESS if found.entry.acts else ""
    if (
        not (is_held_by_a_document(request) or is_led_here(request))
        or _only_shows(target.handler)
        or any(
            each.kind == "rule" and each.effect is Effect.PERMIT
            for decision in found.allowed
            for each in decision.determining
        )
        or _is_on_an_unplaced_page(application, request)
    ):
        return ""
    return sentences.LED_HERE if is_a_page(request) else sentences.BY_ADDRESS


def _is_by_script(gate: JupyterHandler) -> bool:
    """Whether a program asks, or a script of a page of this server.

    No link, image or form has a browser send such a header, and no script of another site
    may send it.
    """
    return getattr(gate, "_token_authenticated", False) or "X-XSRFToken" in gate.request.headers


def _only_shows(handler: type[RequestHandler] | None) -> bool:
    """Whether what it answers with is a file."""
    return handler is not None and issubclass(handler, StaticFileHandler)


def _is_on_an_unplaced_page(application: Application, request: HTTPServerRequest) -> bool:
    """Whether the page that shows it, or leads to it, is one that nobody has placed either."""
    page = request.headers.get("Referer", "")
    if not is_on_this_server(request, page):
        return False
    path = urlsplit(page).path or "/"
    opened = HTTPServerRequest(method="GET", uri=path, host=request.host)
    found = match(application.default_router, opened)
    if found is None:
        return False
    handler, pattern = found[1].handler, found[1].pattern
    return handler is None or (
        SURFACE.find(handler, pattern) is None and declared(handler, "GET") is None
    )
