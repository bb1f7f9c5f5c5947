from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import InvalidName, Moved, UnknownName
from jupyter_authorized_server.policy.model import Grant

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Store

NOW = 1000.0


def grant(store: Store, **changed: Any) -> Grant:
    given = {
        "principal": "user:bob",
        "level": "viewer",
        "resource": "contents:/team",
        "now": NOW,
        "granted_by": "user:ada",
    }
    return store.add_grant(**{**given, **changed})


def test_a_grant_is_kept_as_given(house: Store) -> None:
    given = grant(house, starts=NOW + 1, ends=NOW + 2, note="for the review")
    assert given == Grant(
        id=given.id,
        principal="user:bob",
        level="viewer",
        resource="contents:/team",
        starts=1001.0,
        ends=1002.0,
        granted_by="user:ada",
        note="for the review",
        source="store",
    )
    assert house.state().grants == (given,)
    assert re.fullmatch(r"g-[0-9a-f]{12}", given.id)


@pytest.mark.parametrize("principal", ["user:bob", "group:team", "everyone"])
def test_a_person_a_group_or_everyone_can_be_given_a_level(house: Store, principal: str) -> None:
    assert grant(house, principal=principal).principal == principal
    assert house.state().grants[0].principal == principal


def test_grants_come_in_the_order_they_were_given(house: Store) -> None:
    given = [grant(house, now=NOW - n) for n in range(20)]
    assert house.state().grants == tuple(given)


def test_overlapping_grants_are_taken_back_one_by_one(house: Store) -> None:
    first, second = grant(house), grant(house)
    assert house.remove_grant(first.id) == first
    assert house.state().grants == (second,)


def test_a_resource_is_kept_in_its_one_spelling(house: Store) -> None:
    assert grant(house, resource="contents:team//./a/../b/").resource == "contents:/team/b"
    assert house.state().grants[0].resource == "contents:/team/b"


@pytest.mark.parametrize(
    ("principal", "says"),
    [
        ("user:eve", "no person `eve`"),
        ("user:team", "no person `team`"),
        ("group:ada", "no group `ada`"),
        ("token:ci", "a token has no more than its owner: give it to the owner"),
        ("anonymous", "name `user:NAME`, `group:NAME` or `everyone`"),
    ],
)
def test_an_unknown_principal_is_named_with_the_remedy(
    house: Store, principal: str, says: str
) -> None:
    before = house.state()
    with pytest.raises(UnknownName, match=re.escape(says)):
        grant(house, principal=principal)
    assert house.state() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"principal": "ada"},
        {"principal": "user:"},
        {"principal": "user:a\0"},
        {"principal": "user:" + "x" * 10_000_000},
        {"principal": "group:everyone"},
        {"principal": None},
        {"level": "owner"},
        {"level": "Viewer"},
        {"level": 1},
        {"level": "x" * 10_000_000},
        {"resource": "files:/x"},
        {"resource": "contents:../x"},
        {"resource": "contents:a\0"},
        {"resource": "contents:\ud800"},
        {"resource": "contents:/" + "x" * 10_000_000},
        {"resource": "kernels:\ud800"},
        {"resource": "server:x"},
        {"resource": None},
        {"ends": NOW},
        {"ends": NOW - 1},
        {"ends": float("nan")},
        {"ends": float("inf")},
        {"ends": 253_402_300_800},
        {"ends": 10**400},
        {"ends": "tomorrow"},
        {"starts": float("-inf")},
        {"starts": NOW + 5, "ends": NOW + 5},
        {"now": None},
        {"note": "x" * 10_000_000},
        {"note": "a\nb"},
        {"note": "a\ud800"},
        {"note": None},
        {"granted_by": "a\0b"},
        {"granted_by": 7},
    ],
    ids=lambda changed: str(changed)[:40].encode("ascii", "replace").decode(),
)
def test_what_cannot_be_granted_is_refused_and_changes_nothing(
    house: Store, changed: dict[str, Any]
) -> None:
    before = house.state()
    with pytest.raises(InvalidName) as refused:
        grant(house, **changed)
    assert len(str(refused.value)) < 400
    assert house.state() == before


def test_a_grant_may_begin_in_the_past_and_ends_never_without_an_end(house: Store) -> None:
    given = grant(house, starts=NOW - 100)
    assert (given.starts, given.ends) == (NOW - 100, None)


@pytest.mark.parametrize("id_", ["g-000000000000", "", "g-\ud800", "x" * 10_000_000, None, 7])
def test_a_grant_that_is_not_there_cannot_be_taken_back(house: Store, id_: Any) -> None:
    grant(house)
    before = house.state()
    with pytest.raises(UnknownName, match="there is no grant"):
        house.remove_grant(id_)
    assert house.state() == before


def test_what_was_judged_at_a_revision_is_changed_at_that_one_only(house: Store) -> None:
    revision = house.revision()
    with house.judged_at(revision):
        given = grant(house)
    before = house.state()
    for moved in (revision, revision + 2):
        with house.judged_at(moved), pytest.raises(Moved, match="judge it again"):
            grant(house, resource="contents:/other")
        with house.judged_at(moved), pytest.raises(Moved):
            house.take_grant(given, now=NOW)
    assert house.state() == before
    # What is no change of what anybody may is not held up, and nothing is outside of it.
    with house.judged_at(revision):
        house.set_owner("kernels:k", "user:bob", now=NOW)
    house.remove_grant(given.id)
