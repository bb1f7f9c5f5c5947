"""What the guard found out about a request, kept on it for the doors behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any

from ...policy.vocabulary import ABILITY

if TYPE_CHECKING:
    from jupyter_server.auth import IdentityProvider, User
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Decision, Principal, Resource
    from ..surface import Asks

_log = logging.getLogger(__name__)
_ATTRIBUTE = "_jupyter_authorization_admission"


class Hook:
    """`JupyterHandler.user_is_authorized`, as a configuration file may replace it.

    It is asked once for each pair of word and upstream resource of a request. Only
    True lets through; an awaitable is awaited; whatever it raises refuses.
    """

    def __init__(self, gate: JupyterHandler, user: User) -> None:
        self._gate = gate
        self._user = user
        self._answers: dict[tuple[str, str], bool] = {}

    async def allows_all(self, entry: Asks | None, questions: list[tuple[str, Resource]]) -> bool:
        """Whether it allows every question of a request."""
        for action, resource in questions:
            word = ABILITY[(resource.type, action)].word.value
            if not await self._ask(word, entry.resource if entry else resource.type):
                return False
        return True

    async def _ask(self, word: str, resource: str) -> bool:
        key = (word, resource)
        if key not in self._answers:
            try:
                answer = self._call(word, resource)
                if isawaitable(answer):
                    answer = await answer
            except Exception:  # noqa: BLE001  # why: a hook that breaks denies
                _log.exception("user_is_authorized failed, so the answer is deny")
                answer = False
            self._answers[key] = _exactly(answer)
        return self._answers[key]

    def _call(self, word: str, resource: str) -> Any:
        handler: Any = self._gate
        return handler.user_is_authorized(self._user, word, resource)

    def allows(self, word: str, resource: str) -> bool:
        """As asked before in this request, or now, without waiting."""
        key = (word, resource)
        if key not in self._answers:
            try:
                answer = self._call(word, resource)
            except Exception:  # noqa: BLE001  # why: a hook that breaks denies
                _log.exception("user_is_authorized failed, so the answer is deny")
                answer = False
            if iscoroutine(answer):
                answer.close()
            self._answers[key] = _exactly(answer)
        return self._answers[key]


def _exactly(answer: object) -> bool:
    if answer is not True and answer is not False:
        _log.error(
            "user_is_authorized answered a %s, not True or False, so the answer is deny",
            type(answer).__name__,
        )
    return answer is True


@dataclass(slots=True, kw_only=True)
class Admission:
    """Who asks and what was asked, once the guard knows.

    Args:
        gate: the handler that stood in while the person was identified.
        questions: the pairs that were asked, in order.
        walked: those that were answered no, of folders that are walked nevertheless.
        arguments: for the handler, where they are the principal's own.
        allowed: the decisions that let it through, to be recorded.
    """

    gate: JupyterHandler
    user: User
    principal: Principal
    hook: Hook
    entry: Asks | None
    questions: tuple[tuple[str, Resource], ...] = field(default=())
    walked: frozenset[tuple[str, Resource]] = field(default=frozenset())
    arguments: dict[str, Any] | None = None
    allowed: list[Decision] = field(default_factory=list)


def admit(request: HTTPServerRequest, found: Admission) -> None:
    """Keep `found` on `request`."""
    setattr(request, _ATTRIBUTE, found)


def admission(request: HTTPServerRequest) -> Admission | None:
    """What the guard found out about `request`; None on a public route."""
    return getattr(request, _ATTRIBUTE, None)


def hand_over(provider: IdentityProvider) -> None:
    """Have `provider` answer a handler with the user that the guard has judged.

    So a provider whose answer changes between two calls (upstream's makes up a new
    anonymous user each time) cannot have one user judged and another one served.
    """
    original: Any = provider.get_user
    if getattr(original, "hands_over", False):
        return

    def get_user(handler: Any) -> Any:
        found = admission(handler.request)
        if found is None or handler is found.gate:
            return original(handler)
        if getattr(found.gate, "_token_authenticated", False):
            handler._token_authenticated = True  # noqa: SLF001  # why: upstream's own flag for XSRF
        carry_cookies(found.gate, handler)
        return found.user

    get_user.hands_over = True  # type: ignore[attr-defined]  # why: marks the wrapper
    provider.get_user = get_user  # type: ignore[method-assign]  # why: for this instance only


def carry_cookies(gate: JupyterHandler, handler: JupyterHandler) -> None:
    """Give `handler` the cookies that the identity provider set on `gate`."""
    cookies = getattr(gate, "_new_cookie", None)
    if cookies and not hasattr(handler, "_new_cookie"):
        handler._new_cookie = cookies  # noqa: SLF001  # why: Tornado has no public way
    for header in gate._headers.get_list("Set-Cookie"):  # noqa: SLF001  # why: as above
        handler.add_header("Set-Cookie", header)
