"""Door: every HTTP request and websocket handshake, before its handler exists.

`install` changes the class of the web application to one whose routing hands out a
`_Doorkeeper` in place of each handler's delegate. A doorkeeper takes the request in,
identifies who asks, asks the decision point every question of the surface table, and
only then passes the request on: to the handler that was meant, or to `Refusal`. So it
stands under whatever is registered, early or late, Jupyter's or plain Tornado, and
nothing of a handler runs before the answer, not even its constructor.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPMessageDelegate
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from ... import mistakes, sentences
from ...audit import REQUEST
from ...errors import AuthorizationError, StoreError
from ..wiring import wiring
from . import archives, backlog, caches, events, forwarding, preflight, rooms, terminals
from .admission import admission, hand_over
from .judge import Judge
from .refusal import Refusal, Why
from .routing import Target, match
from .sight import sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornado.httputil import (
        HTTPHeaders,
        HTTPServerRequest,
        RequestStartLine,
        ResponseStartLine,
    )

    from ...policy.model import Principal

_log = logging.getLogger(__name__)


class GuardedApplication(Application):
    """The web application with a doorkeeper before every target."""

    def find_handler(  # type: ignore[override]  # why: Tornado needs no more than a delegate
        self, request: HTTPServerRequest, **_: Any
    ) -> HTTPMessageDelegate:
        """The doorkeeper for `request`; Tornado calls this once a request."""
        found = match(self.default_router, request)
        if found is None:
            handler = self.settings.get("default_handler_class")
            arguments = self.settings.get("default_handler_args", {})
            inner = self.get_handler_delegate(request, handler or Refusal, arguments)
            target = Target(
                handler=handler, pattern="", arguments=arguments, path_args=[], path_kwargs={}
            )
            return _Doorkeeper(self, request, inner, target)
        return _Doorkeeper(self, request, *found)

    def __call__(self, request: HTTPServerRequest) -> Any:  # noqa: ARG002  # why: Tornado's signature
        """Refuse the way around `find_handler` that Tornado keeps for old servers."""
        msg = "requests are served through an HTTPServer"
        raise TypeError(msg)


class _Doorkeeper(HTTPMessageDelegate):
    """Holds one request until it is decided who answers it."""

    def __init__(
        self,
        application: GuardedApplication,
        request: HTTPServerRequest,
        inner: HTTPMessageDelegate,
        target: Target,
    ) -> None:
        self._application = application
        self._request = request
        self._inner = inner
        self._target = target
        self._head: tuple[Any, HTTPHeaders] | None = None
        self._chunks = bytearray()
        self._closed = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._head = (start_line, headers)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._chunks += chunk
        return None

    def on_connection_close(self) -> None:
        self._closed = True
        self._chunks = bytearray()

    def finish(self) -> None:
        self._request.body = bytes(self._chunks)
        task = asyncio.ensure_future(self._serve())
        task.add_done_callback(_log_failure)

    def _gone(self) -> bool:
        return self._closed

    async def _serve(self) -> None:
        if self._gone():
            return
        REQUEST.set(secrets.token_hex(6))
        try:
            why = await Judge(self._application, self._request, self._target).judge()
            if why is None and not self._target.is_text:
                # Tornado finds out before the handler knows who asks, and then cannot say it.
                why = Why(status=400, message=sentence(mistakes.ADDRESS_NOT_UTF8))
        except StoreError as error:
            _log.error("a request needs the store, so it is refused: %s", error)
            why = Why(status=503, message=sentences.OUT_OF_REACH)
        except Exception:  # noqa: BLE001  # why: whatever breaks at the door refuses
            _log.exception("a request could not be judged, so it is refused")
            why = Why(status=403, message=sentence(sentences.NOT_DECIDED))
        if self._gone():
            return
        found = admission(self._request) if why is None else None
        if found is not None and self._is_one_too_many(found.principal):
            why, found = Why(status=429, message=sentences.TOO_MANY_OPEN), None
        forwards = found is not None and found.entry is not None and found.entry.forwards
        if found is not None and forwards:
            forwarding.strip(self._request, self._application.settings, found.gate)
        await self._pass_on(self._inner_for(why), forwards=forwards)

    def _is_one_too_many(self, principal: Principal) -> bool:
        """Whether a socket is asked for by somebody who has as many as one may."""
        handler = self._target.handler
        return (
            isinstance(handler, type)
            and issubclass(handler, WebSocketHandler)
            and wiring(self._application.settings).live.is_full(principal)
        )

    def _inner_for(self, why: Why | None) -> HTTPMessageDelegate:
        if why is not None:
            return self._application.get_handler_delegate(
                self._request, Refusal, {"why": why, "target": self._target.handler}
            )
        handler = self._target.handler
        if preflight.answers(handler, self._request.method):
            return self._application.get_handler_delegate(self._request, preflight.Preflight)
        own = admission(self._request)
        if own is not None and own.arguments is not None and self._target.handler is not None:
            return self._application.get_handler_delegate(
                self._request,
                self._target.handler,
                own.arguments,
                self._target.path_args,  # type: ignore[arg-type]  # why: Tornado's own values
                self._target.path_kwargs,  # type: ignore[arg-type]  # why: Tornado's own values
            )
        return self._inner

    async def _pass_on(self, inner: HTTPMessageDelegate, *, forwards: bool) -> None:
        # The body goes to the handler as it came, also to one that streams it.
        wired = wiring(self._application.settings)
        terminals.install(self._application.settings, wired)
        archives.install(self._target.handler)
        assert self._head is not None  # noqa: S101  # why: Tornado sends the head first
        body, self._chunks = self._request.body, bytearray()
        waiting = inner.headers_received(*self._head)
        if waiting is not None:
            await waiting
        if body:
            waiting = inner.data_received(body)
            if waiting is not None:
                await waiting
        inner.finish()
        # Tornado has made the handler by now, and nothing of it has waited for anything.
        handler = getattr(inner, "handler", None)
        if forwards:
            forwarding.fit(handler)
        door = wired.live.register(handler)
        if door is not None:
            backlog.fit(handler)
            terminals.fit(handler, door, wired)
            events.fit(handler, door, wired)
            rooms.fit(handler, door, wired)


def _log_failure(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("a request failed at the door", exc_info=task.exception())


def install(application: Application) -> None:
    """Put the guard under `application`, for routes of now and of later.

    Raises:
        AuthorizationError: it did not take.
    """
    kind = type(application)
    if not issubclass(kind, GuardedApplication):
        application.__class__ = type(
            f"Guarded{kind.__name__}", (GuardedApplication, kind), {"__slots__": ()}
        )
    hand_over(application.settings["identity_provider"])
    caches.install(application)
    if type(application).find_handler is not GuardedApplication.find_handler:
        msg = "the guard could not be put under the web application"
        raise AuthorizationError(msg)
