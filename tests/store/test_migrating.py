from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.store import Store, migrating, schema, sqlite
from jupyter_authorized_server.store.check import drift

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection

#: A schema revision that is still to come.
NEXT = f"{int(schema.HEAD) + 1:04d}"


def test_the_newest_revision_is_the_last_migration() -> None:
    assert migrating.revisions()[-1] == schema.HEAD


def test_a_current_store_opens_without_alembic(store: Store, url: str) -> None:
    code = (
        "import sys; from jupyter_authorized_server.store import Store; "
        "Store.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, url], check=True, capture_output=True, text=True
    )
    assert run.stdout == "False\n"


@pytest.mark.parametrize("revision", migrating.revisions())
def test_a_store_of_every_released_revision_opens_as_the_newest(
    path: Path, url: str, revision: str
) -> None:
    def build(place: URL) -> None:
        engine = sqlite.connect(place, busy_timeout=1, foreign_keys=False)
        with sqlite.writing(engine).begin() as connection:
            migrating.upgrade(connection, revision)
        engine.dispose()

    sqlite.create(sqlite.locate(url), build)
    with Store.open(url) as store:
        store.add_person("ada", now=1)
        with store._read() as connection:
            assert drift(connection) == []


@pytest.fixture
def older(store: Store, path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store from before a migration that is still to come."""
    store.add_person("ada", now=1)
    store.close()
    monkeypatch.setattr("jupyter_authorized_server.store.store.HEAD", NEXT)
    return url


def test_an_older_store_is_migrated_and_keeps_what_it_holds(
    older: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE people ADD COLUMN shoe_size INTEGER")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (NEXT,))

    monkeypatch.setattr(migrating, "upgrade", upgrade)
    with Store.open(older) as again:
        assert [person.name for person in again.state().people] == ["ada"]
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEXT,)]
    raw.close()


def test_a_migration_that_breaks_half_way_is_undone(
    older: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE people ADD COLUMN shoe_size INTEGER")
        connection.exec_driver_sql("CREATE TABLE half (done INTEGER)")
        connection.exec_driver_sql("no SQL")

    before = path.read_bytes()
    monkeypatch.setattr(migrating, "upgrade", upgrade)
    with pytest.raises(StoreUnavailable, match="syntax error"):
        Store.open(older)
    assert path.read_bytes() == before


def test_a_migration_that_leaves_loose_ends_is_undone(
    older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO group_people VALUES ('nil', 'nobody')")

    monkeypatch.setattr(migrating, "upgrade", upgrade)
    with pytest.raises(StoreUnavailable, match="it is damaged"):
        Store.open(older)
