from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk

RIGHT = {"principal": "user:eve", "level": "viewer", "resource": "contents:/class"}


def lines(*said: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in said)


def test_a_file_of_grants_is_given_at_once_and_each_is_recorded(desk: Desk) -> None:
    wanted = lines(
        RIGHT,
        {**RIGHT, "until": "2999-01-31", "note": "a class", "level": "editor"},
        {**RIGHT, "resource": "contents:/class/eve/", "from": "2998-01-01", "uses": 3},
        {**RIGHT, "principal": "group:team", "until": None},
    )
    answer = desk.ask("grants", "give", "-", stdin=wanted + "\n")
    assert (0, "4 given\n") == (answer.code, answer.out), answer.err
    found = desk.ask("grants", "list", "--json").json
    given = {each["id"]: each for each in found if each["resource"].startswith("contents:/class")}
    assert 4 == len(given)
    assert set(given) == {each["grant"] for each in desk.records() if each["kind"] == "grant"}
    assert [None, None, 3, None] == [each.get("uses") for each in desk.records()]
    assert 0 == desk.ask("audit", "verify").code
    # Given again, only what counts a number of times is another one.
    again = desk.ask("grants", "give", "-", stdin=wanted)
    assert (0, "1 given, 3 more were given already\n") == (again.code, again.out)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("", "1 to 100000 grants"),
        ("nothing", "line 2: write a JSON object"),
        ("[1]", "line 2: write a JSON object"),
        ("[" * 100_000, "line 2: write a JSON object"),
        ('{"principal": "user:eve", "level": "viewer"}', "line 2: write a JSON object"),
        (json.dumps({**RIGHT, "ends": 5}), "line 2: `ends` says nothing here"),
        (json.dumps({**RIGHT, "\x1b[2J": 5}), "line 2: `\\u001b[2J` says nothing here"),
        (json.dumps({**RIGHT, "note": 5}), "line 2: all but `uses` are texts"),
        (json.dumps({**RIGHT, "uses": True}), "line 2: `uses` is a whole number"),
        (json.dumps({**RIGHT, "uses": "3"}), "line 2: `uses` is a whole number"),
        (json.dumps({**RIGHT, "until": "soon"}), "line 2: `soon` is no time"),
        (json.dumps({**RIGHT, "until": "2001-01-01"}), "number 2: "),
        (json.dumps({**RIGHT, "principal": "user:nobody"}), "number 2: there is no `user:nobody`"),
        (json.dumps({**RIGHT, "principal": None}), "number 2: "),
        (json.dumps({**RIGHT, "level": "king"}), "number 2: "),
    ],
)
def test_where_one_line_is_wrong_nothing_is_given(desk: Desk, wrong: str, says: str) -> None:
    before = desk.ask("grants", "list", "--json").out
    answer = desk.ask("grants", "give", "-", stdin=lines(RIGHT) + wrong if wrong else "")
    assert 2 == answer.code
    assert says in answer.err
    assert before == desk.ask("grants", "list", "--json").out
    assert [] == desk.records()


def test_a_file_that_cannot_be_read_gives_nothing(desk: Desk, tmp_path: Any) -> None:
    (tmp_path / "latin").write_bytes(b'{"note": "\xe4"}')
    for name in (str(tmp_path / "none"), str(tmp_path / "latin"), str(tmp_path)):
        answer = desk.ask("grants", "give", name)
        assert (2, "") == (answer.code, answer.out)
        assert answer.err
