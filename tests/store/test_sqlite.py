"""Stores that cannot be opened or written: a clear error, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import StoreError, StoreUnavailable, StoreVersionError
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASH = "5ec4e7" * 11
LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def kept(house: Store, path: Path) -> Path:
    """A closed store with something in it."""
    house.add_grant(
        principal="group:team", level="viewer", resource="server:", now=1, granted_by="user:ada"
    )
    house.close()
    return path


@pytest.fixture
def locked(kept: Path) -> Iterator[Path]:
    """A store that another process is changing."""
    command = [sys.executable, "-c", LOCK, str(kept), "BEGIN IMMEDIATE"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield kept
        process.communicate()


def refusal(url: str, error: type[StoreError] = StoreUnavailable) -> str:
    with pytest.raises(error) as refused:
        Store.open(url, busy_timeout=0.2)
    return str(refused.value)


def test_a_new_store_and_its_folder_are_the_owners_only(path: Path, url: str) -> None:
    with Store.open(url) as store:
        store.add_person("ada", now=1)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(("store.sqlite", "store.sqlite-shm", "store.sqlite-wal"), 0o600)


def test_a_missing_folder_is_made_however_deep(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c" / "store.sqlite"
    Store.open(f"sqlite:///{path}").close()
    assert [each.name for each in path.parent.iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_store_is_made_where_there_are_no_hard_links(
    path: Path, url: str, new_file: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    def link(_source: Path, target: Path) -> None:
        if taken:
            shutil.copyfile(new_file, target)
        raise PermissionError

    monkeypatch.setattr("os.link", link)
    Store.open(url).close()
    assert [each.name for each in path.parent.iterdir()] == ["store.sqlite"]


def test_of_two_who_make_a_store_at_once_the_faster_one_counts(
    path: Path, url: str, new_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: Path, target: Path) -> None:
        shutil.copyfile(new_file, target)
        with Store.open(url) as faster:
            faster.add_person("ada", now=1)
        real(source, target)

    monkeypatch.setattr("os.link", link)
    with Store.open(url) as store:
        assert [person.name for person in store.state().people] == ["ada"]
    assert [each.name for each in path.parent.iterdir()] == ["store.sqlite"]


def test_a_relative_path_stays_the_same_store_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open("sqlite:///here.sqlite") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.add_person("ada", now=1)
        assert store.revision() == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_connection_is_set_up_to_be_safe(store: Store) -> None:
    def pragma(name: str) -> object:
        with store._read() as connection:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert pragma("journal_mode") == "wal"
    assert pragma("foreign_keys") == 1
    assert pragma("synchronous") == 2
    assert pragma("busy_timeout") == 500
    # 2 is memory: no page of a store goes through a file of the temporary folder.
    assert pragma("temp_store") == 2


def test_a_store_that_another_process_changes_is_waited_for_then_given_up(
    locked: Path, url: str
) -> None:
    started = time.monotonic()
    assert "another process has it locked: wait for that one or end it" in refusal(url)
    assert time.monotonic() - started >= 0.2


def test_a_change_under_a_lock_is_refused_and_reading_goes_on(kept: Path, url: str) -> None:
    command = [sys.executable, "-c", LOCK, str(kept), "BEGIN IMMEDIATE"]
    with Store.open(url, busy_timeout=0.2) as store:
        before = store.state()
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            for attempt in (
                lambda: store.add_person("eve", password_hash=HASH, now=1),
                lambda: store.remove_person("ada"),
                lambda: store.touch_token("t1", 1),
                lambda: store.remove_expired(1),
            ):
                with pytest.raises(StoreUnavailable, match="another process has it locked") as no:
                    attempt()
                assert HASH not in f"{no.value} {no.value.__cause__}"
            assert store.state() == before
            assert store.revision() == before.revision
            process.communicate()
        store.add_person("eve", now=1)
        assert store.revision() == before.revision + 1


def test_an_exclusively_locked_store_in_another_journal_mode_is_given_up_too(
    kept: Path, url: str
) -> None:
    with sqlite3.connect(kept) as raw:
        raw.execute("PRAGMA journal_mode = DELETE")
    raw.close()
    command = [sys.executable, "-c", LOCK, str(kept), "BEGIN EXCLUSIVE"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        assert "another process has it locked" in refusal(url)
        process.communicate()
    with Store.open(url) as store:
        assert len(store.state().people) == 2


# Tests may run as root, whom file modes do not stop: SQLite's own read-only modes do.
@pytest.mark.parametrize("mode", ["mode=ro", "immutable=1"])
def test_a_store_that_cannot_be_written_is_refused(kept: Path, mode: str) -> None:
    before = kept.read_bytes()
    said = refusal(f"sqlite:///file:{kept}?{mode}&uri=true")
    assert "it cannot be written: let the server's user write the file" in said
    assert str(kept) in said
    assert kept.read_bytes() == before


def test_a_store_that_may_not_be_created_is_not(path: Path) -> None:
    said = refusal(f"sqlite:///file:{path}?mode=rw&uri=true")
    assert "does not exist, and `store_url` forbids to create it" in said
    assert not path.parent.exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, path: Path, url: str) -> None:
    (tmp_path / "folder").write_text("in the way")
    assert "its folder is a file: name another place in `store_url`" in refusal(url)
    assert (tmp_path / "folder").read_text() == "in the way"


def test_a_folder_in_place_of_the_file_is_refused(path: Path, url: str) -> None:
    path.mkdir(parents=True)
    assert "is no file: name another place" in refusal(url)


def test_a_link_to_nowhere_is_refused(path: Path, url: str) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "gone")
    assert "is no file" in refusal(url)
    assert [each.name for each in path.parent.iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("kept_bytes", [1, 15, 50, 100, 4096, 5000, 8192, -1, -100, -4096])
def test_a_truncated_store_is_refused_and_left_alone(
    kept: Path, url: str, kept_bytes: int
) -> None:
    kept.write_bytes(kept.read_bytes()[:kept_bytes])
    before = kept.read_bytes()
    said = refusal(url)
    assert "it is damaged or no SQLite database: restore it from a backup" in said
    assert kept.read_bytes() == before


def test_a_store_with_a_page_of_rubbish_is_refused(kept: Path, url: str) -> None:
    content = bytearray(kept.read_bytes())
    content[2 * 4096 : 3 * 4096] = b"\xa5" * 4096
    kept.write_bytes(content)
    assert "it is damaged" in refusal(url)


@pytest.mark.parametrize(
    "content", [b"x", b"garbage " * 4096, b"SQLite format 3\0" + b"\xff" * 8192, b"\0" * 8192]
)
def test_a_file_of_garbage_is_refused_and_left_alone(path: Path, url: str, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert "it is damaged or no SQLite database" in refusal(url)
    assert path.read_bytes() == content


def test_an_emptied_store_is_never_begun_anew(kept: Path, url: str) -> None:
    kept.write_bytes(b"")
    assert "is empty: restore it from a backup, or remove it" in refusal(url)
    assert kept.read_bytes() == b""


def test_the_journal_of_a_lost_store_is_not_played_into_a_new_one(
    house: Store, path: Path, url: str, tmp_path: Path
) -> None:
    # As after a crash: the journal holds changes that the file does not.
    journal = path.with_name(path.name + "-wal")
    shutil.copyfile(journal, tmp_path / "journal")
    house.close()
    path.unlink()
    shutil.copyfile(tmp_path / "journal", journal)
    said = refusal(url)
    assert f"`{journal}` is still there: restore the store from a backup" in said
    assert not path.exists()
    journal.unlink()
    with Store.open(url) as store:
        assert store.state().people == ()


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path, url: str) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE revision (number INTEGER)")
    raw.close()
    assert "is a database, but no store of this package" in refusal(url)
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num TEXT)")
    raw.close()
    assert "is a database, but no store of this package" in refusal(url)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (2,)
    raw.close()


def test_a_store_of_a_newer_version_is_refused_with_the_remedy(kept: Path, url: str) -> None:
    with sqlite3.connect(kept) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    said = refusal(url, StoreVersionError)
    assert "was written by a newer version of jupyter-authorized-server" in said
    assert "`9999`" in said
    assert "pip install --upgrade jupyter-authorized-server" in said
    with sqlite3.connect(kept) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    raw.close()


def test_a_store_without_its_revision_row_is_refused(kept: Path, url: str) -> None:
    with sqlite3.connect(kept) as raw:
        raw.execute("DELETE FROM revision")
    raw.close()
    with Store.open(url) as store:
        for attempt in (
            store.revision,
            store.state,
            lambda: store.add_person("eve", now=1),
        ):
            with pytest.raises(StoreUnavailable, match="holds no revision"):
                attempt()


def test_a_store_that_is_exchanged_or_removed_while_open_is_noticed(
    store: Store, path: Path, new_file: Path
) -> None:
    store.add_person("ada", now=1)
    path.rename(path.with_name("old"))
    with pytest.raises(StoreUnavailable, match="is gone: restore it, then restart the server"):
        store.revision()
    shutil.copyfile(new_file, path)
    for attempt in (store.revision, store.state, lambda: store.add_person("eve", now=1)):
        with pytest.raises(StoreUnavailable, match="was exchanged for another file"):
            attempt()
    path.unlink()
    path.with_name("old").rename(path)
    assert store.revision() == 1


def test_a_store_that_goes_away_at_the_moment_it_is_connected_to_leaves_nothing_in_its_place(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was changed last waits in the file beside it, which SQLite removes where it finds
    # an empty database.
    store.add_person("ada", now=1)
    store.revision()
    before = {each.name: each.stat().st_ino for each in path.parent.iterdir()}
    # Other threads have the connections there are, and it was there when it was looked at.
    monkeypatch.setattr(store._database, "check_place", lambda **_: None)
    with store._read(), store._read():
        path.rename(path.with_name("away"))
        for attempt in (store.state, lambda: store.add_person("eve", now=1)):
            with pytest.raises(StoreUnavailable, match="cannot be opened"):
                attempt()
        assert not path.exists()
        path.with_name("away").rename(path)
    assert before == {each.name: each.stat().st_ino for each in path.parent.iterdir()}
    assert ["ada"] == [each.name for each in store.state().people]


@pytest.mark.parametrize("name", ["a b#c%20d.sqlite", "\u00e4\u4e2d.sqlite"])
def test_a_store_s_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    written = name.replace("%", "%25")
    for _ in range(2):
        with Store.open(f"sqlite:///{tmp_path / written}") as opened:
            opened.add_group(f"g{opened.revision()}", now=1)
    assert {name} == {each.name for each in tmp_path.iterdir()}


def test_a_store_that_breaks_while_open_is_unavailable(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE revision")
    raw.close()
    for attempt in (store.revision, store.state, lambda: store.add_person("eve", now=1)):
        with pytest.raises(StoreUnavailable, match="it is damaged"):
            attempt()


def test_a_failing_statement_is_told_without_its_values(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE people RENAME COLUMN password_hash TO lost")
    raw.close()
    with pytest.raises(StoreUnavailable, match="OperationalError: table people has no") as no:
        store.add_person("ada", password_hash=HASH, now=1)
    assert HASH not in f"{no.value} {no.value.__cause__} {no.value.__cause__!r}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is no database URL"),
        ("no url", "is no database URL"),
        ("sqlite", "is no database URL"),
        (None, "is no database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "names no file"),
        ("sqlite:///file:x?mode=memory&cache=shared&uri=true", "names no file"),
        ("sqlite:///a\0b", "names no file"),
        ("mysql://ada:hunter2@db/house", "names a `mysql` database"),
        ("sqlite+aiosqlite:///x", "names a `sqlite+aiosqlite` database"),
        ("postgresql://ada:hunter2@db:port/house", "is no database URL"),
    ],
)
def test_a_url_that_names_no_file_is_refused_unseen(url: str, says: str) -> None:
    said = refusal(url)
    assert says in said
    assert "hunter2" not in said
