"""Guests: who has opened a link without signing in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import DuplicateName, InvalidName, UnknownName
from jupyter_authorized_server.store import guests

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Guest, Store

HASH = "h" * 40


def link(store: Store, id_: str = "l1", **more: Any) -> str:
    fields: dict[str, Any] = {
        "person": "ada",
        "level": "viewer",
        "resource": "contents:/team",
        "expires": 100.0,
        "now": 1.0,
        "guests": True,
        **more,
    }
    return store.add_link(id_, HASH, **fields).id


def opened(store: Store, id_: str = "g1", *, on: str = "l1", **more: Any) -> Guest:
    fields: dict[str, Any] = {"expires": 1000.0, "address": "::1", "agent": "x", "now": 2.0}
    return store.open_link(on, id=id_, secret_hash=HASH, **{**fields, **more})


def test_a_guest_lasts_as_long_as_the_shortest_of_three(house: Store) -> None:
    link(house)
    link(house, "l2", grant_ends=50.0)
    assert [100.0, 50.0, 9.0] == [
        opened(house).expires,
        opened(house, "g2", on="l2").expires,
        opened(house, "g3", expires=9.0).expires,
    ]
    found = house.guest("g1")
    assert found is not None
    assert ("l1", HASH) == (found[0].link, found[1])


def test_a_guest_goes_with_the_link_its_maker_and_its_file(house: Store) -> None:
    for number, id_ in enumerate(("l1", "l2", "l3")):
        opened(house, f"g{number}", on=link(house, id_, person="bob" if number else "ada"))
    house.remove_link("l1")
    assert house.guest("g0") is None
    house.remove_person("bob")
    assert [None, None] == [house.guest("g1"), house.guest("g2")]


def test_guests_come_and_go_without_a_change_of_the_revision(house: Store) -> None:
    link(house)
    before = house.state().revision
    opened(house)
    assert house.end_guest("g1")
    assert not house.end_guest("g1")
    # Whoever has the link could else have every server look for changes all the time.
    assert before == house.state().revision
    assert house.guest("g1") is None


def test_a_link_is_open_in_so_many_browsers_at_once(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "MOST", 2)
    link(house)
    opened(house, expires=9.0)
    opened(house, "g2")
    with pytest.raises(UnknownName, match="does not hold any more"):
        opened(house, "g3")
    # Whose time is over makes room.
    assert "g3" == opened(house, "g3", now=10.0).id


@pytest.mark.parametrize(
    ("of", "more"),
    [
        ({"guests": False}, {}),
        ({"expires": 3.0}, {"now": 3.0}),
        ({"grant_ends": 3.0}, {"now": 3.0}),
        ({}, {"on": "none"}),
        ({}, {"on": "a b"}),
    ],
)
def test_a_link_that_does_not_hold_opens_to_nobody(
    house: Store, of: dict[str, Any], more: dict[str, Any]
) -> None:
    link(house, **of)
    with pytest.raises(UnknownName, match="does not hold any more"):
        opened(house, **more)
    assert house.guest("g1") is None


@pytest.mark.parametrize(
    "of", [{"level": "runner"}, {"resource": "server:"}, {"resource": "kernels:k"}]
)
def test_guests_only_look_at_files(house: Store, of: dict[str, Any]) -> None:
    with pytest.raises(InvalidName, match="guests only look"):
        link(house, **of)
    assert () == house.links()


def test_a_use_is_used_once(house: Store) -> None:
    link(house, uses=1)
    opened(house)
    with pytest.raises(UnknownName, match="does not hold any more"):
        opened(house, "g2")


def test_an_id_is_one_guest(house: Store) -> None:
    link(house)
    opened(house)
    with pytest.raises(DuplicateName):
        opened(house)
    assert [1] == [each.used for each in house.links()]
    assert [None, None] == [house.guest("a b"), house.guest(None)]
    assert not house.end_guest("a b")


def test_of_many_who_open_the_last_use_at_once_one_does(house: Store) -> None:
    link(house, uses=1)
    told: list[bool] = []

    def go(number: int) -> None:
        try:
            opened(house, f"g{number}")
        except UnknownName:
            told.append(False)
        else:
            told.append(True)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [False] * 4 + [True] == sorted(told)
