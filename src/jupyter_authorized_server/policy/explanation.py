"""The words of a decision: for the person one sentence, for the administrator the reasons.

What a person is told names no rule, no group and no other person, and says that a
thing exists only to those who may read it.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from .. import sentences
from . import vocabulary
from .model import (
    ANONYMOUS,
    AccessRequest,
    Answer,
    Decision,
    Determinant,
    Effect,
    Grant,
    Reasons,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rule import Rule

#: Longest text of others shown, and most grants or rules named, in one sentence.
_SHOWN = 200
_NAMED = 5
_LEVEL_WORDS = {level: level.word for level in vocabulary.Level}


def permitted(decision: Decision) -> Reasons:
    """What allowed, for the administrator."""
    if not decision.determining:
        return Reasons(admin="permitted")
    first, *others = decision.determining
    more = sentences.and_more(str(len(others))) if others else ""
    what = f"{first.kind} `{first.id}` ({first.source})"
    return Reasons(admin=sentences.why_permitted(what, more))


def unexplained(error: Exception) -> Reasons:
    """Stands in for the words of a denial that could not be found."""
    return Reasons(
        user=sentences.CANNOT_DO_THIS,
        admin=_safe(sentences.why_unknown(repr(error)), 600),
    )


def unnamed_failure() -> Determinant:
    """Stands for a failure that belongs to no one rule."""
    return Determinant(id="", kind="error", effect=Effect.FORBID, source="")


def failure(request: AccessRequest, error: Exception, *, revision: int) -> Decision:
    """The denial of a request that could not be judged; copes with any `request`."""
    principal = getattr(getattr(request, "principal", None), "name", "")
    resource = getattr(request, "resource", None)
    name = f"{getattr(resource, 'type', '')}:{getattr(resource, 'id', '')}"
    return Decision(
        answer=Answer.DENY,
        principal=_safe(principal),
        action=_safe(getattr(request, "action", "")),
        resource=_safe(name),
        revision=revision,
        determining=(unnamed_failure(),),
        reasons=Reasons(
            would_allow=(sentences.ALLOWS_JUDGEABLE,),
            user=sentences.NOT_JUDGED,
            admin=_safe(sentences.why_not_judged(str(error)) if str(error) else repr(error), 600),
        ),
        good_until=0.0,
    )


def unasked(request: AccessRequest, revision: int, id_: str, user: str, admin: str) -> Decision:
    """The denial of a request that was not put to the policy."""
    return Decision(
        answer=Answer.DENY,
        principal=request.principal.name,
        action=request.action,
        resource=request.resource.name,
        revision=revision,
        determining=(
            Determinant(id=id_, kind="error", effect=Effect.FORBID, source="decision point"),
        ),
        reasons=Reasons(user=user, admin=admin),
        good_until=0,
    )


class Weighed(Protocol):
    """What applied to a denied request, as the engine found it."""

    @property
    def permits(self) -> Sequence[Determinant]:
        """What would have allowed it."""

    @property
    def forbids(self) -> Sequence[Determinant]:
        """The rules that forbid it."""

    @property
    def failed(self) -> Sequence[Determinant]:
        """The rules that could not be evaluated."""

    @property
    def complaints(self) -> Sequence[str]:
        """What Cedar said of those."""

    @property
    def idle(self) -> Sequence[Rule]:
        """Rules that name this request and whose condition does not hold."""


def refused(
    request: AccessRequest,
    *,
    name: str,
    revision: int,
    weighed: Weighed,
    near: Sequence[tuple[Grant, str]],
    reader: str | None,
) -> Reasons:
    """Why a request that was judged is denied.

    Args:
        request: what was asked.
        name: the resource's canonical written form.
        revision: of the policy.
        weighed: what applied.
        near: the principal's grants on the resource or above, and why each is not enough.
        reader: the action that reads the resource, if the principal may do that.
    """
    ability = vocabulary.ABILITY[request.resource.type, request.action]
    asked = sentences.asked_of(ability.action, _safe(name), _safe(request.principal.name))
    blocking = (*weighed.failed, *weighed.forbids)
    remedies = [
        (sentences.allows_correcting if weighed.failed else sentences.allows_changing)(_rule(each))
        for each in blocking
    ]
    if not weighed.permits:
        above = "" if name == "server:" else sentences.OR_ABOVE
        remedies.append(sentences.allows_level(_LEVEL_WORDS[ability.level], name, above))
    if weighed.failed:
        reason = _failed(asked, revision, weighed.failed, weighed.complaints)
    elif weighed.forbids:
        rules = ", ".join(map(_rule, blocking))
        reason = sentences.why_forbidden(rules, asked, str(revision))
    else:
        reason = sentences.why_not_permitted(asked, str(revision))
        if near or weighed.idle:
            reason += _why_not(weighed.idle, near)
    return Reasons(
        would_allow=(sentences.ALL_OF.join(remedies),),
        user=_for_user(request, ability, name, reader),
        admin=reason,
    )


def as_json(
    decision: Decision, groups: Sequence[str], could_grant: Sequence[str] = ()
) -> dict[str, object]:
    """The decision as every program is given it.

    Args:
        decision: what to show.
        groups: bare names of the groups of who was asked about.
        could_grant: written forms of who could give what is missing.
    """
    return {
        "answer": decision.answer.value,
        "principal": decision.principal,
        "groups": list(groups),
        "action": decision.action,
        "resource": decision.resource,
        "revision": decision.revision,
        "determining": [
            {
                "id": each.id,
                "kind": each.kind,
                "effect": each.effect.value,
                "source": each.source,
                "scope": each.scope,
                "inherited_from": each.inherited_from,
                "ends": each.ends,
            }
            for each in decision.determining
        ],
        "would_allow": list(decision.would_allow),
        "could_grant": list(could_grant),
        "reason_user": decision.reason_user,
        "reason_admin": decision.reason_admin,
    }


def _rule(determinant: Determinant) -> str:
    return (
        f"the rule `{determinant.id}` ({determinant.source})" if determinant.id else "the request"
    )


def _for_user(
    request: AccessRequest, ability: vocabulary.Ability, name: str, reader: str | None
) -> str:
    type_ = request.resource.type
    if request.principal.name == ANONYMOUS:
        return sentences.not_signed_in(ability.verb)
    if reader is None:
        thing = sentences.THINGS[type_ if type_ == "server" else "contents"]
        return sentences.cannot(ability.verb, thing)
    reading = vocabulary.ABILITY[type_, reader].verb
    return sentences.can_but_not(reading, _thing(type_, name), ability.verb)


def _thing(type_: str, name: str) -> str:
    """The resource as its reader calls it."""
    if type_ != "contents":
        return sentences.THINGS[type_]
    path = name.removeprefix("contents:/")
    return _safe(path) if path else sentences.TOP_FOLDER


def _failed(
    asked: str, revision: int, failed: Sequence[Determinant], complaints: Sequence[str]
) -> str:
    rules = ", ".join(_rule(each) for each in failed)
    cause = "; ".join(_safe(" ".join(each.split()), 300) for each in complaints[:3])
    return sentences.why_failed(rules, asked, str(revision), cause)


def _why_not(idle: Sequence[Rule], near: Sequence[tuple[Grant, str]]) -> str:
    parts = []
    for grant, why in near[:_NAMED]:
        text = sentences.near_grant(grant.id, grant.level, _safe(grant.resource))
        if why == "over":
            text += sentences.near_over(_instant(grant.ends))
        elif why == "later":
            text += sentences.near_later(_instant(grant.starts))
        elif why == "outside":
            text += sentences.NEAR_OUTSIDE
        parts.append(text)
    if len(near) > _NAMED:
        parts.append(sentences.near_more(str(len(near) - _NAMED)))
    parts += [
        sentences.near_rule(rule.id, rule.source)
        for rule in idle[:_NAMED]
        if rule.effect is Effect.PERMIT
    ]
    return "".join(parts)


def _instant(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds or 0, tz=timezone.utc).isoformat(timespec="minutes")
    except (ValueError, OverflowError, OSError):
        return f"at second {seconds}"


def _safe(text: object, most: int = _SHOWN) -> str:
    """`text` without what cannot be seen or encoded, and not too long."""
    if isinstance(text, str) and len(text) <= most and text.isprintable():
        return text
    shown = "".join(
        each if each.isprintable() else f"\\u{ord(each):04x}" for each in str(text)[: most + 1]
    )
    return shown if len(shown) <= most else shown[:most] + "…"
