"""Viewing as another: what is answered to somebody who looks through another's eyes.

A view only ever takes away: it shows what the other may read, of which whoever looks
may read too, and changes nothing. So it gives nobody a right that they do not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import sentences
from .model import Answer, Determinant, Effect, Reasons
from .vocabulary import ABILITY, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Decision, Principal, Resource


def viewed(
    decision: Decision, principal: Principal, resource: Resource, own: Callable[[], Decision]
) -> Decision:
    """What `principal`, through whose eyes somebody looks, is answered.

    Args:
        decision: what the other would be answered.
        principal: the other, with whoever looks as `viewer`.
        resource: asked about.
        own: the decision for whoever looks.
    """
    viewer = principal.viewer
    if viewer is None:
        return decision
    ability = ABILITY.get((resource.type, decision.action))
    if ability is None or ability.word is not Word.READ:
        # Also what is denied anyway: shadow mode lifts other denials than this one.
        return _denied(decision, principal, viewer, sentences.VIEW_CHANGES_NOTHING)
    if decision.answer is not Answer.ALLOW:
        return decision
    theirs = own()
    if theirs.answer is not Answer.ALLOW:
        return _denied(decision, principal, viewer, sentences.VIEW_HIDES)
    return decision._replace(good_until=min(decision.good_until, theirs.good_until))


def _denied(decision: Decision, principal: Principal, viewer: Principal, said: str) -> Decision:
    return decision._replace(
        answer=Answer.DENY,
        determining=(
            Determinant(
                id="view_as",
                kind="view",
                effect=Effect.FORBID,
                source="server",
                scope=principal.name,
            ),
        ),
        reasons=Reasons(
            would_allow=decision.would_allow,
            user=said,
            admin=sentences.why_view(viewer.name, principal.name),
        ),
        good_until=0.0,
    )
