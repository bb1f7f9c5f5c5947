from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

CASE = """
shows = "ada saves and nobody else"
[matrix]
principals = ["user:ada", "user:bob"]
actions = ["save"]
resources = ["contents:/team/a.ipynb"]
allow = "user:ada save contents:/team/a.ipynb"
"""
GRANT = "grants:\n- {principal: user:ada, level: editor, resource: contents:/team}\n"


def written(folder: Path, **files: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, "utf-8")
    return str(folder)


def test_a_policy_that_answers_as_expected_exits_0(empty: Desk, tmp_path: Path) -> None:
    policy = written(tmp_path / "p", a_yaml=GRANT)
    cases = written(tmp_path / "c", one_toml=CASE, notes_txt="no case")
    answer = empty.ask("policy", "test", "--policy", policy, cases)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "2 expectations in 1 cases, 0 failed"
    assert not empty.store_path.exists()


def test_a_failed_expectation_exits_4_and_says_what_decided(empty: Desk, tmp_path: Path) -> None:
    policy = written(tmp_path / "p", a_yaml=GRANT.replace("user:ada", "everyone"))
    case = written(tmp_path / "c", one_toml=CASE) + "/one.toml"
    answer = empty.ask("policy", "test", "--policy", policy, case)
    assert answer.code == 4
    assert (
        "user:bob save contents:/team/a.ipynb: expected deny, got allow: permitted" in answer.out
    )
    (found,) = empty.ask("policy", "test", "--policy", policy, case, "--json").json
    assert found["expectations"] == 2
    assert [each["principal"] for each in found["failures"]] == ["user:bob"]


def test_a_policy_that_does_not_load_exits_3_and_a_bad_case_2(empty: Desk, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad", a_cedar="permit(")
    good = written(tmp_path / "good", a_yaml=GRANT)
    cases = written(tmp_path / "c", one_toml=CASE)
    answer = empty.ask("policy", "test", "--policy", bad, cases)
    assert (answer.code, "a.cedar:1: " in answer.err) == (3, True)
    assert empty.ask("policy", "test", "--policy", good, good).code == 2
    assert empty.ask("policy", "test", "--policy", good, str(tmp_path / "nowhere")).code == 2
    wrong = written(tmp_path / "w", one_toml="shows = 1")
    assert "one.toml` is no case" in empty.ask("policy", "test", "--policy", good, wrong).err


def test_the_store_is_asked_only_where_one_says_so(desk: Desk, tmp_path: Path) -> None:
    cases = written(tmp_path / "c", one_toml=CASE)
    assert desk.ask("policy", "test", cases).code == 4
    assert desk.ask("policy", "test", "--store", cases).code == 0


def test_diff_says_who_gains_what_on_which_files(desk: Desk, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "team").mkdir(parents=True)
    for number in range(14):
        (root / "team" / f"{number:02}.ipynb").touch()
    old = written(tmp_path / "old", a_cedar="// nothing")
    new = written(tmp_path / "new", a_yaml=GRANT.replace("user:ada", "user:eve"))
    answer = desk.ask("policy", "diff", old, new, "--root", str(root))
    assert answer.code == 1
    assert "user:eve gains save on 15 files and folders" in answer.out
    assert "  and 5 more; `--all` names them" in answer.out
    changes = desk.ask("policy", "diff", old, new, "--root", str(root), "--json").json
    assert {each["principal"] for each in changes} == {"user:eve"}
    assert all(each["gains"] for each in changes)
    back = desk.ask("policy", "diff", new, old, "--root", str(root), "--all")
    assert "user:eve loses save on 15 files and folders" in back.out
    assert "  contents:/team/13.ipynb" in back.out


def test_diff_of_equal_policies_exits_0_and_of_broken_ones_3(desk: Desk, tmp_path: Path) -> None:
    old = written(tmp_path / "old", a_yaml=GRANT)
    bad = written(tmp_path / "bad", a_cedar="permit(")
    same = desk.ask("policy", "diff", old, old)
    assert (same.code, same.out) == (0, "")
    assert desk.ask("policy", "diff", old, bad).code == 3
    assert desk.ask("policy", "diff", old, str(tmp_path / "nowhere")).code == 2
    assert desk.ask("policy", "diff", old, old, "--root", str(tmp_path / "nowhere")).code == 2
    assert desk.ask("policy", "diff", old, "--root", str(tmp_path)).code in {0, 1}
