from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import DuplicateName, InvalidName, UnknownName
from jupyter_authorized_server.store import Group, Person, Store

if TYPE_CHECKING:
    from collections.abc import Callable

HASH = "$argon2id$made-up"
HOSTILE = [
    pytest.param("x" * 10_000_000, id="10 MB"),
    pytest.param("a\0b", id="NUL"),
    pytest.param("a\ud800", id="lone surrogate"),
    pytest.param("a/b", id="slash"),
    pytest.param("", id="empty"),
    pytest.param(" a", id="white space"),
    pytest.param("a\u202eb", id="reordering"),
    pytest.param("e\u0301", id="not NFC"),
    pytest.param("ada\u3164", id="a letter that is drawn as nothing"),
    pytest.param("ada\ufe0f", id="a selector"),
    pytest.param(b"ada", id="bytes"),
    pytest.param(None, id="None"),
]


def test_a_person_is_added_and_given_back(store: Store) -> None:
    ada = store.add_person("ada", display_name="Ada L", password_hash=HASH, now=5)
    assert ada == Person(
        name="ada", display_name="Ada L", has_password=True, disabled=False, created=5.0
    )
    assert store.state().people == (ada,)


def test_a_person_without_password_has_no_hash(store: Store) -> None:
    assert store.add_person("ada", now=5).has_password is False
    assert store.password_hash("ada") is None


def test_a_service_has_no_password_and_is_given_none(store: Store) -> None:
    assert store.add_person("ci", now=5, service=True).service
    with pytest.raises(InvalidName, match="is a service"):
        store.set_password_hash("ci", HASH)
    with pytest.raises(InvalidName, match="is a service"):
        store.add_person("other", password_hash=HASH, now=5, service=True)
    assert [("ci", True, False)] == [
        (each.name, each.service, each.has_password) for each in store.state().people
    ]


def test_people_come_in_the_order_of_code_points(store: Store) -> None:
    for name in ("b", "é", "B", "a", "ß", "\N{GRINNING FACE}", "\uffee"):
        store.add_person(name, now=1)
    state = store.state()
    names = [person.name for person in state.people]
    assert names == sorted(names)
    assert {1.0} == {state.since(f"user:{name}") for name in names}
    assert {None} == {state.since(f"user:{name}") for name in ("", "aa", "zz", "\U0010ffff")}


def test_names_that_differ_by_case_are_two_people(store: Store) -> None:
    store.add_person("ada", password_hash=HASH, now=1)
    store.add_person("Ada", now=1)
    assert store.password_hash("Ada") is None


def test_a_name_is_given_once(house: Store) -> None:
    before = house.state()
    with pytest.raises(DuplicateName, match="`ada` exists already"):
        house.add_person("ada", display_name="an impostor", now=2)
    assert house.state() == before


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_and_changes_nothing(house: Store, name: str) -> None:
    before = house.state()
    for attempt in (
        lambda: house.add_person(name, now=1),
        lambda: house.remove_person(name),
        lambda: house.set_password_hash(name, HASH),
        lambda: house.rehash_password(name, old=HASH, new=HASH),
        lambda: house.set_disabled(name, disabled=True),
        lambda: house.set_display_name(name, ""),
        lambda: house.add_group(name, now=1),
        lambda: house.remove_group(name),
        lambda: house.add_member(name, "user:bob"),
        lambda: house.add_member("team", name),
        lambda: house.remove_member("team", name),
        lambda: house.remove_member(name, "user:ada"),
    ):
        with pytest.raises(InvalidName) as refused:
            attempt()
        assert len(str(refused.value)) < 300
    assert house.password_hash(name) is None
    assert house.state() == before


def test_a_hostile_display_name_is_refused_and_changes_nothing(house: Store) -> None:
    before = house.state()
    for shown in ("x" * 10_000_000, "a\0b", "a\ud800", "a\nb", "a\u202eb", "a\u2028b", None):
        with pytest.raises(InvalidName, match="the display name"):
            house.set_display_name("ada", shown)  # type: ignore[arg-type]  # why: hostile on purpose
        with pytest.raises(InvalidName, match="the display name"):
            house.add_person("eve", display_name=shown, now=1)  # type: ignore[arg-type]  # why: as above
    assert house.state() == before


def test_a_display_name_may_be_of_any_script(house: Store) -> None:
    house.set_display_name("ada", "\u0645\u06cc\u200c\u062e / O'Brien \U0001f98a")
    assert house.state().people[0].display_name == "\u0645\u06cc\u200c\u062e / O'Brien \U0001f98a"


