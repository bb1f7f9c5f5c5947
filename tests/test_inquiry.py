"""Questions about many are answered as each one alone would be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import store_url

from jupyter_authorized_server import inquiry
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import Resource
from jupyter_authorized_server.policy.vocabulary import Level, parse_resource
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_authorized_server.policy.index import Index
    from jupyter_authorized_server.policy.model import Grant, Principal

RULES = """
@id("readers") permit(principal in Jupyter::Group::"readers", action == Jupyter::Action::"open",
  resource in Jupyter::Folder::"/open");
@id("bob-may") permit(principal == Jupyter::User::"bob", action == Jupyter::Action::"save",
  resource in Jupyter::Folder::"/bobs");
@id("evenings") permit(principal, action == Jupyter::Action::"download",
  resource in Jupyter::Folder::"/late") when { context.hour >= 0 };
@id("nobody") forbid(principal, action == Jupyter::Action::"save",
  resource in Jupyter::Folder::"/a/final");
@id("not-ada") forbid(principal == Jupyter::User::"ada", action == Jupyter::Action::"open",
  resource in Jupyter::Folder::"/a");
"""
PEOPLE = ("ada", "bob", "cat", "dan", "eve")
PLACES = (
    "contents:/",
    "contents:/a",
    "contents:/a/final",
    "contents:/open",
    "server:",
    "kernels:",
)
ASKED = (
    *(
        ("contents", f"/{name}", action)
        for name in ("a", "a/final/x", "open/x", "bobs", "late", "home/eve/x")
        for action in ("open", "save", "download", "share")
    ),
    ("server", "", "administer"),
    ("server", "", "use"),
    ("kernels", "", "run"),
)
A_GRANT = st.tuples(
    st.sampled_from([*(f"user:{name}" for name in PEOPLE), "group:team", "group:all", "everyone"]),
    st.sampled_from([level.word for level in Level]),
    st.sampled_from(PLACES),
)


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionPoint]:
    folder = tmp_path_factory.mktemp("inquiry")
    (folder / "policy").mkdir()
    (folder / "policy" / "rules.cedar").write_text(RULES)
    with Store.open(store_url(folder, "store.sqlite")) as store:
        for name in PEOPLE:
            store.add_person(name, now=1)
        for group, members in {
            "team": ("user:ada", "user:cat"),
            "all": ("group:team", "user:dan"),
            "readers": ("user:eve", "group:team"),
        }.items():
            store.add_group(group, now=1)
            for member in members:
                store.add_member(group, member)
        store.set_disabled("dan", disabled=True)
        yield DecisionPoint(
            store,
            policy_dir=folder / "policy",
            audit=Audit(None),
            homes=Homes.parse("home/{user}"),
        )


@settings(max_examples=12, deadline=None, database=None)
@given(st.lists(A_GRANT, max_size=4))
def test_who_can_and_what_can_are_made_of_point_questions(
    point: DecisionPoint, grants: list[tuple[str, str, str]]
) -> None:
    ids = [
        point.store.add_grant(
            principal=principal, level=level, resource=resource, now=1, granted_by="os:test"
        ).id
        for principal, level, resource in grants
    ]
    point.refresh()
    try:
        people = [point.principal(f"user:{name}") for name in PEOPLE if name != "dan"]
        for type_, id_, action in ASKED:
            on = Resource(type=type_, id=id_)
            expected = [
                who.name
                for who in people
                if point.decide(who, action, on, door="test", record=False).allowed
            ]
            found = [who.name for who in inquiry.who_can(point, action, on, door="test")]
            assert expected == found, (action, on.name)
        for who in people:
            for action in ("open", "save", "run"):
                named = set(inquiry.what_can(point, who, action, door="test"))
                for place in (*PLACES, "contents:/bobs", "contents:/late"):
                    on = parse_resource(place)
                    if on.type != ("kernels" if action == "run" else "contents"):
                        continue
                    allowed = point.decide(who, action, on, door="test", record=False).allowed
                    above = any(name in named for name in on.chain)
                    assert not allowed or above, (who.name, action, place)
                    assert place not in named or allowed
    finally:
        for each in ids:
            point.store.remove_grant(each)


@pytest.mark.parametrize(
    ("to", "resource", "highest"),
    [
        ("user:ada", "contents:/a", None),
        ("user:bob", "contents:/a", Level.ADMIN),
        ("user:bob", "contents:/a/final", Level.RUNNER),
        ("group:all", "contents:/a/final/x", Level.RUNNER),
        ("everyone", "contents:/open", Level.ADMIN),
        ("everyone", "server:", Level.ADMIN),
    ],
)
def test_the_ceiling_is_below_what_a_rule_forbids_in_any_case(
    point: DecisionPoint, to: str, resource: str, highest: Level | None
) -> None:
    found, rule = inquiry.ceiling(point, to, parse_resource(resource))
    assert highest == found
    assert (highest is Level.ADMIN) == (rule == "")


def needed(resource: str, level: str) -> set[tuple[str, str]]:
    return {(on.type, action) for action, on in inquiry.needed(parse_resource(resource), level)}


def test_what_a_level_needs_is_what_it_hands_over() -> None:
    assert ("terminals", "start") in needed("server:", "admin")
    assert {("contents", "save"), ("kernels", "run")} <= needed("contents:/a", "editor")
    assert ("contents", "create") not in needed("contents:/a", "editor")


@pytest.mark.parametrize(
    ("rule", "asked", "place"),
    [
        # Kept from the giver alone, below, at, and above what is shared.
        ('principal == Jupyter::User::"ada"|/a/b', "user:bob /a viewer", "/a/b"),
        ('principal == Jupyter::User::"ada"|/a/b', "everyone /a viewer", "/a/b"),
        ('principal == Jupyter::User::"ada"|/a', "user:bob /a/b viewer", "/a/b"),
        ('principal in Jupyter::Group::"team"|/a/b', "user:bob /a editor", "/a/b"),
        # From both, elsewhere, or a neighbour of the like name.
        ('principal in Jupyter::Group::"team"|/a/b', "user:cat /a editor", ""),
        ("principal|/a/b", "everyone /a viewer", ""),
        ('principal == Jupyter::User::"ada"|/ab', "user:bob /a viewer", ""),
        ('principal == Jupyter::User::"bob"|/a/b', "user:cat /a viewer", ""),
        # In circumstances that are not now.
        (
            'principal == Jupyter::User::"ada"|/a/b| when { context.time < 0 }',
            "user:bob /a viewer", "/a/b",
        ),
        ("principal|/a/b| when { context.time < 0 }", "user:bob /a viewer", ""),
        (
            'principal|/a/b| unless { principal == Jupyter::User::"bob" }',
            "user:cat /a viewer",
            "",
        ),
        (
            'principal|/a/b| unless { principal == Jupyter::User::"bob" }',
            "everyone /a viewer",
            "/a/b",
        ),
        (
            'principal|/a/b| unless { principal == Jupyter::User::"bob" }',
            "user:bob /a viewer", "/a/b",
        ),
        (
            'principal|/a/b| when { principal == Jupyter::User::"bob" }',
            "user:cat /a viewer", "",
        ),
    ],
)  # fmt: skip
def test_what_is_kept_from_the_giver_is_not_handed_on(
    tmp_path: Path, rule: str, asked: str, place: str
) -> None:
    who, folder, *clause = rule.split("|")
    to, on, level = asked.split()
    (tmp_path / "policy").mkdir(mode=0o755)
    (tmp_path / "policy" / "rules.cedar").write_text(
        f'forbid({who}, action == Jupyter::Action::"open", '
        f'resource in Jupyter::Folder::"{folder}"){"".join(clause)};'
    )
    with Store.open(store_url(tmp_path, "store.sqlite")) as store:
        for name in PEOPLE:
            store.add_person(name, now=1)
        store.add_group("team", now=1)
        for member in ("user:ada", "user:cat"):
            store.add_member("team", member)
        store.add_grant(
            principal="user:ada", level="admin", resource="server:", now=1, granted_by="os:x"
        )
        point = DecisionPoint(store, policy_dir=tmp_path / "policy", audit=Audit(None))
        found = inquiry.kept_from(
            point, point.principal("user:ada"), to, parse_resource(f"contents:{on}"), level
        )
    assert found == (f"contents:{place}" if place else "")


def test_where_more_than_the_policy_answers_each_place_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    with Store.open(store_url(tmp_path, "store.sqlite")) as store:
        store.add_person("ada", now=1)
        for level, place in (("editor", "/a"), ("editor", "/b"), ("viewer", "/c")):
            store.add_grant(
                principal="user:ada",
                level=level,
                resource=f"contents:{place}",
                now=1,
                granted_by="os:test",
            )
        point, shadowed = (
            DecisionPoint(
                store,
                policy_dir=None,
                audit=Audit(None),
                clock=lambda: now[0],
                shadow=is_shadowed,
                steady=lambda: now[0],
                stale=10,
            )
            for is_shadowed in (False, True)
        )
        ada = point.principal("user:ada")

        def found(at: DecisionPoint, who: Principal) -> list[str]:
            return list(inquiry.what_can(at, who, "save", door="test"))

        def holders(at: DecisionPoint, place: str) -> list[str]:
            on = Resource(type="contents", id=place)
            return [each.name for each in inquiry.who_can(at, "save", on, door="test")]

        assert ["contents:/a", "contents:/b"] == found(point, ada)
        # Shadow mode refuses nothing.
        assert [f"contents:/{name}" for name in ("", "a", "b", "c")] == found(shadowed, ada)
        narrow = replace(ada, token="t", scope=(("editor", "contents:/b"),))
        assert ["contents:/b"] == found(point, narrow)
        assert [] == found(point, point.principal("anonymous"))
        assert [] == found(point, replace(ada, viewer=ada))
        assert (["user:ada"], []) == (holders(point, "/a/x"), holders(point, "/c"))

        def is_away() -> int:
            msg = "away"
            raise StoreUnavailable(msg)

        monkeypatch.setattr(store, "revision", is_away)
        with pytest.raises(StoreUnavailable):
            point.refresh()
        assert (["contents:/a", "contents:/b"], ["user:ada"]) == (
            found(point, ada),
            holders(point, "/a"),
        )
        now[0] += 11
        assert ([], []) == (found(point, ada), holders(point, "/a"))


#: Places around `/a` that a look at the letters alone would take for something in it.
AROUND = ("/a", "/a b", "/a.b", "/a/", "/a/b", "/a/b/c", "/a0", "/ab", "/A", "/z", "/\xe9", "/")
ELSEWHERE = ("server:", "kernels:", "kernelspecs:python3")


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionPoint]:
    folder = tmp_path_factory.mktemp("listed")
    with Store.open(store_url(folder, "store.sqlite")) as store:
        for name in PEOPLE:
            store.add_person(name, now=1)
        store.add_group("team", now=1)
        store.add_member("team", "user:cat")
        for to, level, on in (
            *(("user:dan", "viewer", f"contents:{place}") for place in AROUND),
            *(("user:dan", "viewer", place) for place in ELSEWHERE),
            ("user:ada", "admin", "server:"),
            ("user:bob", "manager", "contents:/a"),
            ("group:team", "viewer", "contents:/z"),
            ("everyone", "viewer", "contents:/A"),
            ("user:cat", "editor", "contents:/a/b"),
        ):
            store.add_grant(principal=to, level=level, resource=on, now=1, granted_by="os:x")
        yield DecisionPoint(store, policy_dir=None, audit=Audit(None))


@pytest.mark.parametrize(
    ("who", "hidden"),
    [
        ("user:ada", set()),
        ("user:bob", {"/a b", "/a.b", "/a0", "/ab", "/z", "/\xe9", "/"}),
        ("user:cat", {"/a", "/a b", "/a.b", "/a0", "/ab", "/\xe9", "/"}),
        # Whoever was given something everywhere is shown all of it.
        ("user:dan", set()),
    ],
)
def test_who_lists_grants_looks_at_those_alone_that_they_may_see_in_order(
    listed: DecisionPoint, who: str, hidden: set[str]
) -> None:
    principal = listed.principal(who)
    every = sorted(
        listed.snapshot.grants, key=lambda each: (each.resource, each.principal, each.id)
    )
    found = list(inquiry.perhaps_seen(listed, principal))
    out = {f"contents:{place}" for place in hidden}
    assert [each for each in every if each.resource not in out] == found
    for each in every:
        place = parse_resource(each.resource)
        if place.type == "contents" and each not in found:
            assert each.principal not in principal.keys
            assert not listed.decide(principal, "review", place, door="test").allowed
    for start in ("", "contents:/a/b", "contents:/a/b0", "kernelspecs:", "z", "\ud800"):
        later = list(inquiry.perhaps_seen(listed, principal, after=start))
        assert [each for each in found if each.resource >= start] == later


def test_whoever_takes_the_first_few_grants_looks_at_no_more(
    listed: DecisionPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    index = listed.snapshot.index
    on = type(index).on

    def noted(self: Index, resource: str) -> Iterator[Grant]:
        looked.append(resource)
        return on(self, resource)

    monkeypatch.setattr(type(index), "on", noted)
    first = next(iter(inquiry.perhaps_seen(listed, listed.principal("user:ada"))))
    assert [first.resource] == looked
