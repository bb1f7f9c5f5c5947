"""What is in a folder: as upstream tells it, and of the folder that was asked about."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from inspect import isawaitable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from filing import World
from jupyter_server.services.contents import filemanager
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
)
from tornado.web import HTTPError

from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.surface.descent import Folder

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)


def told(model: Any) -> dict[str, Any]:
    return {each["name"]: each for each in model["content"]}


def fill(folder: Path) -> None:
    """All sorts of names."""
    (folder / "note.ipynb").write_text("{}")
    (folder / "data.csv").write_text("1,2")
    (folder / "no ending").write_text("")
    (folder / "ab:c%2f?#.txt").write_text("")
    (folder / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.png").write_text("")
    (folder / "back\\slash.txt").write_text("")
    (folder / os.fsdecode(b"\xff.txt")).write_text("")
    (folder / ".hidden").write_text("")
    (folder / "run.py~").write_text("")
    (folder / "cache.pyc").write_text("")
    (folder / "again.txt").symlink_to("data.csv")
    (folder / "inner").symlink_to("sub")
    (folder / "broken").symlink_to("none")
    (folder / "circle").symlink_to("circle")
    (folder / "outside").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    os.link(folder / "data.csv", folder / "hard.csv")
    os.utime(folder / "note.ipynb", (1_000_000_000.25, 1_000_000_000.75))
    os.utime(folder / "no ending", (-5, -5))
    (folder / "data.csv").chmod(0o400)


def test_each_name_is_told_as_upstream_tells_it(world: World, kind: type[Any]) -> None:
    fill(world.root / "team")
    fill(world.root)
    plain: Any = kind(root_dir=str(world.root))
    for manager in (plain, world.manager):
        manager.hide_globs = [*manager.hide_globs, "*.pyc"]

    # What no path can be, or leads out of the root, is nobody's here.
    never = {"back\\slash.txt", os.fsdecode(b"\xff.txt"), "outside"}

    async def upstream(path: str) -> Any:
        found = plain.get(path)
        return await found if isawaitable(found) else found

    for path in ("team", "/team/", ""):
        theirs, ours = asyncio.run(upstream(path)), world.as_("owen", "get", path)
        expected = {name: each for name, each in told(theirs).items() if name not in never}
        assert expected == told(ours)
        assert len(expected) > 8
        assert {**theirs, "content": None} == {**ours, "content": None}


def swapping(world: World, monkeypatch: pytest.MonkeyPatch, *, back: bool) -> None:
    """The folder /team/sub is a link to /hr as soon as somebody holds it, while it is listed."""
    sub, apart = world.root / "team" / "sub", world.root / "apart"
    original = Folder.entries

    def entries(folder: Folder) -> Any:
        sub.rename(apart)
        sub.symlink_to(world.root / "hr")
        yield from original(folder)
        if back:
            sub.unlink()
            apart.rename(sub)

    monkeypatch.setattr(Folder, "entries", entries)


def test_a_folder_that_is_exchanged_while_it_is_listed_tells_nothing_of_another(
    one: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one.root / "hr" / "c.txt").write_text("x" * 1_000)
    with monkeypatch.context() as patched:
        swapping(one, patched, back=True)
        (mine,) = one.as_("vera", "get", "team/sub")["content"]
    assert ("c.txt", len("team/sub/c.txt")) == (mine["name"], mine["size"])
    with monkeypatch.context() as patched:
        swapping(one, patched, back=False)
        assert 404 == one.as_("vera", "get", "team/sub")


@pytest.mark.parametrize(
    ("who", "method", "args"),
    [
        ("vera", "get", ("team/sub/c.txt", False)),
        ("vera", "get", ("team/sub", False)),
        ("edda", "save", ({"type": "file", "format": "text", "content": "."}, "team/sub/c.txt")),
        ("cora", "new_untitled", ("team/sub", "file")),
        ("cora", "copy", ("team/sub/c.txt", "team/sub")),
        ("cora", "update", ({"path": "team/sub/d.txt"}, "team/sub/c.txt")),
    ],
)
def test_a_file_that_is_exchanged_while_it_is_looked_at_tells_no_size_of_another(
    one: World,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    method: str,
    args: tuple[Any, ...],
) -> None:
    sub, apart, hr = one.root / "team" / "sub", one.root / "apart", one.root / "hr"
    for name in ("c.txt", "d.txt", "c-Copy1.txt", "untitled"):
        (hr / name).write_text("x" * 1_000)
    os.utime(hr, (0, 0))
    looked, there, swaps = os.lstat, [False], [0]

    def lstat(path: Any, *more: Any, **kwargs: Any) -> Any:
        # As upstream does it to tell of a file, not as we do to ask about it.
        if there[0] or sys._getframe(1).f_code.co_filename != filemanager.__file__:
            return looked(path, *more, **kwargs)
        there[0], swaps[0] = True, swaps[0] + 1
        sub.rename(apart)
        sub.symlink_to(hr)
        try:
            return looked(path, *more, **kwargs)
        finally:
            sub.unlink()
            apart.rename(sub)
            there[0] = False

    monkeypatch.setattr(os, "lstat", lstat)
    found = one.as_(who, method, *args)
    monkeypatch.undo()
    told = found if isinstance(found, dict) else {}
    assert swaps[0]
    assert 1_000 != told.get("size")
    assert told.get("last_modified", NOW) >= NOW
    assert ["x" * 1_000] * 4 == [
        (hr / name).read_text() for name in ("c.txt", "d.txt", "c-Copy1.txt", "untitled")
    ]


def test_what_vanishes_while_its_folder_is_listed_hides_no_other(
    one: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one.root / "team" / "link.txt").symlink_to("sub/c.txt")
    original = Folder.entries

    def entries(folder: Folder) -> Any:
        for name, info in original(folder):
            if name == "link.txt":
                (one.root / "team" / "link.txt").unlink()
            yield name, info

    monkeypatch.setattr(Folder, "entries", entries)
    assert one.names("owen", "team") == ["a.txt", "closed", "kept", "secret.txt", "sub"]


def test_a_manager_that_looks_in_a_way_of_its_own_lists_so_and_hides_no_other(
    tmp_path: Path,
) -> None:
    class Vanishing(AsyncLargeFileManager):
        def exists(self, path: str) -> Any:
            if path.endswith("a.txt"):
                (tmp_path / "root" / "team" / "a.txt").unlink(missing_ok=True)
            return super().exists(path)  # type: ignore[no-untyped-call]  # why: upstream's

    world = World(tmp_path, Vanishing)
    try:
        assert world.names("owen", "team") == ["closed", "kept", "secret.txt", "sub"]
    finally:
        world.store.close()


def test_an_error_tells_of_a_file_by_its_contents_path(world: World) -> None:
    (world.root / "team" / "sub" / "bad.ipynb").write_text("no notebook")

    async def run() -> None:
        request = SimpleNamespace(remote_ip="::1", method="GET", path="/x")
        ACTING.set(Acting(principal=world.point.principal("user:vera"), request=request))
        await world.call("get", ("team/sub/bad.ipynb",), {})

    with pytest.raises(HTTPError) as refused:
        asyncio.run(run())
    said = str(refused.value)
    assert (True, False, False) == (
        "team/sub/bad.ipynb" in said,
        "/proc/" in said,
        str(world.root) in said,
    )