def test_what_is_no_hash_is_refused_unseen(house: Store) -> None:
    for wrong in ("", "short", "my secret password", "é" * 40, "x" * 10_000_000, None, b"x" * 40):
        with pytest.raises(InvalidName) as refused:
            house.set_password_hash("ada", wrong)  # type: ignore[arg-type]  # why: hostile on purpose
        assert "my secret" not in str(refused.value)
    assert house.password_hash("ada") is None


def test_a_time_that_is_none_is_refused(store: Store) -> None:
    for now in (float("nan"), float("inf"), 10**400, "1", None, True):
        with pytest.raises(InvalidName, match="the time is"):
            store.add_person("ada", now=now)  # type: ignore[arg-type]  # why: hostile on purpose
    assert store.revision() == 0


def test_a_new_password_ends_all_login_sessions_of_the_person_only(house: Store) -> None:
    for id_, person in (("a1", "ada"), ("a2", "ada"), ("b1", "bob")):
        house.add_login_session(id_, "0" * 64, person, 99, "", "", 1)
    house.set_password_hash("ada", HASH)
    assert house.password_hash("ada") == HASH
    assert [session.id for session in house.login_sessions()] == ["b1"]


def test_a_rehash_keeps_the_sessions_and_never_undoes_a_new_password(house: Store) -> None:
    house.set_password_hash("ada", HASH)
    for id_ in ("a1", "a2", "a3"):
        house.add_login_session(id_, "0" * 64, "ada", 99, "", "", 1)
    house.set_password_hash("ada", HASH, but="a2")
    assert ["a2"] == [each.id for each in house.login_sessions("ada")]
    assert house.rehash_password("ada", old=HASH, new=HASH + "2") is True
    assert house.password_hash("ada") == HASH + "2"
    assert len(house.login_sessions("ada")) == 1
    assert house.rehash_password("ada", old=HASH, new=HASH + "3") is False
    assert house.password_hash("ada") == HASH + "2"


def test_shutting_a_person_out_ends_their_sessions_and_can_be_undone(house: Store) -> None:
    house.add_login_session("a1", "0" * 64, "ada", 99, "", "", 1)
    house.set_disabled("ada", disabled=True)
    assert house.state().people[0].disabled is True
    assert house.login_sessions() == ()
    with pytest.raises(UnknownName, match="`ada` is disabled"):
        house.add_login_session("a2", "0" * 64, "ada", 99, "", "", 1)
    house.set_disabled("ada", disabled=False)
    house.add_login_session("a2", "0" * 64, "ada", 99, "", "", 1)
    assert house.state().people[0].disabled is False


def test_removing_a_person_removes_all_that_was_theirs_and_nothing_else(house: Store) -> None:
    house.add_member("team", "user:bob")
    for principal in ("user:ada", "user:bob", "group:team", "everyone"):
        house.add_grant(
            principal=principal, level="viewer", resource="server:", now=1, granted_by="user:ada"
        )
    for person in ("ada", "bob"):
        house.add_token(f"t-{person}", "0" * 64, "ci", person, None, 1)
        house.add_login_session(f"s-{person}", "0" * 64, person, 99, "", "", 1)
    house.remove_person("ada")
    state = house.state()
    assert [person.name for person in state.people] == ["bob"]
    assert state.groups == (Group(name="team", members=("user:bob",)),)
    assert [grant.principal for grant in state.grants] == ["user:bob", "group:team", "everyone"]
    assert [token.id for token in house.tokens()] == ["t-bob"]
    assert [session.id for session in house.login_sessions()] == ["s-bob"]
    assert house.token("t-ada") is None
    assert house.login_session("s-ada") is None


def test_who_comes_back_under_the_same_name_inherits_nothing(house: Store) -> None:
    house.add_grant(
        principal="user:ada", level="admin", resource="server:", now=1, granted_by="user:bob"
    )
    house.remove_person("ada")
    house.add_person("ada", now=2)
    assert house.state().grants == ()
    assert house.state().groups == (Group(name="team"),)


