from __future__ import annotations

import asyncio
import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from talking import notebook

from jupyter_authorized_server.policy.model import Principal
from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors.saved import SavedCells

if TYPE_CHECKING:
    from pathlib import Path

WHOSE = Acting(principal=Principal(name="user:ada"), request=SimpleNamespace())


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


def by_id(
    saved: SavedCells, cell: object, path: str | None = "/a.ipynb", **asked: Any
) -> tuple[str, str]:
    return asyncio.run(saved.cell(cell, {"code": "", **asked}, path, whose=WHOSE))


def ids(path: Path) -> list[str]:
    return [each["id"] for each in json.loads(path.read_text())["cells"]]


def test_the_code_of_a_cell_is_found_by_its_id(tmp_path: Path, saved: SavedCells) -> None:
    first, second, third = ids(tmp_path / "a.ipynb")
    assert ("", "first = 1\nsecond = 2") == by_id(saved, first)
    assert ("", "x") == by_id(saved, second, silent=True, user_expressions={})
    assert ("", "") == by_id(saved, third)
    # Nothing of it is kept.
    notebook(tmp_path / "a.ipynb", "x")
    assert "No cell of that id" in by_id(saved, second)[0]


@pytest.mark.parametrize("cell", [None, 5, ["x"], {"id": "x"}, True])
def test_what_is_no_id_finds_nothing(saved: SavedCells, cell: object) -> None:
    assert ("A run that names a `savedCell` has no code of its own", "") == by_id(saved, cell)


@pytest.mark.parametrize(
    "more", [{"code": "x"}, {"code": None}, {"user_expressions": {"a": "1"}}, {"payload": []}]
)
def test_a_cell_that_is_named_has_no_code_beside_it(
    tmp_path: Path, saved: SavedCells, more: dict[str, Any]
) -> None:
    why, code = by_id(saved, ids(tmp_path / "a.ipynb")[1], **more)
    assert ("A run that names a `savedCell` has no code of its own", "") == (why, code)


def test_an_id_that_stands_twice_or_at_a_text_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    notebook(path, "x", "y", "z")
    made = json.loads(path.read_text())
    made["cells"][0]["id"] = made["cells"][1]["id"] = "twice"
    made["cells"][2] = {"cell_type": "markdown", "id": "text", "metadata": {}, "source": "z"}
    path.write_text(json.dumps(made))
    saved = SavedCells(AsyncLargeFileManager(root_dir=str(tmp_path)))
    for cell in ("twice", "text", ""):
        assert by_id(saved, cell)[0], cell


@pytest.mark.parametrize("path", [None, "/", "/a.py", "/a.ipynb/"])
def test_where_there_is_no_notebook_no_cell_is_found(saved: SavedCells, path: str | None) -> None:
    assert "has no notebook" in by_id(saved, "x", path)[0]


def test_a_cell_is_found_for_who_may_read_the_notebook_and_for_nobody_else(
    tmp_path: Path,
) -> None:
    readers = []

    class Door(AsyncLargeFileManager):
        async def get(self, *args: Any, **kwargs: Any) -> Any:
            acting = ACTING.get()
            readers.append(acting and acting.principal.name)
            if acting is not None:
                raise PermissionError
            return await super().get(*args, **kwargs)  # type: ignore[no-untyped-call]  # why: upstream's

    notebook(tmp_path / "a.ipynb", "x")
    saved = SavedCells(Door(root_dir=str(tmp_path)))
    # What is known for comparing is not told.
    assert "" == refusal(saved, "x")
    why, code = by_id(saved, ids(tmp_path / "a.ipynb")[0])
    assert ("The saved notebook of this kernel cannot be read", "") == (why, code)
    assert ["user:ada"] == [each for each in readers if each is not None]
