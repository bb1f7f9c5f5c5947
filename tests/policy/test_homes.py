from __future__ import annotations

import pytest

from jupyter_authorized_server.policy.engine import Snapshot, decide, load_policy
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Context,
    Decision,
    Grant,
    Principal,
    Resource,
)

HOMES = Homes.parse("home/{user}")
NOW = Context(time=1000, hour=12, weekday=1, door="http")


def asked(who: str, action: str, resource: Resource, *grants: Grant) -> Decision:
    snapshot = Snapshot(load_policy([]), grants, homes=HOMES)
    return decide(
        snapshot,
        AccessRequest(
            principal=Principal(name=who), action=action, resource=resource, context=NOW
        ),
    )


def file(path: str) -> Resource:
    return Resource(type="contents", id=path)


def grant(who: str, level: str, resource: str) -> Grant:
    return Grant(id="g-1", principal=who, level=level, resource=resource)


@pytest.mark.parametrize("name", [".", "..", ".ssh", "a\\b"])
def test_a_name_that_no_visible_folder_can_have_has_no_home(name: str) -> None:
    assert HOMES.of(f"user:{name}") is None


@pytest.mark.parametrize("principal", ["group:ada", "token:ada", "everyone", "anonymous"])
def test_only_a_person_has_a_home(principal: str) -> None:
    assert HOMES.of(principal) is None


def test_its_owner_is_its_manager_without_any_grant() -> None:
    found = asked("user:ada", "share", file("/home/ada/a.ipynb"))
    assert (found.allowed, found.determining[0].id) == (True, "home")


def test_a_name_that_begins_with_anothers_is_another_home() -> None:
    assert not asked("user:ada", "open", file("/home/ada2/a.ipynb")).allowed
    assert not asked("user:ada2", "open", file("/home/ada/a.ipynb")).allowed


@pytest.mark.parametrize("above", ["server:", "contents:/", "contents:/home"])
def test_what_is_granted_above_does_not_reach_in(above: str) -> None:
    given = grant("user:bob", "manager", above)
    for action in ("open", "list", "create", "delete"):
        assert not asked("user:bob", action, file("/home/ada"), given).allowed
    refused = asked("user:bob", "open", file("/home/ada/a.ipynb"), given)
    assert "does not reach into a home" in refused.reason_admin
    assert asked("user:bob", "list", file("/home"), given).allowed


def test_an_administrator_reaches_in() -> None:
    found = asked("user:bob", "open", file("/home/ada/x"), grant("user:bob", "admin", "server:"))
    assert found.allowed


def test_what_is_shared_in_a_home_is_shared() -> None:
    given = grant("user:bob", "viewer", "contents:/home/ada/for-bob")
    assert asked("user:bob", "open", file("/home/ada/for-bob/x"), given).allowed
    assert not asked("user:bob", "open", file("/home/ada/x"), given).allowed


def test_a_kernel_of_a_notebook_in_a_home_is_in_the_home() -> None:
    inside = Resource(
        type="kernels", id="k", within=("/home/ada/a.ipynb", "/home/ada", "/home", "/")
    )
    beside = Resource(type="kernels", id="k", within=("/home", "/"))
    given = grant("user:bob", "editor", "server:")
    assert not asked("user:bob", "watch", inside, given).allowed
    assert asked("user:bob", "watch", beside, given).allowed
    assert asked("user:ada", "run", inside).allowed


def test_a_folder_around_homes_is_not_answered_for_as_a_whole() -> None:
    snapshot = Snapshot(load_policy([]), (), homes=HOMES)
    even = {
        folder: snapshot.is_even(Principal(name="user:bob"), "delete", folder)
        for folder in ("/", "/home", "/home/ada", "/team")
    }
    assert even == {"/": False, "/home": False, "/home/ada": True, "/team": True}
