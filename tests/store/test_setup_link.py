from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import AuthorizationError, InvalidName, UnknownName

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Person, Store

LINK = "1" * 64
HASH = "$argon2id$made-up"


def complete(store: Store, secret_hash: str = LINK, **changed: Any) -> Person:
    given = {"name": "ada", "display_name": "Ada", "password_hash": HASH, "now": 10}
    return store.complete_setup(secret_hash, **{**given, **changed})


def test_the_link_makes_the_first_administrator_once(store: Store) -> None:
    store.set_setup_link(LINK, 20)
    before = store.revision()
    ada = complete(store)
    state = store.state()
    assert state.people == (ada,)
    assert store.password_hash("ada") == HASH
    assert [(g.principal, g.level, g.resource, g.ends) for g in state.grants] == [
        ("user:ada", "admin", "server:", None)
    ]
    assert store.setup_link() is None
    assert state.revision == before + 1
    with pytest.raises(UnknownName, match="this set-up link is not valid"):
        complete(store, name="eve")


def test_a_new_link_replaces_the_old(store: Store) -> None:
    store.set_setup_link(LINK, 20)
    store.set_setup_link("2" * 64, 30)
    assert store.setup_link() == ("2" * 64, 30.0)
    with pytest.raises(UnknownName):
        complete(store)
    assert complete(store, "2" * 64).name == "ada"


def test_there_is_no_link_at_first(store: Store) -> None:
    assert store.setup_link() is None
    with pytest.raises(UnknownName, match="restart the server for a new one"):
        complete(store)


@pytest.mark.parametrize(
    ("secret_hash", "changed", "error"),
    [
        ("2" * 64, {}, UnknownName),
        (LINK[:-1], {}, UnknownName),
        (LINK, {"now": 20}, UnknownName),
        (LINK, {"now": 21}, UnknownName),
        ("my secret", {}, InvalidName),
        (LINK, {"name": "a/b"}, InvalidName),
        (LINK, {"display_name": "a\0"}, InvalidName),
        (LINK, {"password_hash": None}, InvalidName),
        (LINK, {"password_hash": "my secret"}, InvalidName),
        (LINK, {"now": None}, InvalidName),
    ],
)
def test_a_wrong_attempt_changes_nothing_and_leaves_the_link(
    store: Store, secret_hash: str, changed: dict[str, Any], error: type[Exception]
) -> None:
    store.set_setup_link(LINK, 20)
    before = store.state()
    with pytest.raises(error) as refused:
        complete(store, secret_hash, **changed)
    assert "my secret" not in str(refused.value)
    assert store.state() == before
    assert store.setup_link() == (LINK, 20.0)


def test_a_server_with_somebody_is_set_up_already(house: Store) -> None:
    house.set_setup_link(LINK, 20)
    before = house.state()
    with pytest.raises(UnknownName, match="set up already"):
        complete(house, name="eve")
    assert house.state() == before


def test_of_many_who_open_the_link_at_once_one_becomes_administrator(store: Store) -> None:
    store.set_setup_link(LINK, 20)

    def attempt(number: int) -> bool:
        try:
            complete(store, name=f"p{number}")
        except AuthorizationError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(attempt, range(4)))
    assert sum(won) == 1
    assert len(store.state().people) == 1
    assert len(store.state().grants) == 1
