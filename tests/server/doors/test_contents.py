"""The contents manager as one person sees it, called as an extension would call it."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import jupyter_core.paths
import pytest
from filing import World, text
from fusing import mounted
from jupyter_server.services.contents.checkpoints import Checkpoints, GenericCheckpointsMixin

from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import Hidden
from jupyter_authorized_server.server.doors import contents, reader
from jupyter_authorized_server.server.surface import places
from jupyter_authorized_server.server.surface.disk import disk_of
from jupyter_authorized_server.server.surface.table import Unanswerable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_listing_holds_what_its_reader_may_see(world: World) -> None:
    everything = ["a.txt", "closed", "kept", "secret.txt", "sub"]
    assert world.names("owen", "team") == everything
    assert world.names("cora", "team") == everything
    assert world.names("vera", "team") == [n for n in everything if n != "secret.txt"]
    assert world.names("nora", "team") == 404
    assert world.names("vera", "hr") == 404


def test_folders_on_the_way_to_a_grant_are_listed_with_the_way_alone(world: World) -> None:
    assert world.names("dora", "") == ["deep"]
    assert world.names("dora", "deep") == ["one"]
    assert world.names("dora", "deep/one") == ["two"]
    assert world.names("dora", "deep/one/two") == ["there.txt"]
    assert world.names("dora", "deep/no") == 404
    assert world.names("vera", "") == ["team"]
    assert world.names("nora", "") == 404
    assert world.as_("dora", "dir_exists", "deep") is True
    assert world.as_("dora", "file_exists", "deep/no.txt") is False
    # To pass is not to change.
    assert world.as_("dora", "get", "deep", content=False)["writable"] is False
    assert world.as_("dora", "save", text(), "deep/new.txt") == 404
    assert world.as_("dora", "delete", "deep/one") == 403


def test_writable_says_what_a_save_would_be_answered(world: World) -> None:
    expected = {"owen": True, "cora": True, "edda": True, "vera": False}
    for who, may in expected.items():
        assert world.as_(who, "get", "team/a.txt")["writable"] is may
        listed = {m["name"]: m for m in world.as_(who, "get", "team")["content"]}
        assert listed["a.txt"]["writable"] is may
        # A folder is writable for whoever may make files in it.
        assert listed["sub"]["writable"] is (may and who != "edda")
        saved = world.as_(who, "save", text(), "team/a.txt")
        assert (saved if isinstance(saved, int) else saved["writable"]) == (may or 403)


def test_each_method_is_answered_as_the_decision_says(world: World) -> None:
    for who, method, args, expected in (
        ("vera", "get", ("team/a.txt",), True),
        ("vera", "get", ("team/secret.txt",), 404),
        ("nora", "get", ("team/a.txt",), 404),
        ("vera", "save", (text(), "team/a.txt"), 403),
        ("nora", "save", (text(), "team/a.txt"), 404),
        ("edda", "save", (text(), "team/a.txt"), True),
        ("edda", "save", (text(), "team/new.txt"), 403),
        ("edda", "new", (text(), "team/new.txt"), 403),
        ("cora", "new", (text(), "team/new.txt"), True),
        ("edda", "new_untitled", ("team",), 403),
        ("cora", "new_untitled", ("team",), True),
        ("vera", "copy", ("team/a.txt", "team"), 403),
        ("cora", "copy", ("team/a.txt", "team"), True),
        ("cora", "copy", ("hr/pay.txt", "team"), 404),
        ("cora", "copy", ("team/a.txt", "hr"), 404),
        ("cora", "rename", ("team/new.txt", "hr/new.txt"), 404),
        ("cora", "rename", ("hr/pay.txt", "team/pay.txt"), 404),
        ("edda", "rename", ("team/new.txt", "team/newer.txt"), 403),
        ("cora", "rename", ("team/new.txt", "team/newer.txt"), None),
        ("cora", "update", ({"path": "team/new.txt"}, "team/newer.txt"), True),
        ("mona", "rename", ("team/secret.txt", "team/open.txt"), 404),
        ("cora", "delete", ("team/new.txt",), 403),
        ("mona", "delete", ("team/new.txt",), None),
        ("mona", "delete_file", ("hr/pay.txt",), 404),
        ("vera", "create_checkpoint", ("team/a.txt",), 403),
        ("edda", "create_checkpoint", ("team/a.txt",), True),
        ("vera", "list_checkpoints", ("team/a.txt",), True),
        ("nora", "list_checkpoints", ("team/a.txt",), 404),
        ("vera", "restore_checkpoint", ("checkpoint", "team/a.txt"), 403),
        ("edda", "restore_checkpoint", ("checkpoint", "team/a.txt"), None),
        ("vera", "delete_checkpoint", ("checkpoint", "team/a.txt"), 403),
        ("vera", "trust_notebook", ("team/a.txt",), 403),
        ("nora", "trust_notebook", ("team/a.txt",), 404),
    ):
        found = world.as_(who, method, *args)
        seen = found if found is None or isinstance(found, int) else True
        assert (who, method, args, seen) == (who, method, args, expected)
    assert (world.root / "hr" / "pay.txt").read_text() == "hr/pay.txt"


def test_checkpoints_are_judged_also_past_the_manager(world: World) -> None:
    manager = world.manager
    assert world.as_("edda", "create_checkpoint", "team/a.txt")["id"]
    for who, method, args, expected in (
        ("vera", "create_checkpoint", (manager, "team/a.txt"), 403),
        ("nora", "create_checkpoint", (manager, "team/a.txt"), 404),
        ("edda", "create_checkpoint", (manager, "hr/pay.txt"), 404),
        ("edda", "create_checkpoint", (manager, "hr/../team/a.txt"), True),
        ("vera", "create_checkpoint", (manager, "team/secret.txt"), 404),
        ("vera", "list_checkpoints", ("team/a.txt",), True),
        ("nora", "list_checkpoints", ("team/a.txt",), 404),
        ("vera", "restore_checkpoint", (manager, "checkpoint", "team/a.txt"), 403),
        ("edda", "restore_checkpoint", (manager, "checkpoint", "team/a.txt"), None),
        ("vera", "rename_checkpoint", ("checkpoint", "team/a.txt", "team/b.txt"), 403),
        ("edda", "rename_checkpoint", ("checkpoint", "team/a.txt", "hr/a.txt"), 404),
        ("edda", "rename_all_checkpoints", ("hr/pay.txt", "team/a.txt"), 404),
        ("vera", "delete_all_checkpoints", ("team/a.txt",), 403),
        ("vera", "delete_checkpoint", ("checkpoint", "team/a.txt"), 403),
        ("edda", "delete_checkpoint", ("checkpoint", "team/a.txt"), None),
    ):
        found = world.as_(who, f"checkpoints.{method}", *args)
        seen = found if found is None or isinstance(found, int) else True
        assert (who, method, args, seen) == (who, method, args, expected)


def test_every_method_of_checkpoints_is_judged(world: World) -> None:
    theirs = {
        name
        for kind in (Checkpoints, GenericCheckpointsMixin)
        for name in vars(kind)
        if name.endswith(("checkpoint", "checkpoints")) and name != "no_such_checkpoint"
    }
    assert set(contents.CHECKPOINTS) == theirs
    assert type(world.manager.checkpoints).__name__.startswith("Guarded")


def test_what_may_not_be_seen_does_not_exist(world: World) -> None:
    for path in ("team/secret.txt", "hr/pay.txt", "hr", "team/none.txt"):
        for method in ("exists", "file_exists", "dir_exists"):
            assert world.as_("vera", method, path) is False, (method, path)
        assert world.as_("vera", "is_hidden", path) is False
        assert world.as_("vera", "get", path) == 404
    assert world.as_("vera", "exists", "team/a.txt") is True
    assert world.as_("vera", "dir_exists", "team") is True


def test_an_untitled_file_never_overwrites_one_that_may_not_be_seen(world: World) -> None:
    (world.root / "team" / "untitled.txt").write_text("unseen")
    world.store.add_person("wren", password_hash=None, now=0)
    world.store.add_grant(
        principal="user:wren",
        level="contributor",
        resource="contents:/team/",
        now=0,
        granted_by="x",
    )
    world.point.refresh()
    model = world.as_("wren", "new_untitled", "team", type="file", ext=".txt")
    assert model["name"] == "untitled1.txt"
    assert (world.root / "team" / "untitled.txt").read_text() == "unseen"


def test_the_name_that_is_picked_is_asked_about_too(world: World) -> None:
    rule = """
    forbid(principal == Jupyter::User::"cora", action == Jupyter::Action::"create",
      resource == Jupyter::File::"/team/untitled.md");
    """
    folder = world.point.files.path
    assert folder is not None
    (folder / "more.cedar").write_text(rule)
    again = DecisionPoint(world.store, policy_dir=world.point.files.path, audit=world.point.audit)
    world.wired.point = again
    assert world.as_("cora", "new_untitled", "team", type="file", ext=".md") == 403
    assert not (world.root / "team" / "untitled.md").exists()


def test_a_link_is_judged_as_the_file_behind_it(world: World) -> None:
    team = world.root / "team"
    (team / "pay").symlink_to("../hr/pay.txt")
    (team / "hr").symlink_to("../hr")
    (team / "again.txt").symlink_to("a.txt")
    (team / "out").symlink_to(world.root.parent)
    (team / "loop").symlink_to("loop")
    os.link(world.root / "hr" / "pay.txt", team / "hard.txt")
    assert world.names("cora", "team") == [
        "a.txt",
        "again.txt",
        "closed",
        "kept",
        "secret.txt",
        "sub",
    ]
    for path in (
        "team/pay",
        "team/hr",
        "team/hr/pay.txt",
        "team/hard.txt",
        "team/out",
        "team/loop",
    ):
        assert world.as_("mona", "get", path) == 404, path
        assert world.as_("mona", "save", text("mine"), path) == 404, path
        assert world.as_("mona", "delete", path) == 404, path
        assert world.as_("mona", "copy", path, "team") == 404, path
    assert (world.root / "hr" / "pay.txt").read_text() == "hr/pay.txt"
    assert world.as_("owen", "get", "team/pay")["content"] == "hr/pay.txt"
    assert world.as_("owen", "get", "team/hard.txt")["content"] == "hr/pay.txt"
    assert world.as_("owen", "get", "team/out") == 404
    # Folded first this is a file of the team, handed to the system one of the root.
    (team / "deep").symlink_to("../deep/one")
    assert world.as_("owen", "get", "team/deep/../a.txt") == 404


def test_where_the_disk_folds_case_a_file_has_its_rule_however_it_is_written(world: World) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(mounted(world.root / "team", b"secret.txt", folds=True))
        except OSError as error:
            pytest.skip(f"{error}")  # why: a matter of the machine
        assert "3,4\n" == (world.root / "team" / "SECRET.txt").read_text()
        for name in ("secret.txt", "SECRET.txt", "Secret.TXT"):
            found = world.as_("owen", "get", f"team/{name}")
            assert (name, "3,4\n") == (name, found["content"])
            for who in ("vera", "mona"):
                assert (name, 404) == (name, world.as_(who, "get", f"team/{name}"))
                assert (name, False) == (name, world.as_(who, "file_exists", f"team/{name}"))
        assert ["secret.txt"] == world.names("owen", "team")
        assert [] == world.names("vera", "team")
        disk = disk_of(world.manager)
        assert disk is not None
        assert ["/team/secret.txt"] * 2 == [
            disk.place(each).target for each in ("team/SECRET.txt", "team/secret.TXT")
        ]


def test_a_root_that_is_a_link_is_served_as_the_folder_behind_it(
    tmp_path: Path, kind: type[Any]
) -> None:
    (tmp_path / "behind").mkdir()
    (tmp_path / "root").symlink_to("behind")
    world = World(tmp_path, kind)
    (world.root / "team" / ".env").write_text("KEY")
    assert "team/a.txt" == world.as_("vera", "get", "team/a.txt")["content"]
    assert ["a.txt", "closed", "kept", "sub"] == world.names("vera", "team")
    assert 3 == world.as_("edda", "save", text(), "team/a.txt")["size"]
    assert 404 == world.as_("owen", "get", "team/.env")
    assert world.as_("mona", "delete", "team/a.txt") is None
    world.store.close()


def test_a_link_is_deleted_and_moved_only_by_whoever_may_change_its_folder(world: World) -> None:
    (world.root / "hr" / "theirs").symlink_to("../team/a.txt")
    (world.root / "team" / "mine").symlink_to("a.txt")
    # The file behind both is mona's to read and delete; the name in /hr is not.
    assert world.as_("mona", "get", "hr/theirs")["content"] == "team/a.txt"
    assert world.as_("mona", "delete", "hr/theirs") == 404
    assert world.as_("mona", "rename", "hr/theirs", "team/taken") == 404
    assert (world.root / "hr" / "theirs").is_symlink()
    assert world.as_("mona", "rename", "team/mine", "team/again") is None
    assert world.as_("mona", "delete", "team/again") is None
    assert (world.root / "team" / "a.txt").exists()


def test_a_hidden_file_is_nowhere_also_behind_a_link(world: World) -> None:
    (world.root / "team" / ".env").write_text("KEY")
    (world.root / "team" / "env").symlink_to(".env")
    assert world.as_("owen", "get", "team/.env") == 404
    assert world.as_("owen", "get", "team/env") == 404
    assert "env" not in world.names("owen", "team")  # type: ignore[operator]  # why: a list
    world.manager.allow_hidden = True
    assert world.as_("owen", "get", "team/env")["content"] == "KEY"
    assert world.as_("edda", "get", "team/.env")["content"] == "KEY"
    # Of a file that is kept back from vera it may be a copy.
    assert world.as_("vera", "get", "team/.env") == 404
    assert world.as_("nora", "get", "team/.env") == 404


def test_what_is_hidden_is_upstreams_to_say_and_nothing_is_shown_where_that_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "team" / ".env").write_text("KEY")
    asked = []

    def fails(path: str, root: str = "") -> bool:
        asked.append((path, root))
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(jupyter_core.paths, "is_hidden", fails)
        with pytest.raises(Unanswerable) as told:
            places.place_of(world.manager, "team/.env")
        assert told.value.status == 500
        assert places.place_of(world.manager, "team/a.txt").target == "/team/a.txt"
    root = os.path.realpath(world.root)
    assert asked == [(f"{root}/team/.env", root)]
    # That a hidden name is a file's is not told either.
    for name in (".env", ".env/x", ".none/x", f".{'n' * 254}/x"):
        with pytest.raises(Hidden):
            places.place_of(world.manager, f"team/{name}")


def test_a_checkpoint_of_a_file_that_one_may_not_see_is_not_seen_either(world: World) -> None:
    for name in ("secret.txt", "a.txt"):
        assert world.as_("owen", "create_checkpoint", f"team/{name}")["id"]
    world.manager.allow_hidden = True
    kept = "team/.ipynb_checkpoints"
    assert world.as_("edda", "get", f"{kept}/a-checkpoint.txt")["content"] == "team/a.txt"
    assert world.names("vera", kept) == 404
    for path in (kept, f"{kept}/a-checkpoint.txt", f"{kept}/secret-checkpoint.txt"):
        assert world.as_("vera", "get", path) == 404
        assert world.as_("vera", "list_checkpoints", path) == 404
        assert world.as_("mona", "rename", path, "team/sub/shown") == 404
    # Nor is what others go back to changed in its hidden place, past its file.
    world.store.add_grant(
        principal="user:vera", level="manager", resource="contents:/team", now=0, granted_by="x"
    )
    world.point.refresh()
    assert world.as_("vera", "save", text(), f"{kept}/a-checkpoint.txt")["size"] == 3
    assert world.as_("vera", "save", text(), f"{kept}/secret-checkpoint.txt") == 404
    assert world.names("owen", kept) == ["a-checkpoint.txt", "secret-checkpoint.txt"]


def test_a_folder_is_deleted_moved_and_copied_only_with_all_that_is_in_it(world: World) -> None:
    team = world.root / "team"
    assert world.as_("mona", "delete", "team/kept") == 403
    assert (team / "kept" / "x.txt").exists()
    (team / "kept" / "x.txt").rename(team / "kept" / "y.txt")
    assert world.as_("mona", "delete", "team/kept") is None
    # The folder holds a file that mona may move and not read.
    assert world.as_("mona", "rename", "team", "team2") == 404
    assert world.as_("owen", "rename", "team", "team2") is None
    assert world.as_("owen", "rename", "team2", "team") is None
    (team / "box" / "sub").mkdir(parents=True)
    (team / "box" / "sub" / "x.txt").write_text("")
    assert world.as_("cora", "rename", "team/box", "team/closed") in {403, 409}
    shutil.rmtree(team / "closed")
    assert world.as_("cora", "rename", "team/box", "team/closed") == 403
    assert world.as_("cora", "rename", "team/box", "team/opened") is None
    (team / "opened" / "pay").symlink_to("../../hr/pay.txt")
    assert world.as_("cora", "copy", "team/opened", "team/sub") == 403
    (team / "opened" / "pay").unlink()
    assert world.as_("cora", "copy", "team/opened", "team/sub")["type"] == "directory"


def test_a_copy_makes_the_folders_above_it_that_are_missing_if_each_may_be_made(
    world: World,
) -> None:
    team, hr = world.root / "team", world.root / "hr"
    copied = world.as_("cora", "copy", "team/sub", "team/new/deep")
    assert ("directory", "team/new/deep/sub") == (copied["type"], copied["path"])
    assert "team/sub/c.txt" == (team / "new" / "deep" / "sub" / "c.txt").read_text()
    # Only the last folder of these is hers.
    world.store.add_grant(
        principal="user:edda",
        level="contributor",
        resource="contents:/team/far/away",
        now=0,
        granted_by="os:test",
    )
    world.point.refresh()
    assert world.as_("edda", "copy", "team/sub", "team/far/away") in {403, 404}
    assert not (team / "far").exists()
    assert world.as_("cora", "copy", "team/sub", "team/closed/sub/new") in {403, 404}
    assert not (team / "closed" / "sub" / "new").exists()
    # What fails later leaves nothing of it.
    os.mkfifo(team / "sub" / "pipe")
    assert world.as_("cora", "copy", "team/sub", "team/far/away") in {403, 404}
    assert not (team / "far").exists()
    (team / "sub" / "pipe").unlink()
    # Nor is anything made where a link leads, or in the place of a file.
    (team / "gone").symlink_to("../hr/new")
    (team / "there").symlink_to("../hr")
    for to in ("team/gone", "team/gone/x", "team/there/x", "team/there/x/y", "team/a.txt/x"):
        assert world.as_("cora", "copy", "team/sub", to) in {400, 403, 404}, to
    assert ["pay.txt"] == sorted(each.name for each in hr.iterdir())


def test_a_folder_of_more_files_than_can_be_asked_about_is_not_moved(
    one: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST", 1)
    (one.root / "team" / "kept" / "y.txt").write_text("")
    assert one.as_("mona", "delete", "team/kept") == 403
    assert one.as_("owen", "copy", "team/kept", "team/sub") == 403
