"""Grants go where their file goes: through the manager, beside it, and through a kill."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
import serving
from filing import World, text
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_authorized_server import far
from jupyter_authorized_server.server.doors.follow import Follower
from jupyter_authorized_server.server.surface.inode import identity

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [FileContentsManager, AsyncLargeFileManager]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    found: type[Any] = request.param
    return found


def look(world: World) -> None:
    follower: Follower = world.wired.follower
    asyncio.run(follower.look())


def give(world: World, path: str, who: str = "user:nora") -> str:
    given = world.store.add_grant(
        principal=who, level="viewer", resource=f"contents:{path}", now=0, granted_by="os:test"
    )
    world.point.refresh()
    look(world)
    return given.id


def granted(world: World, who: str = "user:nora") -> list[str]:
    return sorted(each.resource for each in world.store.state().grants if each.principal == who)


def may(world: World, path: str) -> bool:
    return not isinstance(world.as_("nora", "get", path), int)


def test_a_rename_takes_grants_along(world: World) -> None:
    give(world, "/team/a.txt")
    assert may(world, "team/a.txt")
    world.as_("cora", "rename", "team/a.txt", "team/b.txt")
    assert granted(world) == ["contents:/team/b.txt"]
    assert may(world, "team/b.txt")
    assert [each["kind"] for each in world.records if each["kind"].startswith("grants_")] == [
        "grants_moved"
    ]


def test_a_folder_takes_the_grants_in_it_along_however_it_is_spelled(world: World) -> None:
    give(world, "/team/sub/c.txt")
    world.as_("owen", "rename", "/team/./x/../sub/", "hr//sub2")
    assert granted(world) == ["contents:/hr/sub2/c.txt"]
    world.as_("owen", "update", {"path": "hr/sub3"}, "hr/sub2")
    assert granted(world) == ["contents:/hr/sub3/c.txt"]


def test_links_scopes_and_requests_go_along_and_end_with_the_file(world: World) -> None:
    on = "contents:/team/a.txt"
    world.store.add_link(
        "l", "0" * 64, person="mona", level="viewer", resource=on, expires=9e9, now=1
    )
    world.store.add_token("t", "0" * 64, "t", "cora", None, 1, scope=[("viewer", on)])
    world.point.refresh()
    look(world)
    world.as_("cora", "rename", "team/a.txt", "team/b.txt")
    assert [each.resource for each in world.store.links()] == ["contents:/team/b.txt"]
    # One that is exchanged beside the server is another file.
    (world.root / "team" / "b.txt").unlink()
    (world.root / "team" / "b.txt").write_text("another")
    look(world)
    look(world)
    assert world.store.links() == ()
    assert [each.scope for each in world.store.tokens() if each.id == "t"] == [()]


def test_a_copy_has_no_grants(world: World) -> None:
    give(world, "/team/a.txt")
    world.as_("cora", "copy", "team/a.txt", "team/copy.txt")
    assert granted(world) == ["contents:/team/a.txt"]
    assert not may(world, "team/copy.txt")


def test_a_new_file_has_nobodys_old_grants(world: World) -> None:
    give(world, "/team/a.txt")
    world.as_("mona", "delete", "team/a.txt")
    assert granted(world) == []
    world.as_("mona", "save", text(), "team/a.txt")
    assert not may(world, "team/a.txt")


def test_a_folder_that_a_copy_makes_on_its_way_has_nobodys_old_grants(world: World) -> None:
    (world.root / "team" / "new" / "deep").mkdir(parents=True)
    give(world, "/team/new")
    give(world, "/team/new/deep")
    shutil.rmtree(world.root / "team" / "new")
    # Beside the server, and it has not looked since.
    assert world.as_("cora", "copy", "team/sub", "team/new/deep")["type"] == "directory"
    assert granted(world) == []
    assert not may(world, "team/new/deep/sub/c.txt")
    assert not may(world, "team/new")


def test_a_refused_move_moves_no_grants(world: World) -> None:
    give(world, "/team/a.txt")
    assert world.as_("vera", "rename", "team/a.txt", "team/b.txt") == 403
    assert world.as_("cora", "rename", "team/a.txt", "team/secret.txt") == 409
    assert granted(world) == ["contents:/team/a.txt"]
    assert world.store.moves() == ()


def test_a_file_that_was_removed_beside_the_server_leaves_nothing_to_a_new_one(
    world: World,
) -> None:
    id_ = give(world, "/team/a.txt")
    (world.root / "team" / "a.txt").unlink()
    # Before anybody has looked again.
    world.as_("cora", "save", text(), "team/a.txt")
    assert not may(world, "team/a.txt")
    assert [each.grant.id for each in world.store.orphans()] == [id_]


def test_a_file_that_was_exchanged_beside_the_server_loses_its_grants(world: World) -> None:
    give(world, "/team/a.txt")
    (world.root / "team" / "a.txt").unlink()
    (world.root / "team" / "a.txt").write_text("another")
    look(world)
    assert granted(world) == []
    assert "grants_lost" in [each["kind"] for each in world.records]


def test_what_moves_beside_the_server_keeps_its_grants(world: World) -> None:
    give(world, "/team/a.txt")
    give(world, "/team/sub")
    give(world, "/team/sub/c.txt", "user:dora")
    (world.root / "team" / "a.txt").rename(world.root / "hr" / "moved.txt")
    (world.root / "team" / "sub").rename(world.root / "deep" / "sub")
    look(world)
    look(world)
    assert granted(world) == ["contents:/deep/sub", "contents:/hr/moved.txt"]
    assert "contents:/deep/sub/c.txt" in granted(world, "user:dora")


def test_a_file_that_comes_back_has_its_grants_again(world: World) -> None:
    give(world, "/team/a.txt")
    away = world.root.parent / "trash.txt"
    (world.root / "team" / "a.txt").rename(away)
    look(world)
    assert granted(world) == []
    away.rename(world.root / "team" / "a.txt")
    look(world)
    assert granted(world) == ["contents:/team/a.txt"]


def test_a_grant_given_in_advance_waits_for_its_file(world: World) -> None:
    give(world, "/team/later.txt")
    look(world)
    world.as_("cora", "save", text(), "team/later.txt")
    look(world)
    assert may(world, "team/later.txt")


def test_a_manager_that_saves_by_exchanging_the_file_keeps_the_grants(
    world: World,
) -> None:
    give(world, "/team/a.txt")
    file = world.root / "team" / "a.txt"

    async def save() -> None:
        async def do() -> None:
            file.with_name("new").write_text("new")
            file.with_name("new").replace(file)

        await world.wired.follower.act("save", do, "team/a.txt", None)

    asyncio.run(save())
    look(world)
    assert granted(world) == ["contents:/team/a.txt"]


def test_a_root_that_is_away_costs_no_grants(world: World) -> None:
    give(world, "/team/a.txt")
    world.root.rename(world.root.with_name("away"))
    look(world)
    world.root.mkdir()
    look(world)
    assert granted(world) == ["contents:/team/a.txt"]


def test_a_disk_that_does_not_answer_holds_no_look_up_and_costs_no_grants(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(world, "/team/a.txt")
    silent = far.Far(str(world.root / "team"))
    silent._asked[object()] = time.monotonic() - 99
    made = far.Mounted(str(world.root / "none"))
    made.all = (silent,)
    monkeypatch.setattr(far, "MOUNTED", made)
    (world.root / "team" / "a.txt").rename(world.root / "team" / "b.txt")
    look(world)
    look(world)
    assert granted(world) == ["contents:/team/a.txt"]
    silent._asked.clear()
    look(world)
    look(world)
    assert granted(world) == ["contents:/team/b.txt"]


def test_a_server_that_is_out_of_descriptors_takes_no_file_for_gone(world: World) -> None:
    give(world, "/team/a.txt")
    follower: Follower = world.wired.follower
    assert [] == list(world.store.orphans())
    (world.root / "team" / "a.txt").rename(world.root / "hr" / "b.txt")
    had = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(world.root, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, had[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            follower._see(follower._granted(), dict(follower._known))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, had)
    look(world)
    assert ["contents:/hr/b.txt"] == granted(world)


def test_a_root_from_a_backup_begins_anew(world: World) -> None:
    give(world, "/team/a.txt")
    shutil.move(world.root, world.root.with_name("old"))
    shutil.copytree(world.root.with_name("old"), world.root)
    world.wired.follower = Follower(world.wired, world.manager)
    look(world)
    assert granted(world) == ["contents:/team/a.txt"]


KILLED = """
import os, signal
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

