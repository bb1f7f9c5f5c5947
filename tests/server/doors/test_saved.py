from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from talking import notebook

from jupyter_authorized_server.server.doors.saved import SavedCells

if TYPE_CHECKING:
    from pathlib import Path


def refusal(saved: SavedCells, code: object, path: str | None = "/a.ipynb", **more: Any) -> str:
    return asyncio.run(saved.refusal({"code": code, **more}, path))


@pytest.fixture
def saved(tmp_path: Path) -> SavedCells:
    notebook(tmp_path / "a.ipynb", "first = 1\r\nsecond = 2", "x", "")
    return SavedCells(AsyncLargeFileManager(root_dir=str(tmp_path)))


@pytest.mark.parametrize("code", ["first = 1\nsecond = 2", "first = 1\rsecond = 2", "x", ""])
def test_a_saved_cell_is_taken_whatever_its_line_endings(saved: SavedCells, code: str) -> None:
    assert "" == refusal(saved, code)


@pytest.mark.parametrize(
    "code", ["first = 1", "x ", " x", "x\n", "X", "x\nx", "\N{FULLWIDTH LATIN SMALL LETTER X}"]
)
def test_nothing_else_is_made_equal(saved: SavedCells, code: str) -> None:
    assert "edited or is not saved" in refusal(saved, code)


@pytest.mark.parametrize("code", [None, 1, ["x"], {"x": 1}])
def test_code_that_is_no_text_is_refused(saved: SavedCells, code: object) -> None:
    assert "more than a cell" in refusal(saved, code)


def test_what_front_ends_send_beside_the_code_is_taken_and_nothing_else(saved: SavedCells) -> None:
    usual: dict[str, Any] = {
        "silent": True,
        "store_history": False,
        "allow_stdin": True,
        "stop_on_error": True,
    }
    assert "" == refusal(saved, "x", user_expressions={}, **usual)
    assert "more than a cell" in refusal(saved, "x", user_expressions={"a": "1"})
    assert "more than a cell" in refusal(saved, "x", payload=[])


@pytest.mark.parametrize("path", [None, "/", "/team", "/a.py", "/a.ipynb/"])
def test_a_kernel_without_a_notebook_runs_nothing(saved: SavedCells, path: str | None) -> None:
    assert "this kernel has no notebook" in refusal(saved, "x", path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 1}', "\ud800"])
def test_a_notebook_that_cannot_be_read_runs_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refusal(SavedCells(AsyncLargeFileManager(root_dir=str(tmp_path))), "x")
    (tmp_path / "a.ipynb").unlink()
    saved = SavedCells(AsyncLargeFileManager(root_dir=str(tmp_path)))
    assert "cannot be read" in refusal(saved, "x")


def test_a_notebook_is_read_again_when_it_has_changed(tmp_path: Path, saved: SavedCells) -> None:
    assert "" == refusal(saved, "x")
    path = tmp_path / "a.ipynb"
    before = path.stat()
    notebook(path, "y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert "" == refusal(saved, "y")
    assert "edited or is not saved" in refusal(saved, "x")
