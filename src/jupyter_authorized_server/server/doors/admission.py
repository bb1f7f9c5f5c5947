"""What the guard found out about a request, kept on it for the doors behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..surface import own

if TYPE_CHECKING:
    from jupyter_server.auth import IdentityProvider, User
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Decision, Principal, Resource
    from ..surface import Asks
    from .hook import Hook

_ATTRIBUTE = "_jupyter_authorization_admission"
#: What JupyterHub's provider does to each handler that asks it: the hub's own check of
#: forged requests, and the way to its log-in.
_FITS = ("_patch_xsrf", "_patch_get_login_url")


@dataclass(slots=True, kw_only=True)
class Admission:
    """Who asks and what was asked, once the guard knows.

    Args:
        gate: the handler that stood in while the person was identified.
        own_hook: of whoever looks around as the principal.
        questions: the pairs that were asked, in order.
        walked: those that were answered no, of folders that are walked nevertheless.
        arguments: for the handler, where they are the principal's own.
        is_nobody: whether who asks has not signed in, and a rule lets anybody call this.
        allowed: the decisions that let it through, to be recorded.
    """

    gate: JupyterHandler
    user: User
    principal: Principal
    hook: Hook
    own_hook: Hook | None = None
    entry: Asks | None
    questions: tuple[tuple[str, Resource], ...] = field(default=())
    walked: frozenset[tuple[str, Resource]] = field(default=frozenset())
    arguments: dict[str, Any] | None = None
    allowed: list[Decision] = field(default_factory=list)
    is_nobody: bool = False

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """Every hook that has a say."""
        return (self.hook,) if self.own_hook is None else (self.own_hook, self.hook)


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
    make_up: Any = provider.generate_anonymous_user

    def made_up(handler: Any) -> Any:
        own.pass_by(handler.request)
        return make_up(handler)

    def get_user(handler: Any) -> Any:
        found = admission(handler.request)
        if found is None or handler is found.gate:
            return original(handler)
        if getattr(found.gate, "_token_authenticated", False):
            handler._token_authenticated = True  # noqa: SLF001  # why: upstream's own flag for XSRF
        carry_cookies(found.gate, handler)
        for name in _FITS:
            fit = getattr(provider, name, None)
            if fit is not None:
                fit(handler)
        return None if found.is_nobody else found.user

    get_user.hands_over = True  # type: ignore[attr-defined]  # why: marks the wrapper
    get_user.original = original  # type: ignore[attr-defined]  # why: for `doors.recognised`
    provider.generate_anonymous_user = made_up  # type: ignore[method-assign]  # why: as below
    provider.get_user = get_user  # type: ignore[method-assign]  # why: for this instance only


def carry_cookies(gate: JupyterHandler, handler: JupyterHandler) -> None:
    """Give `handler` the cookies that the identity provider set on `gate`."""
    cookies = getattr(gate, "_new_cookie", None)
    if cookies and not hasattr(handler, "_new_cookie"):
        handler._new_cookie = cookies  # noqa: SLF001  # why: Tornado has no public way
    for header in gate._headers.get_list("Set-Cookie"):  # noqa: SLF001  # why: as above
        handler.add_header("Set-Cookie", header)
