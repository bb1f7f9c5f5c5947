"""Door: Jupyter's own Authorizer seam, answered by the same policy as the guard."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_server.auth import Authorizer
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.services.api.handlers import IdentityHandler

from ... import sentences
from ...errors import AuthorizationError, InvalidName
from ...policy.model import Answer, Decision, Determinant, Effect, Reasons, Resource
from ...policy.vocabulary import ABILITY, TYPE, UPSTREAM_WORDS, parse_action
from ..surface.call import Call
from ..surface.table import Unanswerable
from ..surface.written import meant
from ..wiring import wiring
from .admission import Admission, admission
from .company import REACHING
from .hook import Hook
from .sight import Sight

if TYPE_CHECKING:
    from jupyter_server.auth import User
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.httputil import HTTPServerRequest

    from ...decision_point import DecisionPoint
    from ...policy.model import Principal
    from ..wiring import Wiring

_log = logging.getLogger(__name__)


class PolicyAuthorizer(Authorizer):
    """Answers from the policy.

    `is_authorized` is synchronous and returns exactly True or False: a caller that
    forgets to await must not mistake a coroutine for a yes.
    """

    def decide_for(
        self,
        request: HTTPServerRequest,
        principal: Principal,
        action: str,
        resource: Resource,
        *,
        record: bool = True,
    ) -> Decision:
        """The decision on one question of `request`."""
        return self.answer(
            principal,
            action,
            resource,
            door="http",
            address=request.remote_ip,
            request=f"{request.method} {request.path}",
            record=record,
        )

    def answer(
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        *,
        door: str,
        address: str | None = None,
        request: str | None = None,
        record: bool = True,
    ) -> Decision:
        """The decision on one question; the doors behind the guard ask here."""
        decision = self._point.decide(
            principal,
            action,
            resource,
            door=door,
            address=address,
            request=request,
            record=record,
        )
        confinement = self._wired.confinement
        if confinement is None or (resource.type, action) not in REACHING:
            return decision
        judged: Decision = confinement.company.judge(
            decision,
            principal,
            resource,
            door=door,
            address=address,
            request=request,
            record=record,
        )
        return judged

    @cached_property
    def _wired(self) -> Wiring:
        app: Any = self.parent
        return wiring(app.web_app.settings)

    @property
    def _point(self) -> DecisionPoint:
        return self._wired.point

    def is_authorized(
        self, handler: JupyterHandler, user: User, action: str, resource: str
    ) -> bool:
        """Whether `user` may; called by upstream's `@authorized` and by extensions.

        The words are hints: on a request that the guard has judged, the same questions
        are asked again, so that a right that was taken away in between is gone.
        """
        try:
            return self._is_authorized(handler, user, action, resource)
        except (InvalidName, Unanswerable):
            return False
        except Exception:  # noqa: BLE001  # why: whatever breaks while deciding denies
            _log.exception("deciding failed, so the answer is deny")
            return False

    def _is_authorized(
        self, handler: JupyterHandler, user: User, action: str, resource: str
    ) -> bool:
        found = admission(handler.request)
        if found is not None and found.user is user:
            principal, hook = found.principal, found.hook
        else:
            viewer = None if found is None else found.principal.viewer
            found = None
            principal = self._point.principal(
                f"user:{user.username}", token=getattr(user, "token_id", None), viewer=viewer
            )
            hook = Hook(handler, user)
        questions = self._questions(handler, found, action, resource)
        # What may be done is asked here by a page that does nothing yet.
        record = not isinstance(handler, IdentityHandler)
        for asked, on in questions:
            if found is not None and (asked, on) in found.walked:
                # The guard has let a folder be walked; its listing is filtered.
                if not Sight(self, self._point, handler.request, principal).ways(on.id):
                    return False
                continue
            decision = self.decide_for(handler.request, principal, asked, on, record=record)
            if not isinstance(decision, Decision) or decision.answer is not Answer.ALLOW:
                return False
        # Where no message is asked about behind the handshake of a socket, the hook must
        # allow what upstream asks there, which is `execute`.
        is_asked = not _is_socket(handler.request) or (
            found is not None and found.entry is not None and found.entry.inside
        )
        words = {self._word(action, resource)}
        if is_asked and found is not None and questions == list(found.questions):
            # Upstream's word comes from the HTTP method and may say `write` for a start
            # of a kernel; the hook has been asked with the words of what it is.
            words = {ABILITY[(on.type, asked)].word.value for asked, on in questions}
        kind = resource.partition(":")[0]
        refused = [word for word in words if word is None or not hook.allows(word, kind)]
        if refused:
            why = f"`user_is_authorized` does not allow `{refused[0]}` on `{resource}`"
            self._point.audit.note(
                "denial",
                actor=principal.name,
                fields={
                    "reason": why,
                    "request": f"{handler.request.method} {handler.request.path}",
                    "address": handler.request.remote_ip,
                    "door": "http",
                },
            )
        return not refused

    def _questions(
        self, handler: JupyterHandler, found: Admission | None, action: str, resource: str
    ) -> list[tuple[str, Resource]]:
        if resource.partition(":")[0] in TYPE and ":" in resource:
            # One resource by its name, as `contents:/a.ipynb`; upstream's own are bare words.
            call = Call(handler.request, handler.settings, [], {})
            return [(parse_action(action, type=on.type), on) for on in meant(call, resource)]
        type_ = resource if resource in TYPE else UPSTREAM_WORDS.get(resource)
        if type_ is None:
            return [("call", Resource(type="routes", id=str(resource)[:128]))]
        if found is not None and _means_the_request(found, action, resource):
            return list(found.questions)
        asked = parse_action(action, type=type_)
        return [(asked, Resource(type=type_, id="/" if type_ == "contents" else ""))]

    @staticmethod
    def _word(action: str, resource: str) -> str | None:
        if action in {"read", "write", "execute"}:
            return action
        kind = resource.partition(":")[0]
        type_ = kind if kind in TYPE else UPSTREAM_WORDS.get(kind, "")
        ability = ABILITY.get((type_, action))
        return None if ability is None else ability.word.value


def _is_socket(request: HTTPServerRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _means_the_request(found: Admission, action: str, resource: str) -> bool:
    """Whether the words are what the guard has asked exactly, put upstream's way.

    Upstream derives its word from the HTTP method; any other one, asked inside a
    handler, is a question of its own.
    """
    if found.entry is None or found.entry.resource != resource or not found.questions:
        return False
    words = {ABILITY[(on.type, asked)].word.value for asked, on in found.questions}
    request = found.gate.request
    method = "WEBSOCKET" if _is_socket(request) else str(request.method)
    return action in words or action == HTTP_METHOD_TO_AUTH_ACTION.get(method)


class HandlerMethodAuthorizer(PolicyAuthorizer):
    """Answers from `JupyterHandler.user_is_authorized` alone, as the first experiment did.

    For a server whose whole policy is a function in its configuration file: whoever is
    signed in may do what the function allows. Routes that no surface table names are
    refused, since a function of two words cannot tell what they do.
    """

    def answer(
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        *,
        door: str,
        address: str | None = None,
        request: str | None = None,
        record: bool = True,
    ) -> Decision:
        """Allow what is named; the guard asks the method itself afterwards."""
        named = resource.type != "routes"
        decision = Decision(
            answer=Answer.ALLOW if named else Answer.DENY,
            principal=principal.name,
            action=action,
            resource=resource.name,
            revision=self._point.revision,
            determining=(
                Determinant(
                    id="user_is_authorized",
                    kind="rule",
                    effect=Effect.PERMIT if named else Effect.FORBID,
                    source="HandlerMethodAuthorizer",
                ),
            ),
            reasons=Reasons()
            if named
            else Reasons(
                user=sentences.UNKNOWN_ADDRESS,
                admin=sentences.why_unknown_address(resource.id),
            ),
        )
        if not named and record:
            self._point.audit.decision(
                decision, principal=principal, door=door, address=address, request=request
            )
        return decision


def check_authorizer(authorizer: object) -> None:
    """Raise unless `authorizer` is one of ours.

    Raises:
        AuthorizationError: it is somebody else's, which would answer beside the policy.
    """
    if not isinstance(authorizer, PolicyAuthorizer):
        msg = (
            f"`ServerApp.authorizer_class` is `{type(authorizer).__qualname__}`, which does not "
            "ask the policy; unset it, or set "
            '`c.ServerApp.authorizer_class = "jupyter_authorized_server.PolicyAuthorizer"`'
        )
        raise AuthorizationError(msg)
