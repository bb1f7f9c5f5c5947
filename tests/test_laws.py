"""The laws of a decision, held over random policies: the engine, the spec and Cedar agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import spec
import worlds
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyter_authorized_server.errors import UnsafePath
from jupyter_authorized_server.policy import paths
from jupyter_authorized_server.policy.document import Document
from jupyter_authorized_server.policy.engine import CheckedPolicy, Snapshot, decide
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import AccessRequest, Decision, Effect, Grant, Resource
from jupyter_authorized_server.policy.vocabulary import ABILITIES, Level

LAW = settings(
    max_examples=110,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def engine(
    rules: list[worlds.Drawn], grants: list[Grant], asked: AccessRequest, prefix: str = "r"
) -> Decision:
    checked = tuple(drawn.rule(f"{prefix}{number}") for number, drawn in enumerate(rules))
    policy = CheckedPolicy(rules=checked, document=Document())
    return decide(Snapshot(policy, grants, 1), asked)


@st.composite
def a_case(draw: st.DrawFn) -> tuple[list[worlds.Drawn], list[Grant], AccessRequest]:
    asked = draw(worlds.a_request())
    return draw(worlds.rules_for(asked)), draw(worlds.grants_for(asked)), asked


Case = tuple[list[worlds.Drawn], list[Grant], AccessRequest]


@settings(LAW, max_examples=300)
@given(a_case())
def test_engine_spec_and_cedar_over_the_whole_set_agree(case: Case) -> None:
    rules, grants, asked = case
    found = engine(rules, grants, asked)
    texts = [drawn.text for drawn in rules]
    expected = spec.answer([drawn.abstract for drawn in rules], grants, asked)
    assert worlds.cedar_answer(texts, grants, asked) == expected
    assert found.answer.value == expected


@LAW
@given(a_case(), st.data())
def test_a_forbid_that_applies_beats_any_permit(case: Case, data: st.DataObject) -> None:
    rules, grants, asked = case
    forbid = data.draw(worlds.a_rule(asked, "forbid").filter(worlds.admitted))
    try:
        assume(spec.applies(forbid.abstract, asked))
    except OverflowError:
        assume(condition=False)
    found = engine([*rules, forbid], grants, asked)
    assert not found.allowed
    assert Effect.PERMIT not in {each.effect for each in found.determining if each.kind != "error"}


@settings(LAW, max_examples=200)
@given(a_case(), st.sampled_from(("/a", "/a/b")), st.sampled_from(("ada", "b", "c.ipynb")))
def test_a_home_is_its_owners_and_no_grant_but_admin_reaches_in(
    case: Case, folder: str, name: str
) -> None:
    rules, grants, asked = case
    if asked.principal.name.startswith("user:"):
        asked = replace(asked, principal=replace(asked.principal, name=f"user:{name}"))
    checked = tuple(drawn.rule(f"r{number}") for number, drawn in enumerate(rules))
    policy = CheckedPolicy(rules=checked, document=Document())
    found = decide(Snapshot(policy, grants, 1, homes=Homes(folder=folder)), asked)
    expected = spec.answer([drawn.abstract for drawn in rules], grants, asked, folder)
    assert found.answer.value == expected


@st.composite
def a_hidden_case(draw: st.DrawFn) -> Case:
    path = draw(st.sampled_from(("/.b", "/.b/c", "/a/.b/.c", "/a/b/.g/x")))
    asked = replace(
        draw(worlds.a_request()),
        action=draw(st.sampled_from(("open", "list", "save"))),
        resource=Resource(type="contents", id=path),
    )
    beside = draw(st.sampled_from(("/", "/a", "/a/b", "/a/b/c.ipynb")))
    kept_back = replace(asked, resource=Resource(type="contents", id=beside))
    looks = draw(st.sampled_from([text for text in worlds.CONDITIONS if "resource.path" in text]))
    rule = st.one_of(
        [
            worlds.a_rule(on, effect, condition)
            for on, effect in ((asked, "permit"), (kept_back, "forbid"))
            for condition in (None, looks)
        ]
    )
    grants = st.lists(worlds.a_grant(asked, near=True), max_size=2, unique_by=lambda each: each.id)
    return draw(st.lists(rule.filter(worlds.admitted), max_size=3)), draw(grants), asked


@settings(LAW, max_examples=300)
@given(a_hidden_case(), st.sampled_from((None, "/a", "/a/b")))
def test_what_is_hidden_is_kept_back_with_what_stands_beside_it(
    case: Case, folder: str | None
) -> None:
    rules, grants, asked = case
    checked = tuple(drawn.rule(f"r{number}") for number, drawn in enumerate(rules))
    homes = None if folder is None else Homes(folder=folder)
    policy = CheckedPolicy(rules=checked, document=Document())
    found = decide(Snapshot(policy, grants, 1, homes=homes), asked)
    expected = spec.answer([drawn.abstract for drawn in rules], grants, asked, folder)
    assert found.answer.value == expected


@LAW
@given(worlds.a_request())
def test_nothing_permitted_means_deny(asked: AccessRequest) -> None:
    found = engine([], [], asked)
    assert (found.answer.value, found.determining) == ("deny", ())


@LAW
@given(a_case(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(case: Case, random: object) -> None:
    rules, grants, asked = case
    shuffled, moved = rules + rules[:2], list(grants)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # why: Hypothesis hands a Random
    random.shuffle(moved)  # type: ignore[attr-defined]  # why: as above
    repeated = moved + [replace(grant, id=grant.id + "x") for grant in moved[:2]]
    assert engine(shuffled, repeated, asked, "s").answer == engine(rules, grants, asked).answer


def _failed(found: Decision) -> bool:
    return any(each.kind == "error" for each in found.determining)


@LAW
@given(a_case(), st.data())
def test_a_new_permit_never_takes_away(case: Case, data: st.DataObject) -> None:
    rules, grants, asked = case
    permit = data.draw(worlds.a_rule(asked, "permit").filter(worlds.admitted))
    before = engine(rules, grants, asked)
    after = engine([*rules, permit], [*grants, data.draw(worlds.a_grant(asked))], asked)
    # Only a permit whose own condition fails may: whatever fails denies.
    assert not before.allowed or after.allowed or _failed(after)


@LAW
@given(a_case(), st.data())
def test_a_new_forbid_never_gives(case: Case, data: st.DataObject) -> None:
    rules, grants, asked = case
    forbid = data.draw(worlds.a_rule(asked, "forbid").filter(worlds.admitted))
    before = engine(rules, grants, asked)
    assert before.allowed or not engine([*rules, forbid], grants, asked).allowed


@LAW
@given(a_case())
def test_every_allow_names_the_permits_and_every_deny_a_remedy(case: Case) -> None:
    rules, grants, asked = case
    found = engine(rules, grants, asked)
    effects = {each.effect for each in found.determining}
    if found.allowed:
        assert effects == {Effect.PERMIT}
        assert found.reason_admin
    else:
        assert effects <= {Effect.FORBID} or _failed(found)
        assert found.would_allow
        assert found.reason_user
        assert found.reason_admin


@LAW
@given(a_case())
def test_an_answer_names_exactly_the_rules_and_grants_that_apply(case: Case) -> None:
    rules, grants, asked = case
    found = engine(rules, grants, asked)
    if _failed(found):
        return
    permits = {grant.id for grant in grants if spec.permits(grant, asked)}
    forbids: set[str] = set()
    for number, drawn in enumerate(rules):
        if spec.applies(drawn.abstract, asked):
            (permits if drawn.abstract.effect == "permit" else forbids).add(f"r{number}")
    assert {each.id for each in found.determining} == forbids or (
        not forbids and {each.id for each in found.determining} == permits
    )


@LAW
@given(worlds.a_request(), st.data())
def test_a_level_contains_the_ones_below_it(asked: AccessRequest, data: st.DataObject) -> None:
    grant = data.draw(worlds.a_grant(asked))
    answers = [
        engine([], [replace(grant, level=level.word)], asked).allowed for level in sorted(Level)
    ]
    assert answers == sorted(answers)


@LAW
@given(a_case(), st.data())
def test_an_ended_or_coming_grant_is_as_good_as_none(case: Case, data: st.DataObject) -> None:
    rules, grants, asked = case
    grant = data.draw(worlds.a_grant(asked))
    now = asked.context.time
    for away in (replace(grant, starts=None, ends=now), replace(grant, starts=now + 1, ends=None)):
        with_it, without = engine(rules, [*grants, away], asked), engine(rules, grants, asked)
        assert (with_it.answer, with_it.determining) == (without.answer, without.determining)


def holds_until_it_says(
    rules: list[worlds.Drawn], grants: list[Grant], asked: AccessRequest, later: float
) -> None:
    found = engine(rules, grants, asked)
    moved = replace(asked, context=replace(asked.context, time=asked.context.time + later))
    if moved.context.time < found.good_until:
        again = engine(rules, grants, moved)
        assert (again.answer, again.determining) == (found.answer, found.determining)


LATER = st.sampled_from((0.5, 1.0, 1.5, 600.0)) | st.floats(0, 4000)


@LAW
@given(worlds.a_request(), LATER, st.data())
def test_an_answer_holds_until_a_grant_begins_or_ends(
    asked: AccessRequest, later: float, data: st.DataObject
) -> None:
    near = worlds.a_grant(asked, near=True)
    grants = data.draw(st.lists(near, max_size=3, unique_by=lambda grant: grant.id))
    holds_until_it_says([], grants, asked, later)


@LAW
@given(a_case(), LATER, st.data())
def test_an_answer_holds_until_its_rules_may_say_otherwise(
    case: Case, later: float, data: st.DataObject
) -> None:
    rules, grants, asked = case
    # One more rule that meets the request and reads the clock.
    read = data.draw(st.sampled_from([text for text in worlds.CONDITIONS if "time" in text]))
    clock = data.draw(worlds.a_rule(asked, condition=read).filter(worlds.admitted))
    holds_until_it_says([*rules[:2], clock], grants, asked, later)


@LAW
@given(st.lists(st.sampled_from(["a", "b.ipynb", ".", "..", "", "é", " "])).map("/".join))
def test_canonical_paths_stay_as_they_are(path: str) -> None:
    try:
        once = paths.canonical(path)
    except UnsafePath:
        return
    assert paths.canonical(once) == once
    assert paths.ancestors(once)[0] == once


@pytest.mark.parametrize("level", Level)
def test_a_level_has_exactly_the_abilities_of_its_rank_and_below(level: Level) -> None:
    for ability in ABILITIES:
        asked = worlds.simple("user:ada", ability.action, ability.type)
        grant = Grant(id="g-1", principal="user:ada", level=level.word, resource="server:")
        assert engine([], [grant], asked).allowed == (level >= ability.level)
