from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk


@pytest.fixture
def asked(desk: Desk) -> str:
    with desk.store() as store:
        return store.add_wish(
            person="eve", level="editor", resource="contents:/team", note="please", now=1
        ).id


def test_a_request_is_listed_and_approved_with_another_level(desk: Desk, asked: str) -> None:
    (shown,) = desk.ask("requests", "list", "--json").json
    assert (asked, "eve", "open", "please") == (
        shown["id"],
        shown["person"],
        shown["state"],
        shown["note"],
    )
    assert asked in desk.ask("requests", "list").out
    done = desk.ask("requests", "approve", asked, "--level", "viewer", "--until", "2h")
    assert 0 == done.code, done.err
    (given,) = desk.ask("grants", "list", "--principal", "user:eve", "--json").json
    assert ("viewer", "contents:/team") == (given["level"], given["resource"])
    assert given["ends"] is not None
    assert [] == desk.ask("requests", "list", "--json").json
    assert "approved" == desk.ask("requests", "list", "--all", "--json").json[0]["state"]
    record = desk.records()[-1]
    assert ("access_answered", given["id"]) == (record["kind"], record["grant"])


def test_a_request_is_refused_once(desk: Desk, asked: str) -> None:
    assert 0 == desk.ask("requests", "refuse", asked, "--note", "ask me on Monday").code
    again = desk.ask("requests", "approve", asked)
    assert (2, "") == (again.code, again.out)
    assert "was refused meanwhile" in again.err
    assert [] == desk.ask("grants", "list", "--principal", "user:eve", "--json").json


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--level", "king"), "no level"),
        (("--until", "2001-01-01"), "already past"),
        (("--note", "a\nb"), "one line"),
    ],
)
def test_bad_input_changes_nothing(
    desk: Desk, asked: str, args: tuple[str, ...], said: str
) -> None:
    answer = desk.ask("requests", "approve", asked, *args)
    assert (2, "") == (answer.code, answer.out)
    assert said in answer.err
    assert [] == desk.records()
    assert 2 == desk.ask("requests", "refuse", "w-none").code
