from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import InvalidName, UnknownName
from jupyter_authorized_server.store import Store, Wanted, many_grants

if TYPE_CHECKING:
    from jupyter_authorized_server.policy.model import Grant

VIEW = Wanted(principal="user:ada", level="viewer", resource="contents:/a")


@pytest.fixture(autouse=True)
def house(store: Store) -> Store:
    store.add_person("ada", now=1)
    store.add_group("team", now=1)
    return store


def give(store: Store, *wanted: Wanted) -> tuple[tuple[Grant, ...], frozenset[str]]:
    return store.add_grants(wanted, now=1000, granted_by="os:test")


def test_many_are_given_in_one_change_each_as_by_itself(store: Store) -> None:
    wanted = [
        VIEW,
        Wanted(principal="group:team", level="editor", resource="contents:/b/", ends=2000),
        Wanted(principal="everyone", level="runner", resource="server:", starts=1500),
    ]
    before = store.revision()
    found, new = give(store, *wanted)
    assert before + 1 == store.revision()
    assert {each.id for each in found} == new
    assert found == store.state().grants
    alone = [store.add_grant_once(each, now=1000, granted_by="os:test") for each in wanted]
    assert [(each, False) for each in found] == alone


def test_what_is_said_already_or_twice_is_given_once(store: Store) -> None:
    first, _ = give(store, VIEW)
    counted = replace(VIEW, uses=2)
    later = replace(VIEW, ends=5000)
    found, new = give(store, VIEW, later, later, counted, counted)
    assert first[0] == found[0]
    assert found[1] == found[2]
    assert {each.id for each in found[1:]} == new
    assert 4 == len(store.state().grants)
    assert [2, 2] == sorted(store.counted().values())
    before = store.revision()
    again, none = give(store, later, VIEW, later)
    assert (found[1], found[0], found[1]) == again
    assert (frozenset(), before) == (none, store.revision())


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"principal": "user:nobody"}, UnknownName, "number 3: there is no `user:nobody`"),
        ({"principal": "group:none"}, UnknownName, "number 3: there is no `group:none`"),
        ({"principal": "token:t1"}, UnknownName, "number 3: a token has no more"),
        ({"principal": "anonymous"}, UnknownName, "number 3: nothing can be granted"),
        ({"principal": ""}, InvalidName, "number 3: "),
        ({"level": "king"}, InvalidName, "number 3: .*king"),
        ({"resource": "contents:/../x"}, InvalidName, "number 3: "),
        ({"resource": ""}, InvalidName, "number 3: "),
        ({"ends": 999}, InvalidName, "number 3: .*past"),
        ({"ends": 3000, "starts": 4000}, InvalidName, "number 3: .*after the start"),
        ({"ends": float("nan")}, InvalidName, "number 3: "),
        ({"uses": 0}, InvalidName, "number 3: .*times"),
        ({"uses": 3, "level": "manager"}, InvalidName, "number 3: .*number of times"),
        ({"note": "x" * 100_000}, InvalidName, "number 3: "),
    ],
)
def test_where_one_is_wrong_none_is_given_and_it_is_said_which(
    store: Store, wrong: dict[str, Any], error: type[Exception], says: str
) -> None:
    before = store.revision()
    right = [replace(VIEW, resource=f"contents:/{n}") for n in range(3)]
    with pytest.raises(error, match=says):
        give(store, right[0], right[1], replace(VIEW, **wrong), right[2])
    assert (before, ()) == (store.revision(), store.state().grants)


def test_there_is_a_least_and_a_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_grants, "MOST", 3)
    for number in (0, 4):
        with pytest.raises(InvalidName, match="1 to 3 grants"):
            give(store, *[replace(VIEW, resource=f"contents:/{n}") for n in range(number)])
    assert 3 == len(give(store, *[replace(VIEW, resource=f"contents:/{n}") for n in range(3)])[1])


def test_thousands_at_once_are_one_change(store: Store) -> None:
    known = store.state()
    give(store, *[replace(VIEW, resource=f"contents:/{n}") for n in range(2000)])
    following = store.state(known)
    assert (known.revision + 1, 2000) == (following.revision, len(following.grants))
