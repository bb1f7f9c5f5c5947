from __future__ import annotations

from jupyter_authorized_server.policy.directory import Directory
from jupyter_authorized_server.policy.document import Document
from jupyter_authorized_server.policy.roster import GroupEntry, PersonEntry

DIRECTORY = Directory(
    people=frozenset({"ada", "ben"}),
    groups={
        "all": ("group:team", "user:cleo"),
        "team": ("user:ada", "group:sub"),
        "sub": ("user:ben",),
        "east": ("group:west", "user:ada"),
        "west": ("group:east",),
    },
)


def test_groups_reach_through_groups() -> None:
    assert DIRECTORY.groups_of("user:ben") == ("all", "sub", "team")
    assert DIRECTORY.groups_of("group:sub") == ("all", "team")
    assert DIRECTORY.groups_of("user:nobody") == ()


def test_a_loop_of_groups_ends() -> None:
    assert DIRECTORY.groups_of("user:ada") == ("all", "east", "team", "west")
    assert DIRECTORY.members_of("west") == ("user:ada",)


def test_members_are_people_also_of_inner_groups() -> None:
    assert DIRECTORY.members_of("all") == ("user:ada", "user:ben", "user:cleo")
    assert DIRECTORY.members_of("none") == ()


def test_a_group_in_two_sources_has_the_members_of_both() -> None:
    def source(person: str, member: str) -> Document:
        return Document(
            people=(PersonEntry(name=person, display_name="", source="s", line=1),),
            groups=(GroupEntry(name="team", members=(member,), source="s", line=1),),
        )

    merged = Directory.merge(source("ada", "user:ada"), source("ben", "user:ben"))
    assert merged.people == {"ada", "ben"}
    assert merged.members_of("team") == ("user:ada", "user:ben")


def test_who_is_not_listed_is_not_known() -> None:
    known = ["user:ada", "group:team", "everyone", "anonymous"]
    unknown = ["user:team", "group:ada", "token:ci", "user:", "ada"]
    assert [DIRECTORY.knows(name) for name in known] == [True] * 4
    assert [DIRECTORY.knows(name) for name in unknown] == [False] * 5


def test_a_chain_of_ten_thousand_groups_is_followed() -> None:
    groups = {f"g{n}": (f"group:g{n + 1}",) for n in range(10_000)}
    directory = Directory(groups={**groups, "g10000": ("user:ada",)})
    assert len(directory.groups_of("user:ada")) == 10_001
