from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

GOOD = '@id("no-trash")\nforbid(principal, action, resource) when { context.time < 0 };\n'


def test_a_good_policy_loads(desk: Desk) -> None:
    desk.policy(good_cedar=GOOD)
    answer = desk.ask("policy", "validate")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("loads: ")
    assert desk.ask("policy", "validate", "--json").json["loads"] is True


@pytest.mark.parametrize(
    ("actions", "left"),
    [
        ('action == Jupyter::Action::"open"', "`download`, `copy`, `export`"),
        ('action in [Jupyter::Action::"open", Jupyter::Action::"copy"]', "`download`, `export`"),
        ('action in Jupyter::Action::"read"', None),
        ('action == Jupyter::Action::"download"', None),
        ("action", None),
    ],
    ids=["open", "open and copy", "all that reads", "download", "everything"],
)
def test_a_rule_that_forbids_to_open_and_leaves_another_way_to_the_contents_is_noted(
    desk: Desk, actions: str, left: str | None
) -> None:
    desk.policy(exam_cedar=f'@id("exam")\nforbid(principal, {actions}, resource);\n')
    answer = desk.ask("policy", "validate")
    expected = f"exam.cedar:1: `exam` forbids `open` and leaves {left}, which" if left else ""
    assert (0, True) == (answer.code, expected in answer.err)
    assert bool(left) == bool(answer.err)
    assert bool(left) == bool(desk.ask("policy", "validate", "--json").json["notes"])


def test_a_grant_or_group_that_names_whom_nobody_knows_is_noted(desk: Desk) -> None:
    desk.policy(
        b_yaml="people: {zoe: }\n"
        "groups:\n"
        "  new: {members: ['user:ada', 'user:zoe', 'user:nil']}\n"
        "grants:\n"
        "  - {principal: 'user:zed', level: viewer, resource: 'contents:/a'}\n"
        "  - {principal: 'group:zed', level: viewer, resource: 'contents:/a'}\n"
        "  - {principal: 'group:new', level: viewer, resource: 'contents:/a'}\n"
        "  - {principal: everyone, level: viewer, resource: 'contents:/a'}\n"
    )
    file = desk.policy_dir / "b.yaml"
    notes = desk.ask("policy", "validate", "--json").json["notes"]
    assert [each.partition(", which")[0] for each in notes] == [
        f"{file}:5: the grant names the person `zed`",
        f"{file}:6: the grant names the group `zed`",
        f"{file}:3: the group `new` names the person `nil`",
    ]


def test_a_rule_that_names_whom_nobody_knows_is_noted(desk: Desk) -> None:
    desk.policy(
        b_yaml="people:\n  filed:\n",
        a_cedar="\n".join(
            f"forbid(principal, action, resource) when {{ principal {asked} }};"
            for asked in (
                '== Jupyter::User::"ada"',
                '== Jupyter::User::"filed"',
                'in Jupyter::Group::"everyone"',
                'in Jupyter::Group::"nobody-knows"',
            )
        ),
    )
    said = "names the group `nobody-knows`, which neither the policy files nor the store know"
    (note,) = desk.ask("policy", "validate", "--json").json["notes"]
    assert note.startswith(f"{desk.policy_dir / 'a.cedar'}:4: ")
    assert said in note
    assert said in desk.ask("policy", "validate").err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("permit(", 1),
        ("\n\n" + "(" * 10_000, 3),
        ("permit(principal, action, resource) when { context.nothing };", 1),
        ('permit(principal == Nobody::"x", action, resource);', 1),
    ],
    ids=["unclosed", "nested", "unknown attribute", "unknown type"],
)
def test_mistakes_come_with_file_and_line_and_exit_3(
    desk: Desk, tmp_path: Path, text: str, line: int
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "bad.cedar").write_text(text, "utf-8")
    answer = desk.ask("policy", "validate", str(folder))
    assert (answer.code, answer.out) == (3, "")
    assert f"{folder / 'bad.cedar'}:{line}: " in answer.err
    found = desk.ask("policy", "validate", str(folder), "--json")
    assert found.code == 3
    assert found.json["loads"] is False
    assert set(found.json["mistakes"][0]) == {"source", "line", "message"}


def test_all_mistakes_of_all_files_are_shown(desk: Desk) -> None:
    desk.policy(
        a_cedar="permit(",
        b_yaml="groups:\n  a:\n  a:\ngrants:\n  - {principal: user:x, level: boss}\n",
        c_cedar=GOOD + GOOD,
    )
    answer = desk.run("policy", "validate")
    assert answer.code == 3
    for place in ("a.cedar:1", "b.yaml:3", "b.yaml:5", "c.cedar:3"):
        assert str(desk.policy_dir / place) in answer.err
    assert "Traceback" not in answer.err


def test_files_that_nobody_reads_are_named(desk: Desk) -> None:
    desk.policy(good_cedar=GOOD, more_json="{}")
    assert "`more.json`" in desk.ask("policy", "validate").err


def test_a_folder_that_is_none_exits_2(desk: Desk) -> None:
    for folder in ("nowhere", "a\0b", "x" * 100_000, "\udcff"):
        answer = desk.ask("policy", "validate", folder)
        assert answer.code == 2
        assert "is no folder" in answer.err


def test_show_lists_the_rules_with_their_source(desk: Desk) -> None:
    desk.policy(good_cedar=GOOD)
    out = desk.ask("policy", "show").out
    assert "no-trash" in out
    assert "<builtin>" in out
    found = desk.ask("policy", "show", "--json").json
    assert set(found) == {"folder", "rules", "people", "groups", "grants"}
    assert {"id", "effect", "source", "text"} == set(found["rules"][0])
    desk.policy(bad_cedar="permit(")
    assert desk.ask("policy", "show").code == 3


def test_validating_needs_no_store(empty: Desk) -> None:
    empty.policy(good_cedar=GOOD)
    assert empty.ask("policy", "validate").code == 0
    assert not empty.store_path.exists()
