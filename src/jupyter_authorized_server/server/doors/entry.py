"""What is known of a route and a method, whoever asks."""

from __future__ import annotations

from inspect import isclass
from typing import TYPE_CHECKING

from ... import sentences
from ..surface import SURFACE, Asks, Public
from . import preflight
from .declared import declared
from .refusal import Why

if TYPE_CHECKING:
    from tornado.web import Application, RequestHandler

    from ..surface import Route
    from .routing import Target

_NOT_ALLOWED = Why(status=405, message=sentences.NOT_THIS_METHOD)


def entry_of(application: Application, method: str, target: Target) -> Asks | Public | Why | None:
    """What the surface tables, the provider or the handler say of a route and a method.

    Returns:
        What is asked, or that everybody is answered, or why nobody is; None where nothing is
        known, which is for administrators.
    """
    handler = target.handler
    if method not in preflight.METHODS:
        return _NOT_ALLOWED
    if handler is None:
        return None
    if preflight.answers(handler, method):
        return Public(reason="tells a browser which methods there are")
    route = SURFACE.find(handler, target.pattern)
    if route is not None:
        return _named(route, handler, method)
    if _is_way_in(application, target):
        return Public(reason="a page of the identity provider that is configured")
    return declared(handler, method)


def _named(route: Route, handler: type[RequestHandler], method: str) -> Asks | Public | Why | None:
    entry = route.methods.get("GET" if method == "HEAD" else method)
    if entry is None and method not in preflight.methods(handler):
        return _NOT_ALLOWED
    return entry


def _is_way_in(application: Application, target: Target) -> bool:
    """Whether the configured identity provider brings this page.

    It must answer before anybody is known, and the operator chose it.
    """
    provider = application.settings["identity_provider"]
    return any(
        isclass(page) and page is target.handler and pattern == target.pattern
        for pattern, page, *_ in provider.get_handlers()
    )
