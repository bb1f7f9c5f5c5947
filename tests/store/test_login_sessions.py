from __future__ import annotations

from typing import Any

import pytest

from jupyter_authorized_server.errors import DuplicateName, InvalidName, UnknownName
from jupyter_authorized_server.store import LoginSession, Store

HASH = "0" * 64


def session(store: Store, **changed: Any) -> LoginSession:
    given = {
        "id": "s1",
        "secret_hash": HASH,
        "person": "ada",
        "expires": 50,
        "address": "192.0.2.7",
        "agent": "Firefox",
        "now": 10,
    }
    return store.add_login_session(**{**given, **changed})


def test_a_session_is_kept_with_the_hash_of_its_secret(house: Store) -> None:
    made = session(house)
    assert made == LoginSession(
        id="s1",
        person="ada",
        created=10.0,
        expires=50.0,
        last_seen=10.0,
        address="192.0.2.7",
        agent="Firefox",
    )
    assert house.login_session("s1") == (made, HASH)
    assert HASH not in repr(made)


def test_sessions_are_listed_latest_first(house: Store) -> None:
    for now, person in ((1, "ada"), (3, "bob"), (2, "ada")):
        session(house, id=f"s{now}", now=now, person=person)
    assert [each.id for each in house.login_sessions()] == ["s3", "s2", "s1"]
    assert [each.id for each in house.login_sessions("ada")] == ["s2", "s1"]


def test_use_is_noted_and_not_counted_as_a_change(house: Store) -> None:
    session(house)
    before = house.revision()
    house.touch_login_session("s1", 20)
    assert house.login_sessions()[0].last_seen == 20.0
    assert house.revision() == before


def test_one_session_ends_or_all_of_a_person(house: Store) -> None:
    for id_, person in (("a1", "ada"), ("a2", "ada"), ("a3", "ada"), ("b1", "bob")):
        session(house, id=id_, person=person)
    assert house.end_login_session("a1") is True
    assert house.end_login_sessions("ada") == 2
    assert [each.id for each in house.login_sessions()] == ["b1"]


def test_ending_what_has_ended_is_no_mistake_and_no_change(house: Store) -> None:
    before = house.revision()
    assert house.end_login_session("s1") is False
    assert house.end_login_sessions("ada") == 0
    assert house.remove_expired(1000) == 0
    assert house.revision() == before


def test_expired_sessions_are_removed_in_one_change(house: Store) -> None:
    for expires in (20, 30, 31):
        session(house, id=f"s{expires}", expires=expires)
    before = house.revision()
    assert house.remove_expired(30) == 2
    assert [each.id for each in house.login_sessions()] == ["s31"]
    assert house.revision() == before + 1


def test_what_the_client_says_is_cut_and_cleaned_never_refused(house: Store) -> None:
    made = session(house, address=None, agent="a\0\ud800\n" + "x" * 10_000_000)
    assert made.address == ""
    assert made.agent == "a\ufffd\ufffd\ufffd" + "x" * 252
    assert house.login_sessions() == (made,)


@pytest.mark.parametrize("id_", [None, 7, b"s1", "", "a b", "\ud800", "é", "x" * 10_000_000])
def test_what_can_be_no_id_finds_nothing_and_cannot_be_added(house: Store, id_: Any) -> None:
    session(house)
    assert house.login_session(id_) is None
    assert house.end_login_session(id_) is False
    house.touch_login_session(id_, 20)
    with pytest.raises(InvalidName, match="the id of a login session"):
        session(house, id=id_)
    assert house.login_sessions()[0].last_seen == 10.0


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, DuplicateName),
        ({"id": "s2", "person": "eve"}, UnknownName),
        ({"id": "s2", "expires": None}, InvalidName),
        ({"id": "s2", "expires": 10}, InvalidName),
        ({"id": "s2", "secret_hash": "my secret"}, InvalidName),
        ({"id": "s2", "now": float("nan")}, InvalidName),
    ],
    ids=str,
)
def test_a_session_that_cannot_be_is_refused_unseen(
    house: Store, changed: dict[str, Any], error: type[Exception]
) -> None:
    session(house)
    before = house.state()
    with pytest.raises(error) as refused:
        session(house, **changed)
    assert "my secret" not in str(refused.value)
    assert house.state() == before
    assert len(house.login_sessions()) == 1


def test_many_sessions_are_found_at_once_each_as_by_itself(house: Store) -> None:
    made = {id_: session(house, id=id_) for id_ in ("s1", "s2", "s3")}
    del made["s3"]
    assert made == house.login_sessions_called(["s2", "s1", "s9", "a b", "s1"])
