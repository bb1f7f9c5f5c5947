"""The decision point: the only place that decides. Current policy, decide, record.

It keeps what is in force at one revision (rules from files, grants and groups from the
store) and exchanges it whole when the store's revision grows; see `InForce`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from typing import TYPE_CHECKING

from . import sentences
from .absence import Absence
from .errors import StoreError
from .in_force import InForce, announce
from .policy import explanation
from .policy.engine import cover, exceptions
from .policy.model import (
    AccessRequest,
    Answer,
    Context,
    Cover,
    Decision,
    Determinant,
    Resource,
)
from .policy_folder import PolicyFolder
from .recognition import Recognition
from .shadow import Shadow
from .site_clock import SetBack, SiteClock
from .tally import Tally

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Callable
    from pathlib import Path

    from .audit import Audit, Value
    from .errors import AuthorizationError
    from .policy.directory import Directory
    from .policy.engine import CheckedPolicy, Snapshot
    from .policy.homes import Homes
    from .policy.model import Principal
    from .store import State, Store, Token

_log = logging.getLogger(__name__)

#: Actor of what the server does by itself.
SERVER = "server"
#: Most mistakes of a policy that one record holds.
_MOST_TOLD = 50
_ALLOW = Answer.ALLOW


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
        steady: seconds of a clock that nobody sets.

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
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.audit = audit
        self.files = PolicyFolder(policy_dir, owner)
        self.shadow = Shadow(audit, clock) if shadow else None
        self.tally = Tally()
        #: Why the files as they are now are not in force; None where they are.
        self.problem: AuthorizationError | None = None
        self.absence = Absence(stale, steady)
        self._clock = clock
        self._set_back = SetBack(clock, steady)
        self._site = SiteClock(timezone)
        self.homes = homes
        self._listeners: list[Callable[[int], None]] = []
        self._recognition = Recognition(store, clock)
        policy = self.files.load()
        #: When the policy files in force were read, seconds since the epoch.
        self.policy_since = clock()
        self._in_force = InForce.first(policy, store.state(), homes)

    @property
    def state(self) -> State:
        """Of the store, as it is in force."""
        return self._in_force.state

    @property
    def policy(self) -> CheckedPolicy:
        """Of the files, as it is in force."""
        return self._in_force.policy

    @property
    def directory(self) -> Directory:
        """People and groups of the store and the files."""
        return self._in_force.directory

    @property
    def snapshot(self) -> Snapshot:
        """Rules and grants of the store and the files."""
        return self._in_force.snapshot

    @property
    def disabled(self) -> frozenset[str]:
        """Names of those who are shut out."""
        return self._in_force.disabled

    @property
    def revision(self) -> int:
        """Of the policy that answers now; grows with every change."""
        return self.state.revision

    def on_change(self, listener: Callable[[int], None]) -> None:
        """Have `listener` called with the new revision after each change."""
        self._listeners.append(listener)

    def refresh(self, found: int | None = None) -> bool:
        """Take over what has changed in the store, if anything; True if so.

        Called by the poll, and by whoever has just changed the store.

        Args:
            found: the store's revision, where it has just been asked.

        Raises:
            StoreError: it cannot be read; the last revision stays in force, not for ever.
        """
        try:
            if (self.store.revision() if found is None else found) == self.state.revision:
                self.absence.is_over()
                return False
            state = self.store.state(self.state)
        except StoreError:
            self.absence.missed()
            raise
        self.absence.is_over()
        self._put_in_force(self.policy, state)
        return True

    def _put_in_force(self, policy: CheckedPolicy, state: State) -> None:
        """Have `policy` and `state` answer, and say so."""
        self._in_force = self._in_force.after(policy, state)
        announce(self._listeners, state.revision)

    def adopt(self, policy: CheckedPolicy) -> None:
        """Have `policy` answer from now on; its files were read from `files`.

        It counts as a change of the store, so that the revision grows and whoever
        shares the store looks again.
        """
        self.problem, self.policy_since = None, self._clock()
        self._count(policy)
        fields: dict[str, Value] = {"files": [*self.files.files()], "revision": self.revision}
        self.audit.note("policy_changed", actor=SERVER, fields=fields)

    def look_at_the_clock(self) -> None:
        """Have everything asked anew if the clock was set back; called by the poll."""
        if self._set_back():
            _log.warning("the clock was set back, so all that was decided is asked again")
            self._count(self.policy)

    def _count(self, policy: CheckedPolicy) -> None:
        """Have `policy` answer, as of a revision of its own."""
        state = self.state
        try:
            self.store.count_policy_change()
            state = self.store.state(state)
        except StoreError as error:
            # It holds here all the same; only the revision stays behind.
            _log.warning("the store could not be told of a change: %s", error)
        self._put_in_force(policy, state)

    def keep(self, problem: AuthorizationError) -> None:
        """Stay with the last good policy, since the files as they are now do not load."""
        self.problem = problem
        said: list[str] = str(problem).splitlines()[:_MOST_TOLD]
        fields: dict[str, Value] = {"mistakes": said, "revision": self.revision}
        self.audit.note("policy_refused", actor=SERVER, fields=fields)

    def principal(
        self,
        name: str,
        *,
        token: str | None = None,
        session: str | None = None,
        viewer: Principal | None = None,
        must_exist: bool = True,
        known: Token | None = None,
    ) -> Principal:
        """The principal written `name`, with its groups as they are now.

        `token:NAME` is a token's owner, asking with it; its id, or a name that no other has.

        Args:
            viewer: who looks around as them.
            must_exist: False where somebody else (a hub) keeps the people; one who
                is disabled here is still refused.
            known: the token, where it has just been read from the store.

        Raises:
            UnknownName: no such person, or a disabled one; no such token, or several.
            StoreError: the token's scope cannot be looked up.
        """
        return self._recognition.principal(
            self._in_force,
            name,
            token=token,
            session=session,
            viewer=viewer,
            must_exist=must_exist,
            known=known,
        )

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
        in_force = self._in_force
        key = (principal, action, resource.type, resource.id, resource.within, resource.owner)
        decision = None if self.absence.is_too_long else in_force.kept(key, now)
        if decision is None:
            began = time.perf_counter()
            decision = self._ask(in_force, principal, action, resource, now, door, address)
            self.tally.took(time.perf_counter() - began)
            in_force.keep(key, decision, now)
        if decision.answer is _ALLOW:
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

    def at_once(self) -> float | None:
        """The moment to ask about many at once, past `decide`, where that says the same.

        None where each question is answered by itself: something else than the policy
        has a part in the answer.
        """
        return None if self.shadow is not None or self.absence.is_noticed else self._clock()

    def ways(self, principal: Principal, folder: str, *, door: str) -> frozenset[str]:
        """The names in `folder` that `principal` has to pass to reach what they may see.

        Args:
            folder: a canonical contents path.
        """
        return frozenset(
            name
            for name, places in self._in_force.marks_of(principal).get(folder, {}).items()
            if any(self._sees(principal, place, door) for place in places)
        )

    def marked(self, principal: Principal, folder: str) -> frozenset[str]:
        """The names in `folder` on which, or below which, something is said apart."""
        return frozenset(self._in_force.marks_of(principal).get(folder, ()))

    def _sees(self, principal: Principal, path: str, door: str) -> bool:
        resource = Resource(type="contents", id=path)
        return any(
            self.decide(principal, action, resource, door=door, record=False).allowed
            for action in ("open", "list")
        )

    def is_even(self, principal: Principal, action: str, folder: str) -> bool:
        """As `Snapshot.is_even`: whether nothing can tell apart what is in `folder`."""
        return self._in_force.is_even(principal, action, folder)

    def cover(self, principal: Principal, action: str, folder: str) -> Cover:
        """How far `principal`'s right to `action` reaches in the contents folder `folder`."""
        resource = Resource(type="contents", id=folder)
        if principal.viewer is not None or principal.giver is not None:
            return Cover()
        if not self._in_force.is_even_by_token(principal, action, folder):
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
        in_force: InForce,
        principal: Principal,
        action: str,
        resource: Resource,
        now: float,
        door: str,
        address: str | None,
    ) -> Decision:
        user, admin = (
            sentences.RIGHTS_AWAY,
            "the store has been away for longer than `stale_seconds`",
        )
        if not self.absence.is_too_long:
            try:
                hour, weekday = self._site(now)
                context = Context(time=now, hour=hour, weekday=weekday, door=door, address=address)
                return in_force.answer(principal, action, resource, context)
            except Exception as error:  # noqa: BLE001  # why: whatever breaks while deciding denies
                _log.exception("deciding failed, so the answer is deny")
                user = sentences.NOT_DECIDED
                admin = f"deciding failed: {type(error).__name__}"
        context = Context(time=now, hour=0, weekday=1, door=door, address=address)
        request = AccessRequest(
            principal=principal, action=action, resource=resource, context=context
        )
        return explanation.unasked(request, in_force.state.revision, "error", user, admin)

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
            return decision._replace(id=record)
        _log.error("a denial could not be written to the audit file")
        return decision
