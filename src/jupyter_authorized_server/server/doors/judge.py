"""The guard's question: who asks, what, and may they."""

from __future__ import annotations

import logging
from dataclasses import replace
from inspect import isawaitable, isclass
from typing import TYPE_CHECKING

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import Application, RequestHandler

from ...errors import InvalidName, UnknownName, UnsafePath
from ...policy.model import (
    ANONYMOUS,
    MAX_ID,
    Answer,
    Decision,
    Resource,
    parse_principal,
)
from ..kernels import STARTING, Starting
from ..surface import SURFACE, Asks, Call, Public, Unanswerable
from ..wiring import wiring
from . import preflight
from .admission import Admission, Hook, admit
from .declared import declared
from .refusal import Why, leads_to_log_in

if TYPE_CHECKING:
    from jupyter_server.auth import User
    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Principal
    from ..surface import Route
    from .routing import Target

_log = logging.getLogger(__name__)

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Gate(JupyterHandler):
    """Stands in for the handler while the identity provider finds out who asks."""

    def set_default_headers(self) -> None:
        """Set none: a gate answers nothing."""


class Judge:
    """Decides one request: `judge` returns why not, or None to let it through."""

    def __init__(
        self, application: Application, request: HTTPServerRequest, target: Target
    ) -> None:
        self._application = application
        self._request = request
        self._target = target
        self._wiring = wiring(application.settings)

    async def judge(self) -> Why | None:
        """Identify and ask. Never lets through what it does not understand."""
        entry = self.entry()
        if isinstance(entry, Public):
            return None
        if isinstance(entry, Why):
            return entry
        gate = Gate(self._application, self._request)
        if not gate.check_host():
            return self._no("this server does not answer to that host name", status=403)
        user = gate.identity_provider.get_user(gate)
        if isawaitable(user):
            user = await user
        if user is None:
            return self._not_signed_in("sign in first", gate)
        try:
            principal = self._principal(user)
        except (UnknownName, InvalidName) as error:
            return self._not_signed_in(str(error), gate)
        hook = Hook(gate, user)
        found = Admission(gate=gate, user=user, principal=principal, hook=hook, entry=entry)
        admit(self._request, found)
        why = await self._refused(entry, principal, found)
        if why is None:
            STARTING.set(Starting(principal=principal, path=_launch_path(found)))
        return why

    def _principal(self, user: User) -> Principal:
        # People of a hub or of a trusted proxy are nobody's rows here.
        local = hasattr(user, "session_id")
        return self._wiring.point.principal(
            parse_principal(f"user:{user.username}"),
            token=getattr(user, "token_id", None),
            session=getattr(user, "session_id", None),
            must_exist=local,
        )

    def entry(self) -> Asks | Public | Why | None:
        """What is known of this route and method; None where nothing is."""
        method, handler = str(self._request.method), self._target.handler
        if method not in _METHODS:
            return _NOT_ALLOWED
        if handler is None:
            return None
        if preflight.answers(handler, method):
            return Public(reason="tells a browser which methods there are")
        route = SURFACE.find(handler, self._target.pattern)
        if route is None:
            if self._is_way_in(handler):
                return Public(reason="a page of the identity provider that is configured")
            return declared(handler, method)
        return _entry_of(route, handler, method)

    def _is_way_in(self, handler: type[RequestHandler]) -> bool:
        """Whether the configured identity provider brings this page.

        It must answer before anybody is known, and the operator chose it.
        """
        provider = self._application.settings["identity_provider"]
        return any(
            isclass(page) and page is handler and pattern == self._target.pattern
            for pattern, page, *_ in provider.get_handlers()
        )

    async def _refused(
        self, entry: Asks | None, principal: Principal, found: Admission
    ) -> Why | None:
        try:
            questions = await self._questions(entry, principal)
        except Unanswerable as error:
            return self._no(str(error), found, status=error.status)
        except UnsafePath as error:
            return self._no(str(error), found, status=404)
        found.questions = tuple(questions)
        if not questions:
            return self._no("this request names nothing that could be judged", found)
        authorizer = self._wiring.authorizer
        for action, resource in questions:
            decision = authorizer.decide_for(self._request, principal, action, resource)
            if not isinstance(decision, Decision) or decision.answer is not Answer.ALLOW:
                return self._denied_by(decision, found)
        if not await found.hook.allows_all(entry, questions):
            return self._no("this server's configuration does not allow it", found)
        if entry is not None and entry.own is not None:
            call = self._call(principal)
            found.arguments = entry.own(call, self._target.arguments)
        return None

    def _call(self, principal: Principal) -> Call:
        target = self._target
        call = Call(
            self._request, self._application.settings, target.path_args, target.path_kwargs
        )
        call.principal = principal.name
        return call

    async def _questions(
        self, entry: Asks | None, principal: Principal
    ) -> list[tuple[str, Resource]]:
        if entry is None:
            return [unnamed(self._target)]
        call = self._call(principal)
        questions = []
        for question in entry.questions:
            resource = question.where(call)
            if isawaitable(resource):
                resource = await resource
            if resource is not None:
                questions.append((question.action, resource))
        return questions

    def _denied_by(self, decision: object, found: Admission) -> Why:
        if not isinstance(decision, Decision):
            return self._no("this could not be decided, so it is refused", found)
        return Why(
            status=self._wiring.config.denied_status,
            message=_sentence(decision.reason_user),
            decision=decision,
            gate=found.gate,
            user=found.user,
        )

    def _not_signed_in(self, message: str, gate: Gate) -> Why:
        """Say so; a page leads to the log-in page, which is no denial to record."""
        if leads_to_log_in(self._request, self._target.handler):
            return Why(status=403, message=_sentence(message), sign_in=True, gate=gate)
        return replace(self._no(message, status=403), sign_in=True, gate=gate)

    def _no(
        self, message: str, found: Admission | None = None, *, status: int | None = None
    ) -> Why:
        """Refuse, and record it, without asking the policy."""
        record = self._wiring.point.audit.event(
            "denial",
            actor=ANONYMOUS if found is None else found.principal.name,
            fields={
                "reason": message,
                "request": f"{self._request.method} {self._request.path}",
                "address": self._request.remote_ip,
                "door": "http",
            },
        )
        return Why(
            status=status or self._wiring.config.denied_status,
            message=_sentence(message),
            record=record,
            gate=None if found is None else found.gate,
            user=None if found is None else found.user,
        )


