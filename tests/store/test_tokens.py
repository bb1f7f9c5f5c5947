from __future__ import annotations

from typing import Any

import pytest

from jupyter_authorized_server.errors import DuplicateName, InvalidName, UnknownName
from jupyter_authorized_server.store import Store, Token, tokens

HASH = "0" * 64
NO_IDS = [None, 7, b"t1", "", "a b", "a\0", "\ud800", "é", "x" * 10_000_000, "t1\n", "t1; --"]


def token(store: Store, **changed: Any) -> Token:
    given = {
        "id": "t1",
        "secret_hash": HASH,
        "name": "ci",
        "person": "ada",
        "expires": 50,
        "now": 10,
    }
    return store.add_token(**{**given, **changed})


def test_a_token_is_kept_with_the_hash_of_its_secret(house: Store) -> None:
    made = token(house)
    assert made == Token(
        id="t1", name="ci", person="ada", created=10.0, expires=50.0, last_used=None
    )
    assert house.token("t1") == (made, HASH)
    assert house.tokens("ada") == (made,)
    assert HASH not in repr(made)


def test_tokens_are_listed_by_person_and_name(house: Store) -> None:
    for id_, name, person in (("1", "b", "bob"), ("2", "a", "bob"), ("3", "c", "ada")):
        token(house, id=id_, name=name, person=person)
    assert [each.id for each in house.tokens()] == ["3", "2", "1"]
    assert [each.id for each in house.tokens("bob")] == ["2", "1"]


def test_a_token_may_have_no_end(house: Store) -> None:
    assert token(house, expires=None).expires is None
    assert house.tokens()[0].expires is None


def test_an_expired_token_is_still_found_so_that_its_owner_can_be_told(house: Store) -> None:
    made = token(house)
    house.remove_expired(1000)
    assert house.token("t1") == (made, HASH)


def test_use_is_noted_and_not_counted_as_a_change(house: Store) -> None:
    token(house)
    before = house.revision()
    house.touch_token("t1", 20)
    assert house.tokens()[0].last_used == 20.0
    assert house.revision() == before


def test_a_removed_token_is_gone(house: Store) -> None:
    made = token(house)
    assert house.remove_token("t1") == made
    assert house.token("t1") is None
    with pytest.raises(UnknownName, match="no token with that id"):
        house.remove_token("t1")


def test_a_name_is_given_once_to_each_person(house: Store) -> None:
    token(house)
    token(house, id="t2", person="bob")
    before = house.state()
    with pytest.raises(DuplicateName, match="`ada` has a token `ci` already"):
        token(house, id="t3")
    with pytest.raises(DuplicateName, match="a token with that id"):
        token(house, id="t2", name="other")
    assert house.state() == before
    assert len(house.tokens()) == 2


@pytest.mark.parametrize("id_", NO_IDS)
def test_what_can_be_no_id_finds_nothing_and_cannot_be_added(house: Store, id_: Any) -> None:
    token(house)
    before = house.state()
    assert house.token(id_) is None
    house.touch_token(id_, 20)
    with pytest.raises(UnknownName):
        house.remove_token(id_)
    with pytest.raises(InvalidName, match="the id of a token"):
        token(house, id=id_, name="other")
    assert house.state() == before
    assert house.tokens()[0].last_used is None


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"secret_hash": "my secret"}, InvalidName),
        ({"secret_hash": None}, InvalidName),
        ({"name": "a/b"}, InvalidName),
        ({"name": "\ud800"}, InvalidName),
        ({"person": "user:a/b"}, InvalidName),
        ({"person": "eve"}, UnknownName),
        ({"expires": 10}, InvalidName),
        ({"expires": float("nan")}, InvalidName),
        ({"now": "x"}, InvalidName),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_is_refused_unseen(
    house: Store, changed: dict[str, Any], error: type[Exception]
) -> None:
    before = house.state()
    with pytest.raises(error) as refused:
        token(house, **changed)
    assert "my secret" not in str(refused.value)
    assert house.state() == before
    assert house.tokens() == ()


def test_many_tokens_are_found_at_once_each_as_by_itself(house: Store) -> None:
    for id_, scope in (("t1", None), ("t2", [("viewer", "contents:/a")]), ("t3", None)):
        token(house, id=id_, name=id_, scope=scope)
    # More than one query takes, one of them twice, and what can be none.
    asked = ["t1", "t2", "t1", "a b", *(f"no{number}" for number in range(1200))]
    each = {id_: found[0] for id_ in ("t1", "t2") if (found := house.token(id_))}
    assert each == house.tokens_called(asked)
    assert (("viewer", "contents:/a"),) == each["t2"].scope
    assert {} == house.tokens_called([])


def test_of_one_person_so_many_tokens_hold_and_so_many_that_are_over_are_kept(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_HELD", 3)
    monkeypatch.setattr(tokens, "MOST_KEPT", 1)
    for id_, ends in (("a", 20), ("b", 30), ("c", None)):
        token(house, id=id_, name=id_, expires=ends, now=10)
    with pytest.raises(DuplicateName, match="`ada` has 3 tokens; `jupyter authz tokens revoke`"):
        token(house, id="d", name="d", now=15)
    token(house, id="d", name="d", person="bob", now=15)
    token(house, id="e", name="e", expires=90, now=35)
    # Of those that are over, the one that held longer.
    assert ["b", "c", "e"] == [each.id for each in house.tokens("ada")]
    assert ["d"] == [each.id for each in house.tokens("bob")]
