"""For whom this server acts at the moment: the principal of a request, or itself.

Jupyter's own `CallContext` is right in a request and stale in whatever outlives one.
Ours is set by the guard alone, and whoever starts something that is nobody's (a room,
a culler) says so with `as_server`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import sentences
from ..policy.model import Answer, Decision, Determinant, Effect, Reasons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..policy.model import Principal, Resource

#: How the server's own tasks stand in records; nobody can sign in as it.
SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A request that is being answered.

    Args:
        principal: who asked, as the guard found out.
        request: Tornado's.
        questions: the pairs of action and resource that were allowed, in order.
        hooks: the configuration's own function, `doors.hook.Hook`, for who is meant and for
            who looks around as them; none where the configuration has none.
    """

    principal: Principal
    request: Any
    questions: tuple[tuple[str, Resource], ...] = ()
    hooks: tuple[Any, ...] = ()


#: None in the server's own tasks.
ACTING: ContextVar[Acting | None] = ContextVar("jupyter_authorization_acting", default=None)

#: Whether a path is the file that it names and no link is followed: in what the server does by
#: itself for several people at once, any of whom could have put a link in the place of theirs.
STRAIGHT: ContextVar[bool] = ContextVar("jupyter_authorization_straight", default=False)


_BY_HOOK = (
    Determinant(
        id="user_is_authorized", kind="rule", effect=Effect.FORBID, source="configuration"
    ),
)
_HOOK_SAYS = Reasons(
    user=sentences.CONFIGURED,
    admin="`user_is_authorized` in the configuration does not allow it",
)


def taken_away(decision: Decision) -> Decision:
    """`decision` to allow something, as the configuration's own function takes it away."""
    return decision._replace(answer=Answer.DENY, determining=_BY_HOOK, reasons=_HOOK_SAYS)


def as_server() -> AbstractContextManager[None]:
    """Do what is inside for the server itself, not for whoever happens to ask."""
    return acting_as(None)


@contextmanager
def acting_as(whom: Acting | None) -> Iterator[None]:
    """Do what is inside for somebody, as if it came in a request of theirs."""
    token = ACTING.set(whom)
    try:
        yield
    finally:
        ACTING.reset(token)
