from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import LastKeeper, Outdated, UnknownName
from jupyter_authorized_server.policy.model import Grant
from jupyter_authorized_server.store import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_authorized_server.store import Store

NOW = 1000.0


def given(store: Store, principal: str, level: str, resource: str, **more: Any) -> Grant:
    return store.add_grant(
        principal=principal,
        level=level,
        resource=resource,
        now=NOW,
        granted_by="user:ada",
        **more,
    )


def test_the_last_manager_of_a_folder_stays(house: Store) -> None:
    grant = given(house, "user:bob", "manager", "contents:/team")
    with pytest.raises(LastKeeper):
        house.take_grant(grant, now=NOW)
    for change in ({"level": "editor", "ends": None}, {"level": "manager", "ends": NOW + 5}):
        with pytest.raises(LastKeeper):
            house.change_grant(grant, note="", now=NOW, **change)
    assert (grant,) == house.state().grants


def test_whoever_manages_from_above_is_enough(house: Store) -> None:
    grant = given(house, "user:bob", "manager", "contents:/team")
    given(house, "user:ada", "manager", "contents:/")
    house.take_grant(grant, now=NOW)


def test_a_group_keeps_while_somebody_in_it_may_sign_in(house: Store) -> None:
    house.add_group("outer", now=1)
    house.add_member("outer", "group:team")
    given(house, "group:outer", "admin", "server:")
    grant = given(house, "user:bob", "admin", "server:")
    house.set_disabled("ada", disabled=True)
    with pytest.raises(LastKeeper):
        house.take_grant(grant, now=NOW)
    house.set_disabled("ada", disabled=False)
    house.take_grant(grant, now=NOW)
    acts: tuple[Callable[[], None], ...] = (
        lambda: house.remove_person("ada", now=NOW, keepers=()),
        lambda: house.set_disabled("ada", disabled=True, now=NOW, keepers=()),
        lambda: house.remove_group("team", now=NOW, keepers=()),
        lambda: house.remove_member("team", "user:ada", now=NOW, keepers=()),
    )
    for act in acts:
        with pytest.raises(LastKeeper):
            act()


def test_a_grant_with_an_end_keeps_nothing(house: Store) -> None:
    grant = given(house, "user:bob", "manager", "contents:/team")
    given(house, "user:ada", "manager", "contents:/team", ends=NOW + 100)
    with pytest.raises(LastKeeper):
        house.take_grant(grant, now=NOW)


def test_a_grant_of_a_policy_file_keeps(house: Store) -> None:
    grant = given(house, "user:bob", "manager", "contents:/team")
    other = Grant(id="p", principal="user:ada", level="manager", resource="contents:/")
    house.take_grant(grant, now=NOW, keepers=[other])


def test_of_two_administrators_who_remove_each_other_one_stays(house: Store) -> None:
    first = given(house, "user:ada", "admin", "server:")
    second = given(house, "user:bob", "admin", "server:")
    said: list[object] = []

    def attempt(grant: Grant) -> None:
        try:
            house.take_grant(grant, now=NOW)
            said.append(None)
        except LastKeeper as error:
            said.append(error)

    threads = [threading.Thread(target=attempt, args=(each,)) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 == said.count(None)
    assert 1 == len(house.state().grants)


def test_what_has_changed_meanwhile_is_not_changed_again(house: Store) -> None:
    known = given(house, "user:bob", "viewer", "contents:/team")
    now = house.change_grant(known, level="editor", ends=NOW + 9, note="why", now=NOW)
    assert ("editor", NOW + 9, "why") == (now.level, now.ends, now.note)
    with pytest.raises(Outdated):
        house.take_grant(known, now=NOW)
    house.take_grant(now, now=NOW)
    with pytest.raises(UnknownName):
        house.change_grant(now, level="viewer", ends=None, note="", now=NOW)


def test_the_same_said_at_once_is_kept_once_and_new_to_one(house: Store) -> None:
    wanted = Wanted(principal="user:bob", level="viewer", resource="contents:/team")
    told: list[tuple[Grant, bool]] = []

    def say() -> None:
        told.append(house.add_grant_once(wanted, now=NOW, granted_by="os:test"))

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.id for each in house.state().grants} == {each.id for each, _ in told}
    assert [False, False, False, True] == sorted(is_new for _, is_new in told)
