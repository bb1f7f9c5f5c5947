from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from serving import OTHERS, Serving, environment, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "0a0a0a0a-0000-4000-8000-00000000000a"
#: What stands in a URL for each group of a pattern.
SAMPLES = {
    r"(?P<path>(?:(?:/[^/]+)+|/?))": "/there.ipynb",
    r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)": ID,
    r"(?P<session_id>\w+-\w+-\w+-\w+-\w+)": ID,
    r"(?P<checkpoint_id>[\w-]+)": "checkpoint",
    r"(?P<action>restart|interrupt)": "restart",
    r"(?P<section_name>\w+)": "notebook",
    r"(?P<kernel_name>[\w\.\-%]+)": "python3",
    r"(?P<format>\w+)": "html",
    r"(?P<path>.*)": "logo-64x64.png",
    r"(?P<mode>lab|doc)": "lab",
    r"(?P<workspace>/workspaces/[a-zA-Z0-9\-\_]+)?": "",
    r"(?P<tree>/tree/.*)?": "/tree/there.ipynb",
    r"(?P<schema_name>.+)": "@jupyterlab/apputils-extension:themes",
    r"(?P<space_name>.+)": "default",
    r"(?P<locale>.*)": "en",
    r"(?P<language_server>.*)": "pylsp",
    r"(favicon\.ico)": "favicon.ico",
    r"(robots\.txt)": "robots.txt",
    r"(robots\.txt|favicon\.ico)": "robots.txt",
    r"([A-Za-z0-9_-]{1,64})": "g-1",
    r"([^/]+)": "somebody",
    r"openapi\.json": "openapi.json",
    r"\.well-known": ".well-known",
    r"(page\.js|page\.css)": "page.js",
    r"(\w+)": "1",
    r"(.+)": ID,
    r"(.*)": "/there.ipynb",
    "/.*/": "/nothing/here/",
    "/lab/.*": "/lab/nothing",
    "/?": "",
}
BODY = {
    "path": "other.ipynb",
    "type": "notebook",
    "name": "python3",
    "kernel": {"name": "python3"},
    "schema_id": "x",
    "version": "1",
    "data": {},
}
FORBID_ALL = {"deny.cedar": '@id("deny-all") forbid(principal, action, resource);'}
HOOK = """
from jupyter_server.base.handlers import JupyterHandler
JupyterHandler.user_is_authorized = lambda self, user, action, resource: False
"""


def url_of(pattern: str) -> str:
    for group, sample in SAMPLES.items():
        pattern = pattern.replace(group, sample)
    assert not re.search(r"[(\\\[*?]", pattern), f"no sample for {pattern}"
    return pattern.replace("//", "/")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("routes")
    command = [str(Path(sys.executable).parent / "jupyter-authz"), "routes", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, env=environment(folder))
    found = json.loads(done.stdout)
    routes: list[dict[str, Any]] = found["routes"] if isinstance(found, dict) else found
    return routes


@pytest.fixture(scope="module", params=["a policy that forbids all", "a hook that denies all"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("deny")
    by_policy = request.param.startswith("a policy")
    (folder / "root").mkdir()
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "root" / "there.ipynb").write_text(json.dumps(notebook))
    with serving(
        folder,
        people={"adam": "admin"},
        extensions=OTHERS,
        policy=FORBID_ALL if by_policy else None,
        config="" if by_policy else HOOK,
    ) as running:
        yield running


def ask(server: Serving, row: dict[str, Any], who: str | None) -> tuple[int, str]:
    url = url_of(row["pattern"])
    if "websocket" in row["handler"].lower() or row["handler"].endswith("Socket"):
        try:
            server.connect(url, who).close()
        except websocket.WebSocketBadStatusException as refused:
            return refused.status_code, str(refused.resp_body)
        return 101, "connected"
    body = None if row["method"] in {"GET", "HEAD", "OPTIONS"} else BODY
    headers = {"X-Requested-With": "XMLHttpRequest"}
    answer = server.request(row["method"], url, who, json_body=body, headers=headers)
    return answer.status, answer.text


def test_under_deny_all_no_route_answers_but_the_public_ones(
    server: Serving, rows: list[dict[str, Any]]
) -> None:
    asked = 0
    for row in rows:
        if row["guard"] == "public":
            continue
        for who in ("adam", None):
            status, text = ask(server, row, who)
            # By our refusal, before the handler could say anything. Of a file that one
            # may not see it says what it says of none, and its id stands in the record.
            if status == 404:
                assert who == "adam", (row, who, status, text)
                types = {question["type"] for question in row["questions"]}
                assert "contents" in types, (row, who, status, text)
                assert "There is nothing here." in text or row["method"] == "HEAD", (row, text)
            else:
                # AuthZEN has 401 for whom nobody knows.
                is_of_authzen = row["pattern"].startswith(("/access/", r"/\.well-known/authzen"))
                no = 401 if is_of_authzen and who is None else 403
                assert no == status, (row, who, status, text)
            assert "decision_id" in text or row["method"] == "HEAD", (row, who, text)
            asked += 1
    assert asked > 150
    assert ["there.ipynb"] == [path.name for path in server.root.iterdir()]


def test_every_public_route_has_its_reason_in_the_docs(
    server: Serving, rows: list[dict[str, Any]]
) -> None:
    docs = Path(__file__).parents[2] / "docs" / "reference" / "public-routes.md"
    text = docs.read_text()
    for row in rows:
        if row["guard"] != "public":
            continue
        assert row["reason"]
        if row["method"] != "OPTIONS":
            assert row["handler"].rpartition(".")[2] in text, row
        status, answered = ask(server, row, None)
        assert status < 500, (row, status, answered)


def test_no_page_and_no_refusal_shows_a_secret(
    server: Serving, rows: list[dict[str, Any]]
) -> None:
    for path in ("/login", "/nothing/here", "/lab", "/api/contents", "/tree", "/static/none"):
        for who in (None, "adam"):
            text = server.request("GET", path, who).text
            assert server.tokens["adam"] not in text
            assert not re.search(r'"?token"?\s*[:=]\s*"[^"]+"', text), path
