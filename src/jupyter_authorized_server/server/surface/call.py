"""One request as the surface tables see it: matched route, arguments, body.

Everything is decoded exactly as the handler will decode it, so that the question is
about the thing that the handler will touch.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ... import mistakes
from .table import Unanswerable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Resource
    from .disk import Place


#: In the place of what has not been looked for yet.
UNREAD = object()
#: Bodies in which Tornado finds arguments, whatever the method.
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
#: What Tornado takes for blanks in an argument.
_BLANKS = re.compile(r"[\x00-\x08\x0e-\x1f]")


class Call:
    """A request matched to a route.

    Args:
        request: Tornado's.
        settings: of the application.
        path_args: positional groups of the URL pattern, percent-decoded bytes.
        path_kwargs: named groups of the URL pattern, percent-decoded bytes.

    Raises:
        Unanswerable: a group is not UTF-8.
    """

    __slots__ = (
        "_json",
        "args",
        "inside",
        "is_view",
        "kwargs",
        "listener",
        "places",
        "principal",
        "request",
        "settings",
        "written",
    )

    def __init__(
        self,
        request: HTTPServerRequest,
        settings: Mapping[str, Any],
        path_args: list[bytes | None],
        path_kwargs: dict[str, bytes | None],
    ) -> None:
        self.request = request
        self.settings = settings
        self.args = [_decode(arg) for arg in path_args]
        self.kwargs = {name: _decode(arg) for name, arg in path_kwargs.items()}
        self.principal = ""
        #: Whether somebody else looks around as the principal.
        self.is_view = False
        #: What each path of this request means; the disk is asked once.
        self.places: dict[str, Place] = {}
        #: What is in each folder that is asked about whole, links followed or not.
        self.inside: dict[tuple[str, bool], tuple[Resource, ...]] = {}
        #: What the resources mean that it writes out, by what finds them; see `written`.
        self.written: dict[Any, list[Resource]] = {}
        #: What `ports` has found out about the port in the URL.
        self.listener: Any = UNREAD
        self._json: Any = UNREAD

    @property
    def present(self) -> frozenset[str]:
        """The canonical contents paths that the disk was seen to have."""
        found = (each for each in self.places.values() if each.kind in {"file", "folder"})
        return frozenset(path for each in found for path in (each.target, each.entry))

    def group(self, name: str | int) -> str:
        """The URL pattern's group `name` (or the positional one at that index)."""
        if isinstance(name, int):
            found = self.args[name] if name < len(self.args) else None
        else:
            found = self.kwargs.get(name)
        return found or ""

    def query(self, name: str, default: str = "") -> str:
        """The last query argument `name`, with blanks and stripped as Tornado does it.

        Raises:
            Unanswerable: it is not UTF-8, or comes with a form, which could say it again:
                a handler that asks for an argument of either is given the form's.
        """
        kind = self.request.headers.get("Content-Type", "").strip().lower()
        if self.request.body and kind.startswith(_FORMS):
            raise Unanswerable(400, mistakes.NO_FORM)
        values = self.request.query_arguments.get(name)
        return _BLANKS.sub(" ", _decode(values[-1]) or "").strip() if values else default

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty where there is no body.

        Raises:
            Unanswerable: it is something else.
        """
        if self._json is UNREAD:
            body = self.request.body
            if not body:
                self._json = {}
            else:
                try:
                    self._json = json.loads(body.strip().decode("utf-8"))
                except (ValueError, RecursionError):
                    raise Unanswerable(400, "Invalid JSON in body of request") from None
        if self._json is None:
            return {}
        if not isinstance(self._json, dict):
            raise Unanswerable(400, mistakes.BODY_NO_OBJECT)
        return self._json

    def text(self, *names: str) -> str | None:
        """The text at `names` in the JSON body; None where it is absent or null.

        Raises:
            Unanswerable: something else is there.
        """
        found: Any = self.json()
        for name in names:
            if found is None:
                return None
            if not isinstance(found, dict):
                raise Unanswerable(400, mistakes.must_be_object(names[0]))
            found = found.get(name)
        if found is not None and not isinstance(found, str):
            raise Unanswerable(400, mistakes.must_be_text_at(".".join(names)))
        return found


def _decode(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise Unanswerable(400, mistakes.ADDRESS_NOT_UTF8) from None
