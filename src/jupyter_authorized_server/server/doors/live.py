"""Live doors: every open websocket, and what a change of the policy does to it.

The guard asks when a socket opens. Here each one is asked again, with the questions of
its handshake, whenever the answer may have changed: at a new revision (a grant, a group,
a token, a login session), and at the moment a grant, a token or a session ends.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tornado.concurrent import Future
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketHandler

from ... import sentences
from ...errors import StoreError
from ...policy.model import Answer
from ...policy.vocabulary import ABILITY
from ..acting import taken_away
from .admission import admission
from .company import REACHING
from .logins import Login, holders

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...policy.model import Decision, Principal, Resource
    from ..wiring import Wiring
    from .hook import Hook
    from .logins import Holder

_log = logging.getLogger(__name__)

#: Seconds between two looks at the clock.
TICK = 0.25
#: Seconds for which an answer is taken that must not be kept, such as one by the hour.
_AGAIN = 0.5
#: Close codes: JupyterLab takes 1000 as final on kernels and terminals, and comes back
#: at once on any other; 1008 is what the protocol has for a breach of policy.
FINAL, POLICY = 1000, 1008


@dataclass(eq=False, kw_only=True)
class LiveDoor:
    """One open socket.

    It holds no handler: it must not keep a closed one alive.

    Args:
        name: written form of who opened it.
        token: id of the API token it was opened with.
        session: id of the login session it was opened with.
        local: whether the person must be known to this server's own store.
        questions: that were asked at the handshake.
        address: the client's IP address.
        request: for the record.
        since: seconds since the epoch.
        generation: of `LiveDoors`, at which it was last asked.
        until: seconds since the epoch up to which `principal` and `allowed` hold.
        principal: as it is now; None where the login has ended.
        allowed: whether the handshake would be let through now.
        hook: the configuration's, where there is one.
        id: by which it can be disconnected; tells nothing else.
    """

    name: str
    token: str | None
    session: str | None
    local: bool
    questions: tuple[tuple[str, Resource], ...]
    address: str | None
    request: str
    since: float
    generation: int
    until: float = math.inf
    principal: Principal | None = None
    allowed: bool = False
    hook: Hook | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def login(self) -> Login:
        """What it was opened with."""
        return Login(self.name, self.token, self.session, self.local)


class Parting:
    """What has something to say, and to leave undone, before its socket closes.

    No protocol: hundreds are told at once, and one takes ten times as long to be found.
    """

    #: Ends what its page waits for, with a sentence why.
    tell_end: Callable[[str], None]
    #: Passes on nothing more of what has come already, as the server closes the socket.
    shut: Callable[[], None]


class LiveDoors:
    """The registry of open sockets.

    Args:
        wired: decision point and authorizer.
        clock: seconds since the epoch.
    """

    def __init__(self, wired: Wiring, clock: Callable[[], float] = time.time) -> None:
        self._wired = wired
        self.clock = clock
        self._doors: WeakKeyDictionary[WebSocketHandler, LiveDoor] = WeakKeyDictionary()
        self._ticks: PeriodicCallback | None = None
        #: Grows whenever an answer may have changed; what was found at one number holds
        #: up to the next.
        self.generation = 0
        #: Open sockets whose right, or whose login, was found to have ended.
        self.revoked = 0
        wired.point.on_change(lambda _: self.advance())

    def start(self) -> None:
        """Look at the clock from now on."""
        self._ticks = PeriodicCallback(self.tick, TICK * 1000)
        self._ticks.start()

    def stop(self) -> None:
        """Look no more."""
        if self._ticks is not None:
            self._ticks.stop()

    def is_full(self, principal: Principal) -> bool:
        """Whether somebody has as many sockets open, or opening, as one person may."""
        most = self._wired.config.max_sockets
        if not most:
            return False
        theirs = (
            handler
            for handler, door in self._doors.items()
            if door.name == principal.name and not _is_over(handler)
        )
        return sum(1 for _ in theirs) >= most

    def register(self, handler: object) -> LiveDoor | None:
        """Keep `handler`, if it is a websocket that the guard let through; again is harmless."""
        if not isinstance(handler, WebSocketHandler):
            return None
        known = self._doors.get(handler)
        if known is not None:
            return known
        found = admission(handler.request)
        if found is None:
            return None
        door = LiveDoor(
            name=found.principal.name,
            token=found.principal.token,
            session=found.principal.session,
            local=hasattr(found.user, "session_id"),
            questions=found.questions,
            address=handler.request.remote_ip,
            request=f"{handler.request.method} {handler.request.path}",
            since=self.clock(),
            generation=self.generation,
            hook=found.hook if found.hook.is_replaced else None,
        )
        self._doors[handler] = door
        self.review(door)
        return door

    def spend(self, decision: Decision) -> bool:
        """Use what alone allows `decision`, if that counts a number of times; False: used up."""
        try:
            return bool(self._wired.uses.spend((decision,)))
        except StoreError:
            _log.warning("the store could not be asked how often a grant counts")
            return False

    def counts(self, decision: Decision) -> bool:
        """Whether `decision` counts a number of times; True where that cannot be told."""
        try:
            return bool(self._wired.uses.counts(decision))
        except StoreError:
            _log.warning("the store could not be asked whether a grant counts")
            return True

    def open_doors(self) -> list[LiveDoor]:
        """Those that are open now, oldest first."""
        found = [door for handler, door in self._doors.items() if handler.ws_connection]
        return sorted(found, key=lambda door: door.since)

    def of_others(self) -> list[WebSocketHandler]:
        """The handlers of those open ones whose person another provider recognises."""
        return [
            each for each, door in self._doors.items() if each.ws_connection and not door.local
        ]

    def disconnect(self, door: LiveDoor, *, by: str) -> None:
        """Close one, for whoever asks; the person may connect again where they may."""
        sentence = sentences.LEFT if by == door.name else sentences.DISCONNECTED
        for handler, each in list(self._doors.items()):
            if each is door:
                part(handler, sentence)

    def advance(self) -> None:
        """Something changed: ask every socket again, now."""
        self.generation += 1
        self._sweep()

    def tick(self) -> None:
        """Ask those whose time is over, and those that were opening at the last change."""
        for door in self.open_doors():
            if door.hook is not None:
                door.hook.renew()
        self._sweep()

    def _sweep(self) -> None:
        now = self.clock()
        due = [
            (handler, door)
            for handler, door in list(self._doors.items())
            if handler.ws_connection is not None
            and (
                door.generation != self.generation
                or now >= door.until
                # A message may have come first, and been refused.
                or not door.allowed
            )
        ]
        if not due:
            return
        # A page holds several sockets, and all of one login have one answer.
        try:
            held = holders(self._wired.point, [door.login for _, door in due], now)
        except Exception:  # noqa: BLE001  # why: as below, for each
            _log.exception("it could not be asked whose sockets are open")
            held = {}
        for handler, door in due:
            self._settle(handler, door, held, now)

    def _settle(
        self, handler: WebSocketHandler, door: LiveDoor, held: dict[Login, Holder], now: float
    ) -> None:
        try:
            self._review(door, held[door.login], now)
            if not door.allowed:
                self.revoked += 1
                end(handler, door)
        except Exception:  # noqa: BLE001  # why: a socket that cannot be asked about is closed
            _log.exception("a socket could not be asked about, so it is closed")
            close(handler, POLICY, sentences.TAKEN_BACK)

    def current(self, door: LiveDoor) -> LiveDoor:
        """`door` as it is at this moment."""
        if door.generation != self.generation or self.clock() >= door.until:
            self.review(door)
        return door

    def review(self, door: LiveDoor) -> None:
        """Find out again who `door` belongs to and whether they would be let in."""
        now = self.clock()
        self._review(door, holders(self._wired.point, [door.login], now)[door.login], now)

    def _review(self, door: LiveDoor, held: Holder, now: float) -> None:
        door.generation = self.generation
        door.principal, until = held
        door.allowed = door.principal is not None and bool(door.questions)
        if door.principal is not None:
            for action, resource in door.questions:
                decision = self.ask(door, action, resource, door_name="http")
                door.allowed = door.allowed and decision.answer is Answer.ALLOW
                until = min(until, decision.good_until)
        door.until = max(until, now + _AGAIN)

    def ask(
        self, door: LiveDoor, action: str, resource: Resource, *, door_name: str = "channel"
    ) -> Decision:
        """The decision on one question of the principal of `door`; recorded by the caller."""
        assert door.principal is not None  # noqa: S101  # why: callers look first
        decision: Decision = self._wired.authorizer.answer(
            door.principal,
            action,
            resource,
            door=door_name,
            address=door.address,
            request=door.request,
            record=False,
        )
        hook = door.hook
        if hook is None or decision.answer is not Answer.ALLOW:
            return decision
        until = min(decision.good_until, self.clock() + _AGAIN)
        word = ABILITY[(resource.type, action)].word.value
        if hook.allows_now(word, resource.type) and self._hook_shares(door, action, resource):
            return decision._replace(good_until=until)
        return taken_away(decision)._replace(good_until=until)

    def _hook_shares(self, door: LiveDoor, action: str, resource: Resource) -> bool:
        """Whether the hook lets who has `door` touch what the process `resource` does."""
        confinement, hook = self._wired.confinement, door.hook
        if confinement is None or hook is None or (resource.type, action) not in REACHING:
            return True
        words = confinement.company.words(door.principal, resource)
        return all(hook.allows_now(word, "contents") for word in words)


def end(handler: Any, door: LiveDoor) -> None:
    """Take away what `handler` no longer may: its socket, with a sentence why."""
    if door.principal is None:
        part(handler, sentences.SIGNED_OUT)
    elif isinstance(getattr(handler, "connection", None), Parting):
        part(handler, sentences.KERNEL_TAKEN)
    else:
        part(handler, sentences.TAKEN_BACK)


def part(handler: Any, why: str) -> None:
    """Close `handler`'s socket for good, and say why wherever its page shows it."""
    connection = getattr(handler, "connection", None)
    if isinstance(connection, Parting):
        connection.tell_end(why)
    _say_in_terminal(handler, why)
    close(handler, FINAL if _is_jupyters(handler) else POLICY, why)


