"""What the parts of the server share, and where they find it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import JupyterAuthorization
    from ..decision_point import DecisionPoint
    from .kernels import Owned

#: Key in the web application's settings.
KEY = "jupyter_authorization"


@dataclass(slots=True, kw_only=True)
class Wiring:
    """Made once by the extension; read by every door through `wiring`.

    Args:
        config: the traits.
        point: the decision point.
        kernels: origin of each running kernel, by id.
        authorizer: ours; kept here because an extension may put another one into the
            application's settings, which must not reach the guard.
        live: the registry of open sockets, `doors.live.LiveDoors`.
        follower: keeps grants with their files, `doors.follow.Follower`.
        homes_made: contents paths of the homes this server has looked after.
        hosts: what Jupyter's check of the `Host` header has said.
        confinement: what puts processes into the sandbox, `confinement.Confinement`; None
            where the operator has chosen not to.
    """

    config: JupyterAuthorization
    point: DecisionPoint
    kernels: dict[str, Owned] = field(default_factory=dict)
    authorizer: Any = None
    live: Any = None
    follower: Any = None
    homes_made: set[str] = field(default_factory=set)
    hosts: dict[str, bool] = field(default_factory=dict)
    confinement: Any = None


def wiring(settings: Mapping[str, Any]) -> Wiring:
    """The wiring of the application with these `settings`.

    Raises:
        ConfigurationError: there is none; nothing can be decided, so nothing may be served.
    """
    found = settings.get(KEY)
    if not isinstance(found, Wiring):
        msg = "jupyter_authorized_server is not wired into this application"
        raise ConfigurationError(msg)
    return found
