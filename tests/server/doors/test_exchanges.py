"""Links put in the way of the server, before it acts and while it does."""

from __future__ import annotations

import builtins
import errno
import itertools
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from filing import World, text
from jupyter_server.services.contents import filecheckpoints, fileio
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
    LargeFileManager,
)

from jupyter_authorized_server.server.doors import kept as keeping
from jupyter_authorized_server.server.doors import resolving, writing
from jupyter_authorized_server.server.surface import places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "hr/pay.txt"
LINK = "a link stood where checkpoints are kept"


@pytest.fixture(params=[LargeFileManager, AsyncLargeFileManager], ids=lambda k: k.__name__)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    found: type[Any] = request.param
    return found


def read(world: World, path: str) -> str:
    return (world.root / path).read_text()


def status(answer: Any) -> int:
    return answer if isinstance(answer, int) else 200


def test_a_link_in_the_place_of_a_checkpoint_is_not_restored_nor_written_through(
    world: World,
) -> None:
    kept = world.root / "team" / ".ipynb_checkpoints"
    kept.mkdir()

    def plant(hard: bool) -> None:
        if hard:
            os.link(world.root / SECRET, kept / "a-checkpoint.txt")
        else:
            (kept / "a-checkpoint.txt").symlink_to("../../hr/pay.txt")

    for hard in (False, True):
        plant(hard)
        assert world.as_("edda", "restore_checkpoint", "checkpoint", "team/a.txt") == 404
        assert "team/a.txt" == read(world, "team/a.txt")
        plant(hard)
        assert [] == world.as_("edda", "list_checkpoints", "team/a.txt")
        plant(hard)
        assert 200 == status(world.as_("edda", "create_checkpoint", "team/a.txt"))
        assert (SECRET, "team/a.txt") == (
            read(world, SECRET),
            (kept / "a-checkpoint.txt").read_text(),
        )
        (kept / "a-checkpoint.txt").unlink()


def test_a_link_in_the_place_of_the_folder_of_checkpoints_is_taken_away(world: World) -> None:
    (world.root / "hr" / "a-checkpoint.txt").write_text("of hr")
    kept = world.root / "team" / ".ipynb_checkpoints"
    for do in ("list", "restore", "create", "delete"):
        kept.symlink_to("../hr")
        method = {"list": "list_checkpoints"}.get(do, f"{do}_checkpoint")
        args = () if do in {"list", "create"} else ("checkpoint",)
        world.as_("edda", method, *args, "team/a.txt")
        assert ("of hr", "team/a.txt") == (
            read(world, "hr/a-checkpoint.txt"),
            read(world, "team/a.txt"),
        )
        assert not kept.is_symlink()
        for each in kept.iterdir():
            each.unlink()
        kept.rmdir()


def test_a_checkpoint_of_a_link_is_kept_with_the_file_behind_it(world: World) -> None:
    (world.root / "team" / "pay.txt").symlink_to("../hr/pay.txt")
    assert 200 == status(world.as_("owen", "create_checkpoint", "team/pay.txt"))
    (world.root / "team" / "pay.txt").unlink()
    (world.root / "team" / "pay.txt").write_text("mine")
    assert 404 == world.as_("edda", "restore_checkpoint", "checkpoint", "team/pay.txt")
    assert "mine" == read(world, "team/pay.txt")
    assert SECRET == read(world, "hr/.ipynb_checkpoints/pay-checkpoint.txt")


@pytest.mark.parametrize("atomic", [True, False])
def test_a_link_in_the_place_of_the_copy_beside_a_file_is_not_written_through(
    world: World, atomic: bool
) -> None:
    world.manager.use_atomic_writing = atomic
    (world.root / "team" / ".~a.txt").symlink_to("../hr/pay.txt")
    assert 200 == status(world.as_("edda", "save", text("mine"), "team/a.txt"))
    assert ("mine", SECRET) == (read(world, "team/a.txt"), read(world, SECRET))


def test_a_file_that_is_written_over_stays_the_same_file_with_its_mode(world: World) -> None:
    path = world.root / "team" / "a.txt"
    path.chmod(0o640)
    before = path.stat()
    assert 200 == status(world.as_("edda", "save", text("mine"), "team/a.txt"))
    after = path.stat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert not (world.root / "team" / ".~a.txt").exists()


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(world: World) -> None:
    os.mkfifo(world.root / "team" / "pipe.txt")
    assert 404 == world.as_("edda", "get", "team/pipe.txt")
    assert 404 == world.as_("edda", "save", text("mine"), "team/pipe.txt")


