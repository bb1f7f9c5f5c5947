"""What has changed while a process was begun, by whatever was done meanwhile, counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from planned import World

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bubblewrap
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.sandbox.room import Origin, Room

if TYPE_CHECKING:
    from collections.abc import Iterator

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


GIVES = """
permit (
  principal == Jupyter::User::"ada",
  action in [Jupyter::Action::"internet", Jupyter::Action::"mounts"],
  resource
);
"""
TOKENS = "forbid (principal is Jupyter::Token, action == Jupyter::Action::{}, resource {});"
#: What is forbidden to tokens, and whether their processes have their owner's home all the same.
FORBIDDEN = {
    "nothing": ("", True),
    "the internet": (TOKENS.format('"internet"', ""), False),
    "folders in terminals": (TOKENS.format('"mounts"', "is Jupyter::Terminal"), False),
    "folders in one kernel": (
        TOKENS.format('"mounts"', '== Jupyter::KernelSpec::"ir"'), False
    ),
    "what nobody has": (TOKENS.format('"devices"', ""), True),
}  # fmt: skip


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_token_whose_processes_have_less_has_a_home_of_its_own(
    tmp_path: Path, what: str
) -> None:
    rule, shares = FORBIDDEN[what]
    world = World(tmp_path, f"{RUNS}\n{GIVES}\n{rule}", None, [("manager", "/a")])
    (world.root / "a").mkdir(parents=True)
    point = world.point()
    point.store.add_token("t1", "0" * 64, "agent", "ada", None, 1)
    point.refresh()
    agent = point.principal("user:ada", token="t1")  # why: a public id
    launcher = Launcher(point=point, disk=Disk(world.root, ()), folder=tmp_path / "sandbox")
    room = Room(origin=Origin(principal=agent, path=None), type="kernels", id="k", spec="python3")
    home = launcher._home_of(room, launcher.view(room))
    point.store.close()
    assert ("user-ada" if shares else "token-t1") == home


def test_who_has_the_name_of_somebody_removed_has_none_of_their_home(
    begun: tuple[Launcher, Room], tmp_path: Path
) -> None:
    launcher, room = begun
    launcher.backend = bubblewrap.Bubblewrap(path="none", version="0")
    with launcher.box(room) as box:
        (Path(box.home) / "planted").touch()
    store = launcher.point.store
    store.remove_person("ada", now=1)
    store.add_person("ada", now=2)
    launcher.point.refresh()
    with launcher.box(room) as box:
        assert [] == [*Path(box.home).iterdir()]
    assert 1 == len([*tmp_path.glob("sandbox/left/*/user-ada/planted")])
