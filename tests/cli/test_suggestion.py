from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.snapshot import load_policy

if TYPE_CHECKING:
    from cli.conftest import Desk

FORBID = """@id("sealed")
forbid(principal, action, resource in Jupyter::Folder::"/sealed");
"""


def denied(desk: Desk, *rows: tuple[str, str, str], shadow: bool = True, **more: Any) -> None:
    audit = Audit(desk.audit_path)
    for who, action, resource in rows:
        audit.event(
            "decision",
            actor=who,
            fields={
                "action": action,
                "resource": resource,
                "decision": "deny",
                **({"shadow": True} if shadow else {}),
                **more,
            },
        )
    audit.close()


def suggested(desk: Desk, *options: str) -> list[tuple[str, str, str, int]]:
    found = desk.ask("policy", "suggest", "--json", *options).json["grants"]
    return [(each["principal"], each["level"], each["resource"], each["needs"]) for each in found]


def test_nothing_denied_is_nothing_missing(desk: Desk) -> None:
    answer = desk.ask("policy", "suggest")
    assert (answer.code, answer.out, answer.err) == (0, "", "nothing is missing\n")


def test_the_least_level_on_the_file_itself_is_suggested(desk: Desk) -> None:
    denied(desk, ("user:eve", "open", "contents:/a/x"), ("user:eve", "save", "contents:/a/x"))
    assert suggested(desk) == [("user:eve", "editor", "contents:/a/x", 2)]


def test_several_files_of_a_folder_are_suggested_as_the_folder(desk: Desk) -> None:
    denied(desk, *(("user:eve", "open", f"contents:/a/{n}") for n in range(3)))
    denied(desk, ("user:eve", "save", "contents:/a/9"), ("user:bob", "save", "contents:/a/9"))
    denied(desk, ("user:eve", "list", "contents:/a"))
    assert suggested(desk) == [
        ("user:bob", "editor", "contents:/a/9", 1),
        ("user:eve", "viewer", "contents:/a", 4),
        ("user:eve", "editor", "contents:/a/9", 1),
    ]


def test_what_another_suggestion_gives_is_not_suggested_again(desk: Desk) -> None:
    denied(
        desk,
        ("user:eve", "save", "contents:/"),
        ("user:eve", "open", "contents:/a/x"),
        ("user:eve", "save", "contents:/a/y"),
        ("user:eve", "delete", "contents:/a/y"),
        ("user:bob", "save", "contents:/a"),
        ("user:bob", "save", "contents:/a/b/c"),
        ("user:eve", "launch", "kernelspecs:python3"),
    )
    assert suggested(desk) == [
        ("user:bob", "editor", "contents:/a", 2),
        ("user:eve", "editor", "contents:/", 2),
        ("user:eve", "manager", "contents:/a/y", 2),
        ("user:eve", "runner", "kernelspecs:python3", 1),
    ]


def test_what_is_granted_above_the_homes_is_suggested_in_them_again(desk: Desk) -> None:
    file = desk.folder / "config" / "jupyter_server_config.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text("c.JupyterAuthorization.home = 'home/{user}'\n", "utf-8")
    denied(
        desk, *(("user:eve", "open", f"contents:{path}") for path in ("/", "/home/bob/x", "/y"))
    )
    assert suggested(desk) == [
        ("user:eve", "viewer", "contents:/", 2),
        ("user:eve", "viewer", "contents:/home/bob/x", 1),
    ]


def test_what_is_allowed_by_now_is_not_suggested(desk: Desk) -> None:
    denied(desk, ("user:ada", "save", "contents:/team/x"))
    assert suggested(desk) == []


def test_real_denials_count_only_where_one_says_so(desk: Desk) -> None:
    denied(desk, ("user:eve", "open", "contents:/a"), shadow=False)
    assert suggested(desk) == []
    assert suggested(desk, "--denied") == [("user:eve", "viewer", "contents:/a", 1)]
    assert suggested(desk, "--denied", "--since", "2999-01-01") == []


def test_what_a_rule_forbids_is_named_and_not_suggested(desk: Desk) -> None:
    desk.policy(a_cedar=FORBID)
    denied(desk, ("user:bob", "open", "contents:/sealed/x"))
    answer = desk.ask("policy", "suggest")
    assert answer.out == ""
    assert "user:bob open contents:/sealed/x: the rule `sealed`" in answer.err
    revision = desk.ask("store", "check", "--json").json["revision"]
    assert f"at revision {revision}\n" in answer.err


@pytest.mark.parametrize(
    "name",
    [
        'b": - #c',
        "b\u2028- principal: user:bob\u2028  level: admin\u2028  resource: 'server:'\u2028...",
        "b\x85---\x85grants: []",
        "b\u202ec\x7f\U000e0041",
        "/".join(["\U000e0041" * 60] * 4),
    ],
)
def test_the_diff_is_a_policy_that_loads_whatever_the_names_are(desk: Desk, name: str) -> None:
    grant = "grants:\n- {principal: user:ada, level: viewer, resource: 'server:'}\n"
    desk.policy(suggested_yaml=grant)
    hostile = f"contents:/a/{name}"
    denied(desk, ("user:eve", "open", hostile))
    lines = desk.ask("policy", "suggest").out.splitlines()
    added = [line[1:] for line in lines if line[:1] in {" ", "+"} and line[:3] != "+++"]
    loaded = load_policy([PolicyFile(source="s.yaml", text="\n".join(added))])
    assert [each.resource for each in loaded.document.grants] == ["server:", hostile]
    assert 3 == sum(line.startswith("+") and line.isprintable() for line in lines[2:])


def test_records_that_say_nothing_useful_are_passed_over(desk: Desk) -> None:
    denied(
        desk,
        ("anonymous", "open", "contents:/a"),
        ("user:eve", "no such", "contents:/a"),
        ("os:root", "open", "contents:/a"),
    )
    assert suggested(desk) == []
