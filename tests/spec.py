"""What a decision means, in a page of plain Python: slow, and sure to be read.

`decide` must answer as `answer` does here; `test_laws.py` holds it to that, and both
to Cedar. A rule's condition is a Python predicate; one that raises has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jupyter_authorized_server.policy.vocabulary import ABILITY, LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jupyter_authorized_server.policy.model import AccessRequest, Grant


@dataclass(frozen=True)
class Scope:
    """`kind` limits by type, `within` by name; `only` means that name itself."""

    kind: str | None = None
    within: str | None = None
    only: bool = False


@dataclass(frozen=True)
class AbstractRule:
    effect: str
    principal: Scope
    actions: frozenset[str] | None
    resource: Scope
    condition: Callable[[AccessRequest], bool] | None = None
    looks_at_files: bool = False


def answer(
    rules: Iterable[AbstractRule],
    grants: Iterable[Grant],
    asked: AccessRequest,
    homes: str | None = None,
) -> str:
    """`allow` or `deny`; `homes` is the folder that everyone's home is in, if they have one."""
    rules = tuple(rules)
    try:
        found = [rule for rule in rules if applies(rule, asked)]
    except (ArithmeticError, LookupError):
        return "deny"  # a rule that failed might have been a forbid
    given = [each for each in grants if permits(each, asked) and reaches(each, asked, homes)]
    stands = [(each.resource, False, each.level == "admin") for each in given]
    stands += [
        (each.resource.within or "", each.looks_at_files, True)
        for each in found
        if each.effect == "permit"
    ]
    if homes is not None and is_at_home(asked, homes):
        stands.append((f"contents:{homes}/{asked.principal.name[5:]}", False, False))
    if any(each.effect == "forbid" for each in found) or not any(
        sees_hidden(asked, rules, homes, *each) for each in stands
    ):
        return "deny"
    return "allow"


def sees_hidden(  # noqa: PLR0917  # why: a permit's place, whether it picks files, its reach
    asked: AccessRequest,
    rules: tuple[AbstractRule, ...],
    homes: str | None,
    place: str,
    picks: bool,
    everywhere: bool,
) -> bool:
    """Whether a permit on `place` reaches a hidden path, beside which copies may be kept.

    It has to reach all that is in the folder around the first hidden name below `place`.
    """
    path, at = asked.resource.id, 0
    if asked.resource.type == "contents" and place.startswith("contents:/"):
        at = len(place.removeprefix("contents:").rstrip("/"))
    around = path[: path.find("/.", at)] or "/"
    word = ABILITY[asked.resource.type, asked.action].word
    if asked.resource.type != "contents" or "/." not in path[at:] or word != "read":
        return True
    holds_homes = homes is not None and f"{homes}/".startswith(around.rstrip("/") + "/")
    kept_back = any(keeps_back(rule, asked, around) for rule in rules)
    return not (picks or kept_back or (holds_homes and not everywhere))


def keeps_back(rule: AbstractRule, asked: AccessRequest, folder: str) -> bool:
    """Whether a rule may forbid one thing in `folder` and not the next."""
    forbids = rule.effect == "forbid" and (rule.actions is None or asked.action in rule.actions)
    whose = holds(rule.principal, asked.principal.name.split(":")[0], asked.principal.keys)
    name = rule.resource.within or ""
    around = replace(asked.resource, id=folder).chain
    inside = name.startswith(f"contents:{folder.rstrip('/')}/") and name != f"contents:{folder}"
    only = rule.resource.only and name == f"contents:{folder}"
    above = holds(rule.resource, "contents", around) and rule.looks_at_files
    return forbids and whose and rule.resource.kind in {None, "contents"} and (
        inside or only or above
    )  # fmt: skip


def applies(rule: AbstractRule, asked: AccessRequest) -> bool:
    """Whether scope and condition hold."""
    return (
        holds(rule.principal, asked.principal.name.split(":")[0], asked.principal.keys)
        and (rule.actions is None or asked.action in rule.actions)
        and holds(rule.resource, asked.resource.type, asked.resource.chain)
        and (rule.condition is None or rule.condition(asked))
    )


def holds(scope: Scope, kind: str, names: tuple[str, ...]) -> bool:
    """Whether a thing of `kind` with these names, its own first, is in `scope`."""
    reached = names[:1] if scope.only else names
    return scope.kind in {None, kind} and (scope.within is None or scope.within in reached)


def reaches(grant: Grant, asked: AccessRequest, homes: str | None) -> bool:
    """Whether a grant stands in the same home as what is asked for, if that is in one."""
    inside = [name for name in asked.resource.chain if name.startswith(f"contents:{homes}/")]
    return homes is None or not inside or grant.resource in before(asked, inside[-1]) or (
        grant.level == "admin"
    )  # fmt: skip


def before(asked: AccessRequest, home: str) -> tuple[str, ...]:
    """What is in `home` on the way up from what is asked for, and `home` itself."""
    chain = asked.resource.chain
    return chain[: chain.index(home) + 1]


def is_at_home(asked: AccessRequest, homes: str) -> bool:
    """Whether a person asks for what a manager may do in their own home."""
    kind, _, name = asked.principal.name.partition(":")
    level = ABILITY[asked.resource.type, asked.action].level
    own = f"contents:{homes}/{name}" in asked.resource.chain
    return kind == "user" and own and level <= LEVEL["manager"]


def permits(grant: Grant, asked: AccessRequest) -> bool:
    """Whether a grant hands the principal the action on the resource now."""
    started = grant.starts is None or grant.starts <= asked.context.time
    ended = grant.ends is not None and grant.ends <= asked.context.time
    return (
        grant.principal in asked.principal.keys
        and grant.resource in asked.resource.chain
        and LEVEL[grant.level] >= ABILITY[asked.resource.type, asked.action].level
        and started
        and not ended
    )
