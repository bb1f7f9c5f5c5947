from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, MetaData

from jupyter_authorized_server.store import check, migrating, schema

if TYPE_CHECKING:
    import pytest

    from jupyter_authorized_server.store import Store


def test_the_tables_and_the_migrations_agree() -> None:
    assert check.main([]) == 0
    run = subprocess.run(
        [sys.executable, "-m", "jupyter_authorized_server.store.check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_drift_is_found_and_named(store: Store) -> None:
    with store._write() as connection:
        assert check.drift(connection) == []
        connection.exec_driver_sql("ALTER TABLE people ADD COLUMN shoe_size INTEGER")
        connection.exec_driver_sql("DROP INDEX ix_grants_person")
        found = "\n".join(check.drift(connection))
    assert "shoe_size" in found
    assert "ix_grants_person" in found


def test_the_check_fails_on_drift(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "drift", lambda _connection: ["a column"])
    assert check.main([]) == 1
    assert capsys.readouterr().err == "tables and migrations differ: a column\n"


def test_a_new_migration_can_be_written_and_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a copy of the package's folder, so that nothing is written into the package.
    folder = tmp_path / "store" / "migrations"
    shutil.copytree(Path(migrating.__file__).with_name("migrations"), folder)
    monkeypatch.setattr(migrating, "__file__", str(tmp_path / "store" / "migrating.py"))
    grown = MetaData(naming_convention=schema.metadata.naming_convention)
    for table in schema.metadata.tables.values():
        table.to_metadata(grown)
    grown.tables["people"].append_column(Column("shoe_size", Integer))
    monkeypatch.setattr(schema, "metadata", grown)
    known = migrating.revisions()
    assert check.main(["new", "add", "shoe", "sizes"]) == 0
    following = f"{int(schema.HEAD) + 1:04d}"
    (written,) = folder.glob(f"versions/{following}*.py")
    text = written.read_text()
    compile(text, str(written), "exec")
    assert text.startswith('"""add shoe sizes."""')
    assert "shoe_size" in text
    assert (*known, following) == migrating.revisions()
    assert check.main([]) == 1
