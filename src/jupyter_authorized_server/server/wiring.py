"""What the parts of the server share, and where they find it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError
from .kernels import Kernels
from .uses import Uses
from .views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from ..config import JupyterAuthorization
    from ..decision_point import DecisionPoint
    from ..policy.model import Resource
    from ..sandbox.probe import Probed
    from .kernels import Owned

#: Key in the web application's settings.
KEY = "jupyter_authorization"
#: Attribute of the class of a contents manager that asks.
OF_MANAGER = "_jupyter_authorization_wiring"


@dataclass(slots=True, kw_only=True)
class Wiring:
    """Made once by the extension; read by every door through `wiring`.

    Args:
        config: the traits.
        point: the decision point.
        authorizer: ours; kept here because an extension may put another one into the
            application's settings, which must not reach the guard.
        live: the registry of open sockets, `doors.live.LiveDoors`.
        follower: keeps grants with their files, `doors.follow.Follower`.
        homes_made: contents paths of the homes this server has looked after.
        hosts: what Jupyter's check of the `Host` header has said.
        confinement: what puts processes into the sandbox, `confinement.Confinement`; None
            where the operator has chosen not to.
        git: what jupyterlab-git works with, if all that it starts is confined; else None.
        compares: what jupyterlab-git works with, if it compares notebooks in a sandbox; else
            None.
        nbdime: what compares notebooks for nbdime in a sandbox; else None.
        languages: what starts language servers in sandboxes, `doors.languages`; else None.
        probing: what confines here, while that is tried out beside the rest of the start.
        kernels: origin of each running kernel.
        terminals: origin of each running shell, by upstream's object; its name is given
            to another one once it has ended.
        uses: counts the grants that count a number of times only.
        views: who looks around as whom.
    """

    config: JupyterAuthorization
    point: DecisionPoint
    authorizer: Any = None
    live: Any = None
    follower: Any = None
    homes_made: set[str] = field(default_factory=set)
    hosts: dict[str, bool] = field(default_factory=dict)
    confinement: Any = None
    git: Any = None
    compares: Any = None
    nbdime: Any = None
    languages: Any = None
    probing: Future[Probed] | None = None
    kernels: Kernels = field(init=False)
    terminals: WeakKeyDictionary[Any, Owned] = field(default_factory=WeakKeyDictionary)

    uses: Uses = field(init=False)
    views: Views = field(default_factory=Views)

    def sandbox_of(self, resource: Resource) -> str:
        """What confines a kernel or terminal, for records."""
        if resource.type == "kernels" and self.kernels.elsewhere:
            return "gateway"
        return "off" if self.confinement is None else str(self.confinement.word(resource))

    def __post_init__(self) -> None:
        self.kernels = Kernels(self.point)
        self.uses = Uses(self.point)


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


def wiring_of(manager: object) -> Wiring:
    """The wiring of the server that the contents manager `manager` asks.

    Raises:
        ConfigurationError: it asks none, so nothing may be served from it.
    """
    found = getattr(type(manager), OF_MANAGER, None)
    if not isinstance(found, Wiring):
        msg = "the contents manager does not ask jupyter_authorized_server"
        raise ConfigurationError(msg)
    return found
