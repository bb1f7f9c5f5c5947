"""The decision tables of `tests/cases`: one a file, named for what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_authorized_server.policy import vocabulary
from jupyter_authorized_server.policy.case import Case, read_case
from jupyter_authorized_server.trial import failures

CASES = sorted(Path(__file__).with_name("cases").glob("*.toml"))


def read(path: Path) -> Case:
    return read_case(path.name, path.read_text("utf-8"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_decision_table_holds(path: Path) -> None:
    found = [
        (each.principal, each.action, each.resource.name, got.answer.value)
        for each, got in failures(read(path), [])
    ]
    assert found == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_case_says_what_it_shows_and_shows_both_answers(path: Path) -> None:
    case = read(path)
    assert case.shows
    assert {each.answer.value for each in case.expectations} == {"allow", "deny"}


def test_the_level_table_asks_about_every_action_of_the_vocabulary() -> None:
    case = read(next(path for path in CASES if path.stem == "levels"))
    asked = {(each.resource.type, each.action) for each in case.expectations}
    left_out = {pair for pair in vocabulary.ABILITY if pair not in asked}
    assert left_out == {("server", "identify"), ("kernelspecs", "list"), ("kernelspecs", "launch")}
