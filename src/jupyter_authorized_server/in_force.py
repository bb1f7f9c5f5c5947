"""The policy in force at one revision, and what was already decided by it.

It is exchanged whole: a decision that is under way ends with what it began with, and
what it finds out is kept there, never beside a newer policy.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .policy import explanation, guest
from .policy.directory import Directory
from .policy.engine import Snapshot, decide
from .policy.model import ANONYMOUS, AccessRequest, Answer
from .policy.paths import signposted
from .policy.scope import itself, narrowed, restrained
from .policy.viewing import viewed
from .policy.vocabulary import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .policy.engine import CheckedPolicy
    from .policy.homes import Homes
    from .policy.model import Context, Decision, Principal, Resource
    from .policy.plan import View
    from .store import State

_log = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")

#: Decisions kept; one costs some 500 bytes.
CACHE_SIZE = 16_384
_NEVER: tuple[float, None] = (0.0, None)
#: For a folder, the names in it that lead to what is said apart, and to which places.
Marks = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Policy, people and grants of one revision, indexed, with its own caches.

    Args:
        policy: of the files.
        state: of the store.
        directory: people and groups of both.
        disabled: names of those who are shut out.
        snapshot: rules and grants of both.
        decisions: by what was asked, each with when: a clock may be set back, and what
            holds up to an end has a beginning too.
        principals: by how they asked.
        marks: by who looks, with the view they were made of.
    """

    policy: CheckedPolicy
    state: State
    directory: Directory
    disabled: frozenset[str]
    snapshot: Snapshot
    # Invariant: nothing decided at an older revision is ever answered again, so each
    # has its own.
    decisions: dict[tuple[object, ...], tuple[float, Decision]] = field(default_factory=dict)
    principals: dict[tuple[object, ...], Principal] = field(default_factory=dict)
    marks: dict[object, tuple[View, Marks]] = field(default_factory=dict)

    @classmethod
    def first(cls, policy: CheckedPolicy, state: State, homes: Homes | None) -> InForce:
        """Everything built from nothing.

        Raises:
            InvalidName: a grant has an unknown level.
        """
        snapshot = Snapshot(
            policy, policy.document.grants, state.revision, homes=homes, ledger=state.ledger
        )
        return cls(
            policy=policy,
            state=state,
            directory=Directory.merge(state, policy.document),
            disabled=_disabled(state),
            snapshot=snapshot,
        )

    def after(self, policy: CheckedPolicy, state: State) -> InForce:
        """What is in force with this policy and state; what is the same is not built again.

        Raises:
            InvalidName: a grant has an unknown level.
        """
        same_people = state.people is self.state.people
        same_names = same_people and state.groups is self.state.groups and policy is self.policy
        snapshot = self.snapshot.after(
            policy, policy.document.grants, state.revision, state.ledger
        )
        return InForce(
            policy=policy,
            state=state,
            directory=self.directory if same_names else Directory.merge(state, policy.document),
            disabled=self.disabled if same_people else _disabled(state),
            snapshot=snapshot,
            marks={own: kept for own, kept in dict(self.marks).items() if snapshot.shows(kept[0])},
        )

    def answer(
        self, principal: Principal, action: str, resource: Resource, context: Context
    ) -> Decision:
        """May `principal` do `action` on `resource`; by rules, grants, token and viewer."""
        request = AccessRequest(
            principal=principal, action=action, resource=resource, context=context
        )
        if principal.name == ANONYMOUS and (resource.type, action) != UNNAMED:
            return explanation.unasked(
                request,
                self.state.revision,
                "anonymous",
                "sign in first",
                "nobody is signed in",
            )
        if principal.giver is not None:
            return guest.met(
                principal,
                action,
                resource,
                rules=lambda who: decide(self.snapshot, replace(request, principal=who)),
                givers=lambda who, what, on: self.answer(who, what, on, context),
            )
        if principal.name == ANONYMOUS:
            return guest.named(decide(self.snapshot, request))
        decision = narrowed(decide(self.snapshot, request), principal, action, resource)
        if principal.token is not None and decision.allowed:
            own = replace(request, principal=itself(principal.token))
            decision = restrained(decision, decide(self.snapshot, own))
        if (viewer := principal.viewer) is not None:
            ask = partial(self.answer, viewer, action, resource, context)
            decision = viewed(decision, principal, resource, ask)
        return decision

    def kept(self, key: tuple[object, ...], now: float) -> Decision | None:
        """What was answered to the same question, if it still holds, and did by then."""
        since, decision = self.decisions.get(key, _NEVER)
        return decision if decision is not None and since <= now < decision.good_until else None

    def keep(self, key: tuple[object, ...], decision: Decision, now: float) -> None:
        """Have `decision` answer the same question again, for as long as it holds."""
        # Invariant: what could not be judged is judged anew.
        if decision.good_until > now and (
            decision.answer is Answer.ALLOW
            or not any(each.kind == "error" for each in decision.determining)
        ):
            remember(self.decisions, key, (now, decision))

    def marks_of(self, principal: Principal) -> Marks:
        """What leads to each place on which something is said apart for `principal`."""
        own = (principal.keys, principal.scope, principal.viewer)
        if principal.giver is not None:
            principal = guest.as_anybody(principal)
        view = self.snapshot.view(principal.name, principal.groups)
        kept = self.marks.get(own)
        # Signposts are made of the view and of the scope, which is part of the key.
        if kept is None or kept[0] is not view:
            kept = (view, signposted(self.snapshot.signposts(principal)))
            remember(self.marks, own, kept)
        return kept[1]

    def is_even(self, principal: Principal, action: str, folder: str) -> bool:
        """As `Snapshot.is_even`: whether nothing can tell apart what is in `folder`."""
        # Whoever looks as another sees what both may, of which one snapshot says nothing;
        # so does a guest.
        return (
            principal.viewer is None
            and principal.giver is None
            and self.is_even_by_token(principal, action, folder)
            and self.snapshot.is_even(principal, action, folder)
        )

    def is_even_by_token(self, principal: Principal, action: str, folder: str) -> bool:
        """Whether no rule on tokens can tell apart what is in `folder`."""
        token = principal.token
        return token is None or self.snapshot.is_even(itself(token), action, folder)


def remember(cache: dict[K, V], key: K, value: V) -> None:
    """Put something into a cache, which is emptied when it is full."""
    if len(cache) >= CACHE_SIZE:
        cache.clear()
    cache[key] = value


def _disabled(state: State) -> frozenset[str]:
    return frozenset(each.name for each in state.people if each.disabled)


def announce(listeners: Iterable[Callable[[int], None]], revision: int) -> None:
    """Tell each of `listeners` of a new revision, whatever the one before it raises."""
    for listener in listeners:
        try:
            listener(revision)
        except Exception:  # noqa: BLE001, PERF203  # why: the next one may have sockets to close
            _log.exception("a change is in force, and not all of the server has heard of it")
