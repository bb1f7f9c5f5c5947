from __future__ import annotations

import pytest

from jupyter_authorized_server.errors import PolicyError
from jupyter_authorized_server.policy.document import MAX_FILE, PolicyFile, read_document
from jupyter_authorized_server.policy.engine import load_policy


def mistakes(*files: tuple[str, str | bytes]) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy([PolicyFile(source=source, text=text) for source, text in files])
    return [str(mistake) for mistake in caught.value.mistakes]


def test_no_files_are_a_policy_with_the_built_in_rules_alone() -> None:
    policy = load_policy([])
    assert {rule.source.partition(":")[0] for rule in policy.rules} == {"<builtin>/rules.cedar"}
    assert {"self", "own-kernel"} <= {rule.id for rule in policy.rules}
    assert policy.document.grants == ()


def test_rules_people_groups_and_grants_of_all_files_come_together() -> None:
    document, wrong = read_document(
        [
            PolicyFile(source="a.cedar", text="permit (principal, action, resource);"),
            PolicyFile(source="b.yaml", text=b"people: {ada: }\ngroups: {team: }\n"),
            PolicyFile(
                source="c.yml",
                text='grants: [{principal: user:ada, level: editor, resource: "server:"}]',
            ),
        ]
    )
    assert wrong == []
    assert len(document.statements) == 1
    assert [entry.name for entry in document.people] == ["ada"]
    assert [entry.name for entry in document.groups] == ["team"]
    assert [(grant.id, grant.source) for grant in document.grants] == [("c.yml:1", "c.yml:1")]


def test_all_mistakes_of_all_files_are_told_at_once_in_order() -> None:
    found = mistakes(
        ("b.cedar", "\npermit (principal, action, resource) when { context.nope };\nforbid (;"),
        ("a.yaml", "people: {ada: {age: 3}}\nrooms: {}"),
    )
    assert [text.partition(": ")[0] for text in found] == [
        "b.cedar:2",
        "b.cedar:3",
        "a.yaml:1",
        "a.yaml:2",
    ]
    assert "`nope`" in found[0]
    assert found[3] == "a.yaml:2: `rooms` is unknown; the file has `people`, `groups`, `grants`"


@pytest.mark.parametrize(
    ("place", "text", "message"),
    [
        ("a.txt", "", "a policy file is named `*.cedar`, `*.yaml` or `*.yml`; rename it"),
        ("a.cedar", b"\xff\xfe", "not UTF-8 text (invalid start byte); save it as UTF-8"),
        ("a.cedar", "// \udc80", "not UTF-8 text (surrogates not allowed); save it as UTF-8"),
        ("a.yaml:1", "people: {a\0b: }", "contains a NUL character; save it as UTF-8 text"),
        ("a.cedar", " " * (MAX_FILE + 1), "so split it"),
        ("a.yaml", b" " * 10_000_000, "so split it"),
    ],
)
def test_a_file_that_is_no_policy_text_is_named(
    place: str, text: str | bytes, message: str
) -> None:
    (found,) = mistakes((place.partition(":")[0], text))
    assert found.startswith(f"{place}: ")
    assert message in found


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    file = PolicyFile(source="a.cedar", text=b"\xef\xbb\xbfpermit (principal, action, resource);")
    assert load_policy([file]).rules[-1].source == "a.cedar:1"


def test_a_group_that_is_in_itself_is_named_with_its_line() -> None:
    one = "groups:\n  a: {members: ['group:b', 'group:d']}\n  b: {members: ['group:c']}\n"
    two = "groups:\n  c: {members: ['group:a', 'user:x']}\n  d: {members: ['group:none']}\n"
    two += "  e: {members: ['group:a', 'group:e']}\n  f: {members: ['group:a']}\n"
    words = "is in itself, perhaps by way of others; take one of them out"
    assert mistakes(("a.yaml", one), ("b.yaml", two)) == [
        f"a.yaml:2: the group `a` {words}",
        f"a.yaml:3: the group `b` {words}",
        f"b.yaml:2: the group `c` {words}",
        f"b.yaml:4: the group `e` {words}",
    ]
    alone = two.replace(", 'group:e'", "")
    assert load_policy([PolicyFile(source="b.yaml", text=alone)]).document.groups


def test_a_name_used_twice_names_both_places() -> None:
    rule = '@id("x") permit (principal, action, resource);\n'
    assert mistakes(("a.cedar", rule), ("b.cedar", "\n" + rule)) == [
        "b.cedar:2: the rule name `x` is also in a.cedar:1; rename one of them"
    ]
    assert mistakes(("a.cedar", rule.replace("x", "self")))[0].endswith("rename one of them")
    roster = "people: {ada: }\ngroups: {team: }"
    assert mistakes(("a.yaml", roster), ("b.yaml", roster)) == [
        "b.yaml:1: the person `ada` is also in a.yaml:1; keep one of them",
        "b.yaml:2: the group `team` is also in a.yaml:2; keep one of them",
    ]
