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
from typing import TYPE_CHECKING, NamedTuple

from . import cedar, explanation, paths, vocabulary
from .model import AccessRequest, Answer, Cover, Decision, Determinant, Effect, Grant, Resource
from .snapshot import CheckedPolicy, Snapshot, chain_of, load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .model import Principal
    from .plan import Plan, View
    from .rule import Rule

__all__ = ["CheckedPolicy", "Snapshot", "cover", "decide", "exceptions", "load_policy"]

#: The zones' offsets are multiples of a quarter of an hour, so no hour or weekday
#: changes within one.
_QUARTER = 900
#: For each type the action that shows the thing, which tells whether one may know of it.
READER = {type_.word: type_.stands_for[vocabulary.Word.READ] for type_ in vocabulary.TYPES}
_PERMIT, _ALLOW = Effect.PERMIT, Answer.ALLOW
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
    permits, good_until = _granted(view, chain, plan.level, request.context.time, snapshot.wall)
    if plan.has_rules or not permits:
        weighed = _weigh(snapshot, view, chain, request, action)
        if not _allows(weighed):
            return _refused(snapshot, view, chain, request, weighed)
        permits, good_until = weighed.permits, weighed.good_until
    return Decision(
        answer=_ALLOW,
        principal=principal.name,
        action=action,
        resource=chain[0],
        revision=snapshot.revision,
        determining=tuple(permits),
        reason_admin=explanation.permitted(permits),
        good_until=good_until,
    )


def _allows(weighed: _Weighed) -> bool:
    # Invariant: a rule that failed may be a forbid, so nothing is allowed beside it.
    return bool(weighed.permits) and not weighed.forbids and not weighed.failed


def _refused(
    snapshot: Snapshot,
    view: View,
    chain: tuple[str, ...],
    request: AccessRequest,
    weighed: _Weighed,
) -> Decision:
    """The denial, which says that the thing exists only to whom may read it."""
    reader = READER[request.resource.type]
    known = request.action != reader and _allows(_weigh(snapshot, view, chain, request, reader))
    return explanation.refusal(
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
    weighed = _Weighed(*_granted(view, chain, plan.level, request.context.time, snapshot.wall))
    rules = plan.rules_on(chain)
    if not rules:
        return weighed
    return _with_rules(weighed, rules, view=view, chain=chain, request=request, action=action)


def _granted(
    view: View, chain: tuple[str, ...], level: int, now: float, wall: str
) -> tuple[list[Determinant], float]:
    """The principal's grants of `level` or more on the way up, nearest first, and how
    long no other grant begins or ends.

    Args:
        wall: on the way up from inside it, only `admin` counts from there on.
    """
    rows, wide = view.rows, view.wide
    permits: list[Determinant] = []
    good_until = math.inf
    for name in chain:
        if name == wall and _is_within(chain, wall):
            level = _ADMIN
        found = view.at(name) if wide else rows.get(name)
        if not found:
            continue
        for row in found:
            if row.level < level:
                continue
            if row.starts <= now < row.ends:
                if name is chain[0]:
                    permits.append(row.here or row.determinant(above=False))
                else:
                    permits.append(row.above or row.determinant(above=True))
                change = row.ends
            elif now < row.starts:
                change = row.starts
            else:
                continue
            good_until = min(good_until, change)
    return permits, good_until


def _is_within(chain: tuple[str, ...], wall: str) -> bool:
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
    apart = next(_forbids_below(plan, chain[0]), None)
    return Cover(some=True, whole=apart is None and into_homes > -math.inf, until=into_homes)


def _forbids_below(plan: Plan, folder: str) -> Iterator[Rule]:
    below = folder.rstrip("/") + "/"
    return (
        rule
        for table in (plan.named, plan.exact)
        for name, rules in table.items()
        if name == folder or name.startswith(below)
        for rule in rules
        if rule.effect is Effect.FORBID
    )


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
    found += _forbids_below(plan, chain[0])
    found = found or [rule for rule in here if rule.conditional]
    return tuple(_determinant(rule, chain) for rule in dict.fromkeys(found))


def _lasting(view: View, chain: tuple[str, ...], level: int, now: float, wall: str) -> float:
    """Until when some grant of `level` on the way up lasts; -inf where there is none."""
    permits, _ = _granted(view, chain, level, now, wall)
    ends = (math.inf if each.ends is None else each.ends for each in permits)
    return max(ends, default=-math.inf)


def _with_rules(
    weighed: _Weighed,
    rules: Sequence[Rule],
    *,
    view: View,
    chain: tuple[str, ...],
    request: AccessRequest,
    action: str,
) -> _Weighed:
    """The grants that permit, with the rules whose scope holds added."""
    permits, good_until = weighed.permits, weighed.good_until
    applying = [rule for rule in rules if not rule.conditional]
    conditional = tuple(rule for rule in rules if rule.conditional)
    failed: list[Determinant] = []
    complaints: tuple[str, ...] = ()
    if conditional:
        answer = cedar.evaluate(
            conditional,
            keys=view.keys,
            action=action,
            chain=chain,
            owner=request.resource.owner,
            context=request.context,
        )
        applying += [conditional[number] for number in answer.determining]
        good_until = min(good_until, _kept_until(conditional, request.context.time))
        if answer.errors:
            broken = [conditional[number] for number in answer.failed]
            failed = [_determinant(rule, chain, kind="error") for rule in broken] or [
                explanation.unnamed_failure()
            ]
            complaints, good_until = answer.errors, 0.0
    forbids: list[Determinant] = []
    for rule in applying:
        (permits if rule.effect is _PERMIT else forbids).append(_determinant(rule, chain))
    idle = tuple(rule for rule in conditional if rule not in applying)
    return _Weighed(permits, good_until, forbids, failed, complaints, idle)


def _kept_until(rules: Iterable[Rule], now: float) -> float:
    """How long the answers of conditional rules hold; 0 where that cannot be told."""
    reads = frozenset().union(*(rule.reads for rule in rules))
    if reads & {"time", "door", "address"}:
        return 0.0
    if reads:
        return (now // _QUARTER + 1) * _QUARTER
    return math.inf


@lru_cache(maxsize=1024)
def _rule_determinant(rule: Rule, kind: str, inherited_from: str) -> Determinant:
    return Determinant(
        id=rule.id,
        kind=kind,
        effect=rule.effect,
        source=rule.source,
        scope=rule.principal.name,
        inherited_from=inherited_from,
    )


def _determinant(rule: Rule, chain: tuple[str, ...], *, kind: str = "rule") -> Determinant:
    name = rule.resource.name
    return _rule_determinant(rule, kind, "" if name == chain[0] else name)


def _near(view: View, chain: tuple[str, ...], now: float, wall: str) -> list[tuple[Grant, str]]:
    """The principal's grants on the way up, and why each is not enough: for a refusal."""
    outside = chain.index(wall) if wall in chain and _is_within(chain, wall) else len(chain)
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
        for row in view.at(name)
    ]
