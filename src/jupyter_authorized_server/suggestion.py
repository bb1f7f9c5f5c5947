"""The smallest grants that would have allowed what was denied.

Works on records, so on what people really tried. Each thing that was denied needs a
level; it is suggested on the file itself, or, where several files of a folder need it
for the same person, on that folder and no further up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .policy import paths, vocabulary
from .policy.model import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .policy.model import Decision
    from .trial import Trial

#: Files of one folder from which on the folder is suggested.
SEVERAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What somebody was denied, once for each action and resource."""

    principal: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A grant that is missing, and how many of the needs it meets."""

    principal: str
    level: str
    resource: str
    needs: int


def needs(records: Iterable[Mapping[str, Any]], *, shadow: bool) -> list[Need]:
    """What was denied to people, each thing once.

    Args:
        records: of the audit file.
        shadow: only what shadow mode let through; else every denial.
    """
    found: dict[Need, None] = {}
    for record in records:
        if record.get("kind") != "decision" or record.get("decision") != "deny":
            continue
        if shadow and not record.get("shadow"):
            continue
        texts = [record.get(key) for key in ("principal", "action", "resource")]
        if all(isinstance(text, str) for text in texts):
            principal, action, resource = (str(text) for text in texts)
            if principal.startswith("user:"):
                found[Need(principal=principal, action=action, resource=resource)] = None
    return list(found)


def suggest(
    wanted: Iterable[Need], trial: Trial
) -> tuple[list[Suggestion], list[tuple[Need, Decision]]]:
    """The grants that are missing, and what no grant can allow with the decision on it.

    What the policy allows by now is passed over.
    """
    missing: dict[tuple[str, str], dict[str, int]] = {}
    counted: dict[tuple[str, str], int] = {}
    beyond: list[tuple[Need, Decision]] = []
    for need in wanted:
        type_ = need.resource.partition(":")[0]
        ability = vocabulary.ABILITY.get((type_, need.action))
        if ability is None:
            continue
        decision = trial.decide(
            need.principal, need.action, vocabulary.parse_resource(need.resource)
        )
        if decision.allowed:
            continue
        if any(each.effect is Effect.FORBID for each in decision.determining):
            beyond.append((need, decision))
            continue
        key = (need.principal, need.resource)
        levels = missing.setdefault((need.principal, _around(need.resource)), {})
        levels[need.resource] = max(levels.get(need.resource, 0), int(ability.level))
        counted[key] = counted.get(key, 0) + 1
    wall = "" if trial.homes is None else trial.homes.wall
    return _least(_gathered(missing, counted), wall), beyond


def _around(resource: str) -> str:
    """The folder of a file; of anything else the thing itself."""
    type_, _, id_ = resource.partition(":")
    above = paths.ancestors(id_) if type_ == "contents" else ()
    return f"contents:{above[1]}" if len(above) > 1 else resource


def _gathered(
    missing: Mapping[tuple[str, str], Mapping[str, int]],
    counted: Mapping[tuple[str, str], int],
) -> list[Suggestion]:
    found: list[Suggestion] = []
    for (principal, folder), levels in missing.items():
        for level in sorted(set(levels.values())):
            names = sorted(name for name, needed in levels.items() if needed == level)
            places = {folder: names} if len(names) >= SEVERAL else {name: [name] for name in names}
            found += [
                Suggestion(
                    principal=principal,
                    level=vocabulary.Level(level).word,
                    resource=place,
                    needs=sum(counted[principal, name] for name in inside),
                )
                for place, inside in places.items()
            ]
    return sorted(found, key=lambda each: (each.principal, each.resource, each.level))


def _least(every: Sequence[Suggestion], wall: str) -> list[Suggestion]:
    """`every` without what another one of the same person gives already.

    Args:
        every: in their order.
        wall: the folder of the homes, into which no grant from above reaches; or empty.
    """
    found: dict[tuple[str, str, str], int] = {}
    for each in every:
        own = (each.principal, each.resource, each.level)
        found[own] = found.get(own, 0) + each.needs
    for each in every:
        around = _chain(each.resource, wall)
        least = vocabulary.LEVEL[each.level]
        levels = [level.word for level in vocabulary.Level if level >= least]
        own = (each.principal, each.resource, each.level)
        wider = [
            (each.principal, place, level)
            for place in around
            for level in levels
            if (each.principal, place, level) in found
        ]
        if own in found and wider != [own]:
            # The last is the widest, and so stays itself.
            found[wider[-1]] += found.pop(own)
    return [
        Suggestion(principal=principal, level=level, resource=resource, needs=many)
        for (principal, resource, level), many in found.items()
    ]


def _chain(resource: str, wall: str) -> tuple[str, ...]:
    """Where a grant that reaches `resource` may stand, nearest first."""
    chain = vocabulary.parse_resource(resource).chain
    return chain[: chain.index(wall)] if wall in chain[1:] else chain
