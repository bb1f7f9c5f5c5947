"""What has changed while a process was begun, by whatever was done meanwhile, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planned import World

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.sandbox.room import Origin, Room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNS = "permit (principal, action, resource is Jupyter::Kernel);"


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[tuple[Launcher, Room]]:
    """A kernel of ada's that has just been given `/a`, which only she may read."""
    world = World(tmp_path, RUNS, None, [("manager", "/a")])
    (world.root / "a").mkdir(parents=True)
    point = world.point()
    point.store.add_person("bob", now=0)
    point.refresh()
    ada = point.principal("user:ada")
    launcher = Launcher(point=point, disk=Disk(world.root, ()), folder=tmp_path / "sandbox")
    room = Room(origin=Origin(principal=ada, path=None), type="kernels", id="k")
    room.view = launcher.view(room)
    assert ("/a",) == room.view.writable
    yield launcher, room
    point.store.close()


def test_a_process_may_have_what_it_was_given_where_nothing_is_less(
    begun: tuple[Launcher, Room],
) -> None:
    launcher, room = begun
    launcher.look_again(room, frozenset())
    store = launcher.point.store
    store.add_grant(
        principal="user:ada", level="viewer", resource="contents:/", now=0, granted_by="os:test"
    )
    launcher.point.refresh()
    launcher.look_again(room, frozenset())


def test_a_right_that_is_taken_back_meanwhile_ends_what_was_given_by_it(
    begun: tuple[Launcher, Room],
) -> None:
    launcher, room = begun
    (grant,) = launcher.point.store.state().grants
    launcher.point.store.remove_grant(grant.id)
    launcher.point.refresh()
    with pytest.raises(CannotConfine, match="may have less by now"):
        launcher.look_again(room, frozenset())


def test_who_has_joined_in_meanwhile_meets_no_more_than_they_may_touch(
    begun: tuple[Launcher, Room],
) -> None:
    launcher, room = begun
    bob = launcher.point.principal("user:bob")
    room.admit(bob)
    # Of those from before it was known when the view was made.
    launcher.look_again(room, {bob})
    with pytest.raises(CannotConfine, match="may have less by now"):
        launcher.look_again(room, frozenset())
