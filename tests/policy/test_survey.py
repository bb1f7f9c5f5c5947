"""What is said of many at once is what each question by itself is answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_authorized_server.policy import survey
from jupyter_authorized_server.policy.document import Document, PolicyFile
from jupyter_authorized_server.policy.engine import CheckedPolicy, Snapshot, decide, load_policy
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Context,
    Grant,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.vocabulary import ABILITY, TYPE, parse_resource

LAW = settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ACTION = {"contents": "open", "kernels": "run"}
NO_RULES = CheckedPolicy(rules=(), document=Document())


CONTENTS = [each for each in worlds.RESOURCES if each.type == "contents"]


@st.composite
def a_world(draw: st.DrawFn) -> tuple[Snapshot, AccessRequest]:
    """A policy and grants that mostly meet one another at some path."""
    asked = draw(worlds.a_request())
    if draw(st.integers(0, 3)):
        asked = replace(
            asked,
            principal=Principal(name="user:ada", groups=("red",)),
            action=draw(st.sampled_from(("open", "save", "list"))),
            resource=draw(st.sampled_from(CONTENTS)),
        )
    drawn = draw(worlds.rules_for(asked, 3))
    policy = CheckedPolicy(
        rules=tuple(each.rule(f"r{n}") for n, each in enumerate(drawn)), document=Document()
    )
    near = worlds.a_grant(asked, near=True)
    grants = draw(st.lists(near, min_size=1, max_size=3)) + draw(worlds.grants_for(asked))
    homes = draw(st.sampled_from((None, Homes(folder="/a"))))
    return Snapshot(policy, grants, 1, homes=homes), asked


@LAW
@given(a_world(), st.booleans())
def test_where_somebody_may_is_what_each_place_is_answered(
    world: tuple[Snapshot, AccessRequest], is_looked_at: bool
) -> None:
    snapshot, asked = world
    if is_looked_at:
        decide(snapshot, asked)
    for type_ in TYPE:
        if (type_, asked.action) not in ABILITY:
            continue
        found = survey.where(snapshot, asked.principal, type_, asked.action, asked.context.time)
        named = snapshot.named(asked.principal, type_, asked.action)
        root = "contents:/" if type_ == "contents" else f"{type_}:"
        places = {root, *(name for name in named if name.startswith(f"{type_}:"))}
        assert places >= found.allowed | found.unsure
        assert not found.allowed & found.unsure
        for name in places - found.unsure:
            one = replace(asked, resource=parse_resource(name))
            assert decide(snapshot, one).allowed == (name in found.allowed), name


@LAW
@given(a_world(), st.sampled_from(("ada", "b")))
def test_who_may_is_what_each_person_is_answered(
    world: tuple[Snapshot, AccessRequest], name: str
) -> None:
    snapshot, asked = world
    found = survey.who(snapshot, asked.action, asked.resource, asked.context.time)
    for groups in ((), ("red",), ("blue", "sea")):
        person = Principal(name=f"user:{name}", groups=groups)
        if found.unsure.isdisjoint(person.keys):
            one = replace(asked, principal=person)
            expected = decide(snapshot, one).allowed
            assert expected == (not found.allowed.isdisjoint(person.keys))


ADA = Principal(name="user:ada")
WEEKEND = """permit(principal == Jupyter::User::"ada", action == Jupyter::Action::"open",
  resource in Jupyter::Folder::"/a") when { context.weekday > 5 };"""
FINAL = """forbid(principal == Jupyter::User::"ada", action == Jupyter::Action::"open",
  resource in Jupyter::Folder::"/a/final");"""


@pytest.mark.parametrize(
    ("text", "allowed", "unsure"),
    [
        # Whatever a rule with a condition may have a part in is left open, and no more.
        (WEEKEND, {"/b"}, {"/a", "/a/final", "/a/x"}),
        (WEEKEND.replace("permit", "forbid"), {"/b"}, {"/a/final"}),
        (FINAL, {"/b"}, set()),
        (FINAL.replace("forbid", "permit"), {"/b", "/a/final"}, set()),
        (WEEKEND + FINAL, {"/b"}, {"/a", "/a/final", "/a/x"}),
    ],
)
def test_a_rule_leaves_open_what_it_may_have_a_part_in(
    text: str, allowed: set[str], unsure: set[str]
) -> None:
    policy = load_policy([PolicyFile(source="a.cedar", text=text)])
    grants = [
        grant("contents:/a/final"),
        grant("contents:/b"),
        grant("contents:/a/x", ends=1),
    ]
    found = survey.where(Snapshot(policy, grants), ADA, "contents", "open", 5)
    assert {f"contents:{each}" for each in allowed} == found.allowed
    assert {f"contents:{each}" for each in unsure} == found.unsure


def test_into_a_home_not_every_grant_reaches() -> None:
    grants = [
        grant("contents:/home", level="manager"),
        grant("contents:/home/bob/x", level="viewer"),
        grant("contents:/home", level="admin", to="user:eve"),
    ]
    snapshot = Snapshot(NO_RULES, grants, homes=Homes(folder="/home"))
    found = survey.where(snapshot, ADA, "contents", "save", 5)
    assert {"contents:/home"} == found.allowed
    assert {"contents:/home/bob/x", "contents:/home/ada"} == found.unsure
    for path, expected in (
        ("/home", {"user:ada", "user:eve"}),
        ("/home/bob/x", {"user:bob", "user:eve"}),
        ("/home/.x/y", {"user:eve"}),
    ):
        on = Resource(type="contents", id=path)
        assert expected == survey.who(snapshot, "save", on, 5).allowed
    on = Resource(type="contents", id="/home/bob/x")
    assert {"user:eve"} == survey.who(snapshot, "share", on, 5).allowed - {"user:bob"}


def grant(
    resource: str,
    *,
    to: str = "user:ada",
    level: str = "editor",
    starts: float | None = None,
    ends: float | None = None,
) -> Grant:
    return Grant(
        id=f"g-{to}-{resource}",
        principal=to,
        level=level,
        resource=resource,
        starts=starts,
        ends=ends,
    )


@pytest.mark.parametrize(
    "odd",
    [
        "contents:/a/../b",
        "contents:/a//b",
        "contents:/a/.",
        "contents:/..",
        "contents:/a/",
        "contents:a",
        "contents:/a\\b",
        "contents:/a\0",
        "contents:/C:/x",
        "contents:/\ud800",
        "contents:/" + "x" * 300,
        "contents:/" + "/".join("x" * 60 for _ in range(20)),
        "contents:/é" + "é" * 200,
        "contents:/a\ncontents:/b",
        "kernels:k",
    ],
)
def test_a_name_that_is_perhaps_not_canonical_is_asked_about_by_itself(odd: str) -> None:
    snapshot = Snapshot(NO_RULES, [grant(odd), grant("contents:/plain")])
    type_ = odd.partition(":")[0]
    found = survey.where(snapshot, ADA, type_, ACTION[type_], 5)
    assert odd in found.unsure
    assert odd not in found.allowed


@pytest.mark.parametrize("plain", ["contents:/", "contents:/a.b/x..y/z", "contents:/é/ü b.md"])
def test_a_plain_name_is_not(plain: str) -> None:
    snapshot = Snapshot(NO_RULES, [grant(plain), grant("contents:/zz")])
    found = survey.where(snapshot, ADA, "contents", "open", 5)
    assert ({plain, "contents:/zz"} <= found.allowed, frozenset()) == (True, found.unsure)


def test_a_grant_counts_from_its_start_until_its_end_and_for_all_below_it() -> None:
    snapshot = Snapshot(
        NO_RULES,
        [
            grant("contents:/now", starts=5, ends=6),
            grant("contents:/over", ends=5),
            grant("contents:/later", starts=5.5),
            grant("contents:/now/below", ends=1),
            grant("contents:/nowhere/near"),
        ],
    )
    found = survey.where(snapshot, ADA, "contents", "save", 5)
    assert {f"contents:/{name}" for name in ("now", "now/below", "nowhere/near")} == found.allowed
    for path, expected in (("/now/x", {"user:ada"}), ("/over", set()), ("/later/x", set())):
        on = Resource(type="contents", id=path)
        assert expected == survey.who(snapshot, "save", on, 5).allowed


def test_of_a_resource_that_cannot_be_nobody_is_sure() -> None:
    found = survey.who(Snapshot(NO_RULES), "run", Resource(type="kernels", id="*"), 5)
    assert (frozenset(), frozenset({"everyone"})) == found
    request = AccessRequest(
        principal=ADA,
        action="run",
        resource=Resource(type="kernels", id="*"),
        context=Context(time=5, hour=1, weekday=1, door="http"),
    )
    assert not decide(Snapshot(NO_RULES, [grant("server:")]), request).allowed