def _is_over(handler: Any) -> bool:
    """Whether its socket is closed, or was never opened and will not be."""
    if handler.ws_connection is not None:
        return False
    stream = getattr(handler.request.connection, "stream", None)
    return handler._finished or stream is None or stream.closed()  # noqa: SLF001  # why: Tornado says it nowhere else


def _is_jupyters(handler: Any) -> bool:
    """Whether its client is known to take `FINAL` as final."""
    return any(
        f"{kind.__module__}.{kind.__qualname__}" in _FINAL_FOR for kind in type(handler).__mro__
    )


_TERMINAL = "terminado.websocket.TermSocket"
_FINAL_FOR = frozenset(
    {
        "jupyter_server.services.kernels.websocket.KernelWebsocketHandler",
        "jupyter_server.services.events.handlers.SubscribeWebsocket",
        _TERMINAL,
    }
)


def _say_in_terminal(handler: Any, notice: str) -> None:
    """Write `notice` on the screen, which otherwise looks alive."""
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(handler).__mro__}
    if _TERMINAL in kinds:
        handler.write_message(json.dumps(["stdout", f"\r\n{notice}\r\n"]))


def close(handler: Any, code: int, reason: str) -> None:
    """Close `handler`'s socket, deaf and mute from now on.

    Tornado still hands over what a client sends while its own close is on the way,
    which a client can put off.
    """
    handler.on_message = handler.write_message = nothing
    connection = getattr(handler, "connection", None)
    if isinstance(connection, Parting):
        connection.shut()
    handler.close(code, reason)


def nothing(*_: Any, **__: Any) -> Future[None]:
    """Do nothing, in the place of something that is waited for."""
    done: Future[None] = Future()
    done.set_result(None)
    return done
