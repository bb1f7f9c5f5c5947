from __future__ import annotations

from typing import Any

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy.case import read_case
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.snapshot import load_policy
from jupyter_authorized_server.trial import Trial, context_at, differences, failures

GROUPS = """
people: {ada: , ben: , cleo: }
groups: {team: {members: [user:ada, user:ben]}}
grants:
- {principal: group:team, level: viewer, resource: contents:/team}
"""
FILES = ["/", "/team", "/team/a.ipynb", "/team/deep/b.ipynb", "/other/c.ipynb"]
MATRIX = """
shows = "the team reads"
[matrix]
principals = ["user:ada", "user:cleo", "anonymous"]
actions = ["open", "save"]
resources = ["contents:/team/a.ipynb", "contents:/other"]
allow = '''
user:ada open contents:/team/a.ipynb
'''
"""


def policy(**files: str) -> list[PolicyFile]:
    return [PolicyFile(source=name.replace("_", "."), text=text) for name, text in files.items()]


def made(**files: str) -> Trial:
    return Trial(load_policy(policy(**files)), context=context_at(0, None))


def told(old: Trial, new: Trial) -> list[tuple[str, str, bool, tuple[str, ...]]]:
    return [
        (each.principal, each.action, each.gains, each.resources)
        for each in differences(old, new, FILES)
    ]


def test_what_a_matrix_does_not_list_is_expected_to_be_denied() -> None:
    case = read_case("m.toml", MATRIX)
    assert len(case.expectations) == 12
    assert list(failures(case, policy(a_yaml=GROUPS))) == []
    wider = GROUPS.replace("viewer", "editor")
    found = [
        (each.principal, each.action, each.answer.value, got.answer.value)
        for each, got in failures(case, policy(a_yaml=wider))
    ]
    assert found == [("user:ada", "save", "deny", "allow")]


def test_a_case_has_a_clock_of_its_own() -> None:
    text = """
    shows = "the deadline"
    now = 2027-01-31T17:59:00+01:00
    policy = '''
    permit(principal, action == Jupyter::Action::"open", resource)
    when { context.hour < 18 && context.weekday == 7 };
    '''
    decisions = "user:ada open contents:/a = ANSWER"
    [[grants]]
    principal = "user:ben"
    level = "viewer"
    resource = "contents:/"
    ends = 2027-01-31T18:00:00+01:00
    """
    early, late = text.replace("ANSWER", "allow"), text.replace("ANSWER", "deny")
    late = late.replace("17:59", "18:00")
    for each in (early, late, early.replace(":ada", ":ben"), late.replace(":ada", ":ben")):
        assert list(failures(read_case("c", each), [])) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shows = ", "is not TOML"),
        ("shows = 'x'", "expects nothing"),
        ("decisions = 'user:a open contents:/ = allow'", "no `shows`"),
        ("shows = 'x'\nmore = 1", "`more` is unknown"),
        ("shows = 1", "`shows` is text"),
        ("shows = 'x'\nhour = true", "`hour` is a whole number"),
        ("shows = 'x'\nhour = 24\ndecisions = 'user:a open contents:/ = deny'", "0 to 23"),
        ("shows = 'x'\ndoor = 'htp'\ndecisions = 'user:a open contents:/ = deny'", "no door"),
        ("shows = 'x'\ndecisions = 'user:a open contents:/'", "is no expectation"),
        ("shows = 'x'\ndecisions = 'user:a = allow'", "is no question"),
        ("shows = 'x'\ndecisions = 'user:a fly contents:/ = allow'", "no action"),
        ("shows = 'x'\ndecisions = 'group:a open contents:/ = allow'", "names many"),
        ("shows = 'x'\nnow = 2027-01-31T17:59:00\ndecisions = 'user:a open contents:/ = deny'",
         "time zone"),
        ("shows = 'x'\ndecisions = 'user:a open contents:/ = deny'\ngrants = [1]", "grant 1"),
        (MATRIX.replace("user:ada open contents:/team", "user:eve open contents:/team"),
         "no question of the matrix"),
        (MATRIX.replace('["open", "save"]', "[]"), "has 0 questions"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_said_with_its_file(text: str, says: str) -> None:
    with pytest.raises(InvalidName, match=r"`bad[.]toml` is no") as error:
        read_case("bad.toml", text)
    assert says in str(error.value)


def test_equal_policies_differ_in_nothing() -> None:
    assert told(made(a_yaml=GROUPS), made(b_yaml=GROUPS)) == []


def test_what_a_whole_group_gains_is_said_of_the_group() -> None:
    new = GROUPS.replace("viewer", "runner")
    found = told(made(a_yaml=GROUPS), made(a_yaml=new))
    files = ("contents:/team", "contents:/team/a.ipynb", "contents:/team/deep/b.ipynb")
    assert found == [("group:team", "launch", True, files)]


def test_what_one_person_loses_is_said_of_them() -> None:
    rule = """forbid(principal == Jupyter::User::"ben", action == Jupyter::Action::"open",
      resource in Jupyter::Folder::"/team/deep");"""
    found = told(made(a_yaml=GROUPS), made(a_yaml=GROUPS, b_cedar=rule))
    assert found == [("user:ben", "open", False, ("contents:/team/deep/b.ipynb",))]


def test_what_all_gain_is_said_of_everyone() -> None:
    rule = 'permit(principal, action == Jupyter::Action::"start", resource);'
    found = told(made(a_yaml=GROUPS), made(a_yaml=GROUPS, b_cedar=rule))
    assert [each[:3] for each in found] == [("everyone", "start", True)]


def test_a_rule_that_looks_at_the_file_is_asked_of_each_file() -> None:
    rule = """permit(principal == Jupyter::User::"cleo", action == Jupyter::Action::"open",
      resource is Jupyter::File) when { resource.path like "*/a.ipynb" };"""
    found = told(made(a_yaml=GROUPS), made(a_yaml=GROUPS, b_cedar=rule))
    assert found == [("user:cleo", "open", True, ("contents:/team/a.ipynb",))]


def test_folding_alike_files_loses_no_difference() -> None:
    """Each question by itself, without the folding, as a slow second opinion."""
    rule = 'forbid(principal, action, resource == Jupyter::File::"/team/a.ipynb");'
    more = GROUPS + "- {principal: user:cleo, level: editor, resource: contents:/other/c.ipynb}\n"
    old, new = made(a_yaml=GROUPS), made(a_yaml=more, b_cedar=rule)
    slow: set[Any] = set()
    for name in ("ada", "ben", "cleo"):
        for path in FILES:
            case = read_case(
                "x", f"shows='x'\ndecisions='user:{name} open contents:{path} = deny'"
            )
            (each,) = case.expectations
            before = old.decide(each.principal, "open", each.resource).allowed
            after = new.decide(each.principal, "open", each.resource).allowed
            if before != after:
                slow.add((f"user:{name}", after, each.resource.name))
    members = {"group:team": ("ada", "ben"), "user:cleo": ("cleo",)}
    fast = {
        (f"user:{name}", gains, resource)
        for principal, action, gains, resources in told(old, new)
        if action == "open"
        for name in members[principal]
        for resource in resources
    }
    assert fast == slow
