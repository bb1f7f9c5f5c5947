"""What of its owner's rights a program has that asks with a token.

The token's scope, and what a rule forbids to it by name (`Jupyter::Token::"ID"`) or to
every token (`principal is Jupyter::Token`). Both only ever take away: what is asked is
decided for the owner first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import sentences
from .model import Answer, Determinant, Effect, Principal, Reasons
from .vocabulary import ABILITY, LEVEL

if TYPE_CHECKING:
    from .model import Decision, Resource

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
    token, owner = principal.token or "", principal.name
    return decision._replace(
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
        reasons=Reasons(
            would_allow=(sentences.ALLOWS_WIDER,),
            user=sentences.BEYOND_SCOPE,
            admin=sentences.why_beyond_scope(token, action, resource.name, owner),
        ),
    )


def itself(token: str) -> Principal:
    """The token with the public id `token`, as rules name it; in no group of its owner."""
    return Principal(name=f"token:{token}")


def restrained(owners: Decision, own: Decision) -> Decision:
    """What is answered to an owner's program, of which the rules say `own` by itself.

    That nothing permits it by itself is no reason: a token has what its owner has.
    """
    against = tuple(
        each for each in own.determining if each.effect is Effect.FORBID or each.kind == "error"
    )
    if owners.answer is not Answer.ALLOW:
        return owners
    if not against and own.answer is Answer.DENY and own.determining:
        against = own.determining
    until = min(owners.good_until, own.good_until)
    if not against:
        return owners._replace(good_until=until)
    return owners._replace(
        answer=Answer.DENY,
        determining=against,
        reasons=Reasons(
            user=sentences.NOT_BY_PROGRAM,
            admin=sentences.why_not_by_program(owners.principal, own.reason_admin),
        ),
        good_until=until,
    )
