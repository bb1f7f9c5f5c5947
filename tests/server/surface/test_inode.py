from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_authorized_server.server.surface.inode import identity

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_is_the_same_after_a_rename_and_a_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = identity(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b").write_text("2")
    os.utime(tmp_path / "b", (1, 1))
    assert before is not None
    assert identity(str(tmp_path / "b")) == before
    assert identity(str(tmp_path / "a")) is None


def test_a_new_file_is_another_also_where_its_number_is_used_again(tmp_path: Path) -> None:
    seen = set()
    for _ in range(20):
        (tmp_path / "a").write_text("")
        seen.add(identity(str(tmp_path / "a")))
        (tmp_path / "a").unlink()
    assert len(seen) == 20


def test_a_link_is_itself_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert identity(str(tmp_path / "link")) not in {None, identity(str(tmp_path / "a"))}


def test_a_name_that_cannot_be_is_nothing(tmp_path: Path) -> None:
    assert identity(f"{tmp_path}/a\0b") is None
    assert identity(f"{tmp_path}/\udc80\ud800") is None


def test_without_the_moment_of_birth_the_number_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_authorized_server.server.surface.inode._CALL", None)
    found = identity(str(tmp_path))
    assert found is not None
    assert found.partition(":")[0] == str(tmp_path.stat().st_ino)
