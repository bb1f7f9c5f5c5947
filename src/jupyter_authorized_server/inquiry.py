"""Questions about many: who may do something, and where somebody may.

Each answer is that of point questions. What grants alone answer is found for all at once,
in `policy.survey`; a test holds that to what each question alone is answered.
"""

from __future__ import annotations

import heapq
import math
import re
from bisect import bisect_left, bisect_right
from itertools import groupby, islice
from typing import TYPE_CHECKING

from .errors import UnknownName
from .policy import survey
from .policy.model import ANONYMOUS, EVERYONE, GUEST, Effect, Resource
from .policy.vocabulary import ABILITY, LEVEL, TYPE, Level, parse_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .decision_point import DecisionPoint
    from .policy.model import Decision, Grant, Principal
    from .policy.rule import Rule, Scope

#: Most people named as those who could give something, and asked about for it.
MOST = 20
_MOST_ASKED = 200
#: The clauses of a rule, where it has any.
_CLAUSES = re.compile(r"\b(?:when|unless)\b.*", re.DOTALL)


def candidates(point: DecisionPoint, action: str, resource: Resource) -> tuple[str, ...]:
    """Everybody who could be allowed `action` on `resource`, sorted, and perhaps others.

    Who has no grant there and is named by no rule that permits is surely denied.
    """
    level = ABILITY[resource.type, action].level
    holders = set(point.snapshot.given_on(resource.chain, level))
    if resource.owner is not None:
        holders.add(resource.owner)
    for rule in point.snapshot.permitting(resource.type, action):
        holders.add(rule.principal.name or EVERYONE)
    return tuple(sorted(_people(point, holders)))


def _people(point: DecisionPoint, holders: Iterable[str]) -> set[str]:
    """Written forms of the people whom `holders` mean, without those who are shut out."""
    meant = set(holders)
    people = {f"user:{name}" for name in point.directory.people - point.disabled}
    if EVERYONE in meant:
        return people
    for holder in tuple(meant):
        kind, _, name = holder.partition(":")
        if kind == "group":
            meant.update(point.directory.members_of(name))
    return meant & people


def who_can(
    point: DecisionPoint, action: str, resource: Resource, *, door: str
) -> Iterator[Principal]:
    """Everybody who may do `action` on `resource` now, by name."""
    now = point.at_once()
    surely: set[str] = set()
    asked: set[str] = set()
    if now is None:
        asked.update(candidates(point, action, resource))
    else:
        found = survey.who(point.snapshot, action, resource, now)
        unsure = _people(point, found.unsure)
        surely = _people(point, found.allowed) - unsure
        if unsure:
            asked = unsure.intersection(candidates(point, action, resource))
    for name in sorted(surely | asked):
        principal = point.principal(name)
        if (
            name in surely
            or point.decide(principal, action, resource, door=door, record=False).allowed
        ):
            yield principal


def givers(point: DecisionPoint, denied: Decision, resource: Resource) -> tuple[str, ...]:
    """Whoever could give what `denied` lacks: the first of those who share it and have it.

    Nobody, where a rule forbids it or could not be evaluated, since no grant helps there.

    Args:
        point: whose grants and rules count.
        denied: a decision on `resource`.
        resource: with what is known of it.
    """
    level = ABILITY[resource.type, denied.action].level
    if denied.allowed or denied.determining:
        return ()
    action, on = "share", resource
    if level is Level.ADMIN or (resource.type, "share") not in ABILITY:
        action, on = "administer", Resource(type="server")
    sharing = islice(who_can(point, action, on, door="http"), _MOST_ASKED)
    having = (each for each in sharing if lasts(point, each, on, level.word) > -math.inf)
    return tuple(each.name for each in islice(having, MOST))


def guests(
    point: DecisionPoint, action: str, resource: Resource, *, door: str
) -> Iterator[Principal]:
    """The links for guests by which whoever holds one may do `action` on `resource` now."""
    for link in point.store.links():
        if not link.guests:
            continue
        try:
            principal = point.principal(f"{GUEST}{link.id}")
        except UnknownName:
            continue
        if point.decide(principal, action, resource, door=door, record=False).allowed:
            yield principal


def what_can(
    point: DecisionPoint, principal: Principal, action: str, *, door: str
) -> Iterator[str]:
    """Where `principal` may do `action` now: each place that a grant or rule names, as written.

    What is below one of them is not told apart: it may be allowed too, and a rule may
    forbid it.
    """
    for type_ in TYPE:
        if (type_, action) not in ABILITY:
            continue
        surely, asked = _places(point, principal, type_, action)
        for name in sorted(surely | asked):
            if (
                name in surely
                or point.decide(
                    principal, action, parse_resource(name), door=door, record=False
                ).allowed
            ):
                yield name


