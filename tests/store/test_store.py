from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from jupyter_authorized_server.errors import InvalidName, StoreVersionError
from jupyter_authorized_server.store import State, Store, Wanted, WishState
from jupyter_authorized_server.store.schema import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

HASH = "0" * 64
EVERY_CHANGE: dict[str, Callable[[Store], Any]] = {
    "add_person": lambda s: s.add_person("eve", now=1),
    "remove_person": lambda s: s.remove_person("ada"),
    "set_password_hash": lambda s: s.set_password_hash("ada", HASH),
    "set_disabled": lambda s: s.set_disabled("ada", disabled=True),
    "set_display_name": lambda s: s.set_display_name("ada", "Ada"),
    "add_group": lambda s: s.add_group("all", now=1),
    "remove_group": lambda s: s.remove_group("team"),
    "add_member": lambda s: s.add_member("team", "user:bob"),
    "remove_member": lambda s: s.remove_member("team", "user:ada"),
    "add_grants": lambda s: s.add_grants(
        [Wanted(principal="user:ada", level="editor", resource="contents:/many")],
        now=1,
        granted_by="os:t",
    ),
    "add_grant_once": lambda s: s.add_grant_once(
        Wanted(principal="user:bob", level="viewer", resource="contents:/once"),
        now=1,
        granted_by="os:test",
    ),
    "add_grant": lambda s: s.add_grant(
        principal="everyone", level="viewer", resource="server:", now=1, granted_by="user:ada"
    ),
    "remove_grant": lambda s: s.remove_grant(s.state().grants[0].id),
    "change_grant": lambda s: s.change_grant(
        s.state().grants[0], level="editor", ends=None, note="", now=1
    ),
    "take_grant": lambda s: s.take_grant(s.state().grants[0], now=1),
    "lose": lambda s: s.lose("r", ["/a"], 5),
    "end_move": lambda s: s.end_move(s.begin_move("r", "/a", "/b", "1", 1), done=True),
    "adopt": lambda s: s.adopt(s.orphans()[0].grant.id, 6),
    "found_again": lambda s: s.found_again({s.orphans()[0].grant.id: "/c"}, 6),
    "add_link": lambda s: _link(s, "k3"),
    "remove_link": lambda s: s.remove_link("k1"),
    "redeem_link": lambda s: s.redeem_link("k1", "bob", now=1),
    "add_wish": lambda s: s.add_wish(person="bob", level="viewer", resource="server:", now=1),
    "answer_wish": lambda s: s.answer_wish(
        s.wishes()[0].id, WishState.APPROVED, by="user:ada", now=1
    ),
    "add_token": lambda s: s.add_token("t2", HASH, "cd", "ada", None, 1),
    "remove_token": lambda s: s.remove_token("t1"),
    "add_login_session": lambda s: s.add_login_session("s2", HASH, "ada", 99, "", "", 1),
    "end_login_session": lambda s: s.end_login_session("s1"),
    "end_login_sessions": lambda s: s.end_login_sessions("ada"),
    "remove_expired": lambda s: s.remove_expired(99),
    "set_setup_link": lambda s: s.set_setup_link(HASH, 9),
    "count_policy_change": lambda store: store.count_policy_change(),
}
# What each change lets a holder of the state before keep.
KEEPS_PEOPLE = {
    "add_grant",
    "add_grant_once",
    "add_grants",
    "remove_grant",
    "change_grant",
    "take_grant",
    "lose",
    "end_move",
    "adopt",
    "found_again",
    "redeem_link",
    "answer_wish",
}
KEEPS_GRANTS = EVERY_CHANGE.keys() - {
    *KEEPS_PEOPLE,
    "remove_person",
    "remove_group",
}
KEEPS_BOTH = {
    "add_link",
    "remove_link",
    "add_wish",
    "add_token",
    "remove_token",
    "add_login_session",
    "end_login_session",
    "end_login_sessions",
    "remove_expired",
    "set_setup_link",
    "count_policy_change",
}


def _link(store: Store, id_: str) -> None:
    store.add_link(
        id_, HASH, person="ada", level="viewer", resource="contents:/a", expires=50, now=1
    )


def _open(store: Store, id_: str) -> None:
    store.open_link("k2", id=id_, secret_hash=HASH, expires=50, address="", agent="", now=1)


@pytest.fixture
def full(house: Store) -> Store:
    house.add_grant(
        principal="group:team", level="viewer", resource="server:", now=1, granted_by="user:ada"
    )
    house.add_grant(
        principal="user:ada", level="viewer", resource="contents:/old", now=1, granted_by="os:t"
    )
    house.identify("r", {"/old": "1"})
    house.lose("r", ["/old"], 1)
    house.add_token("t1", HASH, "ci", "ada", None, 1)
    house.add_login_session("s1", HASH, "ada", 50, "", "", 1)
    _link(house, "k1")
    house.add_link(
        "k2",
        HASH,
        person="ada",
        level="viewer",
        resource="contents:/a",
        expires=50,
        now=1,
        guests=True,
    )
    _open(house, "g1")
    house.add_wish(person="ada", level="editor", resource="server:", now=1)
    return house


