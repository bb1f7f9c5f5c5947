"""The decision: which rules and grants apply to an access request, and what they come to.

A forbid that applies denies; else a permit that applies allows; else the answer is
deny. Whatever breaks while deciding denies too.

Grants are rows in an index by principal and resource, so that their number does not
matter. Rules are few: their scopes are decided here, and only those that have a
condition and whose scope holds are given to Cedar. That leaves out nothing: a rule
acts only if its scope holds. `tests/test_laws.py` holds this index to Cedar's answer
over the whole set.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from . import cedar, copies, explanation, paths, vocabulary
from .model import (
    ANONYMOUS,
    AccessRequest,
    Answer,
    Cover,
    Decision,
    Determinant,
    Effect,
    Grant,
    Reasons,
    Resource,
)
from .plan import parted
from .snapshot import CheckedPolicy, Snapshot, chain_of, load_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .index import Row
    from .model import Principal
    from .plan import View
    from .rule import Rule

__all__ = ["CheckedPolicy", "Snapshot", "cover", "decide", "exceptions", "load_policy"]

#: The zones' offsets are multiples of a quarter of an hour, so no hour or weekday
#: changes within one.
_QUARTER = 900
#: For each type the action that shows the thing, which tells whether one may know of it.
READER = {type_.word: type_.stands_for[vocabulary.Word.READ] for type_ in vocabulary.TYPES}
_PERMIT, _ALLOW, _DENY = Effect.PERMIT, Answer.ALLOW, Answer.DENY
_ADMIN = int(vocabulary.Level.ADMIN)


class _Weighed(NamedTuple):
    """What applies to a request: the whole of a decision but its words."""

    permits: list[Determinant]
    good_until: float
    forbids: Sequence[Determinant] = ()
    failed: Sequence[Determinant] = ()
    #: What Cedar said about the rules that failed.
    complaints: tuple[str, ...] = ()
    #: Rules whose scope holds and whose condition does not.
    idle: tuple[Rule, ...] = ()


def decide(snapshot: Snapshot, request: AccessRequest) -> Decision:
    """The answer to `request`, with its reasons; never raises."""
    try:
        return _decide(snapshot, request)
    except Exception as error:  # noqa: BLE001  # why: whatever breaks while deciding denies
        return explanation.failure(request, error, revision=snapshot.revision)


def _decide(snapshot: Snapshot, request: AccessRequest) -> Decision:
    principal, resource, action = request.principal, request.resource, request.action
    view = snapshot.view(principal.name, principal.groups)
    chain = chain_of(resource)
    plan = view.plans.get((resource.type, action)) or snapshot.plan(view, resource.type, action)
    permits, good_until = _granted(
        view.tables or view.look(), chain, plan.level, request.context.time, snapshot.wall
    )
    weighed = None
    # The look first, since a call costs a fortieth of a decision.
    if copies.HIDDEN in resource.id and copies.may_show(resource, action):
        weighed = _weigh(snapshot, view, chain, request, action)
        permits, good_until = weighed.permits, weighed.good_until
        is_allowed = _allows(weighed)
    elif plan.has_rules and (rules := plan.rules_on(chain)):
        weighed = _Weighed(permits, good_until)
        weighed = _with_rules(weighed, rules, view, chain, request=request, action=action)
        permits, good_until = weighed.permits, weighed.good_until
        is_allowed = _allows(weighed)
    else:
        is_allowed = bool(permits)
    if is_allowed:
        return Decision(
            answer=_ALLOW,
            principal=principal.name,
            action=action,
            resource=chain[0],
            revision=snapshot.revision,
            determining=tuple(permits),
            reasons=explanation.permitted,
            good_until=good_until,
        )
    weighed = weighed or _Weighed(permits, good_until)
    return Decision(
        answer=_DENY,
        principal=principal.name,
        action=action,
        resource=chain[0],
        revision=snapshot.revision,
        determining=(*weighed.failed, *weighed.forbids),
        reasons=_Refusal(snapshot, view, chain, request, weighed),
        good_until=good_until,
    )


def _allows(weighed: _Weighed) -> bool:
    # Invariant: a rule that failed may be a forbid, so nothing is allowed beside it.
    return bool(weighed.permits) and not weighed.forbids and not weighed.failed


class _Refusal:
    """The words of a denial, found when somebody reads them.

    They say that the thing exists only to whom may read it. What they are made of never
    changes, so that they say what they would have said at once.
    """

    __slots__ = ("_made_of", "_said")

    def __init__(
        self,
        snapshot: Snapshot,
        view: View,
        chain: tuple[str, ...],
        request: AccessRequest,
        weighed: _Weighed,
    ) -> None:
        self._made_of: Any = (snapshot, view, chain, request, weighed)
        self._said: Reasons | None = None

    def __call__(self, _: Decision) -> Reasons:
        return self._find()

    def _find(self) -> Reasons:
        made_of, said = self._made_of, self._said
        if said is None:
            try:
                said = _reasons(*made_of)
            except Exception as error:  # noqa: BLE001  # why: it stays a denial, whatever is said
                said = explanation.unexplained(error)
            # A decision may be kept for longer than the revision that it was made at.
            self._said, self._made_of = said, None
        return said

    def __eq__(self, other: object) -> bool:
        return self._find() == other._find() if isinstance(other, _Refusal) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._find())


def _reasons(
    snapshot: Snapshot,
    view: View,
    chain: tuple[str, ...],
    request: AccessRequest,
    weighed: _Weighed,
) -> Reasons:
    reader = READER[request.resource.type]
    known = request.action != reader and _allows(_weigh(snapshot, view, chain, request, reader))
    return explanation.refused(
        request,
        name=chain[0],
        revision=snapshot.revision,
        weighed=weighed,
        near=_near(view, chain, request.context.time, snapshot.wall),
        reader=reader if known else None,
    )


def _weigh(
    snapshot: Snapshot, view: View, chain: tuple[str, ...], request: AccessRequest, action: str
) -> _Weighed:
    """What applies to `request` if it asked for `action`."""
    type_ = request.resource.type
    plan = view.plans.get((type_, action)) or snapshot.plan(view, type_, action)
    now = request.context.time
    weighed = _Weighed(
        *_granted(view.tables or view.look(), chain, plan.level, now, snapshot.wall)
    )
    rules = plan.rules_on(chain)
    if rules:
        weighed = _with_rules(weighed, rules, view, chain, request=request, action=action)
    if weighed.forbids or weighed.failed or not copies.may_show(request.resource, action):
        return weighed
    strong, _ = _granted(view.tables or view.look(), chain, _ADMIN, now, snapshot.wall)
    permits, against = copies.left(
        plan, chain, weighed.permits, homes=snapshot.homes, strong={each.id for each in strong}
    )
    forbids = [_determinant(rule, chain) for rule in against]
    return weighed._replace(permits=permits, forbids=forbids)


def _granted(
    tables: tuple[Mapping[str, Sequence[Row]], ...],
    chain: tuple[str, ...],
    level: int,
    now: float,
    wall: str,
) -> tuple[list[Determinant], float]:
    """The grants of `level` or more on the way up, nearest first, and how long no other
    grant begins or ends.

    Args:
        tables: grants by resource.
        wall: on the way up from inside it, only `admin` counts from there on.
    """
    permits: list[Determinant] = []
    good_until = math.inf
    for name in chain:
        if name == wall and is_within(chain, wall):
            level = _ADMIN
        for table in tables:
            for row in table.get(name, ()):
                if row.level < level:
                    continue
                if row.starts <= now < row.ends:
                    permits.append(row.above() if name is not chain[0] else row.here())
                    good_until = min(good_until, row.ends)
                elif now < row.starts:
                    good_until = min(good_until, row.starts)
    return permits, good_until


def is_within(chain: tuple[str, ...], wall: str) -> bool:
    """Whether the way up, which passes `wall`, comes from below it."""
    below = chain.index(wall) - 1
    return below >= 0 and chain[below].startswith(f"{wall}/")


def cover(snapshot: Snapshot, principal: Principal, action: str, folder: str, now: float) -> Cover:
    """How far a right of `principal` reaches in `folder`, whatever the circumstances.

    What a process is shown cannot depend on the hour or the address, so a condition
    that permits counts as not met, and one that forbids as met.

    Args:
        folder: a canonical contents path.
    """
    view = snapshot.view(principal.name, principal.groups)
    plan = view.plans.get(("contents", action)) or snapshot.plan(view, "contents", action)
    chain = chain_of(Resource(type="contents", id=folder))
    granted = _lasting(view, chain, plan.level, now, snapshot.wall)
    homes = snapshot.homes
    holds_homes = homes is not None and folder in paths.ancestors(homes.folder)
    into_homes = _lasting(view, chain, _ADMIN, now, "") if holds_homes else granted
    here = [*plan.anywhere, *(rule for name in chain for rule in plan.named.get(name, ()))]
    if any(rule.effect is _PERMIT and not rule.conditional for rule in here):
        granted = into_homes = math.inf
    if granted == -math.inf or any(rule.effect is Effect.FORBID for rule in here):
        return Cover()
    apart = next(plan.forbids_in(chain[0]), None)
    return Cover(some=True, whole=apart is None and into_homes > -math.inf, until=into_homes)


def exceptions(
    snapshot: Snapshot, principal: Principal, action: str, folder: str
) -> tuple[Determinant, ...]:
    """The rules for which `cover` is less than what may be allowed at times or in places.

    Those that forbid on the way to `folder`, on it and below it; where there is none,
    those that permit under a condition.
    """
    view = snapshot.view(principal.name, principal.groups)
    plan = view.plans.get(("contents", action)) or snapshot.plan(view, "contents", action)
    chain = chain_of(Resource(type="contents", id=folder))
    here = [*plan.anywhere, *(rule for name in chain for rule in plan.named.get(name, ()))]
    found = [rule for rule in here if rule.effect is Effect.FORBID]
    found += plan.forbids_in(chain[0])
    found = found or [rule for rule in here if rule.conditional]
    return tuple(_determinant(rule, chain) for rule in dict.fromkeys(found))


def _lasting(view: View, chain: tuple[str, ...], level: int, now: float, wall: str) -> float:
    """Until when some grant of `level` on the way up lasts; -inf where there is none."""
    permits, _ = _granted(view.tables or view.look(), chain, level, now, wall)
    ends = (math.inf if each.ends is None else each.ends for each in permits)
    return max(ends, default=-math.inf)


def _with_rules(
    weighed: _Weighed,
    rules: tuple[Rule, ...],
    view: View,
    chain: tuple[str, ...],
    *,
    request: AccessRequest,
    action: str,
) -> _Weighed:
    """The grants that permit, with the rules whose scope holds added."""
    permits, good_until = weighed.permits, weighed.good_until
    parts = parted(rules)
    applying = list(parts.plain)
    failed: list[Determinant] = []
    complaints: list[str] = []
    for some in parts.conditional:
        answer = cedar.evaluate(
            some,
            keys=view.keys,
            action=action,
            chain=chain,
            owner=request.resource.owner,
            context=request.context,
        )
        applying += [some[number] for number in answer.determining]
        if answer.errors:
            broken = [some[number] for number in answer.failed]
            failed += [_determinant(rule, chain, kind="error") for rule in broken] or [
                explanation.unnamed_failure()
            ]
            complaints += answer.errors
    if failed:
        good_until = 0.0
    elif parts.reads:
        good_until = min(good_until, _kept_until(parts.reads, request.context.time))
    forbids: list[Determinant] = []
    for rule in applying:
        (permits if rule.effect is _PERMIT else forbids).append(_determinant(rule, chain))
    weighed = _Weighed(permits, good_until, forbids, failed, tuple(complaints))
    if _allows(weighed):
        return weighed
    idle = (rule for some in parts.conditional for rule in some if rule not in applying)
    return weighed._replace(idle=tuple(idle))


def _kept_until(reads: frozenset[str], now: float) -> float:
    """How long answers that read this of the context hold; 0 where that cannot be told."""
    if reads & {"time", "door", "address"}:
        return 0.0
    return (now // _QUARTER + 1) * _QUARTER


@lru_cache(maxsize=1024)
def _rule_determinant(rule: Rule, kind: str, inherited_from: str) -> Determinant:
    return Determinant(
        id=rule.id,
        kind=kind,
        effect=rule.effect,
        source=rule.source,
        scope=rule.principal.name or (ANONYMOUS if rule.principal.kind == ANONYMOUS else ""),
        inherited_from=inherited_from,
    )


def _determinant(rule: Rule, chain: tuple[str, ...], *, kind: str = "rule") -> Determinant:
    name = rule.resource.name
    return _rule_determinant(rule, kind, "" if name == chain[0] else name)


def _near(view: View, chain: tuple[str, ...], now: float, wall: str) -> list[tuple[Grant, str]]:
    """The principal's grants on the way up, and why each is not enough: for a refusal."""
    outside = chain.index(wall) if wall in chain and is_within(chain, wall) else len(chain)
    return [
        (
            row.grant,
            "later"
            if now < row.starts
            else "over"
            if row.ends <= now
            else "outside"
            if number >= outside
            else "less",
        )
        for number, name in enumerate(chain)
        for table in view.tables or view.look()
        for row in table.get(name, ())
    ]
