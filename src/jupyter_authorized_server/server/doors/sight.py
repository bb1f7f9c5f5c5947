"""What a principal may know of: the one rule for listings, refusals and existence."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Protocol

from ... import sentences
from ...errors import AuthorizationError
from ...policy.model import Answer, Decision, Resource
from ..acting import ACTING
from .logins import holds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.httputil import HTTPServerRequest

    from ...decision_point import DecisionPoint
    from ...policy.model import Principal
    from ..wiring import Wiring
    from .authorizer import PolicyAuthorizer

#: Seconds that an answer to a thread may take.
_SECONDS = 60
#: Seconds between two looks whether there is still somebody to answer.
_LOOK_EVERY = 0.5
#: Seconds for which one answer about a folder is enough for all that is in it.
_A_MOMENT = 1.0


def sentence(text: str) -> str:
    """A reason as a sentence for the person."""
    text = text or sentences.NOT_ALLOWED
    return text[0].upper() + text[1:].rstrip(".") + "."


class Allows(Protocol):
    """Whether somebody may do something."""

    def allows(self, action: str, resources: tuple[Resource, ...]) -> bool:
        """Whether every one of `resources` allows `action`."""


class Sight:
    """What one principal may see in one request.

    Args:
        authorizer: of the server; answers each question.
        point: knows which paths there are to look for.
    """

    __slots__ = ("_authorizer", "_door", "_point", "_principal", "_request")

    def __init__(
        self,
        authorizer: PolicyAuthorizer,
        point: DecisionPoint,
        request: HTTPServerRequest,
        principal: Principal,
        *,
        door: str = "http",
    ) -> None:
        self._authorizer = authorizer
        self._point = point
        self._request = request
        self._principal = principal
        self._door = door

    def decide(self, action: str, resource: Resource, *, record: bool = False) -> Decision | None:
        """The decision; None where there is none, which is a no."""
        asked = self._request
        decision: object = self._authorizer.answer(
            self._principal,
            action,
            resource,
            door=self._door,
            address=asked.remote_ip,
            request=f"{asked.method} {asked.path}",
            record=record,
        )
        return decision if isinstance(decision, Decision) else None

    def allows(self, action: str, resources: tuple[Resource, ...]) -> bool:
        """Whether every one of `resources` allows `action`; not recorded."""
        for resource in resources:
            decision = self.decide(action, resource)
            if decision is None or decision.answer is not Answer.ALLOW:
                return False
        return True

    def is_signed_in(self) -> bool:
        """Whether the login with which the request came has not ended since."""
        return holds(self._point, self._request)

    def reads(self, resources: tuple[Resource, ...]) -> bool:
        """Whether all that a path means may be opened or listed."""
        return self.allows("open", resources) or self.allows("list", resources)

    def sees(self, resources: tuple[Resource, ...]) -> bool:
        """Whether the name may be known: it may be read, or leads to what may be."""
        if self.reads(resources):
            return True
        return len(resources) == 1 and bool(self.ways(resources[0].id))

    def ways(self, folder: str) -> frozenset[str]:
        """The names in a folder that lead to what may be read, where it is not itself."""
        return self._point.ways(self._principal, folder, door=self._door)

    def marked(self, folder: str) -> frozenset[str]:
        """The names in a folder that a grant or a rule on seeing speaks of apart."""
        return self._point.marked(self._principal, folder)

    def is_even(self, action: str, folder: str) -> bool:
        """Whether no rule can tell apart what is in `folder`."""
        return self._point.is_even(self._principal, action, folder)


class Afar:
    """What one principal may do, for a thread: asked in the loop, as it is by then.

    Nothing is allowed any more to whoever has gone.

    Args:
        sight: theirs now; None for the server itself.
        loop: where everything is asked.
    """

    def __init__(self, sight: Callable[[], Sight | None], loop: asyncio.AbstractEventLoop) -> None:
        self._sight = sight
        self._loop = loop
        #: Until when all that is in a folder allows an action.
        self._whole: dict[tuple[str, str], float] = {}
        self._signed_in_until = 0.0

    def allows(self, action: str, resources: tuple[Resource, ...]) -> bool:
        """Whether every one of `resources` allows `action`, or did a second ago; not recorded."""
        whole = self._whole.get((action, _folder_of(resources)), 0.0)
        if time.monotonic() < whole:
            return True
        asked = asyncio.run_coroutine_threadsafe(self._ask(action, resources), self._loop)
        end = time.monotonic() + _SECONDS
        while not wait((asked,), _LOOK_EVERY).done:
            # In a server that ends nobody answers, and Python waits for this thread.
            if time.monotonic() > end or not self._loop.is_running():
                return False
        return asked.result()

    async def _ask(self, action: str, resources: tuple[Resource, ...]) -> bool:
        acting = ACTING.get()
        try:
            sight = self._sight()
        except AuthorizationError:
            # They are nobody any more.
            return False
        if sight is None:
            return True
        connection = None if acting is None else getattr(acting.request, "connection", None)
        stream = getattr(connection, "stream", None)
        if stream is not None and stream.closed():
            return False
        if time.monotonic() >= self._signed_in_until:
            if not sight.is_signed_in():
                return False
            self._signed_in_until = time.monotonic() + _A_MOMENT
        if not sight.allows(action, resources):
            return False
        folder = _folder_of(resources)
        if folder and sight.is_even(action, folder):
            on = Resource(type="contents", id=folder)
            if sight.allows(action, (on,)):
                self._whole[action, folder] = time.monotonic() + _A_MOMENT
        return True


def _folder_of(resources: tuple[Resource, ...]) -> str:
    """The folder of a file of one name, which is asked about alone; else empty."""
    return "" if len(resources) != 1 else resources[0].id.rpartition("/")[0] or "/"


class Inner:
    """Answers about what is in one folder: the folder's own, where nothing divides it.

    A listing asks about thousands of names, of which hardly one is under another rule
    than the rest.
    """

    __slots__ = ("_marked", "_sight", "_whole", "folder")

    def __init__(self, sight: Sight, folder: str) -> None:
        self.folder = folder
        self._sight = sight
        self._marked = sight.marked(folder)
        self._whole: dict[str, bool | None] = {}

    def whole(self, action: str) -> bool | None:
        """Whether all in the folder allows `action`, or none unless marked; None: some."""
        if action not in self._whole:
            on = Resource(type="contents", id=self.folder)
            even = self._sight.is_even(action, self.folder)
            self._whole[action] = self._sight.allows(action, (on,)) if even else None
        return self._whole[action]

    def allows(self, action: str, name: str) -> bool:
        """Whether `name`, which is no link, allows `action`."""
        whole = self.whole(action)
        if whole or (whole is False and name not in self._marked):
            return whole
        return self._sight.allows(action, self._on(name))

    def sees(self, name: str) -> bool:
        """As `Sight.sees`, for a name that is no link."""
        return (
            self.allows("open", name)
            or self.allows("list", name)
            or (name in self._marked and self._sight.sees(self._on(name)))
        )

    def _on(self, name: str) -> tuple[Resource]:
        return (Resource(type="contents", id=f"{self.folder.rstrip('/')}/{name}"),)


def sight_of(wired: Wiring) -> Sight | None:
    """What whoever asks at the moment may see; None where the server itself does."""
    acting = ACTING.get()
    if acting is None:
        return None
    return Sight(wired.authorizer, wired.point, acting.request, acting.principal)