def _sentence(text: str) -> str:
    text = text or "you are not allowed to do this"
    return text[0].upper() + text[1:].rstrip(".") + "."


_told: set[str] = set()


def unnamed(target: Target) -> tuple[str, Resource]:
    """The question about a route that no surface table names; logged once."""
    handler = target.handler
    name = "no handler" if handler is None else f"{handler.__module__}.{handler.__qualname__}"
    if name not in _told:
        _told.add(name)
        _log.warning(
            "the route %r of %s is in no surface table, so only an `admin` may use it",
            target.pattern,
            name,
        )
    return "call", Resource(type="routes", id=name[:MAX_ID])


def _launch_path(found: Admission) -> str | None:
    for action, resource in found.questions:
        if action == "launch" and resource.type == "contents":
            return resource.id
    return None


_NOT_ALLOWED = Why(status=405, message="This cannot be done with that method.")


def _entry_of(
    route: Route, handler: type[RequestHandler], method: str
) -> Asks | Public | Why | None:
    entry = route.methods.get("GET" if method == "HEAD" else method)
    if entry is None and not _answers(handler, method):
        return _NOT_ALLOWED
    return entry


def _answers(handler: type[RequestHandler], method: str) -> bool:
    own = getattr(handler, method.lower(), None)
    return own is not None and own is not getattr(RequestHandler, method.lower())
