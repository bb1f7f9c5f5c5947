"""`routes`, with real servers in real processes; see also tests/server/test_report.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.conftest import Desk

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


def test_a_server_that_would_not_start_is_no_report(desk: Desk) -> None:
    desk.policy(bad_cedar="permit(")
    answer = desk.run("routes", "--check")
    assert (answer.code, answer.out) == (2, "")
    assert "bad.cedar:1" in answer.err
    assert "Traceback" not in answer.err
