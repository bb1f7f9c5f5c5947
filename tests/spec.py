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


def answer(rules: Iterable[AbstractRule], grants: Iterable[Grant], asked: AccessRequest) -> str:
    """`allow` or `deny`."""
    try:
        effects = {rule.effect for rule in rules if applies(rule, asked)}
    except (ArithmeticError, LookupError):
        return "deny"  # a rule that failed might have been a forbid
    if any(permits(grant, asked) for grant in grants):
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
