"""Exports run nobody's templates, programs and modules in the server's process."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING

import nbformat
import pytest
from serving import Serving, serving
from talking import notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = {"mona": "manager", "vera": "viewer", "nora": "viewer"}
#: In the server: it tells in a file how many exports are made at once.
TELLS = """
import time
from nbconvert.exporters import HTMLExporter
now = []
def slowly(convert):
    def around(*args, **kwargs):
        now.append(None)
        with open(WHERE, "a") as told:
            told.write(f"{len(now)}\\n")
        time.sleep(0.2)
        try:
            return convert(*args, **kwargs)
        finally:
            now.pop()
    return around
HTMLExporter.from_notebook_node = slowly(HTMLExporter.from_notebook_node)
"""
#: In the server: an export that takes an hour, and questions of copies that nobody answers.
LASTS = """
import asyncio, time
from nbconvert.exporters import MarkdownExporter
from jupyter_authorized_server.server.doors.sight import Afar
def tell(what):
    with open(WHERE, "a") as told:
        told.write(what)
def convert(*_, **__):
    tell("export ")
    time.sleep(3600)
async def ask(*_):
    tell("copy ")
    await asyncio.sleep(3600)
MarkdownExporter.from_notebook_node, Afar._ask = convert, ask
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("exports")
    # The server is started in its account's home, as in its contents root often.
    for name in ("lab", "script", "python"):
        planted = folder / "home" / name
        planted.mkdir(parents=True)
        (planted / "conf.json").write_text(json.dumps({"base_template": "base"}))
        for file in ("index.html.j2", "script.j2", "index.py.j2"):
            (planted / file).write_text("planted {{ 6 * 7 }}")
    notebook(folder / "root" / "a.ipynb", "print('mine')")
    config = f"WHERE = {str(folder / 'exports')!r}\n{TELLS}"
    with serving(folder, people=PEOPLE, config=config) as running:
        yield running


@pytest.mark.parametrize("kind", ["html", "script", "python"])
def test_no_template_is_taken_from_the_folder_that_the_server_was_started_in(
    server: Serving, kind: str
) -> None:
    answer = server.request("GET", f"/nbconvert/{kind}/a.ipynb", "mona")
    assert (200, True) == (answer.status, "planted" not in answer.text)


@pytest.mark.parametrize("kind", ["pdf", "latex", "webpdf", "qtpdf", "qtpng", "custom", "nothing"])
def test_a_format_that_is_made_by_programs_is_refused(server: Serving, kind: str) -> None:
    answer = server.request("GET", f"/nbconvert/{kind}/a.ipynb", "mona")
    assert (403, True) == (answer.status, "of your own" in answer.text)
    model = {"type": "notebook", "content": nbformat.v4.new_notebook()}
    assert 403 == server.request("POST", f"/nbconvert/{kind}", "mona", json_body=model).status


@pytest.mark.parametrize("named", ["pdf", "planted.Exporter", "antigravity.fly", ["pdf"], {}, 1])
def test_a_notebook_does_not_choose_its_exporter(server: Serving, named: object) -> None:
    cell = nbformat.v4.new_code_cell("print('mine')")
    made = nbformat.v4.new_notebook(cells=[cell])
    made.metadata["language_info"] = {"name": "x", "nbconvert_exporter": named}
    model = {"type": "notebook", "content": made, "name": "n.ipynb"}
    answer = server.request("POST", "/nbconvert/script", "mona", json_body=model)
    assert (200, True) == (answer.status, "print('mine')" in answer.text), answer.text
    (server.root / "named.ipynb").write_text(json.dumps(made))
    answer = server.request("GET", "/nbconvert/script/named.ipynb", "mona")
    assert (200, True) == (answer.status, "print('mine')" in answer.text), answer.text


def test_one_person_has_one_export_made_at_a_time_and_all_together_two(server: Serving) -> None:
    def export(who: str) -> int:
        return server.request("GET", "/nbconvert/html/a.ipynb", who).status

    told = server.folder / "exports"
    told.unlink(missing_ok=True)
    with ThreadPoolExecutor() as pool:
        assert [200] * 4 == [*pool.map(export, ["vera"] * 4)]
        assert ["1"] * 4 == told.read_text().split()
        assert [200] * 6 == [*pool.map(export, ["vera", "mona", "nora"] * 2)]
    assert {"1", "2"} == set(told.read_text().split())


def test_a_server_ends_although_something_is_exported_and_copied(tmp_path: Path) -> None:
    notebook(tmp_path / "root" / "folder" / "a.ipynb", "print('mine')")
    told = tmp_path / "told"
    config = f"WHERE = {str(told)!r}\n{LASTS}"

    def ask(method: str, path: str, body: object = None) -> None:
        # It ends before it has answered.
        with suppress(OSError, HTTPException):
            ends.request(method, path, "mona", json_body=body)

    with serving(tmp_path, people={"mona": "manager"}, config=config) as ends:
        with ThreadPoolExecutor() as pool:
            pool.submit(ask, "GET", "/nbconvert/markdown/folder/a.ipynb")
            pool.submit(ask, "POST", "/api/contents", {"copy_from": "folder"})
            end = time.monotonic() + 60
            while not told.exists() or {"export", "copy"} != set(told.read_text().split()):
                assert time.monotonic() < end
                time.sleep(0.05)
            assert 0 == ends.stop()
        assert ["folder"] == [each.name for each in ends.root.iterdir()]