def test_a_new_store_is_empty_at_revision_0(store: Store) -> None:
    assert store.revision() == 0
    assert store.state() == State(revision=0)


@pytest.mark.parametrize("name", EVERY_CHANGE)
def test_each_change_counts_once_and_reloads_only_what_it_changed(full: Store, name: str) -> None:
    known = full.state()
    EVERY_CHANGE[name](full)
    assert full.revision() == known.revision + 1
    following = full.state(known)
    assert following == full.state()
    assert following.revision == known.revision + 1
    keeps_people = name in KEEPS_PEOPLE | KEEPS_BOTH
    assert (following.people is known.people) == keeps_people
    assert (following.groups is known.groups) == keeps_people
    assert (following.grants is known.grants) == (name in KEEPS_GRANTS)


def test_every_changing_operation_is_in_the_table_above() -> None:
    reading = {"listen", "revision", "state", "password_hash", "token", "tokens", "login_session"}
    reading |= {"login_sessions", "setup_link", "export_rows", "row_counts"}
    reading |= {"identities", "moves", "orphans", "link", "links", "wish", "wishes", "owners"}
    reading |= {"journal", "journal_sizes", "verify_journal", "verify_records", "kept_lines"}
    reading |= {"newest_records", "kept_acts", "is_there", "has_administrator"}
    reading |= {
        "guest",
        "standing",
        "counted",
        "counted_since",
        "tokens_called",
        "tokens_named",
        "login_sessions_called",
    }
    uncounted = {
        "identify",
        "begin_move",
        "remove_orphan",
        "touch_token",
        "touch_login_session",
        "rehash_password",
    }
    uncounted |= {"keep_acts", "drop_acts"}
    uncounted |= {"use_grant", "open_link", "end_guest"}
    uncounted |= {"keep_journal", "start_journal", "renew_journal", "prune_records"}
    uncounted |= {"set_owner", "remove_owners"}
    # Each has tests of its own: they need another store than this, or are no change.
    apart = {"drop_used_up", "complete_setup", "open", "close", "upgrade", "import_rows"}
    apart |= {"judged_at", "together"}
    public = {name for name in dir(Store) if not name.startswith("_")}
    assert public - reading - uncounted - apart == set(EVERY_CHANGE)


def test_an_unchanged_state_is_given_back_as_it_is(full: Store) -> None:
    known = full.state()
    assert full.state(known) is known


def test_a_state_misses_nothing_over_several_changes(full: Store) -> None:
    known = full.state()
    full.add_person("eve", now=1)
    full.add_login_session("s2", HASH, "eve", 50, "", "", 1)
    full.remove_grant(known.grants[0].id)
    full.add_login_session("s3", HASH, "eve", 50, "", "", 1)
    assert full.state(known) == full.state()
    assert [person.name for person in full.state(known).people] == ["ada", "bob", "eve"]
    assert full.state(known).grants == ()


def test_a_state_from_after_the_store_was_restored_is_not_trusted(full: Store) -> None:
    from_later = State(revision=10_000)
    assert full.state(from_later) == full.state()


def test_a_refused_change_is_not_counted(full: Store) -> None:
    before = full.state()
    with pytest.raises(InvalidName):
        full.add_grant(
            principal="user:ada", level="king", resource="server:", now=1, granted_by="user:ada"
        )
    assert full.state() == before
    assert full.revision() == before.revision


def test_a_change_that_breaks_half_way_is_undone(
    full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = full.state()

    def broken(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("jupyter_authorized_server.store.people._end_sessions", broken)
    with pytest.raises(RuntimeError):
        full.set_disabled("ada", disabled=True)
    monkeypatch.undo()
    assert full.state() == before
    full.add_person("eve", now=1)


def test_a_reopened_store_holds_what_it_held(full: Store, url: str) -> None:
    before = full.state()
    full.close()
    with Store.open(url) as again:
        assert again.state() == before
        assert again.token("t1") == full.token("t1")
    full.close()


def test_several_threads_may_use_one_store(url: str) -> None:
    def work(number: int) -> int:
        store.add_person(f"p{number}", now=1)
        assert store.state().revision >= 1
        return store.revision()

    with Store.open(url, busy_timeout=30) as store:
        with ThreadPoolExecutor(4) as pool:
            revisions = list(pool.map(work, range(24)))
        assert max(revisions) == 24
        assert len(store.state().people) == 24


def test_secrets_are_in_no_repr(full: Store) -> None:
    full.set_password_hash("ada", "$argon2id$made-up")
    shown = f"{full!r} {full.state()!r} {full.tokens()!r} {full.login_sessions()!r}"
    assert HASH not in shown
    assert "argon2id" not in shown


def test_a_store_that_another_version_upgrades_is_neither_read_nor_changed_by_this_one(
    store: Store,
) -> None:
    def becomes(version: str) -> None:
        with store._database.writing.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :to"), {"to": version}
            )

    store.add_person("ada", now=1)
    becomes("9999")
    for ask in (store.revision, lambda: store.add_group("team", now=2)):
        with pytest.raises(StoreVersionError, match="start this server anew"):
            ask()
    becomes(HEAD)
    assert (1, ()) == (store.revision(), store.state().groups)