class Swapping:
    """The folder /team/sub becomes a link to /hr when a name is used, and is one again after."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sub, self._apart = world.root / "team" / "sub", world.root / "apart"
        self._hr = world.root / "hr"
        self.name, self.times, self._is_there = "", 0, False
        self._rename, self._unlink = os.rename, os.unlink
        for name in ("open", "mkdir", "unlink", "rename", "replace", "rmdir", "stat", "lstat"):
            monkeypatch.setattr(os, name, self._around(getattr(os, name)))
        # Tells descent that these still take an open folder.
        for module in (fileio, filecheckpoints):
            monkeypatch.setattr(module, "open", self._around(builtins.open), raising=False)

    def _around(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def around(path: Any, *args: Any, **kwargs: Any) -> Any:
            last = str(path).rpartition("/")[2]
            if self._is_there or not self.name or last != self.name:
                return do(path, *args, **kwargs)
            self._is_there, self.times = True, self.times + 1
            self._rename(self._sub, self._apart)
            self._sub.symlink_to(self._hr)
            try:
                return do(path, *args, **kwargs)
            finally:
                self._unlink(self._sub)
                self._rename(self._apart, self._sub)
                self._is_there = False

        return around


@pytest.mark.parametrize("name", ["pay.txt", "sub"])
def test_what_is_exchanged_there_and_back_at_any_step_reaches_no_other_file(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sub, hr = world.root / "team" / "sub", world.root / "hr"
    (sub / "pay.txt").write_text("mine")
    (sub / "inner").mkdir()
    (sub / "inner" / "pay.txt").write_text("mine")
    (hr / "inner").mkdir()
    (hr / "inner" / "pay.txt").write_text("of hr")
    (hr / ".ipynb_checkpoints").mkdir()
    (hr / ".ipynb_checkpoints" / "pay-checkpoint.txt").write_text("kept by hr")
    swapping = Swapping(world, monkeypatch)
    chunk = {**text("more"), "chunk": 2}
    for who, method, args in (
        ("vera", "get", ("team/sub/pay.txt",)),
        ("edda", "save", (text("mine"), "team/sub/pay.txt")),
        ("edda", "save", (chunk, "team/sub/pay.txt")),
        ("cora", "copy", ("team/sub/pay.txt", "team/copied.txt")),
        ("cora", "copy", ("team/sub/inner", "team/kept")),
        ("edda", "create_checkpoint", ("team/sub/pay.txt",)),
        ("edda", "restore_checkpoint", ("checkpoint", "team/sub/pay.txt")),
        ("edda", "delete_checkpoint", ("checkpoint", "team/sub/pay.txt")),
        ("cora", "rename", ("team/sub/pay.txt", "team/sub/pay2.txt")),
        ("cora", "rename", ("team/sub/pay2.txt", "team/sub/pay.txt")),
        ("mona", "delete", ("team/sub/pay.txt",)),
        ("mona", "delete", ("team/sub/inner",)),
    ):
        for trigger in (name, "inner", "pay2.txt", ".ipynb_checkpoints"):
            swapping.name = trigger
            found = world.as_(who, method, *args)
            swapping.name = ""
            shown = found.get("content") if isinstance(found, dict) else None
            assert shown in {None, "mine", "minemore"} or "hr" not in str(shown), (method, args)
            if method == "rename" and str(args[-1]) == f"team/sub/{moved(sub)}":
                break
    assert swapping.times > 5
    assert {
        "pay.txt": SECRET,
        "inner/pay.txt": "of hr",
        ".ipynb_checkpoints/pay-checkpoint.txt": "kept by hr",
    } == {str(each.relative_to(hr)): each.read_text() for each in hr.rglob("*") if each.is_file()}
    everything = [each for each in (world.root / "team").rglob("*") if each.is_file()]
    assert [] == [each for each in everything if "hr" in each.read_text()]


class Planting:
    """After so many looks at a name, a link stands in its place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: Path, to: Path) -> None:
        self._at, self._to = at, to
        #: Looks until then; none where it is negative.
        self.looks = -1
        for name in ("stat", "lstat"):
            monkeypatch.setattr(os, name, self._around(getattr(os, name)))

    def _around(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def around(path: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return do(path, *args, **kwargs)
            finally:
                if self.looks >= 0 and str(path).rpartition("/")[2] == self._at.name:
                    self.looks -= 1
                    if self.looks < 0:
                        self._at.unlink(missing_ok=True)
                        self._at.symlink_to(self._to)

        return around


def test_a_file_is_not_moved_behind_a_link_that_comes_in_the_place_of_its_new_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hr, new = world.root / "hr", world.root / "team" / "new.txt"
    planting = Planting(monkeypatch, new, hr)
    for looks in itertools.count():
        (world.root / "team" / "old.txt").write_text("mine")
        planting.looks = looks
        world.as_("cora", "rename", "team/old.txt", "team/new.txt")
        is_over, planting.looks = planting.looks >= 0, -1
        assert ["pay.txt"] == [each.name for each in hr.iterdir()]
        new.unlink()
        if is_over:
            break
    assert looks > 2


def test_a_file_is_not_carried_to_another_disk_from_behind_a_link_that_comes_in_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = world.root / "team" / "old.txt", world.root / "team" / "new.txt"
    planting = Planting(monkeypatch, old, world.root / SECRET)
    rename = os.rename

    def to_another_disk(source: Any, to: Any, **kwargs: Any) -> None:
        if str(source).endswith("old.txt"):
            raise OSError(errno.EXDEV, "another disk")
        rename(source, to, **kwargs)

    monkeypatch.setattr(os, "rename", to_another_disk)
    for looks in itertools.count():
        old.unlink(missing_ok=True)
        old.write_text("mine")
        planting.looks = looks
        world.as_("cora", "rename", "team/old.txt", "team/new.txt")
        is_over, planting.looks = planting.looks >= 0, -1
        assert new.is_symlink() or not new.exists() or "mine" == new.read_text()
        assert SECRET == read(world, SECRET)
        new.unlink(missing_ok=True)
        if is_over:
            break
    assert looks > 2


@pytest.mark.parametrize("scope", ["contents", "kernel"])
def test_whether_a_file_is_there_does_not_show_while_its_folder_is_exchanged(
    world: World, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    def resolved(path: str) -> Any:
        if scope == "contents":
            return world.manager.resolve_path(f"team/{path}")
        return resolving._resolved(world.manager, world.wired, f"{world.root}/team", path)

    monkeypatch.setattr(type(world.manager), "resolved", staticmethod(resolved), raising=False)
    assert str(world.as_("vera", "resolved", "sub/c.txt")).endswith("team/sub/c.txt")
    swapping = Swapping(world, monkeypatch)
    for swapping.name in ("pay.txt", "none.txt"):
        assert None is world.as_("vera", "resolved", f"sub/{swapping.name}")
    assert swapping.times > 1


def test_a_folder_is_carried_to_another_disk_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = world.root / "team"
    for name in ("pay", "none"):
        (team / "sub" / name).symlink_to(f"../../hr/{name}.txt")
    (team / "link").symlink_to("../hr/pay.txt")
    rename = os.rename

    def to_another_disk(source: Any, to: Any, **kwargs: Any) -> None:
        if str(source).rpartition("/")[2] in {"sub", "link"}:
            raise OSError(errno.EXDEV, "another disk")
        rename(source, to, **kwargs)

    monkeypatch.setattr(os, "rename", to_another_disk)
    for name in ("sub", "link"):
        assert None is world.as_("owen", "rename", f"team/{name}", f"team/{name}2")
        assert not os.path.lexists(team / name)
    assert "team/sub/c.txt" == read(world, "team/sub2/c.txt")
    links = [team / "sub2" / "pay", team / "sub2" / "none", team / "link2"]
    assert ["../../hr/pay.txt", "../../hr/none.txt", "../hr/pay.txt"] == [
        str(each.readlink()) for each in links
    ]


def moved(folder: Path) -> str:
    return "pay2.txt" if (folder / "pay2.txt").exists() else "pay.txt"


def test_a_folder_that_is_exchanged_while_another_is_made_in_it_makes_none_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapping = Swapping(world, monkeypatch)
    for trigger in ("new", "sub"):
        swapping.name = trigger
        world.as_("cora", "save", {"type": "directory"}, "team/sub/new")
    assert not (world.root / "hr" / "new").exists()
    swapping.name = ""
    world.as_("cora", "save", {"type": "directory"}, "team/sub/new")
    assert (world.root / "team" / "sub" / "new").is_dir()


@pytest.mark.parametrize("do", ["create", "restore", "delete", "list"])
def test_a_folder_that_is_exchanged_while_a_checkpoint_is_found_keeps_and_takes_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    sub, hr, apart = world.root / "team" / "sub", world.root / "hr", world.root / "apart"
    copy = hr / ".ipynb_checkpoints" / "c-checkpoint.txt"
    copy.parent.mkdir()
    for path in (hr / "c.txt", copy):
        path.write_text("of hr")
    asked, swaps = places.place_of, []

    def place_of(*args: Any) -> Any:
        swaps.append(do)
        sub.rename(apart)
        sub.symlink_to(hr)
        try:
            return asked(*args)
        finally:
            sub.unlink()
            apart.rename(sub)

    monkeypatch.setattr(keeping, "place_of", place_of)
    # Who may also read the other file changes no more of it.
    for who in ("edda", "vera"):
        if who == "vera":
            for resource, level in (("contents:/hr", "viewer"), ("contents:/team", "editor")):
                world.store.add_grant(
                    principal="user:vera", level=level, resource=resource, now=0, granted_by="os:t"
                )
            world.point.refresh()
        method = "list_checkpoints" if do == "list" else f"{do}_checkpoint"
        args = () if do in {"create", "list"} else ("checkpoint",)
        found = world.as_(who, method, *args, "team/sub/c.txt")
        assert swaps
        assert ("of hr", "of hr") == (copy.read_text(), (hr / "c.txt").read_text())
        if who == "edda":
            assert 404 == found
            assert "team/sub/c.txt" == (sub / "c.txt").read_text()


@pytest.fixture
def trash(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the world's manager puts what is deleted."""
    world.manager.delete_to_trash = True
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash"


def test_what_is_deleted_goes_to_the_trash_under_a_name_that_is_free(
    world: World, trash: Path
) -> None:
    team, long = world.root / "team", "l" * 251 + ".txt"
    (team / long).write_text("long")
    (team / "link").symlink_to("a.txt")
    for round_ in ("first", "second"):
        (team / "a%.txt").write_text(round_)
        assert world.as_("mona", "delete", "team/a%.txt") is None
    for name in ("link", "sub", long):
        assert world.as_("mona", "delete", f"team/{name}") is None, name
    there = {each.name: each for each in (trash / "files").iterdir()}
    assert {"a%.txt", "a% 1.txt", "link", "sub"} == {n for n in there if len(n) < 99}
    assert ("first", "second") == (there["a%.txt"].read_text(), there["a% 1.txt"].read_text())
    assert there["link"].is_symlink()
    assert "team/sub/c.txt" == (there["sub"] / "c.txt").read_text()
    assert ["long"] == [each.read_text() for name, each in there.items() if len(name) > 99]
    note = (trash / "info" / "a% 1.txt.trashinfo").read_text()
    assert f"Path={quote(str(world.root.resolve() / 'team/a%.txt'))}\n" in note
    assert 5 == len(list((trash / "info").iterdir()))
    assert (team / "a.txt").exists()


@pytest.mark.parametrize("name", ["pay.txt", "sub"])
def test_a_folder_that_is_exchanged_while_a_file_goes_to_the_trash_takes_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, trash: Path, name: str
) -> None:
    (world.root / "team" / "sub" / "pay.txt").write_text("mine")
    swapping = Swapping(world, monkeypatch)
    swapping.name = name
    world.as_("mona", "delete", "team/sub/pay.txt")
    swapping.name = ""
    assert swapping.times
    left = [*trash.rglob("pay.txt"), *(world.root / "team").rglob("pay.txt")]
    assert ["mine"] == [each.read_text() for each in left]
    assert SECRET == read(world, SECRET)


@pytest.mark.parametrize("place", ["", "files", "info"])
def test_a_link_in_the_place_of_the_trash_takes_nothing(
    world: World, trash: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "mine").mkdir()
    (trash / place).parent.mkdir(parents=True)
    (trash / place).symlink_to(tmp_path / "mine")
    assert 400 == world.as_("mona", "delete", "team/a.txt")
    assert [] == list((tmp_path / "mine").iterdir())
    assert "team/a.txt" == read(world, "team/a.txt")


def test_a_folder_is_copied_with_all_that_is_in_it_and_links_as_their_files(world: World) -> None:
    team = world.root / "team"
    (team / "box" / "in").mkdir(parents=True)
    (team / "box" / "in" / "x.txt").write_text("x")
    (team / "box" / "x.txt").write_text("y")
    (team / "box" / "x.txt").chmod(0o640)
    (team / "box" / "again.txt").symlink_to("../a.txt")
    found = world.as_("cora", "copy", "team/box", "team/sub")
    assert "directory" == found["type"]
    copied = world.root / found["path"]
    assert {"in/x.txt": "x", "x.txt": "y", "again.txt": "team/a.txt"} == {
        str(each.relative_to(copied)): each.read_text()
        for each in copied.rglob("*")
        if each.is_file()
    }
    assert 0o640 == (copied / "x.txt").stat().st_mode & 0o777
    assert not (copied / "again.txt").is_symlink()


@pytest.mark.parametrize("sends", [True, False])
def test_a_file_is_copied_whole_also_where_the_system_does_not_send_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EINVAL, "not from this file")

    if not sends:
        monkeypatch.setattr(os, "sendfile", refused, raising=False)
    monkeypatch.setattr(writing, "AT_ONCE", 1_000)
    content = os.urandom(10_500)
    (tmp_path / "from").write_bytes(content)
    # What is behind the last hole, and at the end nothing.
    with (tmp_path / "from").open("r+b") as file:
        file.seek(1 << 20)
        file.write(content)
        file.truncate(1 << 24)
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("wb") as to:
        writing.transfer(source.fileno(), to.fileno())
        assert 0 == os.lseek(source.fileno(), 0, os.SEEK_CUR)
    assert (tmp_path / "from").read_bytes() == (tmp_path / "to").read_bytes()
    assert (tmp_path / "to").stat().st_blocks <= (tmp_path / "from").stat().st_blocks
