"""The decision point: the only place that decides. Current policy, decide, record.

It keeps one immutable `Snapshot` of the policy (rules from files, grants and groups
from the store) and swaps it whole when the store's revision grows.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .audit import Audit
from .errors import AuthorizationError, PolicyError, StoreError, UnknownName
from .policy import explanation
from .policy.directory import Directory
from .policy.engine import Snapshot, cover, decide, exceptions
from .policy.model import (
    ANONYMOUS,
    AccessRequest,
    Answer,
    Context,
    Cover,
    Decision,
    Determinant,
    Principal,
    Resource,
)
from .policy.paths import signposted
from .policy.scope import itself, narrowed, restrained
from .policy.viewing import viewed
from .policy_folder import PolicyFolder
from .shadow import Shadow
from .site_clock import SiteClock
from .store import Store
from .tally import Tally

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Callable

    from .audit import Record, Value
    from .config import JupyterAuthorization
    from .policy.engine import CheckedPolicy
    from .policy.homes import Homes
    from .store import State

_log = logging.getLogger(__name__)

#: Actor of what the server does by itself.
SERVER = "server"
#: Most mistakes of a policy that one record holds.
_MOST_TOLD = 50
_AWAY = "the server cannot look up what you may do now; try again later"
#: Decisions kept; one costs some 500 bytes.
CACHE_SIZE = 16_384


@dataclass(frozen=True, slots=True)
class _Kept:
    decision: Decision
    good_until: float


class DecisionPoint:
    """Answers every door.

    Args:
        store: people, groups and grants.
        policy_dir: folder of policy files; None where there is none.
        owner: name of the person whom the settings make `admin`; empty for nobody.
        audit: gets each denial.
        clock: seconds since the epoch.
        timezone: in which rules read the hour; None is the machine's.
        homes: where homes are; None where nobody has one.
        shadow: lets through what is denied, and records it; see `Shadow`.
        stale: seconds for which it answers while the store cannot be read; then it denies.

    Raises:
        PolicyError: the policy files do not load.
        StoreError: the store cannot be read.
    """

    def __init__(
        self,
        store: Store,
        *,
        policy_dir: Path | None,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        timezone: zoneinfo.ZoneInfo | None = None,
        homes: Homes | None = None,
        shadow: bool = False,
        stale: float = math.inf,
        owner: str = "",
    ) -> None:
        self.store = store
        self.audit = audit
        self.files = PolicyFolder(policy_dir, owner)
        self.shadow = Shadow(audit, clock) if shadow else None
        self.tally = Tally()
        #: Why the files as they are now are not in force; None where they are.
        self.problem: AuthorizationError | None = None
        self._stale = stale
        self._good_until = math.inf
        self._clock = clock
        self._site = SiteClock(timezone)
        self.homes = homes
        self._listeners: list[Callable[[int], None]] = []
        self._cache: dict[tuple[object, ...], _Kept] = {}
        self._principals: dict[tuple[object, ...], Principal] = {}
        self.policy: CheckedPolicy = self.files.load()
        #: When the policy files in force were read, seconds since the epoch.
        self.policy_since = clock()
        self.state: State = store.state()
        self._swap()

    def _swap(self) -> None:
        document = self.policy.document
        self.directory = Directory.merge(self.state, document)
        self.snapshot = Snapshot(
            self.policy,
            (*self.state.grants, *document.grants),
            self.state.revision,
            homes=self.homes,
        )
        self.disabled = frozenset(p.name for p in self.state.people if p.disabled)
        # Invariant: nothing decided at an older revision is ever answered again.
        self._cache = {}
        self._principals = {}
        self._ways: dict[object, dict[str, dict[str, list[str]]]] = {}

    @property
    def revision(self) -> int:
        """Of the policy that answers now; grows with every change."""
        return self.state.revision

    def on_change(self, listener: Callable[[int], None]) -> None:
        """Have `listener` called with the new revision after each change."""
        self._listeners.append(listener)

    def refresh(self) -> bool:
        """Take over what has changed in the store, if anything; True if so.

        Cheap when nothing has: one `SELECT`. Called by the poll and by whoever has
        just changed the store.

        Raises:
            StoreError: the store cannot be read; the last revision stays in force, but
                not for ever.
        """
        try:
            if self.store.revision() == self.state.revision:
                self._good_until = math.inf
                return False
            self.state = self.store.state(self.state)
        except StoreError:
            self._good_until = min(self._good_until, self._clock() + self._stale)
            raise
        self._good_until = math.inf
        self._tell()
        return True

    @property
    def store_is_away(self) -> bool:
        """Whether the store could not be read when last looked."""
        return self._good_until < math.inf

    def _tell(self) -> None:
        """Have what is in `state` and `policy` answer, and say so."""
        self._swap()
        for listener in self._listeners:
            listener(self.state.revision)

    def adopt(self, policy: CheckedPolicy) -> None:
        """Have `policy` answer from now on; its files were read from `files`.

        It counts as a change of the store, so that the revision grows and whoever
        shares the store looks again.
        """
        self.policy, self.problem, self.policy_since = policy, None, self._clock()
        try:
            self.store.count_policy_change()
            self.state = self.store.state(self.state)
        except StoreError as error:
            # It holds here all the same; only the revision stays behind.
            _log.warning("the store could not be told of a changed policy: %s", error)
        self._tell()
        self.audit.event(
            "policy_changed",
            actor=SERVER,
            fields={"files": list(self.files.files()), "revision": self.revision},
        )

    def keep(self, problem: AuthorizationError) -> None:
        """Stay with the last good policy, since the files as they are now do not load."""
        self.problem = problem
        mistakes: list[str] = str(problem).splitlines()[:_MOST_TOLD]
        fields: dict[str, Value] = {"mistakes": mistakes, "revision": self.revision}
        self.audit.event("policy_refused", actor=SERVER, fields=fields)

    def principal(
        self,
        name: str,
        *,
        token: str | None = None,
        session: str | None = None,
        viewer: Principal | None = None,
        must_exist: bool = True,
    ) -> Principal:
        """The principal written `name`, with its groups as they are now.

        `token:ID` is the owner of that token, asking with it.

        Args:
            viewer: who looks around as them.
            must_exist: False where somebody else (a hub) keeps the people; one who
                is disabled here is still refused.

        Raises:
            UnknownName: no such person, or one who is disabled; no such token.
            StoreError: the token's scope cannot be looked up.
        """
        if name.startswith("token:"):
            return self._program(name.removeprefix("token:"))
        key = (name, token, session, viewer, must_exist)
        found = self._principals.get(key)
        if found is None:
            if name != ANONYMOUS:
                self._check_exists(name, must_exist=must_exist)
            groups = () if name == ANONYMOUS else self.directory.groups_of(name)
            found = Principal(
                name=name,
                groups=groups,
                token=token,
                session=session,
                scope=None if token is None else self._scope(token),
                viewer=viewer,
            )
            if len(self._principals) >= CACHE_SIZE:
                self._principals.clear()
            self._principals[key] = found
        return found

    def _program(self, id_: str) -> Principal:
        found = self.store.token(id_)
        if found is None or (found[0].expires or math.inf) <= self._clock():
            msg = (
                f"there is no token `{id_[:64]}` that holds; `jupyter authz tokens list` shows ids"
            )
            raise UnknownName(msg)
        return self.principal(f"user:{found[0].person}", token=found[0].id)

    def as_now(self, principal: Principal, *, must_exist: bool = True) -> Principal:
        """`principal` with the groups and the scope of now, and so whoever looks as them.

        Raises:
            UnknownName, StoreError: as for `principal`.
        """
        viewer = principal.viewer
        return self.principal(
            principal.name,
            token=principal.token,
            session=principal.session,
            viewer=None if viewer is None else self.as_now(viewer, must_exist=must_exist),
            must_exist=must_exist,
        )

    def _scope(self, token: str) -> tuple[tuple[str, str], ...] | None:
        # Invariant: whoever asks with a token is a principal with that token's scope,
        # so it is looked up here and nowhere else.
        found = self.store.token(token)
        if found is None:
            msg = "the token is revoked"
            raise UnknownName(msg)
        return found[0].scope

    def _check_exists(self, name: str, *, must_exist: bool) -> None:
        kind, _, bare = name.partition(":")
        if kind == "user" and bare in self.disabled:
            msg = f"`{name}` is disabled"
            raise UnknownName(msg)
        if must_exist and not self.directory.knows(name):
            msg = f"there is no `{name}`; `jupyter authz users list` shows who there is"
            raise UnknownName(msg)

    def decide(
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        *,
        door: str,
        address: str | None = None,
        request: str | None = None,
        record: bool = True,
        lift: bool = True,
    ) -> Decision:
        """May `principal` do `action` on `resource` now? Never raises: a failure denies.

        Args:
            door: which door asks.
            address: the client's IP address.
            request: what was asked for, for the record.
            record: False for questions about a right that nobody tries to use.
            lift: False for what outlives shadow mode, as what somebody may hand on.
        """
        now = self._clock()
        key = (principal, action, resource)
        kept = self._cache.get(key)
        if kept is not None and now < kept.good_until and now < self._good_until:
            decision = kept.decision
        else:
            began = time.perf_counter()
            decision = self._ask(principal, action, resource, now, door, address)
            self.tally.asked += 1
            self.tally.seconds += time.perf_counter() - began
            if decision.good_until > now and not any(
                d.kind == "error" for d in decision.determining
            ):
                if len(self._cache) >= CACHE_SIZE:
                    self._cache.clear()
                self._cache[key] = _Kept(decision, decision.good_until)
        if decision.answer is Answer.ALLOW:
            self.tally.allowed += 1
            return decision
        if lift and self.shadow is not None and self.shadow.lifts(decision):
            self.tally.lifted += 1
            return self.shadow.lifted(
                decision,
                principal=principal,
                door=door,
                address=address,
                request=request,
                record=record,
            )
        self.tally.denied += 1
        return self._record(decision, principal, door, address, request) if record else decision

    def ways(self, principal: Principal, folder: str, *, door: str) -> frozenset[str]:
        """The names in `folder` that `principal` has to pass to reach what they may see.

        Args:
            folder: a canonical contents path.
        """
        return frozenset(
            name
            for name, places in self._marks(principal).get(folder, {}).items()
            if any(self._sees(principal, place, door) for place in places)
        )

    def marked(self, principal: Principal, folder: str) -> frozenset[str]:
        """The names in `folder` on which, or below which, something is said apart."""
        return frozenset(self._marks(principal).get(folder, ()))

    def _marks(self, principal: Principal) -> dict[str, dict[str, list[str]]]:
        own = (principal.keys, principal.scope, principal.viewer)
        below = self._ways.get(own)
        if below is None:
            if len(self._ways) >= CACHE_SIZE:
                self._ways.clear()
            below = self._ways[own] = signposted(self.snapshot.signposts(principal))
        return below

    def _sees(self, principal: Principal, path: str, door: str) -> bool:
        resource = Resource(type="contents", id=path)
        return any(
            self.decide(principal, action, resource, door=door, record=False).allowed
            for action in ("open", "list")
        )

    def is_even(self, principal: Principal, action: str, folder: str) -> bool:
        """As `Snapshot.is_even`: whether nothing can tell apart what is in `folder`."""
        # Whoever looks as another sees what both may, of which one snapshot says nothing.
        if principal.viewer is not None or not self._is_even_by_token(principal, action, folder):
            return False
        return self.snapshot.is_even(principal, action, folder)

    def _is_even_by_token(self, principal: Principal, action: str, folder: str) -> bool:
        """Whether no rule on tokens can tell apart what is in `folder`."""
        token = principal.token
        return token is None or self.snapshot.is_even(itself(token), action, folder)

    def cover(self, principal: Principal, action: str, folder: str) -> Cover:
        """How far `principal`'s right to `action` reaches in the contents folder `folder`."""
        resource = Resource(type="contents", id=folder)
        if principal.viewer is not None or not self._is_even_by_token(principal, action, folder):
            return Cover()
        if not self.decide(principal, action, resource, door="sandbox", record=False).allowed:
            return Cover()
        return cover(self.snapshot, principal, action, folder, self._clock())

    def exceptions(
        self, principal: Principal, action: str, folder: str
    ) -> tuple[Determinant, ...]:
        """The rules for which `cover` is less than what may be allowed at times or in places."""
        return exceptions(self.snapshot, principal, action, folder)

    def _ask(  # noqa: PLR0917  # why: private, called once
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        now: float,
        door: str,
        address: str | None,
    ) -> Decision:
        try:
            hour, weekday = self._site(now)
            request = AccessRequest(
                principal=principal,
                action=action,
                resource=resource,
                context=Context(time=now, hour=hour, weekday=weekday, door=door, address=address),
            )
            if now >= self._good_until:
                admin = "the store has been away for longer than `stale_seconds`"
                return explanation.unasked(request, self.revision, "error", _AWAY, admin)
            if principal.name == ANONYMOUS:
                return explanation.unasked(
                    request, self.revision, "anonymous", "sign in first", "nobody is signed in"
                )
            decision = narrowed(decide(self.snapshot, request), principal, action, resource)
            if principal.token is not None and decision.allowed:
                own = replace(request, principal=itself(principal.token))
                decision = restrained(decision, decide(self.snapshot, own))
            if (viewer := principal.viewer) is not None:
                ask = partial(self._ask, viewer, action, resource, now, door, address)
                decision = viewed(decision, principal, resource, ask)
        except Exception as error:  # noqa: BLE001  # why: whatever breaks while deciding denies
            _log.exception("deciding failed, so the answer is deny")
            return explanation.unasked(
                AccessRequest(
                    principal=principal,
                    action=action,
                    resource=resource,
                    context=Context(time=now, hour=0, weekday=1, door=door),
                ),
                self.revision,
                "error",
                "this could not be decided, so it is refused",
                f"deciding failed: {type(error).__name__}",
            )
        return decision

    def _record(
        self,
        decision: Decision,
        principal: Principal,
        door: str,
        address: str | None,
        request: str | None,
    ) -> Decision:
        with contextlib.suppress(OSError):
            # A full disk must not turn a denial into an error page; the answer stays deny.
            record = self.audit.decision(
                decision, principal=principal, door=door, address=address, request=request
            )
            return replace(decision, id=record)
        _log.error("a denial could not be written to the audit file")
        return decision


def open_decision_point(
    config: JupyterAuthorization, emit: Callable[[Record], None] | None = None
) -> DecisionPoint:
    """The decision point that `config` describes, over an opened store.

    Args:
        emit: also gets each audit record; the server's event bus.

    Raises:
        PolicyError, StoreError, ConfigurationError: it cannot be; the message says
            what to do. Nothing may be served then.
    """
    store = Store.open(config.store_url)
    try:
        return DecisionPoint(
            store,
            policy_dir=config.policy_folder(),
            audit=Audit(Path(config.audit_file), emit),
            timezone=config.zone,
            homes=config.homes,
            shadow=config.mode == "shadow",
            stale=config.stale_seconds,
            owner=config.owner,
        )
    except (PolicyError, StoreError, AuthorizationError):
        store.close()
        raise