def _places(
    point: DecisionPoint, principal: Principal, type_: str, action: str
) -> tuple[frozenset[str], frozenset[str]]:
    """Where `principal` surely may, and where that has to be asked."""
    now = point.at_once()
    by_itself = principal.token is None and principal.viewer is None
    if now is not None and by_itself and principal.name != ANONYMOUS:
        return survey.where(point.snapshot, principal, type_, action, now)
    root = Resource(type=type_, id="/" if type_ == "contents" else "").name
    named = point.snapshot.named(principal, type_, action)
    asked = {root, *(name for name in named if name.partition(":")[0] == type_)}
    return frozenset(), frozenset(asked)


def ceiling(point: DecisionPoint, to: str, resource: Resource) -> tuple[Level | None, str]:
    """The highest level that a grant on `resource` can hand to `to`, and what keeps it there.

    A level is above the ceiling when a rule forbids one of its actions there to `to` in
    any circumstances: it could be granted, and would be void.

    Args:
        point: whose rules count.
        to: written form of a person, a group or everyone.
        resource: what the grant stands on.

    Returns:
        The level, None where not even the first can be given, and the rule's id and
        source; empty where there is no ceiling.
    """
    keys = _keys(point, to)
    highest: Level | None = None
    for level in Level:
        for on in reach(resource):
            for (type_, action), ability in ABILITY.items():
                if type_ != on.type or ability.level != level:
                    continue
                rule = point.snapshot.ceiling(keys, type_, action, on.chain)
                if rule is not None:
                    return highest, f"{rule.id} ({rule.source})"
        highest = level
    return highest, ""


def _keys(point: DecisionPoint, to: str) -> tuple[str, ...]:
    if to == EVERYONE:
        return (to,)
    return (to, *(f"group:{group}" for group in point.directory.groups_of(to)), EVERYONE)


def kept_from(
    point: DecisionPoint, giver: Principal, to: str, resource: Resource, level: str
) -> str:
    """Where below `resource` a rule keeps `giver` from what a grant would hand to `to`.

    Whoever shares a folder must not hand on, with it, what is kept from themselves in
    it. A rule that keeps it from both is none of that.

    Args:
        point: whose rules count.
        giver: who gives.
        to: written form of a person, a group or everyone.
        resource: what the grant stands on.
        level: a level's word.

    Returns:
        Written form of the place; empty where there is none.
    """
    keys = _keys(point, to)
    handed = tuple(needed(resource, level))
    for rule in point.snapshot.policy.rules:
        if rule.effect is not Effect.FORBID or not rule.principal.holds("user", giver.keys):
            continue
        clauses = _CLAUSES.search(rule.text) if rule.conditional else None
        said = "" if clauses is None else clauses.group()
        if rule.principal.holds("user", keys) and "principal" not in said:
            continue
        for action, on in handed:
            place = _place(rule.resource, on)
            if place is None or not rule.covers(on.type, action):
                continue
            # Of other circumstances than who asks, the next ones may be the worse ones.
            if "context" in said or "resource" in said or not said:
                return place.name
            bound = _forbids(point, rule, giver, action, place)
            if bound and not (
                to.startswith("user:")
                and _forbids(point, rule, point.principal(to), action, place)
            ):
                return place.name
    return ""


def _forbids(
    point: DecisionPoint, rule: Rule, who: Principal, action: str, place: Resource
) -> bool:
    """Whether `rule` is what keeps `who` from `place`."""
    decision = point.decide(who, action, place, door="http", record=False, lift=False)
    return not decision.allowed and rule.id in {each.id for each in decision.determining}


def _place(scope: Scope, on: Resource) -> Resource | None:
    """What a rule with the resource scope `scope` names at or below `on`."""
    if not scope.name or scope.holds(on.type, on.chain):
        return on
    kind, _, path = scope.name.partition(":")
    if on.type == "contents" == kind and path.startswith(f"{on.id.rstrip('/')}/"):
        return Resource(type="contents", id=path)
    inner = [each for each in on.within if path.startswith(f"{each.rstrip('/')}/")]
    if kind == "contents" and inner and inner[0] == on.within[0]:
        return Resource(type=on.type, id=on.id, within=(path, *on.within))
    return None


