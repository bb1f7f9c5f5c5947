from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.policy import explanation
from jupyter_authorized_server.policy.model import (
    ANONYMOUS,
    AccessRequest,
    Answer,
    Context,
    Decision,
    Determinant,
    Effect,
    Grant,
    Principal,
    Reasons,
    Resource,
)

if TYPE_CHECKING:
    from jupyter_authorized_server.policy.rule import Rule

CONTEXT = Context(time=0, hour=0, weekday=1, door="test")
FORBIDS = Determinant(id="no-pay", kind="rule", effect=Effect.FORBID, source="b.cedar:7")
GIVES = Determinant(id="g-1", kind="grant", effect=Effect.PERMIT, source="store", ends=5)


@dataclass
class Weighed:
    permits: tuple[Determinant, ...] = ()
    forbids: tuple[Determinant, ...] = ()
    failed: tuple[Determinant, ...] = ()
    complaints: tuple[str, ...] = ()
    idle: tuple[Rule, ...] = ()


def asked(
    action: str = "save", path: str = "/team/a.ipynb", who: str = "user:ada"
) -> AccessRequest:
    resource = Resource(type="contents", id=path)
    return AccessRequest(
        principal=Principal(name=who), action=action, resource=resource, context=CONTEXT
    )


def refused(
    request: AccessRequest,
    weighed: Weighed,
    near: tuple[tuple[Grant, str], ...] = (),
    reader: str | None = None,
) -> Reasons:
    return explanation.refused(
        request,
        name=request.resource.name,
        revision=3,
        weighed=weighed,
        near=near,
        reader=reader,
    )


def allowed(*determining: Determinant) -> Decision:
    return Decision(
        answer=Answer.ALLOW,
        principal="user:ada",
        action="open",
        resource="contents:/a",
        revision=3,
        determining=determining,
    )


def test_what_allowed_is_the_first_reason_and_how_many_more_there_are() -> None:
    assert "permitted" == explanation.permitted(allowed()).admin
    one = explanation.permitted(allowed(GIVES)).admin
    assert "permitted by grant `g-1` (store)" == one
    three = explanation.permitted(allowed(GIVES, FORBIDS, FORBIDS)).admin
    assert f"{one}, and 2 more" == three


def test_the_person_is_told_no_rule_and_the_administrator_which_and_where() -> None:
    weighed = Weighed(permits=(GIVES,), forbids=(FORBIDS,))
    reasons = refused(asked(), weighed, reader="open")
    assert "You can view team/a.ipynb but not change it" == reasons.user
    assert (
        "the rule `no-pay` (b.cedar:7) forbids `save` on `contents:/team/a.ipynb` to `user:ada` "
        "at revision 3"
    ) == reasons.admin
    assert ("changing the rule `no-pay` (b.cedar:7)",) == reasons.would_allow


def test_whoever_may_not_read_a_thing_is_not_told_that_it_is_there() -> None:
    assert "You cannot change this" == refused(asked(), Weighed()).user
    signed_out = refused(asked(who=ANONYMOUS), Weighed(), reader="open")
    assert "You are not signed in, so you cannot change this" == signed_out.user


def test_a_denial_for_want_of_a_grant_names_the_level_and_both_where_a_rule_forbids_too() -> None:
    level = "level `editor` on `contents:/team/a.ipynb` or above"
    assert (level,) == refused(asked(), Weighed()).would_allow
    both = refused(asked(), Weighed(forbids=(FORBIDS,))).would_allow
    assert (f"changing the rule `no-pay` (b.cedar:7) and {level}",) == both


def test_a_rule_that_could_not_be_evaluated_is_to_be_corrected_and_what_cedar_said_is_cut() -> (
    None
):
    complaints = ("a\n  b", "x" * 1000, "third", "fourth")
    weighed = Weighed(failed=(FORBIDS,), forbids=(GIVES,), complaints=complaints)
    reasons = refused(asked(), weighed)
    assert reasons.admin.startswith("could not evaluate the rule `no-pay` (b.cedar:7), so ")
    assert ": a b; xxx" in reasons.admin
    assert reasons.admin.endswith("…; third")
    assert reasons.would_allow[0].startswith("correcting the rule `no-pay`")


def test_a_grant_that_is_near_says_why_it_is_not_enough_and_five_are_named() -> None:
    grant = Grant(
        id="g-9",
        principal="user:ada",
        level="editor",
        resource="contents:/team",
        starts=1e30,
        ends=0,
    )
    near = ((grant, "over"), (grant, "later"), (grant, "outside"), *[(grant, "low")] * 4)
    said = refused(asked(), Weighed(), near).admin
    named = "grant `g-9` gives `editor` on `contents:/team`"
    assert f"{named} and ended 1970-01-01T00:00+00:00; {named}" in said
    assert f"{named} and starts at second 1e+30; {named}, which does not reach into" in said
    assert 5 == said.count(named)
    assert said.endswith("and 2 more grants")


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/a\u202eb\x1b[2J", r"a\u202eb\u001b[2J"), ("/" + "x" * 300, "x" * 200 + "…")],
)
def test_what_cannot_be_seen_or_is_too_long_is_not_shown_as_it_is(path: str, shown: str) -> None:
    reasons = refused(asked(path=path), Weighed(), reader="open")
    assert f"You can view {shown} but not change it" == reasons.user
    assert reasons.admin.isprintable()


@pytest.mark.parametrize("request_", [None, 5, asked(path="/\ud800")])
def test_what_cannot_be_judged_is_denied_whatever_it_is_and_never_kept(request_: Any) -> None:
    decision = explanation.failure(request_, ValueError("no\nsuch"), revision=3)
    assert (Answer.DENY, 0.0) == (decision.answer, decision.good_until)
    assert r"could not decide: no\u000asuch" == decision.reason_admin
    assert ["error"] == [each.kind for each in decision.determining]
    assert decision.resource.isprintable()
    assert "ValueError()" == explanation.failure(request_, ValueError(), revision=3).reason_admin


def test_a_program_is_given_every_reason_and_what_would_help() -> None:
    decision = allowed(GIVES)
    shown = explanation.as_json(decision, ["team"])
    assert ("allow", ["team"], 3) == (shown["answer"], shown["groups"], shown["revision"])
    assert [
        {
            "id": "g-1",
            "kind": "grant",
            "effect": "permit",
            "source": "store",
            "scope": "",
            "inherited_from": "",
            "ends": 5,
        }
    ] == shown["determining"]
    assert [] == shown["would_allow"]
