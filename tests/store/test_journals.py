"""The ends of chains, in every kind of store; a chain is made by a real file of records."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.chain import Link, newest
from jupyter_authorized_server.errors import ConfigurationError
from jupyter_authorized_server.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_authorized_server.store import Store


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
    assert {f"{name}": 6 for name in store.other_journals(one)} == store.other_journals(one)
    assert [5] == list(store.other_journals(two).values())
    lines = one.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    keep(two, first=0, last=3)
    assert problem(store, one).startswith("line 2: record 3 stands where record 2 belongs")
    assert problem(store, two) == "line 4: records 4 to 6 are gone from the end"


def test_a_chain_that_is_set_aside_is_forgotten_and_a_new_one_begins(
    store: Store, file: Path
) -> None:
    write(file, 3)
    running = Journal(file)
    running.append({"kind": "login"})
    assert store.keep_journal(file) is None
    keep(file, first=0, last=2)
    journal = Journal(file)
    store.renew_journal(file, lambda: journal.set_aside("old"))
    # Who was writing it goes on in the new one.
    running.append({"kind": "login"})
    journal.append({"kind": "login"})
    assert store.keep_journal(file) is None
    assert [2, 1] == [record["number"] for _, record in newest(file)]
    assert [2, 1] == [record["number"] for _, record in newest(file.with_name("old"))]
    assert store.verify_journal(file).problem is None
    journal.close()
    running.close()


def test_a_chain_that_cannot_be_set_aside_is_not_forgotten(store: Store, file: Path) -> None:
    write(file, 3)
    assert store.keep_journal(file) is None

    def fails() -> None:
        msg = "no room"
        raise ConfigurationError(msg)

    with pytest.raises(ConfigurationError, match="no room"):
        store.renew_journal(file, fails)
    assert store.journal(file)[1] is not None