def test_nobody_can_be_changed(house: Store) -> None:
    before = house.state()
    for attempt in (
        lambda: house.remove_person("eve"),
        lambda: house.set_password_hash("eve", HASH),
        lambda: house.set_disabled("eve", disabled=True),
        lambda: house.set_display_name("eve", "Eve"),
        lambda: house.add_member("team", "user:eve"),
        lambda: house.tokens("eve"),
        lambda: house.login_sessions("eve"),
        lambda: house.end_login_sessions("eve"),
    ):
        with pytest.raises(UnknownName, match="no person `eve`; `jupyter authz users add NAME`"):
            attempt()
    assert house.state() == before


def test_a_group_holds_people_and_groups_sorted_by_written_form(house: Store) -> None:
    house.add_group("all", now=1)
    for member in ("user:bob", "group:team", "user:ada"):
        house.add_member("all", member)
    assert house.state().groups == (
        Group(name="all", members=("group:team", "user:ada", "user:bob")),
        Group(name="team", members=("user:ada",)),
    )
    house.remove_member("all", "group:team")
    house.remove_member("all", "user:bob")
    assert house.state().groups[0] == Group(name="all", members=("user:ada",))


def test_a_person_and_a_group_may_share_a_name(house: Store) -> None:
    house.add_group("ada", now=1)
    house.add_member("ada", "user:ada")
    house.remove_person("ada")
    assert house.state().groups == (Group(name="ada"), Group(name="team"))


def test_removing_a_group_removes_its_grants_and_places_and_keeps_its_members(
    house: Store,
) -> None:
    house.add_group("all", now=1)
    house.add_member("all", "group:team")
    for principal in ("group:team", "group:all", "user:ada"):
        house.add_grant(
            principal=principal, level="viewer", resource="server:", now=1, granted_by="user:ada"
        )
    house.remove_group("team")
    state = house.state()
    assert state.groups == (Group(name="all"),)
    assert [grant.principal for grant in state.grants] == ["group:all", "user:ada"]
    assert [person.name for person in state.people] == ["ada", "bob"]


def test_nobody_is_called_like_all_or_like_whoever_has_not_signed_in(house: Store) -> None:
    before = house.state()
    for name in ("everyone", "anonymous"):
        with pytest.raises(InvalidName, match="stands for many"):
            house.add_person(name, now=1)
    assert before == house.state()


def test_a_group_name_is_given_once_and_never_a_reserved_one(house: Store) -> None:
    before = house.state()
    with pytest.raises(DuplicateName, match="the group `team` exists already"):
        house.add_group("team", now=1)
    for reserved in ("everyone", "anonymous"):
        with pytest.raises(InvalidName, match="reserved"):
            house.add_group(reserved, now=1)
    assert house.state() == before


def test_a_member_is_added_once_and_removed_once(house: Store) -> None:
    before = house.state()
    with pytest.raises(DuplicateName, match="`user:ada` is in the group `team` already"):
        house.add_member("team", "user:ada")
    with pytest.raises(UnknownName, match="`user:bob` is not directly in the group `team`"):
        house.remove_member("team", "user:bob")
    with pytest.raises(UnknownName, match="`group:team` is not directly in"):
        house.remove_member("team", "group:team")
    assert house.state() == before


def test_only_people_and_groups_can_be_members(house: Store) -> None:
    for member in ("token:ci", "everyone", "anonymous"):
        with pytest.raises(InvalidName, match="a member is `user:NAME` or `group:NAME`"):
            house.add_member("team", member)


def test_an_unknown_group_is_named_with_the_remedy(house: Store) -> None:
    before = house.state()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: house.remove_group("nil"),
        lambda: house.add_member("nil", "user:ada"),
        lambda: house.add_member("team", "group:nil"),
        lambda: house.remove_member("nil", "user:ada"),
    )
    for attempt in attempts:
        with pytest.raises(UnknownName, match="no group `nil`; `jupyter authz groups add NAME`"):
            attempt()
    assert house.state() == before


def test_no_group_contains_itself_however_far_the_way(store: Store) -> None:
    names = [f"g{n}" for n in range(50)]
    for name in names:
        store.add_group(name, now=1)
    for number in range(49):
        store.add_member(f"g{number}", f"group:g{number + 1}")
    before = store.state()
    for inner in ("g0", "g1", "g25", "g49"):
        with pytest.raises(InvalidName, match="no group may contain itself"):
            store.add_member("g49", f"group:{inner}")
    assert store.state() == before
    # Two ways to the same group are no loop, and hide none.
    store.add_member("g0", "group:g49")
    with pytest.raises(InvalidName, match="no group may contain itself"):
        store.add_member("g49", "group:g0")
