"""Door: what a browser, or a proxy before the server, keeps of an answer.

An answer that says nothing of it may be kept, and is, where it tells when a file was
changed: a browser then shows it, without asking, to whoever uses it next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.web import OutputTransform

from .admission import admission

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders, HTTPServerRequest
    from tornado.web import Application

_SAYS = "Cache-Control"


class _Unkept(OutputTransform):
    """Has an answer that is for whoever asks, and says nothing of caches, kept by none."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._request = request

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002  # why: Tornado's signature
    ) -> tuple[int, HTTPHeaders, bytes]:
        """The answer as it goes out, with that header."""
        found = admission(self._request)
        forwards = found is not None and found.entry is not None and found.entry.forwards
        # What another server answers through this one is for that one to say.
        if found is not None and not forwards and _SAYS not in headers:
            headers[_SAYS] = "no-store"
        return status_code, headers, chunk


def install(application: Application) -> None:
    """Have each answer of `application` say what may be kept of it; once."""
    if _Unkept not in application.transforms:
        application.add_transform(_Unkept)
