"""`GET /api/authz/reach`: what is told of oneself, and an administrator of anybody."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60
PEOPLE = {
    "edda": [("editor", "contents:/team"), ("runner", "kernelspecs:")],
    "vera": [("viewer", "contents:/team")],
    "adam": "admin",
}
RULES = 'permit (principal == Jupyter::User::"edda", action == Jupyter::Action::"network",'
RULES += ' resource == Jupyter::KernelSpec::"python3");'
#: What is tried of somebody goes on for as long as the folder says.
SLOWLY = """
import pathlib, time
from jupyter_authorized_server.server.admin import reach
tries = reach.found_of
def slowly(*asked):
    while pathlib.Path({hold!r}).exists():
        pathlib.Path({held!r}).touch()
        time.sleep(0.01)
    return tries(*asked)
reach.found_of = slowly
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("reach")
    for name in ("team/a.txt", "hr/pay.txt"):
        path = folder / "root" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    # A second name of what she may not read, in a folder that her kernel is shown.
    os.link(folder / "root" / "hr" / "pay.txt", folder / "root" / "team" / "mine.txt")
    config = SLOWLY.format(hold=str(folder / "hold"), held=str(folder / "held"))
    with serving(folder, people=PEOPLE, policy={"a.cedar": RULES}, config=config) as running:
        yield running


def reached(server: Serving, who: str, query: str = "") -> dict[str, Any]:
    answer = server.request("GET", f"/api/authz/reach{query}", who)
    assert 200 == answer.status, answer.text
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture(scope="module")
def found(server: Serving) -> dict[str, Any]:
    return reached(server, "edda")


def test_what_ones_processes_reach_is_tried_and_told(
    server: Serving, found: dict[str, Any]
) -> None:
    assert ("user:edda", "bubblewrap", 3) == (
        found["principal"],
        found["sandbox"],
        found["looked_at"],
    )
    [row] = found["reached"]
    assert ("/team/mine.txt", "reads") == (row["path"], row["how"])
    assert "it has other names" in row["why"]
    networks = {each["process"]: each["network"] for each in found["besides"]}
    assert "the machine's" == networks["kernelspecs:python3"]
    states = {each["what"]: each["state"] for each in found["attempts"]}
    assert ("open", "closed") == (
        states["reaches a port of the machine"],
        states["sees another process"],
    )
    nobody = reached(server, "vera")
    assert (0, [], []) == (nobody["looked_at"], nobody["reached"], nobody["attempts"])


def test_of_another_it_is_told_to_an_administrator_alone(
    server: Serving, found: dict[str, Any]
) -> None:
    query = "?principal=user:edda"
    assert 403 == server.request("GET", f"/api/authz/reach{query}", "vera").status
    theirs = reached(server, "adam", query)
    assert ["/team/mine.txt"] == [each["path"] for each in theirs["reached"]]
    # What a rule or a grant is called is told to the first alone.
    assert theirs["reached"][0]["why"] != found["reached"][0]["why"]
    # He may read all, and has nothing of what is the server's own.
    assert [] == reached(server, "adam")["reached"]
    answer = server.request("GET", "/api/authz/reach?principal=user:nobody", "adam")
    assert 404 == answer.status, answer.text


def test_one_is_tried_at_a_time_and_meanwhile_others_are_served(
    server: Serving, tmp_path: Path
) -> None:
    hold, held = server.folder / "hold", server.folder / "held"
    hold.touch()
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(reached(server, "vera")))
    asking.start()
    try:
        end = time.monotonic() + SECONDS
        while not held.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        answer = server.request("GET", "/api/authz/reach", "edda")
        assert (503, True) == (answer.status, "for somebody at the moment" in answer.text)
    finally:
        hold.unlink()
        asking.join(SECONDS)
    assert ["user:vera"] == [each["principal"] for each in answers]
