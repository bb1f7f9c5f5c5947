"""What is particular to a store that several servers share."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from jupyter_authorized_server.errors import DuplicateName, StoreUnavailable, StoreVersionError
from jupyter_authorized_server.store import Store, listening, migrating
from jupyter_authorized_server.store.check import drift

if TYPE_CHECKING:
    from postgresql import Database


def other(database: Database, name: str) -> str:
    database.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")
    database.execute(f"CREATE DATABASE {name}", database="postgres")
    return database.url.replace("@/house", f"@/{name}")


def test_the_tables_are_those_of_the_schema(shared_store: Store) -> None:
    with shared_store._read() as connection:
        assert drift(connection) == []


def test_an_empty_database_is_made_ready_by_the_upgrade_alone(database: Database) -> None:
    url = other(database, "fresh")
    with pytest.raises(StoreVersionError, match="jupyter authz store upgrade"):
        Store.open(url)
    Store.upgrade(url)
    Store.upgrade(url)
    with Store.open(url) as store:
        assert store.revision() == 0


@pytest.mark.parametrize("revision", migrating.revisions()[:-1])
def test_an_older_store_is_migrated_by_the_upgrade_alone(
    database: Database, revision: str
) -> None:
    url = other(database, "older")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating.upgrade, "__defaults__", (revision,))
        Store.upgrade(url)
    with pytest.raises(StoreVersionError, match=f"schema revision `{revision}`"):
        Store.open(url)
    Store.upgrade(url)
    with Store.open(url) as store, store._read() as connection:
        assert drift(connection) == []


def test_a_newer_store_and_another_database_are_left_alone(database: Database) -> None:
    url = other(database, "newer")
    Store.upgrade(url)
    database.execute("UPDATE alembic_version SET version_num = '9999'", database="newer")
    for act in (Store.open, Store.upgrade):
        with pytest.raises(StoreVersionError, match="newer version"):
            act(url)
    url = other(database, "pets")
    database.execute("CREATE TABLE pets (name text)", database="pets")
    for act in (Store.open, Store.upgrade):
        with pytest.raises(StoreUnavailable, match="no store of this package"):
            act(url)


def test_what_one_server_changes_the_other_sees_at_once(
    shared_store: Store, database: Database
) -> None:
    with Store.open(database.url) as again:
        shared_store.add_person("ada", now=1)
        assert again.revision() == 1
        assert [person.name for person in again.state().people] == ["ada"]


def test_a_change_is_told_to_whoever_listens_also_after_the_connection_broke(
    shared_store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_PAUSE", 0.1)
    told = threading.Semaphore(0)
    shared_store.listen(told.release)
    # It says so once it listens.
    assert told.acquire(timeout=60)
    with Store.open(database.url) as elsewhere:
        elsewhere.add_group("one", now=1)
        assert told.acquire(timeout=60)
        with pytest.raises(DuplicateName):
            elsewhere.add_group("one", now=1)
        elsewhere.touch_token("none", 1)
        assert not told.acquire(timeout=0.3)
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        )
        assert told.acquire(timeout=60)
        elsewhere.remove_group("one", now=1, keepers=())
        assert told.acquire(timeout=60)


def test_writers_take_turns_and_none_is_lost(shared_store: Store, database: Database) -> None:
    def add(prefix: str) -> None:
        with Store.open(database.url, busy_timeout=60) as store:
            for number in range(10):
                store.add_person(f"{prefix}{number}", now=1)

    threads = [threading.Thread(target=add, args=(prefix,)) for prefix in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert shared_store.revision() == 40
    assert len(shared_store.state().people) == 40


def test_a_store_that_goes_away_is_said_and_found_again(
    shared_store: Store, database: Database
) -> None:
    shared_store.add_person("ada", now=1)
    assert shared_store.revision() == 1
    # Ending is asked for and comes a little later, so it is waited for.
    database.execute(
        "DO $$ BEGIN "
        "PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'house'; "
        "FOR turn IN 1..6000 LOOP PERFORM pg_stat_clear_snapshot(); "
        "EXIT WHEN NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = 'house'); "
        "PERFORM pg_sleep(0.01); END LOOP; END $$",
        database="postgres",
    )
    with pytest.raises(StoreUnavailable, match="is unavailable"):
        shared_store.revision()
    assert shared_store.revision() == 1
    shared_store.add_person("bob", now=1)
    assert shared_store.revision() == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ada:hunter2@127.0.0.1:1/x",
        "postgresql://ada:hunter2@127.0.0.1:1/x",
        "postgresql://[",
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as error:
        Store.open(url)
    assert "hunter2" not in str(error.value)


def test_a_database_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="no such database"):
        Store.open(database.url.replace("@/house", "@/nowhere"))


@pytest.mark.skipif(  # why: only Linux has it
    not Path("/proc/self/stat").exists(), reason="there is no /proc"
)
def test_that_its_disk_is_full_is_said_with_the_remedy_and_nothing_is_changed(
    shared_store: Store, database: Database
) -> None:
    # As PostgreSQL says it; with a disk that was full it was tried by hand.
    said = 'could not extend file "base/1/2": No space left on device'
    database.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = '{said}'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON grants EXECUTE FUNCTION full_disk()"
    )
    try:
        before = shared_store.state()
        with pytest.raises(StoreUnavailable, match="no space is left on its disk: free some"):
            shared_store.add_grant(
                principal="everyone", level="viewer", resource="server:", now=1, granted_by="x"
            )
        assert before == shared_store.state()
    finally:
        database.execute("DROP TRIGGER full_disk ON grants; DROP FUNCTION full_disk")


def test_one_that_never_answers_is_waited_for_once_and_not_for_long(
    shared_store: Store, database: Database
) -> None:
    shared_store.add_person("ada", now=1)
    assert 1 == shared_store.revision()
    with database.stopped():
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            shared_store.state()
        first = time.monotonic()
        for _ in range(20):
            for ask in (shared_store.state, shared_store.revision):
                with pytest.raises(StoreUnavailable, match="does not answer"):
                    ask()
        rest = time.monotonic() - first
        with pytest.raises(StoreUnavailable):
            shared_store.revision(probe=True)
    # A second until it is doubted, two until it is given up, however slow the machine.
    assert first - began >= 1
    assert rest < first - began
    assert 1 == shared_store.revision(probe=True)
    shared_store.add_person("bob", now=1)
    assert 2 == shared_store.revision()


def test_one_that_is_only_busy_is_waited_for(shared_store: Store, database: Database) -> None:
    # Longer than it takes to be doubted.
    with shared_store._read() as connection:
        connection.execute(text("SELECT pg_sleep(2.5)"))
    database.execute("SELECT 1")
    assert 0 == shared_store.revision()
