from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import AuthorizationError, InvalidName
from jupyter_authorized_server.policy.document import Document
from jupyter_authorized_server.policy.engine import CheckedPolicy, Snapshot
from jupyter_authorized_server.store import Store, transaction
from jupyter_authorized_server.store import grants as grants_of
from jupyter_authorized_server.store import ledger as module
from jupyter_authorized_server.store.check import drift

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jupyter_authorized_server.store import State

PLACES = ("/", "/a", "/a/b", "/c")
PRINCIPALS = ("user:ada", "user:bob", "user:eve", "group:team", "group:sub", "everyone")


def _some(store: Store, chance: random.Random) -> str:
    grants = store.state().grants
    return chance.choice(grants).id if grants else "g-0"


def _give(store: Store, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3))):
        store.add_grant(
            principal=chance.choice(PRINCIPALS),
            level=chance.choice(("viewer", "editor")),
            resource=f"contents:{chance.choice(PLACES)}",
            ends=chance.choice((None, 50)),
            now=1,
            granted_by="os:test",
        )


def _change(store: Store, chance: random.Random) -> None:
    known = chance.choice(store.state().grants)
    store.change_grant(known, level="admin", ends=None, note="so", now=1)


def _move(store: Store, chance: random.Random) -> None:
    new = chance.choice((None, "/m", "/c/n"))
    store.end_move(store.begin_move("r", "/a", new, "1", 1), done=True)


def _lose(store: Store, chance: random.Random) -> None:
    store.identify("r", {"/c": "1"})
    store.lose("r", ["/c"], 1)


def _find(store: Store, chance: random.Random) -> None:
    store.adopt(chance.choice(store.orphans()).grant.id, 1)


def _person(store: Store, chance: random.Random) -> None:
    name = chance.choice(("ada", "bob", "eve"))
    try:
        store.add_person(name, now=1)
    except AuthorizationError:
        store.remove_person(name)


def _group(store: Store, chance: random.Random) -> None:
    name = chance.choice(("team", "sub"))
    try:
        store.add_group(name, now=1)
    except AuthorizationError:
        store.remove_group(name)


STEPS: tuple[Callable[[Store, random.Random], object], ...] = (
    _give,
    _give,
    _give,
    lambda store, chance: store.remove_grant(_some(store, chance)),
    _change,
    _move,
    _lose,
    _find,
    _person,
    _group,
    lambda store, _: store.add_member("team", "group:sub"),
    lambda store, chance: store.add_member("sub", chance.choice(PRINCIPALS)),
    lambda store, chance: store.set_disabled("ada", disabled=chance.random() < 0.5),
    lambda store, _: store.count_policy_change(),
)


def _shape(snapshot: Snapshot) -> object:
    index = snapshot.index
    return (
        {
            who: {what: [row.grant for row in rows] for what, rows in index.given_to(who).items()}
            for who in index.principals()
        },
        {what: list(index.on(what)) for what in index.resources()},
    )


@pytest.mark.parametrize("seed", range(2))
def test_any_changes_taken_over_one_by_one_are_what_is_read_anew(
    house: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311  # why: to be the same each time
    monkeypatch.setattr(transaction, "KEPT", 5)
    monkeypatch.setattr(module, "_MOST", 4)
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    policy = CheckedPolicy(rules=(), document=Document())
    states: list[State] = [house.state()]
    snapshot = Snapshot(policy, ledger=states[0].ledger)
    for _ in range(25):
        for _ in range(chance.choice((1, 1, 2, 12))):
            with contextlib.suppress(AuthorizationError, IndexError):
                chance.choice(STEPS)(house, chance)
        # Also who has missed many revisions comes to the same.
        known = chance.choice((states[-1], states[-1], *states))
        anew = house.state()
        found = house.state(known)
        assert anew == found
        assert list(anew.ledger.rows()) == list(found.ledger.rows())
        states = [*states[-3:], found]
        snapshot = snapshot.after(policy, (), found.revision, found.ledger)
        whole = Snapshot(policy, revision=anew.revision, ledger=anew.ledger)
        assert whole.grants == snapshot.grants
        assert _shape(whole) == _shape(snapshot)


def test_of_a_changed_grant_only_that_one_is_read(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give() -> None:
        house.add_grant(
            principal="user:ada", level="viewer", resource="server:", now=1, granted_by="os:t"
        )

    give()
    known = house.state()
    give()
    read: list[int] = []
    real = grants_of.rows_of

    def watched(*arguments: object) -> object:
        rows = list(real(*arguments))  # type: ignore[arg-type]  # why: passed on as they are
        read.extend(serial for serial, _ in rows)
        return iter(rows)

    monkeypatch.setattr(module, "rows_of", watched)
    found = house.state(known)
    assert 1 == len(read)
    assert found.grants[0] is known.grants[0]


def test_grants_that_go_with_their_person_or_group_are_noted(house: Store) -> None:
    for principal in ("user:ada", "group:team", "everyone"):
        house.add_grant(
            principal=principal, level="viewer", resource="server:", now=1, granted_by="os:t"
        )
    known = house.state()
    house.remove_person("ada")
    house.remove_group("team")
    assert ["everyone"] == [each.principal for each in house.state(known).grants]


def test_notes_are_kept_for_a_while_only(house: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "KEPT", 3)
    known = house.state()
    for number in range(20):
        house.add_grant(
            principal="everyone",
            level="viewer",
            resource=f"contents:/{number}",
            now=1,
            granted_by="os:t",
        )
    with house._read() as connection:
        many = connection.exec_driver_sql("SELECT COUNT(*) FROM grant_changes").scalar_one()
    assert 3 <= many <= 7
    assert house.state() == house.state(known)


def test_a_store_whose_triggers_are_lost_is_not_as_the_schema_says(house: Store) -> None:
    found: list[str] = []

    def lose() -> None:
        with house._write() as connection:
            on = "" if connection.dialect.name == "sqlite" else " ON grants"
            connection.exec_driver_sql(f"DROP TRIGGER grants_noted_on_delete{on}")
            found.extend(drift(connection))
            # Undone, since other tests have the same database.
            raise InvalidName

    with pytest.raises(InvalidName):
        lose()
    assert ["the trigger `grants_noted_on_delete` is missing"] == found


def test_what_is_imported_is_seen_by_whoever_knew_the_empty_store(
    house: Store, tmp_path: Path
) -> None:
    house.add_grant(
        principal="user:ada", level="viewer", resource="server:", now=1, granted_by="os:t"
    )
    lines = list(house.export_rows())
    with Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        for _ in range(house.revision() - 1):
            other.count_policy_change()
        known = other.state()
        other.import_rows(lines)
        assert known.revision < other.revision()
        assert other.state() == other.state(known)
        assert house.state().grants == other.state(known).grants
        assert house.state().people == other.state(known).people
