from __future__ import annotations

import pytest

from jupyter_authorized_server.policy.roster import MAX_NESTING, read_roster

FULL = """
people:
  ada: {name: Ada Lovelace}
  no:
groups:
  team: {members: [user:ada, group:sub, user:ada]}
  sub:
grants:
  - {principal: group:team, level: editor, resource: "contents:team//x/", note: spring course}
  - {principal: everyone, level: viewer, resource: "contents:/", starts: "2027-01-01T08:00+01:00"}
"""


def one(text: str) -> str:
    """The one mistake in `text`."""
    _, mistakes = read_roster("p.yaml", text)
    assert len(mistakes) == 1, mistakes
    return str(mistakes[0])


def test_people_groups_and_grants_are_read_with_their_lines() -> None:
    roster, mistakes = read_roster("p.yaml", FULL)
    assert mistakes == []
    assert [(each.name, each.display_name, each.place) for each in roster.people] == [
        ("ada", "Ada Lovelace", "p.yaml:3"),
        ("no", "", "p.yaml:4"),
    ]
    assert [(each.name, each.members) for each in roster.groups] == [
        ("team", ("group:sub", "user:ada")),
        ("sub", ()),
    ]
    first, second = roster.grants
    assert (first.principal, first.level, first.resource) == (
        "group:team",
        "editor",
        "contents:/team/x",
    )
    assert (first.note, first.granted_by, first.source) == ("spring course", "policy", "p.yaml:9")
    assert second.starts == 1798786800.0


def test_an_end_date_is_the_last_day_and_a_start_date_the_first() -> None:
    text = (
        "grants: [{principal: everyone, level: viewer, resource: 'server:', "
        "starts: 1970-01-02, ends: 1970-01-02}]"
    )
    (grant,) = read_roster("p.yaml", text)[0].grants
    assert (grant.starts, grant.ends) == (86_400.0, 172_800.0)


def test_an_empty_file_and_empty_sections_say_nothing() -> None:
    for text in ("", "# nothing\n", "people:\ngroups:\ngrants:\n"):
        roster, mistakes = read_roster("p.yaml", text)
        assert (roster.people, roster.groups, roster.grants, mistakes) == ((), (), (), [])


def test_grants_in_one_line_have_different_names() -> None:
    row = "{principal: everyone, level: viewer, resource: 'server:'}"
    roster, _ = read_roster("p.yaml", f"grants: [{row}, {row}]")
    assert [grant.id for grant in roster.grants] == ["p.yaml:1", "p.yaml:1+"]


GRANT = "grants: [{{principal: {}, level: {}, resource: {}{}}}]"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GRANT.format("user:a", "boss", "'server:'", ""), "`boss` is no level; the levels are"),
        (GRANT.format("team", "editor", "'server:'", ""), "'team' is no principal; write"),
        (GRANT.format("user:a/b", "editor", "'server:'", ""), "the user name contains a slash"),
        (GRANT.format("user:a", "editor", "'rooms:1'", ""), "`rooms:1` is no resource; write"),
        (GRANT.format("user:a", "editor", "'contents:/../x'", ""), "above the contents root"),
        (
            GRANT.format("user:a", "editor", "'server:'", ", ends: soon"),
            "`soon` is no time; write",
        ),
        (GRANT.format("user:a", "editor", "'server:'", ", ends: 2027-02-30"), "is no time"),
        (
            GRANT.format("user:a", "editor", "'server:'", ", ends: 2027-01-01 08:00"),
            "has no time zone; add one",
        ),
        (
            GRANT.format(
                "user:a", "editor", "'server:'", ", starts: 2027-01-02, ends: 2027-01-01"
            ),
            "the grant ends before it starts",
        ),
        (GRANT.format("user:a", "editor", "'server:'", ", until: x"), "`until` is unknown"),
        (GRANT.format("user:a", "editor", "'server:'", ", note: [x]"), "here stands one text"),
        (GRANT.format("user:a", "editor", "'server:'", ', note: "a\\nb"'), "a note is one line"),
        ("grants:\n- principal: user:a\n  level: editor\n", "names no `resource`; add it"),
        ("grants: {a: b}", "`grants` is a list"),
        ("grants: [x]", "the grant is a map"),
        ("people: [ada]", "`people` is a map"),
        ("people: {ada: , ada: }", "`ada` is already in line 1; keep one of them"),
        ("people: {ada: {nam: x}}", "`nam` is unknown; the person `ada` has `name`"),
        ('people: {"a\\0b": }', "unseen character (U+0000)"),
        ('people: {"": }', "the user name is empty"),
        ("people: {[a]: }", "a key is a text"),
        (f"people: {{{'x' * 129}: }}", "at most 128 are possible"),
        ("groups: {everyone: }", "is reserved"),
        ("groups: {team: {members: [everyone]}}", "cannot be in a group"),
        ("groups: {team: {members: user:ada}}", "`members` is a list"),
        ("rooms: 1", "`rooms` is unknown"),
        ("[]", "the file is a map"),
        ("people: &a {ada: }", "anchors and aliases are not read"),
        ("people: *a", "anchors and aliases are not read"),
        ("people: !!python/name:os.system x", "tags such as `!!int` are not read"),
        ("people: {ada: }\n---\npeople: {}", "a second document"),
        ("people: {ada: ", "not valid YAML"),
        ("grants: [{resource: server:}]", "in quotes"),
        ("[" * 10_000, f"nested deeper than {MAX_NESTING} levels"),
        ("a: " + "{a: " * 10_000, f"nested deeper than {MAX_NESTING} levels"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), "nested deeper"),
    ],
)
def test_each_mistake_names_the_thing_and_the_remedy(text: str, complaint: str) -> None:
    found = one(text)
    assert complaint in found
    assert found.startswith("p.yaml:")


def test_the_line_of_a_mistake_is_the_line_of_the_thing() -> None:
    text = "groups:\n  team:\n    members:\n      - user:ada\n      - nobody\n"
    assert one(text).startswith("p.yaml:5: 'nobody' is no principal")


def test_one_mistake_does_not_hide_the_next() -> None:
    text = "people:\n  a/b:\n  ada: {x: 1}\ngroups:\n  team: {members: [x, y]}\n"
    _, mistakes = read_roster("p.yaml", text)
    assert [mistake.line for mistake in mistakes] == [2, 3, 5, 5]