class Killed(AsyncLargeFileManager):
    async def rename_file(self, old, new):
        if {after}:
            await super().rename_file(old, new)
        os.kill(os.getpid(), signal.SIGKILL)

    async def delete_file(self, path):
        if {after}:
            await super().delete_file(path)
        os.kill(os.getpid(), signal.SIGKILL)

c.ServerApp.contents_manager_class = Killed
c.FileContentsManager.delete_to_trash = False
"""


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_server_that_is_killed_in_the_middle_knows_afterwards_where_the_file_is(
    tmp_path: Path, method: str, after: bool
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("a")
    people = {"mona": "manager", "nora": [("viewer", "contents:/a.txt")]}
    server = serving.start(tmp_path, people=people, config=KILLED.format(after=after))
    serving.wait(server)
    body = {"path": "b.txt"} if method == "PATCH" else None
    with pytest.raises(OSError, match=r"closed|reset|Remote end"):
        server.request(method, "/api/contents/a.txt", "mona", json_body=body)
    server.process.wait(60)
    with server.store() as store:
        (note,) = store.moves()
    assert note.old == "/a.txt"
    tokens = server.tokens
    with serving.serving(tmp_path) as again:
        again.tokens.update(tokens)
        found = {
            name: again.request("GET", f"/api/contents/{name}", "nora").status
            for name in ("a.txt", "b.txt")
        }
        expected = {"a.txt": 200, "b.txt": 404}
        if after:
            expected = {"a.txt": 404, "b.txt": 200 if method == "PATCH" else 404}
        assert found == expected
        with again.store() as store:
            assert store.moves() == ()


def test_a_running_server_follows_a_file_that_a_shell_moves(tmp_path: Path) -> None:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "a.txt").write_text("a")
    with serving.serving(tmp_path, people={"nora": [("viewer", "contents:/a.txt")]}) as server:
        root = str(identity(str(tmp_path / "root")))
        end = time.monotonic() + 60
        # It answers a moment before it has looked for the first time.
        with server.store() as store:
            while time.monotonic() < end and "/a.txt" not in store.identities(root):
                time.sleep(0.1)
        (tmp_path / "root" / "a.txt").rename(tmp_path / "root" / "sub" / "b.txt")
        end = time.monotonic() + 90
        while time.monotonic() < end:
            if server.request("GET", "/api/contents/sub/b.txt", "nora").status == 200:
                break
            time.sleep(0.2)
        assert server.request("GET", "/api/contents/sub/b.txt", "nora").status == 200
        assert server.request("GET", "/api/contents/a.txt", "nora").status == 404


def test_looking_takes_a_part_of_the_time_only(world: World) -> None:
    give(world, "/team/a.txt")
    follower: Follower = world.wired.follower
    asyncio.run(follower.look_if_due())
    follower._due = time.monotonic() + 60
    (world.root / "team" / "a.txt").unlink()
    asyncio.run(follower.look_if_due())
    assert granted(world) == ["contents:/team/a.txt"]
    follower._due = 0
    asyncio.run(follower.look_if_due())
    assert granted(world) == []
