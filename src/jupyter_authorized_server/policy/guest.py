"""What a guest has: somebody who has opened a link for guests, and has not signed in.

Three have to allow what a guest asks, and each can take it away at any time: the rules,
for `anonymous`; the link, which reaches one place; and whoever made the link, who has to be
somebody who may do it too and may still share that place. And a guest only looks: whatever
else the three would allow is denied.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .. import sentences
from . import scope
from .model import ANONYMOUS, Answer, Determinant, Effect, Principal, Reasons, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Decision

#: Of what stands on a path, what a guest may be shown.
SHOWN = frozenset({("contents", action) for action in ("list", "open", "download")})
#: What a page must do to find its way, if neither its link's maker nor a rule is against it.
ALWAYS = scope.ALWAYS | {("settings", "recall")}


def as_anybody(guest: Principal) -> Principal:
    """Whom the rules know `guest` as: somebody who has not signed in, within the link."""
    return Principal(name=ANONYMOUS, scope=guest.scope)


def named(decision: Decision) -> Decision:
    """`decision` on `anonymous`; denied where nothing that permits it speaks of `anonymous`.

    To Cedar a rule for `principal`, without more, is for `anonymous` too. Whoever writes one
    means the people who have signed in.
    """
    permits = (each for each in decision.determining if each.effect is Effect.PERMIT)
    if decision.answer is not Answer.ALLOW or any(each.scope == ANONYMOUS for each in permits):
        return decision
    return decision._replace(
        answer=Answer.DENY,
        determining=(),
        reasons=Reasons(
            would_allow=(sentences.ALLOWS_SIGN_IN,),
            user=sentences.SIGN_IN_FIRST,
            admin=sentences.NOT_NAMED,
        ),
    )


def met(
    guest: Principal,
    action: str,
    resource: Resource,
    *,
    rules: Callable[[Principal], Decision],
    givers: Callable[[Principal, str, Resource], Decision],
) -> Decision:
    """What `guest` is answered.

    Args:
        guest: with whoever made the link as `giver`.
        action: of the vocabulary.
        resource: asked about.
        rules: what the rules alone say to a principal.
        givers: what whoever made the link is answered.
    """
    giver = guest.giver
    own = rules(as_anybody(guest))
    if giver is None or not reaches(guest, action, resource):
        return _denied(own, guest, sentences.BEYOND_LINK, sentences.why_beyond_link(action))
    # A page asks for the settings of whoever looks at it; a guest has none.
    on = resource if resource.owner != guest.name else replace(resource, owner=giver.name)
    theirs = givers(giver, action, on)
    shares = [givers(giver, "share", _place(name)) for _, name in guest.scope or ()]
    if any(each.answer is not Answer.ALLOW for each in (theirs, *shares)):
        why = sentences.why_giver_lost(giver.name)
        return _denied(own, guest, sentences.BEYOND_LINK, why)
    is_way = (resource.type, action) in ALWAYS
    decision = scope.restrained(theirs, own) if is_way else named(own)
    if decision.answer is not Answer.ALLOW:
        why = sentences.why_not_to_guests(decision.reason_admin)
        return _denied(own, guest, sentences.NOT_TO_GUESTS, why)
    until = min(each.good_until for each in (own, theirs, *shares))
    return decision._replace(principal=guest.name, resource=resource.name, good_until=until)


def reaches(guest: Principal, action: str, resource: Resource) -> bool:
    """Whether `action` on `resource` is what a guest may be shown, and within the link."""
    pair = (resource.type, action)
    if pair in ALWAYS:
        return resource.type != "settings" or resource.owner == guest.name
    return pair in SHOWN and scope.reaches(guest.scope or (), action, resource)


def _place(name: str) -> Resource:
    """What a link for guests is made for: always a file or folder."""
    kind, _, path = name.partition(":")
    return Resource(type=kind, id=path)


def _denied(decision: Decision, guest: Principal, said: str, why: str) -> Decision:
    return decision._replace(
        answer=Answer.DENY,
        principal=guest.name,
        determining=(
            Determinant(
                id=guest.name.partition(":")[2],
                kind="link",
                effect=Effect.FORBID,
                source="store",
                scope=guest.name,
            ),
        ),
        reasons=Reasons(
            would_allow=(sentences.ALLOWS_SIGN_IN,),
            user=said,
            admin=sentences.to_guest(guest.name, why),
        ),
        # Who made the link may get a right back, and the clock is theirs too.
        good_until=0.0,
    )
