"""A disk that is full, read-only or changed under our hands: a clear error, nothing half done."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from filing import World, text
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_authorized_server.server.doors.opened import most
from jupyter_authorized_server.server.doors.reader import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = "x" * 2_000_000


@pytest.fixture(params=[FileContentsManager, AsyncLargeFileManager], ids=lambda k: k.__name__)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    found: type[Any] = request.param
    return found


def left(world: World, folder: str) -> list[str]:
    return sorted(each.name for each in (world.root / folder).iterdir())


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """A write fails after 1 MB, as it does where a quota is used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def _small_files() -> Iterator[None]:
    with small_files():
        yield


@pytest.mark.usefixtures("_small_files")
def test_a_save_that_breaks_off_leaves_the_file_as_it_was(world: World) -> None:
    before = left(world, "team")
    assert world.as_("edda", "save", text(BIG), "team/a.txt") == 500
    assert (world.root / "team" / "a.txt").read_text() == "team/a.txt"
    assert left(world, "team") == before


@pytest.mark.usefixtures("_small_files")
def test_a_new_file_that_breaks_off_is_not_there(world: World) -> None:
    before = left(world, "team")
    assert world.as_("cora", "save", text(BIG), "team/new.txt") == 500
    assert left(world, "team") == before


@pytest.fixture
def tiny(tmp_path: Path, kind: type[Any]) -> Iterator[World]:
    """A world whose root is a disk of its own with 1 MB."""
    (tmp_path / "root").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path / "root")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")  # why: needs root
    try:
        found = World(tmp_path, kind)
        yield found
        found.store.close()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "root")], check=True)


def test_on_a_full_disk_a_save_changes_nothing(tiny: World) -> None:
    for name, who in (("team/a.txt", "edda"), ("team/new.txt", "cora")):
        before = left(tiny, "team")
        assert tiny.as_(who, "save", text(BIG), name) == 500
        assert left(tiny, "team") == before
    assert (tiny.root / "team" / "a.txt").read_text() == "team/a.txt"
    assert tiny.as_("edda", "save", text("small"), "team/a.txt")["name"] == "a.txt"


