"""What a grant may hand over: at most what its giver has, and what the rules leave."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ... import inquiry, mistakes, sentences
from ...errors import Unconfirmed
from ...policy.model import EVERYONE
from ...policy.vocabulary import LEVEL, LEVEL_SENTENCES, Level
from ..surface.places import SERVER, there
from . import moment
from .asker import Asker, Refused

if TYPE_CHECKING:
    from ...policy.model import Resource

#: What can be given, as it is answered.
LEVELS = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["level", "sentence", "allowed", "reason", "until"],
                "properties": {
                    "level": {"type": "string"},
                    "sentence": {"type": "string"},
                    "allowed": {"type": "boolean"},
                    "reason": {"type": "string"},
                    # When what whoever asks has themselves ends; None is without end.
                    "until": {"type": ["string", "null"]},
                },
            },
        }
    },
}


def check_giving(
    handler: Asker,
    to: str,
    level: str,
    resource: Resource,
    *,
    ends: float | None,
    confirmed: bool,
) -> None:
    """Raise unless whoever asks may hand `level` on `resource` to `to`, until `ends`.

    Args:
        handler: of the request.
        to: written form of a person, a group or everyone.
        level: a level's word.
        resource: what the guard has allowed to be shared.
        ends: seconds since the epoch; None is without end.
        confirmed: whether the giver has said that everyone is meant.

    Raises:
        Refused: it is more than the giver has, for longer, or more than the rules leave.
        Unconfirmed: it reaches everyone and nobody has said so.
    """
    reason = _refusal(handler, to, level, resource) or outlasting(handler, level, resource, ends)
    if reason:
        raise Refused(reason)
    if to == EVERYONE and not confirmed:
        raise Unconfirmed(mistakes.everyone_meant(LEVEL_SENTENCES[LEVEL[level]]))


def _refusal(handler: Asker, to: str, level: str, resource: Resource) -> str:
    return (
        held(handler, level, resource)
        or under_ceiling(handler, to, level, resource)
        or below(handler, to, level, resource)
    )


def below(handler: Asker, to: str, level: str, resource: Resource) -> str:
    """Why whoever asks would hand on what a rule keeps from themselves; empty if not."""
    if not inquiry.kept_from(handler.point, handler.principal, to, resource, level):
        return ""
    return mistakes.SOMETHING_KEPT


def held(handler: Asker, level: str, resource: Resource) -> str:
    """Why whoever asks does not hold `level` on `resource`; empty if they do."""
    if LEVEL[level] is Level.ADMIN and not handler.allows("administer", SERVER):
        return mistakes.ONLY_ADMINISTRATORS_GIVE
    for action, on in inquiry.needed(resource, level):
        decision = handler.holds(action, on)
        if not decision.allowed:
            return mistakes.no_more_than_had(lower(decision.reason_user))
    return ""


def outlasting(handler: Asker, level: str, resource: Resource, ends: float | None) -> str:
    """Why whoever asks would give `level` for longer than they have it; empty if not."""
    until = inquiry.lasts(handler.point, handler.principal, resource, level)
    if not outlives(ends, None if until == math.inf else until):
        return ""
    return mistakes.no_longer_than_had(str(moment.shown(until)))


def outlives(ends: float | None, other: float | None) -> bool:
    """Whether what holds until `ends` holds longer than what holds until `other`."""
    return other is not None and (ends is None or ends > other)


def under_ceiling(handler: Asker, to: str, level: str, resource: Resource) -> str:
    """Why the rules of this server do not leave `level` on `resource`; empty if they do."""
    highest, rule = inquiry.ceiling(handler.point, to, resource)
    if not rule or (highest is not None and LEVEL[level] <= highest):
        return ""
    if highest is None:
        return sentences.LEAVE_NOTHING
    return sentences.leave_at_most(highest.word)


def levels(handler: Asker, to: str, resource: Resource) -> list[dict[str, Any]]:
    """Each level, whether it can be given, why not, and until when at the latest."""
    found = []
    for level in Level:
        reason = _refusal(handler, to, level.word, resource)
        until = inquiry.lasts(handler.point, handler.principal, resource, level.word)
        found.append(
            {
                "level": level.word,
                "sentence": LEVEL_SENTENCES[level],
                "allowed": not reason,
                "reason": reason,
                "until": moment.shown(until) if math.isfinite(until) and not reason else None,
            }
        )
    return found


def lower(text: str) -> str:
    """A sentence as a part of another."""
    return f"{text[:1].lower()}{text[1:]}"


async def exists(handler: Asker, resource: Resource) -> bool:
    """Whether there is something to be shared; what nobody can tell counts as there."""
    if resource.type == "contents":
        return await there(handler.settings["contents_manager"], resource)
    if resource.type == "kernels" and resource.id:
        return resource.id in handler.settings["kernel_manager"]
    return True
