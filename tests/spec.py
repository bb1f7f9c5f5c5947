"""What a decision means, in a page of plain Python: slow, and sure to be read.

`decide` must answer as `answer` does here; `test_laws.py` holds it to that, and both
to Cedar. A rule's condition is a Python predicate; one that raises has failed.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def answer(
    rules: Iterable[AbstractRule],
    grants: Iterable[Grant],
    asked: AccessRequest,
    homes: str | None = None,
) -> str:
    """`allow` or `deny`; `homes` is the folder that everyone's home is in, if they have one."""
    try:
        effects = {rule.effect for rule in rules if applies(rule, asked)}
    except (ArithmeticError, LookupError):
        return "deny"  # a rule that failed might have been a forbid
    if any(permits(grant, asked) and reaches(grant, asked, homes) for grant in grants):
        effects.add("permit")
    if homes is not None and is_at_home(asked, homes):
        effects.add("permit")
    return "allow" if effects == {"permit"} else "deny"


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
