"""The ends of chains, in every kind of store; a chain is made by a real file of records."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from jupyter_authorized_server.chain import Link, newest, onward
from jupyter_authorized_server.errors import ConfigurationError, StoreUnavailable, UnknownName
from jupyter_authorized_server.journal import Journal
from jupyter_authorized_server.store import Store, journals
from jupyter_authorized_server.store.journals import name_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(file: Path, many: int, kind: str = "login") -> None:
    made = Journal(file)
    for number in range(many):
        made.append({"kind": kind, "time": float(number)})
    made.close()


def keep(file: Path, *, first: int, last: int) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[first:last]))


def problem(store: Store, file: Path) -> str:
    return str(store.verify_journal(file).problem)


def test_the_last_place_is_kept_and_counts_as_no_change(store: Store, file: Path) -> None:
    assert store.journal(file) == (None, None)
    write(file, 3)
    assert store.keep_journal(file) is None
    end = store.journal(file)[1]
    assert end is not None
    assert end.number == 3
    store.start_journal(file, Link(number=1, hash="a"))
    assert store.journal(file) == (Link(number=1, hash="a"), end)
    assert store.journal(file.with_name("other")) == (None, None)
    assert store.revision() == 0


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_a_chain_that_was_cut_is_found_out_however_long_it_grows_again(
    store: Store, file: Path, kept: int
) -> None:
    write(file, 5)
    assert store.keep_journal(file) is None
    keep(file, first=0, last=kept)
    for _ in range(3):
        write(file, 3, "logout")
        assert store.keep_journal(file) is not None
    assert "record 5 is not the one the store knows" in problem(store, file)


def test_a_chain_in_which_a_record_was_changed_or_put_in_is_not_kept_on(
    store: Store, file: Path
) -> None:
    write(file, 5)
    assert store.keep_journal(file) is None
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], lines[4].replace(b"login", b"lagin")]))
    assert store.keep_journal(file) is not None
    write(file, 1)
    assert store.keep_journal(file) is not None
    # One put in behind is not the end, and what is written then is not tied to it.
    forged = b'{"kind": "login", "number": 9, "previous": "", "time": 9}\n'
    file.write_bytes(whole + forged)
    assert store.keep_journal(file) is not None
    file.write_bytes(whole)
    assert store.keep_journal(file) is None


def test_a_torn_end_is_no_cut(store: Store, file: Path) -> None:
    write(file, 2)
    file.write_bytes(file.read_bytes() + b'{"kind": "lo')
    assert store.keep_journal(file) is None
    write(file, 1)
    assert store.keep_journal(file) is None
    assert store.verify_journal(file).problem is None


def test_records_that_were_dropped_for_their_age_are_no_cut(store: Store, file: Path) -> None:
    write(file, 4)
    assert store.keep_journal(file) is None
    journal = Journal(file)
    assert journal.prune(9.0, lambda start: store.start_journal(file, start)) == 3
    assert store.keep_journal(file) is None
    journal.append({"kind": "login", "time": 9.0})
    journal.close()
    assert store.keep_journal(file) is None
    found = store.verify_journal(file)
    assert (2, None) == (found.records, found.problem)
    # What was written since is missed when it goes.
    keep(file, first=0, last=0)
    assert store.keep_journal(file) is not None


def test_records_that_another_process_drops_just_now_are_no_cut(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, 4)
    assert store.keep_journal(file) is None
    end = store.journal(file)[1]
    assert end is not None
    keep(file, first=0, last=0)
    monkeypatch.setattr(time, "sleep", lambda _: store.start_journal(file, end))
    assert store.keep_journal(file) is None


def test_of_two_servers_with_one_store_each_has_its_chain_and_its_first_bad_record_named(
    store: Store, tmp_path: Path
) -> None:
    files = [tmp_path / name / "audit.jsonl" for name in ("one", "two")]
    for many, file in enumerate(files, start=5):
        write(file, many)
        assert store.keep_journal(file) is None
    one, two = files
    assert {name_of(one): 5, name_of(two): 6} == store.journal_sizes()
    lines = one.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    keep(two, first=0, last=3)
    assert problem(store, one).startswith("line 2: record 3 stands where record 2 belongs")
    assert problem(store, two) == "line 4: records 4 to 6 are gone from the end"
    # What was done to the files leaves what the store has.
    for many, file in enumerate(files, start=5):
        found = store.verify_records(name_of(file))
        assert (many, None) == (found.records, found.problem)
        newest_first = [record["number"] for _, record in store.newest_records(name_of(file))]
        assert list(range(many, 0, -1)) == newest_first


def test_a_chain_that_is_set_aside_keeps_what_the_store_has_and_a_new_one_begins(
    store: Store, file: Path
) -> None:
    write(file, 3)
    running = Journal(file)
    running.append({"kind": "login"})
    assert store.keep_journal(file) is None
    keep(file, first=0, last=2)
    journal = Journal(file)
    store.renew_journal(file, file.with_name("old"), lambda: journal.set_aside("old"))
    # Who was writing it goes on in the new one.
    running.append({"kind": "login"})
    journal.append({"kind": "login"})
    assert store.keep_journal(file) is None
    assert [2, 1] == [record["number"] for _, record in newest(file)]
    assert [2, 1] == [record["number"] for _, record in newest(file.with_name("old"))]
    assert store.verify_journal(file).problem is None
    # The one that was cut is there whole, under its new name.
    assert {name_of(file): 2, name_of(file.with_name("old")): 4} == store.journal_sizes()
    assert store.verify_records(name_of(file.with_name("old"))).problem is None
    journal.close()
    running.close()


def test_a_chain_that_cannot_be_set_aside_is_not_forgotten(store: Store, file: Path) -> None:
    write(file, 3)
    assert store.keep_journal(file) is None

    def fails() -> None:
        msg = "no room"
        raise ConfigurationError(msg)

    with pytest.raises(ConfigurationError, match="no room"):
        store.renew_journal(file, file.with_name("old"), fails)
    assert store.journal(file)[1] is not None


def test_the_store_has_the_records_as_the_file_has_them(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    for many in (4, 1, 7):
        write(file, many)
        assert store.keep_journal(file) is None
        assert file.read_bytes() == b"".join(store.kept_lines(name_of(file)))
    assert (12, 12, None) == (
        store.verify_journal(file).records,
        store.verify_journal(file).stored,
        store.verify_journal(file).problem,
    )
    some = [record["number"] for _, record in store.newest_records(name_of(file), before=9)]
    assert list(range(8, 0, -1)) == some
    assert file.read_bytes().startswith(b"".join(store.kept_lines(name_of(file), last=5)))
    with pytest.raises(UnknownName, match="it has those of"):
        list(store.kept_lines("elsewhere"))


def in_pieces(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Have so many records in a row, and in a transaction two rows."""
    monkeypatch.setattr(journals, "onward", partial(onward, most=most))
    monkeypatch.setattr(journals, "_AT_ONCE", 2)
    monkeypatch.setattr(journals, "_ROWS", 2)


