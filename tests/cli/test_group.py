from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk


def _members(desk: Desk, group: str) -> list[str]:
    found = {row["name"]: row["members"] for row in desk.ask("groups", "list", "--json").json}
    members: list[str] = found[group]
    return members


def test_list_shows_members_and_where_a_group_is_from(desk: Desk) -> None:
    desk.policy(groups_yaml="groups:\n  team:\n    members: [user:bob]\n  sub:\n")
    found = {row["name"]: row for row in desk.ask("groups", "list", "--json").json}
    assert set(found["team"]) == {"name", "members", "all_members", "sources"}
    assert found["team"]["members"] == ["user:ada", "user:bob"]
    assert found["team"]["sources"] == ["store", f"{desk.policy_dir / 'groups.yaml'}:2"]
    assert "team" in desk.ask("groups", "list").out


def test_add_fills_a_group_and_records_it(desk: Desk) -> None:
    answer = desk.ask("groups", "add", "crew", "bob", "user:eve", "group:team")
    assert answer.code == 0
    assert _members(desk, "crew") == ["group:team", "user:bob", "user:eve"]
    assert [r["kind"] for r in desk.records()] == ["group_added", *["group_joined"] * 3]


def test_an_unknown_member_changes_nothing(desk: Desk) -> None:
    for args in (("add", "crew", "bob", "zoe"), ("join", "team", "bob", "group:zoe")):
        answer = desk.ask("groups", *args)
        assert answer.code == 2
        assert "zoe`" in answer.err
    assert _members(desk, "team") == ["user:ada"]
    assert "crew" not in desk.ask("groups", "list").out
    assert desk.records() == []


def test_join_twice_says_so(desk: Desk) -> None:
    answer = desk.ask("groups", "join", "team", "ada", "bob")
    assert answer.code == 0
    assert "`user:ada` is in `group:team` already" in answer.out
    assert _members(desk, "team") == ["user:ada", "user:bob"]
    assert [r["member"] for r in desk.records()] == ["user:bob"]


def test_leave_is_all_or_nothing(desk: Desk) -> None:
    answer = desk.ask("groups", "leave", "team", "ada", "bob")
    assert answer.code == 2
    assert _members(desk, "team") == ["user:ada"]
    assert desk.ask("groups", "leave", "group:team", "user:ada").code == 0
    assert _members(desk, "team") == []
    assert [r["kind"] for r in desk.records()] == ["group_left"]


def test_remove_takes_its_grants_along(desk: Desk) -> None:
    desk.ask("grant", "group:team", "viewer", "server:")
    answer = desk.ask("groups", "remove", "team")
    assert answer.code == 0
    assert "g-" in answer.out
    assert desk.ask("groups", "list", "--json").json == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("add", "team"), "exists already"),
        (("add", "everyone"), "reserved"),
        (("add", "a/b"), "slash"),
        (("add", "\udcff"), "U+DCFF"),
        (("add", "x" * 10_000_000), "at most 128"),
        (("join", "nobodies", "ada"), "`group:nobodies`"),
        (("join", "team", "group:team"), "no group may contain itself"),
        (("join", "team"), "Missing argument"),
        (("leave", "nobodies", "ada"), "`group:nobodies`"),
        (("remove", "nobodies"), "nobodies"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_input_changes_nothing(desk: Desk, args: tuple[str, ...], said: str) -> None:
    answer = desk.ask("groups", *args)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err) < 1000
    assert desk.records() == []
