from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_authorized_server.errors import InvalidName, PolicyError
from jupyter_authorized_server.policy.document import Document, PolicyFile
from jupyter_authorized_server.policy.engine import CheckedPolicy, Snapshot, decide, load_policy
from jupyter_authorized_server.policy.ledger import Ledger
from jupyter_authorized_server.policy.model import AccessRequest, Grant, Principal

NO_RULES = CheckedPolicy(rules=(), document=Document())


def shape(snapshot: Snapshot) -> Any:
    """All that a snapshot knows, with the order in which grants are looked at."""
    index = snapshot.index
    return (
        {
            who: {what: [row.grant for row in rows] for what, rows in index.given_to(who).items()}
            for who in index.principals()
        },
        {what: list(index.on(what)) for what in index.resources()},
        list(index.in_order()),
        snapshot.grants,
        snapshot.revision,
    )


@st.composite
def a_history(draw: st.DrawFn) -> tuple[AccessRequest, list[tuple[Ledger, tuple[Grant, ...]]]]:
    """Ledgers that follow one another, each with the grants of the files at that time."""
    asked = draw(worlds.a_request())
    pool = [
        replace(each, id=f"g-{number}")
        for number, each in enumerate(
            draw(worlds.grants_for(asked)) + draw(worlds.grants_for(asked))
        )
    ]
    some = st.sampled_from(pool) if pool else st.nothing()
    ledger, steps = Ledger(), []
    for _ in range(draw(st.integers(1, 5))):
        changed = draw(st.dictionaries(st.integers(1, 9), st.none() | some, max_size=4))
        fixed = tuple(draw(st.lists(some, max_size=2 if pool else 0)))
        ledger = ledger.after(changed)
        steps.append((ledger, fixed))
    return asked, steps


@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(a_history(), st.data())
def test_step_by_step_it_becomes_what_it_would_be_built_anew(
    history: tuple[AccessRequest, list[tuple[Ledger, tuple[Grant, ...]]]], data: st.DataObject
) -> None:
    asked, steps = history
    rules = [drawn.rule(f"r{n}") for n, drawn in enumerate(data.draw(worlds.rules_for(asked)))]
    policies = (NO_RULES, CheckedPolicy(rules=tuple(rules), document=Document()))
    snapshot = unseen = Snapshot(NO_RULES)
    for number, (ledger, fixed) in enumerate(steps, 1):
        before, kept = shape(snapshot), snapshot
        policy = data.draw(st.sampled_from(policies))
        decide(snapshot, asked)
        snapshot = snapshot.after(policy, fixed, number, ledger)
        # Of this one no grant is looked at before the end.
        unseen = unseen.after(policy, fixed, number, ledger)
        anew = Snapshot(policy, fixed, number, ledger=ledger)
        assert shape(anew) == shape(snapshot)
        assert decide(anew, asked) == decide(snapshot, asked)
        # A decision that is under way meets what it began with.
        assert before == shape(kept)
    assert shape(unseen) == shape(snapshot)


def test_a_view_that_nothing_concerns_goes_on_and_the_others_do_not() -> None:
    def given_to(who: str) -> Grant:
        return Grant(id=f"g-{who}", principal=who, level="viewer", resource="server:")

    first = Snapshot(NO_RULES, ledger=Ledger([(1, given_to("user:ada"))]))
    ada, bob = (first.view(name, ("team",)) for name in ("user:ada", "user:bob"))
    second = first.after(
        NO_RULES, (), 2, Ledger([(1, given_to("user:ada")), (2, given_to("user:bob"))])
    )
    assert second.view("user:ada", ("team",)) is ada
    assert second.view("user:bob", ("team",)) is not bob
    third = second.after(NO_RULES, (given_to("group:team"),), 3, second.ledger)
    assert third.view("user:ada", ("team",)) is not ada
    other = CheckedPolicy(rules=(), document=Document())
    fourth = third.after(other, third.fixed, 4, third.ledger)
    assert fourth.view("user:ada", ("team",)) is not third.view("user:ada", ("team",))


def test_places_of_which_there_are_many_are_not_copied_for_each_principal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jupyter_authorized_server.policy.snapshot._MERGED", 2)
    grants = [
        Grant(id=f"g-{who}-{n}", principal=who, level="viewer", resource=f"contents:/{n}")
        for who in ("everyone", "user:ada")
        for n in range(3 if who == "everyone" else 2)
    ]
    snapshot = Snapshot(NO_RULES, grants)
    asked = [snapshot.view("user:ada", ()) for _ in range(20)]
    first, view = asked[0], asked[-1]
    assert [2, 2] == [len(each.look()) for each in (first, view)]
    assert [False, True] == [each.is_merged for each in (first, view)]
    assert first.names() == view.names()
    for place in ("contents:/1", "contents:/2", "contents:/3"):
        assert [each.grant for each in first.at(place)] == [each.grant for each in view.at(place)]
    assert ["g-user:ada-1", "g-everyone-1"] == [row.grant.id for row in view.at("contents:/1")]
    assert ["g-everyone-2"] == [row.grant.id for row in view.at("contents:/2")]
    assert {f"contents:/{n}" for n in range(3)} == view.names()
    assert {"/0", "/1", "/2"} == snapshot.signposts(Principal(name="user:ada"))


def test_a_grant_with_an_unknown_level_is_refused_also_later() -> None:
    grant = Grant(id="g-1", principal="user:ada", level="king", resource="server:")
    with pytest.raises(InvalidName, match="`king`"):
        Snapshot(NO_RULES, [grant])
    with pytest.raises(InvalidName, match="`king`"):
        Snapshot(NO_RULES).after(NO_RULES, (), 1, Ledger([(1, grant)]))


def test_a_statement_that_did_not_change_is_not_checked_again() -> None:
    def policy(*texts: str) -> CheckedPolicy:
        return load_policy(
            [PolicyFile(source=f"{n}.cedar", text=text) for n, text in enumerate(texts)]
        )

    first, kept = "permit(principal, action, resource);", "forbid(principal, action, resource);"
    before, after = policy(first, kept), policy(f"\n{first}", kept)
    assert before.rules[-1] is after.rules[-1]
    assert before.rules[-2] is not after.rules[-2]
    assert "0.cedar:2" == after.rules[-2].source
    for _ in range(2):
        with pytest.raises(PolicyError, match=r"is also in 0\.cedar:1"):
            policy(first + first)
        with pytest.raises(PolicyError):
            policy("permit(principal, action, oops);")


@pytest.mark.parametrize("many", [3, 300])
def test_the_order_of_the_places_stays_right_however_many_come_and_go(many: int) -> None:
    def given(place: int) -> Grant:
        return Grant(
            id=f"g-{place}", principal="user:ada", level="viewer", resource=f"contents:/{place}"
        )

    def at(places: range) -> Ledger:
        return Ledger((place, given(place)) for place in places)

    snapshot = Snapshot(NO_RULES, ledger=at(range(1000)))
    before = snapshot.index.in_order()
    kept = list(before)
    for places in (range(many, 1000), range(many, 1000 + many), range(5)):
        snapshot = snapshot.after(NO_RULES, (), 1, at(places))
        assert sorted(f"contents:/{place}" for place in places) == snapshot.index.in_order()
    assert kept == before
