"""Scope of a token: what of its owner's rights a program has that asks with it.

A scope only ever takes away: what is asked is decided for the owner first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .model import Answer, Determinant, Effect
from .vocabulary import ABILITY, LEVEL

if TYPE_CHECKING:
    from .model import Decision, Principal, Resource

#: What every program must do to find its way; none of it shows what is another's.
ALWAYS = frozenset({("server", "identify"), ("server", "use"), ("kernelspecs", "list")})
#: What no token of a scope does: with it a token could make itself a wider one.
NEVER = frozenset({"share", "administer", "view_as"})


def reaches(scope: tuple[tuple[str, str], ...], action: str, resource: Resource) -> bool:
    """Whether `action` on `resource` is within `scope`.

    Args:
        scope: pairs of a level and the written form of a resource.
        action: of the vocabulary.
        resource: asked about.
    """
    if action in NEVER:
        return False
    if (resource.type, action) in ALWAYS:
        return True
    level = ABILITY[resource.type, action].level
    chain = resource.chain
    return any(LEVEL[word] >= level and name in chain for word, name in scope)


def narrowed(
    decision: Decision, principal: Principal, action: str, resource: Resource
) -> Decision:
    """What `principal` is answered, whose owner would be answered `decision`."""
    if (
        principal.scope is None
        or decision.answer is not Answer.ALLOW
        or reaches(principal.scope, action, resource)
    ):
        return decision
    said = f"the token `{principal.token}` does not reach `{action}` on `{resource.name}`"
    return replace(
        decision,
        answer=Answer.DENY,
        determining=(
            Determinant(
                id=principal.token or "",
                kind="token",
                effect=Effect.FORBID,
                source="store",
                scope=principal.name,
            ),
        ),
        would_allow=("a token with a wider scope",),
        reason_user="This token does not reach that",
        reason_admin=f"{said}, which its owner `{principal.name}` may",
    )
