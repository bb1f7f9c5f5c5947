from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from stores import store_url

from jupyter_authorized_server.errors import UnknownName
from jupyter_authorized_server.in_force import InForce
from jupyter_authorized_server.policy.model import ANONYMOUS, GUEST, Principal
from jupyter_authorized_server.policy.snapshot import load_policy
from jupyter_authorized_server.recognition import Recognition
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_000.0
SCOPE = [("viewer", "contents:/team")]


class World:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.recognition = Recognition(store, lambda: self.now)
        self.in_force = InForce.first(load_policy([]), store.state(), None)

    def who(self, name: str, **more: Any) -> Principal:
        given = {"token": None, "session": None, "viewer": None, "must_exist": True, **more}
        return self.recognition.principal(self.in_force, name, **given)

    def refresh(self) -> None:
        self.in_force = self.in_force.after(self.in_force.policy, self.store.state())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store.open(store_url(tmp_path, "store.sqlite"))
    for name in ("ada", "bob"):
        store.add_person(name, now=0)
    store.add_group("team", now=0)
    store.add_member("team", "user:ada")
    store.add_token("t-1", "0" * 64, "laptop", "ada", NOW + 10, 0, scope=SCOPE)
    store.add_token("t-2", "1" * 64, "all", "ada", None, 0)
    yield World(store)
    store.close()


def test_a_person_comes_with_their_groups_and_nobody_with_none(world: World) -> None:
    assert ("team",) == world.who("user:ada").groups
    assert () == world.who("user:bob").groups
    assert Principal(name=ANONYMOUS) == world.who(ANONYMOUS)


def test_what_is_remembered_of_one_way_of_asking_is_not_answered_to_another(
    world: World,
) -> None:
    plain = world.who("user:ada")
    assert plain is world.who("user:ada")
    by_token = world.who("user:ada", token="t-1")
    assert (None, tuple(SCOPE)) == (plain.scope, by_token.scope)
    assert "s-1" == world.who("user:ada", session="s-1").session
    assert plain == world.who("user:ada", viewer=None)
    viewed = world.who("user:ada", viewer=world.who("user:bob"))
    assert viewed.viewer is not None
    assert plain.viewer is None


def test_a_token_is_known_by_its_name_where_no_other_has_it(world: World) -> None:
    assert world.who("token:t-1") == world.who("token:laptop")
    world.store.add_token("t-3", "2" * 64, "laptop", "bob", None, 0)
    with pytest.raises(UnknownName, match="several people have a token `laptop`; write its id"):
        world.who("token:laptop")
    world.now = NOW + 10
    assert "user:bob" == world.who("token:laptop").name


def test_no_token_passes_for_one_that_is_gone_by_its_name(world: World) -> None:
    world.store.add_token("0123456789ab", "3" * 64, "build", "ada", None, 0)
    world.store.add_token("t-4", "4" * 64, "0123456789ab", "bob", None, 0)
    world.store.add_token("t-5", "5" * 64, "t-2", "bob", None, 0)
    assert "user:ada" == world.who("token:t-2").name
    assert "user:ada" == world.who("token:0123456789ab").name
    world.store.remove_token("0123456789ab")
    with pytest.raises(UnknownName, match="no token"):
        world.who("token:0123456789ab")


def test_a_token_asks_as_its_owner_up_to_its_end_and_not_at_it(world: World) -> None:
    found = world.who("token:t-1")
    assert ("user:ada", "t-1", tuple(SCOPE)) == (found.name, found.token, found.scope)
    world.now = NOW + 10
    with pytest.raises(UnknownName, match="no token"):
        world.who("token:t-1")
    assert world.who("token:t-2").scope is None


def test_a_token_that_is_gone_lets_nobody_ask(world: World) -> None:
    world.store.remove_token("t-1")
    world.refresh()
    for ask in ({"name": "token:t-1"}, {"name": "user:ada", "token": "t-1"}):
        with pytest.raises(UnknownName):
            world.who(**ask)
    with pytest.raises(UnknownName, match=r"no token `x{64}`"):
        world.who("token:" + "x" * 100)


def test_a_token_that_was_just_read_is_taken_only_for_itself(world: World) -> None:
    found = world.store.token("t-1")
    assert found is not None
    assert tuple(SCOPE) == world.who("user:ada", token="t-1", known=found[0]).scope
    assert world.who("user:ada", token="t-2", known=found[0]).scope is None


def test_whoever_is_disabled_is_let_in_by_nothing_also_where_others_keep_the_people(
    world: World,
) -> None:
    world.store.set_disabled("ada", disabled=True)
    world.refresh()
    for ask in (
        {"name": "user:ada"},
        {"name": "user:ada", "must_exist": False},
        {"name": "token:t-2"},
    ):
        with pytest.raises(UnknownName, match="is disabled"):
            world.who(**ask)


def test_who_is_not_here_is_known_only_where_others_keep_the_people(world: World) -> None:
    with pytest.raises(UnknownName, match="there is no `user:eve`"):
        world.who("user:eve")
    # What was let in so must not answer for the stricter question.
    assert () == world.who("user:eve", must_exist=False).groups
    with pytest.raises(UnknownName):
        world.who("user:eve")


def link(world: World, id_: str, *, guests: bool = True) -> str:
    world.store.add_link(
        id_,
        "2" * 64,
        person="ada",
        level="viewer",
        resource="contents:/team",
        expires=NOW + 10,
        now=0,
        guests=guests,
    )
    return f"{GUEST}{id_}"


def test_a_guest_has_the_scope_of_the_link_and_its_maker_as_both_are_now(world: World) -> None:
    name = link(world, "l-1")
    found = world.who(name, session="s-1")
    assert (name, "s-1", tuple(SCOPE)) == (found.name, found.session, found.scope)
    assert found.giver == world.who("user:ada")
    world.store.remove_member("team", "user:ada")
    world.refresh()
    giver = world.who(name).giver
    assert giver is not None
    assert () == giver.groups


def test_a_link_lets_a_guest_in_only_while_it_holds_and_if_it_is_for_guests(
    world: World,
) -> None:
    name = link(world, "l-1")
    with pytest.raises(UnknownName, match="no such link"):
        world.who(link(world, "l-2", guests=False))
    world.now = NOW + 10
    with pytest.raises(UnknownName, match="no such link"):
        world.who(name)
    world.now = NOW
    world.store.set_disabled("ada", disabled=True)
    world.refresh()
    with pytest.raises(UnknownName, match="is disabled"):
        world.who(name)
    with pytest.raises(UnknownName, match="no such link"):
        world.who(f"{GUEST}none")