def reach(resource: Resource) -> tuple[Resource, ...]:
    """Samples of what a grant on `resource` reaches: one of each type that lies below it."""
    if resource.type == "contents":
        # The kernel of a notebook lies below the notebook.
        kernel = Resource(type="kernels", id="-", within=_within(resource))
        return (resource, kernel)
    if resource.type != "server":
        return (resource,)
    return tuple(
        Resource(type=type_, id="/" if type_ == "contents" else "")
        for type_ in TYPE
        if type_ not in {"settings", "routes"}
    )


def _within(resource: Resource) -> tuple[str, ...]:
    return tuple(
        name.removeprefix("contents:") for name in resource.chain if name.startswith("contents:")
    )


def needed(resource: Resource, level: str) -> Iterator[tuple[str, Resource]]:
    """Each action, and on what, that a grant of `level` on `resource` hands over."""
    for on in reach(resource):
        for (type_, action), ability in ABILITY.items():
            if type_ == on.type and ability.level <= LEVEL[level]:
                yield action, on


def lasts(point: DecisionPoint, giver: Principal, resource: Resource, level: str) -> float:
    """Until when `giver` has, by grants or rules of now, what a grant would hand over.

    What a rule permits has no end here, also where its condition reads the clock.

    Args:
        point: whose grants and rules count.
        giver: who gives, and has it now.
        resource: what the grant stands on.
        level: a level's word.

    Returns:
        Seconds since the epoch; infinite where it has no end, -inf for what they lack.
    """
    until = math.inf
    for action, on in (("share", resource), *needed(resource, level)):
        if (on.type, action) not in ABILITY:
            continue
        decision = point.decide(giver, action, on, door="http", record=False, lift=False)
        ends = (math.inf if each.ends is None else each.ends for each in decision.determining)
        until = min(until, max(ends, default=-math.inf) if decision.allowed else -math.inf)
    return until


def places(point: DecisionPoint, principal: Principal, action: str) -> frozenset[str] | None:
    """The contents at or below which alone `principal` could be allowed `action`.

    None where that may be anywhere, or more than the policy has a part in the answer.
    """
    rules = point.snapshot.permitting("contents", action)
    if point.at_once() is None or not all(rule.resource.name for rule in rules):
        return None
    names = point.snapshot.named(principal, "contents", action)
    return None if {"server:", "contents:/"} & names else names


def perhaps_seen(
    point: DecisionPoint, principal: Principal, *, after: str = ""
) -> Iterator[Grant]:
    """All grants but those that `principal` surely may not see, of which most ask nothing.

    In the order of what they stand on, to whom they are, and their ids. Of 100,000, whoever
    takes the first few looks at no more than these.

    Args:
        point: whose grants count.
        principal: who looks.
        after: only those on this resource, and on what comes behind it.
    """
    index = point.snapshot.index
    names = index.in_order()
    within = places(point, principal, "review")
    own: Iterable[str] = ()
    spans = [(0, len(names))]
    if within is not None:
        held = (index.held_by(key) for key in principal.keys)
        own = {name for each in held if each is not None for name in each.resources()}
        spans = _spans(names, within)
    first = bisect_left(names, after)
    listed = (names[at] for low, high in spans for at in range(max(low, first), high))
    for name, _ in groupby(heapq.merge(sorted(each for each in own if each >= after), listed)):
        yield from sorted(index.on(name), key=lambda each: (each.principal, each.id))


def _spans(names: Sequence[str], within: Iterable[str]) -> list[tuple[int, int]]:
    """From where to where in `names` there is what is at or below `within`, or no contents."""
    ends = [(0, bisect_left(names, "contents:")), (bisect_left(names, "contents;"), len(names))]
    for name in within:
        ends.append((bisect_left(names, name), bisect_right(names, name)))
        # Invariant: what begins with `name/` is less than `name0`, the character after.
        ends.append((bisect_left(names, f"{name}/"), bisect_left(names, f"{name}0")))
    found: list[tuple[int, int]] = []
    for low, high in sorted(ends):
        start = max(low, found[-1][1] if found else 0)
        if start < high:
            found.append((start, high))
    return found


def shareable(point: DecisionPoint, principal: Principal) -> Iterator[Resource]:
    """What `principal` could be allowed to share; whoever asks has to ask about each.

    What was given without the right to share it is passed over, of which there may be much.
    """
    surely, asked = _places(point, principal, "contents", "share")
    for name in sorted(surely | asked):
        yield parse_resource(name)