@pytest.mark.parametrize("home", ["elsewhere", "none"])
def test_a_disk_of_its_own_has_its_own_trash(
    tiny: World, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    tiny.manager.delete_to_trash = True
    if home == "none":
        monkeypatch.setenv("HOME", str(tiny.root / "none"))
    trash = tiny.root / f".Trash-{os.geteuid()}"
    assert tiny.as_("mona", "delete", "team/a.txt") is None
    assert "team/a.txt" == (trash / "files" / "a.txt").read_text()
    shutil.rmtree(trash)
    trash.symlink_to("hr")
    assert 400 == tiny.as_("mona", "delete", "team/sub/c.txt")
    assert ["c.txt"] == left(tiny, "team/sub")
    assert ["pay.txt"] == left(tiny, "hr")


def test_on_a_read_only_disk_everything_is_read_and_nothing_changed(tiny: World) -> None:
    command = ["mount", "-o", "remount,ro", str(tiny.root)]
    subprocess.run(command, check=True, capture_output=True)
    assert tiny.names("cora", "team") == ["a.txt", "closed", "kept", "secret.txt", "sub"]
    model = tiny.as_("cora", "get", "team/a.txt")
    assert model["content"] == "team/a.txt"
    for method, args in (
        ("save", (text(), "team/a.txt")),
        ("save", (text(), "team/new.txt")),
        ("rename", ("team/a.txt", "team/b.txt")),
        ("copy", ("team/a.txt", "team/c.txt")),
    ):
        assert tiny.as_("cora", method, *args) in {403, 500}
    assert tiny.as_("mona", "delete", "team/a.txt") in {400, 403, 500}
    assert left(tiny, "team") == ["a.txt", "closed", "kept", "secret.txt", "sub"]


def test_a_name_as_long_as_can_be_is_a_name_and_what_does_not_fit_is_said(world: World) -> None:
    long = "l" * 251 + ".txt"
    for method, args, expected in (
        ("save", (text("1"), f"team/{long}"), 200),
        ("save", (text("2"), f"team/{long}"), 200),
        ("get", (f"team/{long}",), 200),
        ("list_checkpoints", (f"team/{long}",), 200),
        ("create_checkpoint", (f"team/{long}",), 400),
        ("restore_checkpoint", ("checkpoint", f"team/{long}"), 404),
        ("copy", (f"team/{long}", "team"), 404),
        ("rename", (f"team/{long}", "team/short.txt"), 200),
        ("rename", ("team/short.txt", f"team/{long}"), 200),
        ("save", (text(), f"team/{long}l"), 404),
        ("delete", (f"team/{long}",), 200),
    ):
        found = world.as_("mona", method, *args)
        status = found if isinstance(found, int) else 200
        assert (method, expected) == (method, status)
    assert ["a.txt", "closed", "kept", "secret.txt", "sub"] == world.names("owen", "team")


def test_a_file_too_large_to_be_opened_is_said_to_be_and_not_read(world: World) -> None:
    huge = world.root / "team" / "huge.txt"
    huge.touch()
    for method, kwargs in (("get", {}), ("get", {"require_hash": True, "content": False})):
        os.truncate(huge, most() + 1)
        assert 413 == world.as_("mona", method, "team/huge.txt", **kwargs)
        os.truncate(huge, 4096)
        assert 4096 == world.as_("mona", method, "team/huge.txt", **kwargs)["size"]
    os.truncate(huge, most() + 1)
    names = world.names("mona", "team")
    assert isinstance(names, list)
    assert "huge.txt" in names
    assert 204 == (world.as_("mona", "delete", "team/huge.txt") or 204)


def test_a_file_too_large_to_be_opened_is_copied_and_not_read_into_memory(world: World) -> None:
    huge = world.root / "team" / "huge.txt"
    for path in (huge, world.root / "hr" / "huge.txt"):
        with path.open("wb") as file:
            file.write(b"first" * 500_000)
            file.seek(most())
            file.write(b"last")
    huge.chmod(0o640)
    tracemalloc.start()
    try:
        found = world.as_("cora", "copy", "team/huge.txt", "team/sub")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert ("huge.txt", "team/sub/huge.txt") == (found["name"], found["path"])
    copy = world.root / "team" / "sub" / "huge.txt"
    info = copy.stat()
    assert (most() + 4, 0o640) == (info.st_size, info.st_mode & 0o777)
    # A hole stays one, or a few bytes would fill a disk.
    assert info.st_blocks * 512 < 8 << 20
    with copy.open("rb") as file:
        assert b"first" * 500_000 + b"\0" == file.read(2_500_001)
        file.seek(most() - 1)
        assert b"\0last" == file.read()
    assert "huge-Copy1.txt" == world.as_("cora", "copy", "team/huge.txt")["name"]
    assert "checkpoint" == world.as_("edda", "create_checkpoint", "team/huge.txt")["id"]
    kept = world.root / "team" / ".ipynb_checkpoints"
    info = (kept / "huge-checkpoint.txt").stat()
    assert (most() + 4, True) == (info.st_size, info.st_blocks * 512 < 8 << 20)
    huge.write_text("other")
    os.truncate(huge, most() + 9)
    assert world.as_("edda", "restore_checkpoint", "checkpoint", "team/huge.txt") is None
    assert (most() + 4, True) == (huge.stat().st_size, huge.stat().st_blocks * 512 < 8 << 20)
    with huge.open("rb") as file:
        assert b"first" == file.read(5)
    shutil.rmtree(kept)
    with small_files():
        assert 400 == world.as_("cora", "copy", "team/huge.txt")
    for who, source, to, expected in (
        ("vera", "team/huge.txt", "team", 403),
        ("vera", "hr/huge.txt", "team", 404),
        ("cora", "hr/huge.txt", "team", 404),
        ("cora", "team/huge.txt", "hr", 404),
        ("cora", "team/huge.txt", "team/none/x.txt", 404),
        ("cora", "team/huge.txt", "team/a.txt", 409),
    ):
        asked = (who, source, to)
        assert (asked, expected) == (asked, world.as_(who, "copy", source, to))
    assert "team/a.txt" == (world.root / "team" / "a.txt").read_text()
    names = ["a.txt", "closed", "huge-Copy1.txt", "huge.txt", "kept", "secret.txt", "sub"]
    assert names == left(world, "team")


def test_a_folder_of_50_000_names_is_listed_and_is_not_deleted_where_a_rule_divides_it(
    tmp_path: Path,
) -> None:
    memory = Path("/dev/shm")  # noqa: S108  # why: thousands of files are made there at once
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as place:
        world = World(Path(place), AsyncLargeFileManager)
        folder = world.root / "team" / "kept"
        held = os.open(folder, os.O_RDONLY)
        for number in range(MOST):
            os.close(os.open(f"{number}.txt", os.O_CREAT | os.O_WRONLY, dir_fd=held))
        os.close(held)
        (folder / "pay.txt").symlink_to("../../hr/pay.txt")
        try:
            names = world.names("vera", "team/kept")
            assert isinstance(names, list)
            assert (MOST + 1, "pay.txt" in names) == (len(names), False)
            assert 403 == world.as_("mona", "delete", "team/kept")
            assert MOST + 2 == len(os.listdir(folder))  # noqa: PTH208  # why: of thousands
        finally:
            world.store.close()


def test_a_folder_goes_into_itself_by_no_way(world: World) -> None:
    (world.root / "team" / "box" / "in").mkdir(parents=True)
    (world.root / "team" / "again").symlink_to("box/in")
    for method, to in (
        ("copy", "team/box/in"),
        ("copy", "team/box"),
        ("copy", "team/again"),
        ("rename", "team/box/in/box"),
        ("rename", "team/again/box"),
    ):
        assert 400 == world.as_("cora", method, "team/box", to), (method, to)
    assert ["in"] == left(world, "team/box")
    assert [] == left(world, "team/box/in")


@pytest.mark.parametrize(("levels", "copied"), [(300, True), (500, False)])
def test_folders_in_one_another_are_copied_whole_or_not_at_all(
    one: World, levels: int, copied: bool
) -> None:
    world = one
    top = world.root / "team" / "deep"
    (top / Path(*["d"] * levels)).mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        found = world.as_("cora", "copy", "team/deep", "team/sub")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (found != 400) is copied
    assert ["c.txt", *(["deep"] if copied else [])] == left(world, "team/sub")
    if copied:
        assert levels == sum(1 for _ in (world.root / "team" / "sub" / "deep").rglob("d"))
        assert 200 == (
            200 if isinstance(world.as_("cora", "get", "team/deep" + "/d" * levels), dict) else 0
        )


def test_a_file_that_vanishes_before_it_is_opened_is_not_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = world.manager._read_file

    def vanished(path: str, *args: Any, **kwargs: Any) -> Any:
        os.unlink(path)  # noqa: PTH108  # why: a text from the manager
        return original(path, *args, **kwargs)

    monkeypatch.setattr(world.manager, "_read_file", vanished)
    assert 404 == world.as_("vera", "get", "team/a.txt")


def test_a_folder_that_is_exchanged_for_a_link_between_check_and_use_shows_nothing(
    tmp_path: Path, kind: type[Any]
) -> None:
    class Exchanging(kind):  # type: ignore[misc]  # why: whichever manager
        def _read_file(self, path: str, *args: Any, **kwargs: Any) -> Any:
            shutil.rmtree(here.root / "team" / "sub")
            (here.root / "team" / "sub").symlink_to(here.root / "hr")
            return super()._read_file(path, *args, **kwargs)

    here = World(tmp_path, Exchanging)
    (here.root / "team" / "sub" / "pay.txt").write_text("nothing")
    try:
        assert here.as_("vera", "get", "team/sub/pay.txt") == 404
    finally:
        here.store.close()


def exchanging(here: Any, kind: type[Any]) -> type[Any]:
    """A manager before which a folder becomes a link when a file is opened, and is one again."""
    sub, apart = here.root / "team" / "sub", here.root / "apart"

    class ThereAndBack(kind):  # type: ignore[misc]  # why: whichever manager
        def _there(self) -> None:
            sub.rename(apart)
            sub.symlink_to(here.root / "hr")

        def _back(self) -> None:
            sub.unlink()
            apart.rename(sub)

        @contextlib.contextmanager
        def open(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            self._there()
            with super().open(*args, **kwargs) as file:
                self._back()
                yield file

        @contextlib.contextmanager
        def atomic_writing(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            self._there()
            try:
                with super().atomic_writing(*args, **kwargs) as file:
                    yield file
            finally:
                self._back()

    return ThereAndBack


def test_a_folder_that_is_exchanged_there_and_back_shows_and_changes_nothing(
    tmp_path: Path, kind: type[Any]
) -> None:
    root = tmp_path / "root"
    here = World(tmp_path, exchanging(SimpleNamespace(root=root), kind))
    (root / "team" / "sub" / "pay.txt").write_text("nothing")
    before = (root / "hr" / "pay.txt").read_text()
    try:
        # From the folder that was held open before; what else is opened is refused.
        assert here.as_("vera", "get", "team/sub/pay.txt")["content"] == "nothing"
        assert here.as_("edda", "save", text("mine"), "team/sub/pay.txt") == 404
        assert here.as_("cora", "copy", "team/sub/pay.txt", "team/stolen.txt") == 404
    finally:
        here.store.close()
    assert before == (root / "hr" / "pay.txt").read_text()
    assert "nothing" == (root / "team" / "sub" / "pay.txt").read_text()
    assert not (root / "team" / "stolen.txt").exists()
