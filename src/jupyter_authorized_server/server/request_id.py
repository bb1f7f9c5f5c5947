"""A client's own name for its request, which AuthZEN 1.0 sends back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.web import RequestHandler

_HEADER = "X-Request-ID"
#: Letters of it that go back.
_MOST = 200


def return_request_id(handler: RequestHandler) -> None:
    """Have the answer of `handler` carry the name that its request has, if that is printable."""
    name = handler.request.headers.get(_HEADER, "")
    if name.isascii() and name.isprintable():
        handler.set_header(_HEADER, name[:_MOST])
