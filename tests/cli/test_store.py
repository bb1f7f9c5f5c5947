from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk


def test_check_counts_what_is_there(desk: Desk) -> None:
    answer = desk.ask("store", "check")
    assert answer.code == 0
    assert answer.out.endswith("people: 3, groups: 1, grants: 2\n")
    assert desk.ask("store", "check", "--json").json["people"] == 3


def test_a_store_that_cannot_be_read_exits_2(desk: Desk) -> None:
    desk.store_path.write_bytes(b"no database at all" * 100)
    answer = desk.ask("store", "check")
    assert (answer.code, answer.err.startswith("error: the store")) == (2, True)


def test_upgrade_makes_a_new_store(empty: Desk) -> None:
    assert empty.ask("store", "upgrade").code == 0
    assert empty.store_path.exists()
    assert empty.ask("store", "upgrade").code == 0


def test_export_and_import_move_a_store(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl"
    assert desk.ask("store", "export", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    twice = desk.ask("store", "export", str(file))
    assert (twice.code, "name a file that is not there yet" in twice.err) == (2, True)
    grants = desk.ask("grants", "list").out
    assert "store is not empty" in desk.ask("store", "import", str(file)).err
    desk.store_path.rename(tmp_path / "old.sqlite")
    assert desk.ask("store", "import", str(file)).code == 0
    assert desk.ask("grants", "list").out == grants
    assert [record["kind"] for record in desk.records()] == ["store_imported"]


def test_a_store_that_cannot_be_read_leaves_no_half_of_it(desk: Desk, tmp_path: Path) -> None:
    desk.store_path.write_bytes(b"no store")
    file = tmp_path / "backup.jsonl"
    assert desk.ask("store", "export", str(file)).code == 2
    assert not file.exists()


def test_what_is_no_export_is_refused(empty: Desk, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl"
    missing = empty.ask("store", "import", str(file))
    assert missing.code == 2
    assert "cannot be read: No such file or directory; name one that" in missing.err
    for text in ("nonsense\n", "[]\n", "{}\n", "\xe9"):
        file.write_text(text, "latin-1")
        answer = empty.ask("store", "import", str(file))
        assert (answer.code, answer.err.startswith("error: ")) == (2, True)
    with empty.store() as store:
        assert store.revision() == 0
