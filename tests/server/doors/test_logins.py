"""Who holds the logins of open sockets, asked about all at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from stores import store_url

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.server.doors.logins import Login, holders
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASH = "0" * 64
NOW = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(store_url(tmp_path, "store.sqlite"))
    for name in ("ada", "bob", "eve"):
        found.add_person(name, now=1)
    found.set_disabled("eve", disabled=True)
    scope = [("viewer", "contents:/a")]
    for id_, person, expires, limit in (
        ("all", "ada", None, None),
        ("few", "ada", 50, scope),
        ("old", "ada", 15, None),
        ("eves", "eve", None, None),
    ):
        found.add_token(id_, HASH, id_, person, expires, 10, scope=limit)
    for id_, expires in (("here", 60), ("gone", 15)):
        found.add_login_session(id_, HASH, "bob", expires, "::1", "a", 10)
    yield found
    found.close()


@pytest.fixture
def point(store: Store, tmp_path: Path) -> Iterator[DecisionPoint]:
    audit = Audit(tmp_path / "audit.jsonl")
    yield DecisionPoint(store, policy_dir=None, audit=audit, clock=lambda: NOW)
    audit.close()


def test_each_of_many_logins_is_held_by_who_it_is_of_until_it_ends(point: DecisionPoint) -> None:
    expected = {
        Login("user:ada", "all", None, local=True): ("user:ada", None, math.inf),
        Login("user:ada", "few", None, local=True): (
            "user:ada",
            (("viewer", "contents:/a"),),
            50.0,
        ),
        Login("user:bob", None, "here", local=True): ("user:bob", None, 60.0),
        Login("user:hub", None, None, local=False): ("user:hub", None, math.inf),
    }
    found = holders(point, expected, NOW)
    assert expected == {
        login: (
            held.principal and held.principal.name,
            held.principal and held.principal.scope,
            held.until,
        )
        for login, held in found.items()
    }


@pytest.mark.parametrize(
    ("person", "token", "session"),
    [
        ("ada", "old", None),
        ("ada", "removed", None),
        ("bob", None, "gone"),
        ("bob", None, "ended"),
        ("eve", "eves", None),
        ("nobody", None, None),
        # Both have to hold.
        ("bob", "old", "here"),
        ("bob", "all", "ended"),
    ],
)
def test_a_login_that_is_over_is_nobodys(
    point: DecisionPoint, person: str, token: str | None, session: str | None
) -> None:
    login = Login(f"user:{person}", token, session, local=True)
    held = Login("user:ada", "all", None, local=True)
    found = holders(point, [login, held], NOW)
    assert found[login].principal is None
    assert found[held].principal is not None


def test_they_are_not_asked_about_one_by_one(
    point: DecisionPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(point.store, "token", asked.append)
    monkeypatch.setattr(point.store, "login_session", asked.append)
    login = Login("user:ada", "few", None, local=True)
    assert holders(point, [login], NOW)[login].principal is not None
    assert [] == asked


def test_while_the_store_is_away_nobody_holds_any_and_it_is_soon_asked_again(
    point: DecisionPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> dict[str, object]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(point.store, "login_sessions_called", away)
    login = Login("user:ada", "all", None, local=True)
    assert (None, NOW) == holders(point, [login], NOW)[login]
