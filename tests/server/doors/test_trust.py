"""One person's trust is no other's, and what others wrote runs in no page of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = {
    "edda": "editor",
    "otto": "editor",
    "vera": "viewer",
    "fay": [("viewer", "contents:/sub")],
}
SCRIPT = "<script>fetch('/api/me')</script>"


def notebook(source: str = "1") -> dict[str, Any]:
    output = {"output_type": "display_data", "data": {"text/html": SCRIPT}, "metadata": {}}
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "a",
        "metadata": {"trusted": True},
        "outputs": [output],
        "source": source,
    }
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Serving]:
    folder = tmp_path_factory.mktemp("trust")
    root = folder / "root"
    root.mkdir()
    plain = notebook()
    plain["cells"][0]["metadata"] = {}
    for name in ("a.ipynb", "b.ipynb", "c.ipynb"):
        (root / name).write_text(json.dumps(plain))
    for name in ("page.html", "drawing.svg", "page.xhtml"):
        (root / name).write_text(SCRIPT)
    with serving.serving(folder, people=PEOPLE) as running:
        yield running


def trusts(server: serving.Serving, who: str, name: str) -> bool:
    model = server.request("GET", f"/api/contents/{name}?type=notebook", who).json
    return bool(model["content"]["cells"][0]["metadata"]["trusted"])


def test_a_notebook_is_trusted_by_who_trusts_it_and_nobody_else(server: serving.Serving) -> None:
    assert not trusts(server, "edda", "a.ipynb")
    assert server.request("POST", "/api/contents/a.ipynb/trust", "edda").status == 201
    assert trusts(server, "edda", "a.ipynb")
    assert not trusts(server, "otto", "a.ipynb")
    assert not trusts(server, "vera", "a.ipynb")


def test_what_somebody_saves_as_trusted_is_not_trusted_by_its_reader(
    server: serving.Serving,
) -> None:
    body = {"type": "notebook", "format": "json", "content": notebook("2")}
    assert server.request("PUT", "/api/contents/b.ipynb", "edda", json_body=body).status == 200
    assert trusts(server, "edda", "b.ipynb")
    assert not trusts(server, "otto", "b.ipynb")


def test_what_an_agent_trusts_or_saves_as_trusted_is_not_trusted_by_its_owner(
    server: serving.Serving,
) -> None:
    scope = [{"level": "editor", "resource": "contents:/c.ipynb"}]
    made = server.request(
        "POST", "/api/authz/tokens", "edda", json_body={"name": "agent", "scope": scope}
    )
    server.tokens["agent"] = made.json["secret"]
    body = {"type": "notebook", "format": "json", "content": notebook("3")}
    assert server.request("PUT", "/api/contents/c.ipynb", "agent", json_body=body).status == 200
    assert server.request("POST", "/api/contents/c.ipynb/trust", "agent").status == 201
    assert trusts(server, "agent", "c.ipynb")
    assert not trusts(server, "edda", "c.ipynb")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "page.xhtml", "a.ipynb"])
def test_a_file_is_served_with_an_origin_of_its_own(server: serving.Serving, name: str) -> None:
    headers = server.request("GET", f"/files/{name}", "vera").headers
    policy = headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_an_export_is_served_with_an_origin_of_its_own(server: serving.Serving) -> None:
    answer = server.request("GET", "/nbconvert/html/a.ipynb", "vera")
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
