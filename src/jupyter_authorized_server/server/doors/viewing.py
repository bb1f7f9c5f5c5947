"""Door: a request of somebody who looks around as another person, and changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jupyter_server.auth import User
from tornado.websocket import WebSocketHandler

from ... import sentences
from ...errors import UnknownName
from ...policy.model import Principal, Resource
from ..identity.user import LocalUser
from ..views import cookie_name

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from ...policy.model import Decision
    from ..wiring import Wiring

#: Names a view in a request of a program; a page has a cookie instead.
HEADER = "X-Jupyter-View-As"
_SERVER = Resource(type="server")


class NotAsAnother(Exception):  # why: the answer to a request
    """A request that cannot be answered as if another had sent it.

    Args:
        reason: a sentence for the person.
        decision: where the policy was asked.
    """

    def __init__(self, reason: str, decision: Decision | None = None) -> None:
        self.decision = decision
        super().__init__(reason)


def is_view(gate: JupyterHandler) -> bool:
    """Whether a request says that it is one of a view."""
    return HEADER in gate.request.headers or gate.get_cookie(cookie_name(gate)) is not None


def as_another(
    wired: Wiring, gate: JupyterHandler, target: type[Any] | None, own: Principal, user: User
) -> tuple[User, Principal]:
    """The person, and the principal, that the request `gate` stands for is judged as.

    Raises:
        NotAsAnother: the view is over, may not be, or the request is no mere look.
    """
    request = gate.request
    named = request.headers.get(HEADER)
    id_ = gate.get_cookie(cookie_name(gate), "") if named is None else named
    view = wired.views.find(id_ or "", own, now=time.time())
    if view is None:
        raise _over(gate)
    # Of the policy alone: what shadow mode or a function of the configuration lets
    # through is no right to look with.
    decision = wired.point.decide(
        own,
        "view_as",
        _SERVER,
        door="http",
        address=request.remote_ip,
        request=f"{request.method} {request.path}",
        lift=False,
    )
    if not decision.allowed:
        raise NotAsAnother(decision.reason_user, decision)
    if not _is_a_look(request.method or "", target):
        msg = sentences.VIEW_CHANGES_NOTHING
        raise NotAsAnother(msg)
    try:
        principal = wired.point.principal(
            view.viewed, viewer=own, must_exist=isinstance(user, LocalUser)
        )
    except UnknownName:
        raise _over(gate) from None
    return _person(wired, principal, user), principal


def _over(gate: JupyterHandler) -> NotAsAnother:
    """What is said once; then the browser shows its own person again."""
    if gate.request.headers.get("Upgrade") is None:
        gate.clear_cookie(cookie_name(gate), path=gate.base_url)
    return NotAsAnother(sentences.VIEW_IS_OVER)


def _is_a_look(method: str, target: type[Any] | None) -> bool:
    """Whether a request can do nothing but show something."""
    if target is None or issubclass(target, WebSocketHandler):
        return False
    if method in {"GET", "HEAD"}:
        return True
    described = getattr(getattr(target, method.lower(), None), "operation", None)
    return bool(getattr(described, "safe", False))


def _person(wired: Wiring, principal: Principal, user: User) -> User:
    """The other, as a handler sees them; without a credential of anybody."""
    name = principal.name.partition(":")[2]
    shown = next((p.display_name for p in wired.point.state.people if p.name == name), name)
    if isinstance(user, LocalUser):
        return LocalUser(
            username=name, name=shown, display_name=shown, groups=list(principal.groups)
        )
    return User(username=name, name=shown, display_name=shown)
