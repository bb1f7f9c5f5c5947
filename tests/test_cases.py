"""The decision tables of `tests/cases`: one a file, named for what it shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_authorized_server.policy import paths, vocabulary
from jupyter_authorized_server.policy.directory import Directory
from jupyter_authorized_server.policy.document import Document, PolicyFile
from jupyter_authorized_server.policy.engine import Snapshot, decide, load_policy
from jupyter_authorized_server.policy.model import (
    ANONYMOUS,
    AccessRequest,
    Context,
    Grant,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.roster import GroupEntry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = sorted(Path(__file__).with_name("cases").glob("*.toml"))
KEYS = {
    "shows",
    "now",
    "hour",
    "weekday",
    "door",
    "address",
    "policy",
    "groups",
    "resources",
    "grants",
    "decisions",
}


def read(path: Path) -> tuple[dict[str, Any], Snapshot, Directory]:
    case = tomllib.loads(path.read_text("utf-8"))
    assert set(case) <= KEYS
    policy = load_policy([PolicyFile(source="case.cedar", text=case.get("policy", ""))])
    groups = tuple(
        GroupEntry(name=name, members=tuple(members), source="case", line=1)
        for name, members in case.get("groups", {}).items()
    )
    grants = [
        Grant(id=f"g-{number}", **grant) for number, grant in enumerate(case.get("grants", []))
    ]
    return case, Snapshot(policy, grants, 1), Directory.merge(Document(groups=groups))


def rows(case: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Each line `PRINCIPALS ACTIONS RESOURCE = ANSWER`; commas stand for several lines."""
    found = []
    for line in case["decisions"].strip().splitlines():
        question, _, answer = line.partition(" = ")
        principals, actions, resource = question.split(maxsplit=2)
        found += [
            (principal, action, resource.strip(), answer.strip())
            for principal in principals.split(",")
            for action in actions.split(",")
        ]
    return found


def resource_of(case: dict[str, Any], name: str) -> Resource:
    plain = vocabulary.parse_resource(name)
    about = case.get("resources", {}).get(name, {})
    within = paths.ancestors(about["within"]) if "within" in about else ()
    return Resource(type=plain.type, id=plain.id, within=within, owner=about.get("owner"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_decision_table_holds(path: Path) -> None:
    case, snapshot, directory = read(path)
    context = Context(
        time=case.get("now", 0),
        hour=case.get("hour", 12),
        weekday=case.get("weekday", 1),
        door=case.get("door", "test"),
        address=case.get("address"),
    )
    table = rows(case)
    answers = []
    for principal, action, name, _ in table:
        resource = resource_of(case, name)
        groups = () if principal == ANONYMOUS else directory.groups_of(principal)
        asked = AccessRequest(
            principal=Principal(name=principal, groups=groups),
            action=vocabulary.parse_action(action, type=resource.type),
            resource=resource,
            context=context,
        )
        answers.append((principal, action, name, decide(snapshot, asked).answer.value))
    assert answers == table


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_case_says_what_it_shows_and_shows_both_answers(path: Path) -> None:
    case = read(path)[0]
    assert case["shows"]
    assert {answer for *_, answer in rows(case)} == {"allow", "deny"}


def test_the_level_table_asks_about_every_action_of_the_vocabulary() -> None:
    case = read(next(path for path in CASES if path.stem == "levels"))[0]
    asked = {(name.partition(":")[0], action) for _, action, name, _ in rows(case)}
    left_out = {pair for pair in vocabulary.ABILITY if pair not in asked}
    assert left_out == {("server", "identify"), ("kernelspecs", "list"), ("kernelspecs", "launch")}
