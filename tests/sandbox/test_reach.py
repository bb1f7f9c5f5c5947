"""What a probe in the real sandbox reaches is what its view says, and the policy allows."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import LEVELS, PATHS, RULES, World

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import Resource
from jupyter_authorized_server.sandbox import probe, reach, wall
from jupyter_authorized_server.sandbox.box import Box, Mount
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.sandbox.room import Origin, Room
from jupyter_authorized_server.sandbox.shown import find, keep
from jupyter_authorized_server.sandbox.starting import start
from jupyter_authorized_server.sandbox.view import View

if TYPE_CHECKING:
    from jupyter_authorized_server.sandbox.box import Backend

#: Each is a process of its own in a sandbox; with the variable, as many as one likes.
EXAMPLES = int(os.environ.get("AUTHORIZED_VIEWS", "6"))
#: Ada may run what she likes, so that only the files differ.
RUNS = "permit (principal, action, resource is Jupyter::Kernel);"


@pytest.fixture(scope="module")
def backends() -> list[Backend]:
    wanted = ["bubblewrap", *(["landlock"] if wall.abi() >= 6 else [])]
    found = [probe.probe(each).backend for each in wanted]
    assert None not in found
    return [each for each in found if each is not None]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    grants=st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(PATHS)), max_size=3),
    rules=st.lists(RULES, max_size=2),
    homes=st.sampled_from([None, Homes.parse("a/{user}")]),
    number=st.integers(0, 1),
)
def test_what_a_process_reads_and_changes_is_its_view_and_within_the_policy(
    backends: list[Backend],
    grants: list[tuple[str, str]],
    rules: list[str],
    homes: Homes | None,
    number: int,
) -> None:
    with tempfile.TemporaryDirectory(prefix="jk-planned-") as folder:
        world = World(Path(folder), "\n".join([RUNS, *rules]), homes, grants)
        for path in PATHS:
            (world.root / path.strip("/")).mkdir(parents=True, exist_ok=True)
            (world.root / path.strip("/") / "file.txt").touch()
        point = world.point()
        ada = point.principal("user:ada")
        launcher = Launcher(
            point=point,
            disk=Disk(world.root, ()),
            folder=Path(folder, "sandbox"),
            backend=backends[number % len(backends)],
        )
        room = Room(origin=Origin(principal=ada, path=None), type="kernels", id="")
        view = launcher.view(room)
        things = list(reach._walk(launcher, room, ()))
        launcher.close()
        # It is the view, no more and no less, wherever something is there to be read.
        shown = {(each.path, each.writes) for each in things if each.reads}
        there = {path for folder in PATHS for path in (folder, f"{folder.rstrip('/')}/file.txt")}
        assert {(path, view.writes(path)) for path in there if view.reads(path)} == shown
        assert not [each for each in things if each.writes and not each.reads]
        # And nothing that is in it is denied.
        for each in things:
            on = Resource(type="contents", id=each.path)
            asked = [(each.reads, "list" if each.folder else "open")]
            asked.append((each.writes, "create" if each.folder else "save"))
            for does, action in asked:
                decision = point.decide(ada, action, on, door="test", record=False)
                assert decision.allowed or not does, (each, action)
        point.store.close()


def test_a_running_kernel_is_tried_with_what_it_was_shown_if_that_is_what_it_has(
    backends: list[Backend], tmp_path: Path
) -> None:
    world = World(tmp_path, RUNS, None, [])
    (world.root / "a").mkdir(parents=True, exist_ok=True)
    (world.root / "a" / "file.txt").touch()
    point = world.point()
    origin = Origin(principal=point.principal("user:ada"), path=None)
    launcher = Launcher(
        point=point, disk=Disk(world.root, ()), folder=tmp_path / "sandbox", backend=backends[0]
    )
    mount = Mount(source=os.open(world.root / "a", os.O_PATH), at=str(world.root / "a"))
    with tempfile.TemporaryFile() as output:
        confined, process = start(
            backends[0], Box(mounts=(mount,)), ["/bin/sleep", "600"], environment={}, output=output
        )
    room = Room(origin=origin, type="kernels", id="k", running=confined)
    for folder, is_so in (("/", False), ("/a", True)):
        room.view = View(principal="user:ada", revision=1, read_only=(folder,))
        keep(tmp_path, room)
        shown = find(tmp_path, "k")
        assert shown is not None
        if is_so:
            walked = reach.reach(reach.as_shown(launcher, shown), origin, kernel="k")
            assert {"/a", "/a/file.txt"} == {each.path for each in walked.reached}
        else:
            with pytest.raises(CannotConfine, match="is mounted for the kernel, or was to be"):
                reach.as_shown(launcher, shown)
    confined.kill()
    process.wait()
    # What has ended is known no more, though its number may be another's.
    assert find(tmp_path, "k") is None
    confined.close()
    os.close(mount.source)
    launcher.close()
    point.store.close()
