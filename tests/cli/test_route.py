"""`routes`, with real servers in real processes; see also tests/server/test_report.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from cli.conftest import Desk

THIRD_PARTY = """
from tornado.web import RequestHandler


class Open(RequestHandler):
    def get(self):
        self.write("open")


def _load_jupyter_server_extension(app):
    app.web_app.add_handlers(".*$", [(app.base_url + "third-party/open", Open)])


def _jupyter_server_extension_points():
    return [{"module": "third_party_extension"}]
"""
KEYS = {
    "pattern",
    "package",
    "handler",
    "method",
    "guard",
    "reason",
    "questions",
    "level",
}


def _enable(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "python").mkdir()
    (desk.folder / "python" / "third_party_extension.py").write_text(THIRD_PARTY, "utf-8")
    (desk.folder / "config").mkdir(exist_ok=True)
    (desk.folder / "config" / "jupyter_server_config.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"third_party_extension": True}}}),
        "utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(desk.folder / "python"))


def test_every_route_of_the_installed_extensions_is_named(desk: Desk) -> None:
    before = {path: path.stat().st_mtime_ns for path in desk.folder.rglob("*")}
    answer = desk.run("routes", "--check", "--json")
    assert answer.code == 0, answer.err
    rows = answer.json
    assert {key for row in rows for key in row} == KEYS
    packages = {row["package"] for row in rows}
    assert {"jupyter_server", "jupyterlab", "notebook", "nbclassic"} <= packages
    by_route = {(row["method"], row["pattern"]): row for row in rows}
    # What no rule matches is a row too, and so is OPTIONS.
    assert by_route["GET", "(.*)"]["handler"] == "jupyter_server.base.handlers.Template404"
    assert by_route["GET", "(.*)"]["guard"] == "public"
    assert by_route["OPTIONS", "/api/terminals"]["guard"] == "public"
    shutdown = by_route["POST", "/api/shutdown"]
    assert shutdown["guard"] == "asks"
    assert shutdown["level"] == "admin"
    assert shutdown["questions"] == [
        {"type": "server", "action": "administer", "word": "write", "level": "admin"}
    ]
    assert "setup" not in answer.err
    after = {path: path.stat().st_mtime_ns for path in desk.folder.rglob("*")}
    assert after == before


def test_check_exits_1_and_names_what_is_unnamed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _enable(desk, monkeypatch)
    answer = desk.run("routes", "--check")
    assert (answer.code, answer.out) == (1, ""), answer.err
    first, last = answer.err.splitlines()
    assert first == "unnamed: GET /third-party/open (third_party_extension.Open)"
    assert last.startswith("error: 1 of ")


def test_a_server_that_would_not_start_is_no_report(desk: Desk) -> None:
    desk.policy(bad_cedar="permit(")
    answer = desk.run("routes", "--check")
    assert (answer.code, answer.out) == (2, "")
    assert "bad.cedar:1" in answer.err
    assert "Traceback" not in answer.err