def written_in_the_store(store: Store, statement: str, *, whoever: bool = True) -> None:
    """What somebody does who can write the database itself."""
    with store._write() as connection:
        if whoever:
            is_file = connection.dialect.name == "sqlite"
            off = "DROP TRIGGER {}" if is_file else "ALTER TABLE records DISABLE TRIGGER {}"
            connection.execute(text(off.format("records_unchanged")))
        connection.execute(text(statement))
        if whoever and not is_file:
            on = "ALTER TABLE records ENABLE TRIGGER records_unchanged"
            connection.execute(text(on))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE records SET lines = replace(lines, 'login', 'lagin') WHERE number = 3",
         "line 4: record 3, the one before, is not as it was written"),
        ("UPDATE records SET lines = replace(lines, 'login', 'lagin') WHERE number = 5",
         "line 6: record 5, the one before, is not as it was written"),
        ("UPDATE records SET lines = 'nothing' WHERE number = 1", "line 1: this is no record"),
        ("UPDATE records SET lines = '' WHERE number = 1", "line 1: this is no record"),
        ("UPDATE records SET lines = lines || lines WHERE number = 1",
         "line 2: this is no record"),
        ("DELETE FROM records WHERE number = 3",
         "line 3: record 5 stands where record 3 belongs; records were dropped or moved"),
        ("DELETE FROM records WHERE number = 1",
         "line 1: record 3 stands where record 1 belongs; records were dropped or moved"),
        ("DELETE FROM records WHERE number > 4", "line 5: records 5 to 6 are gone from the end"),
        ("UPDATE records SET number = number + 100, last = last + 100 WHERE number = 3",
         "line 3: record 5 stands where record 3 belongs; records were dropped or moved"),
        ("UPDATE records SET last = 0", "line 1: records 1 to 6 are gone from the end"),
        ("UPDATE journals SET head_number = 5", "line 5: record 5 is not the one the store knows"),
    ],
)  # fmt: skip
def test_what_is_done_to_the_records_in_the_store_is_named(
    store: Store, file: Path, statement: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    write(file, 6)
    assert store.keep_journal(file) is None
    written_in_the_store(store, statement)
    found = problem(store, file)
    assert said in found
    assert found.startswith("in the store: ") or "head_number" in statement


@pytest.mark.parametrize("value", ["'x'", "x'ff00'", "9e99", "-1"])
def test_what_no_store_would_put_there_is_named_too(
    tmp_path: Path, file: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    write(file, 6)
    for column in ("number", "lines", "last"):
        with Store.open(f"sqlite:///{tmp_path / column}.sqlite") as store:
            assert store.keep_journal(file) is None
            statement = "UPDATE records SET {} = {} WHERE number = 3"
            written_in_the_store(store, statement.format(column, value))
            found = problem(store, file)
            # Where rows end is no evidence; what is in them is.
            is_whole = column == "last" and found == "None"
            assert is_whole or found.startswith("in the store: "), column
            assert len(list(store.newest_records(name_of(file)))) in range(4, 7), column


def test_a_record_in_the_store_is_never_changed(store: Store, file: Path) -> None:
    write(file, 2)
    assert store.keep_journal(file) is None
    with pytest.raises(StoreUnavailable, match="never changed"):
        written_in_the_store(store, "UPDATE records SET lines = ''", whoever=False)
    assert store.verify_journal(file).problem is None


def test_what_is_dropped_for_its_age_goes_from_the_store_too(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    write(file, 7)
    assert store.keep_journal(file) is None
    journal = Journal(file)
    assert 5 == journal.prune(5.0, lambda start: store.start_journal(file, start))
    journal.append({"kind": "login", "time": 9.0})
    journal.close()
    assert store.keep_journal(file) is None
    found = store.verify_journal(file)
    assert (3, 3, None) == (found.records, found.stored, found.problem)
    assert file.read_bytes() == b"".join(store.kept_lines(name_of(file)))


def test_records_of_a_server_that_is_no_more_are_dropped_by_their_age(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    write(file, 5)
    assert store.keep_journal(file) is None
    name = name_of(file)
    file.unlink()
    assert [0, 3, 0] == [store.prune_records(name, before) for before in (0.0, 3.0, 3.0)]
    assert {name: 2} == store.journal_sizes()
    assert store.verify_records(name).problem is None
    assert [2, 0] == [store.prune_records(name, 9.0), store.prune_records(name, 9.0)]
    with pytest.raises(UnknownName, match="no records of a server `elsewhere`"):
        store.prune_records("elsewhere", 9.0)


def test_several_who_keep_one_chain_keep_each_record_once(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 2)
    done = threading.Event()
    said: list[str | None] = []

    def keeps() -> None:
        while not done.is_set():
            said.append(store.keep_journal(file))

    keeping = [threading.Thread(target=keeps) for _ in range(3)]
    for each in keeping:
        each.start()
    journal = Journal(file)
    for number in range(200):
        journal.append({"kind": "login", "time": float(number)})
    journal.close()
    done.set()
    for each in keeping:
        each.join()
    assert store.keep_journal(file) is None
    assert {None} == set(said)
    assert file.read_bytes() == b"".join(store.kept_lines(name_of(file)))


def test_what_a_chain_had_before_the_store_had_records_is_not_missed(
    store: Store, file: Path
) -> None:
    write(file, 3)
    assert store.keep_journal(file) is None
    # As a store of an older version comes out of its migration.
    written_in_the_store(store, "DELETE FROM records")
    written_in_the_store(
        store, "UPDATE journals SET since_number = head_number, since_hash = head_hash",
        whoever=False,
    )  # fmt: skip
    assert (3, 0, None) == (
        store.verify_journal(file).records,
        store.verify_journal(file).stored,
        store.verify_journal(file).problem,
    )
    write(file, 2)
    assert store.keep_journal(file) is None
    assert (5, 2) == (store.verify_journal(file).records, store.verify_journal(file).stored)


def test_records_of_before_there_was_a_chain_stay_in_the_file(store: Store, file: Path) -> None:
    file.write_text('{"kind": "login"}\n{"kind": "logout"}\n')
    write(file, 3)
    assert store.keep_journal(file) is None
    found = store.verify_journal(file)
    assert (3, 2, 3, None) == (found.records, found.unchained, found.stored, found.problem)
