from __future__ import annotations

import contextlib
import os
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from spellings import spellings

from jupyter_authorized_server.errors import Nowhere, UnsafePath
from jupyter_authorized_server.server.surface.disk import MAX_LINKS, Disk, disk_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root, beside a folder that is not below it."""
    found = tmp_path / "root"
    (found / "team" / "sub").mkdir(parents=True)
    (found / "hr").mkdir()
    (found / "team" / "a.txt").write_text("a")
    (found / "hr" / "pay.txt").write_text("pay")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.txt").write_text("x")
    return found


@pytest.mark.parametrize(
    "spelling",
    [
        "team/a.txt",
        "/team/a.txt",
        "//team///a.txt/",
        "./team/./a.txt",
        "hr/../team/a.txt",
        "team/sub/../a.txt",
        "nothing/../team/a.txt",
    ],
)
def test_every_spelling_of_a_file_is_that_file(root: Path, spelling: str) -> None:
    found = Disk(str(root)).place(spelling)
    assert (found.target, found.entry, found.kind) == ("/team/a.txt", "/team/a.txt", "file")


def test_the_root_is_a_folder(root: Path) -> None:
    for spelling in ("", "/", "team/.."):
        found = Disk(str(root)).place(spelling)
        assert (found.target, found.entry, found.kind) == ("/", "/", "folder")


def test_a_link_is_the_file_behind_it_and_its_own_entry(root: Path) -> None:
    (root / "team" / "p").symlink_to("../hr/pay.txt")
    (root / "q").symlink_to(root / "team")
    (root / "r").symlink_to("q/p")
    disk = Disk(str(root))
    for spelling, entry in (("team/p", "/team/p"), ("q/p", "/team/p"), ("r", "/r")):
        found = disk.place(spelling)
        assert (found.target, found.entry) == ("/hr/pay.txt", entry)
    assert disk.place("q").target == "/team"
    assert disk.place("q").entry == "/q"


def test_a_link_out_of_the_root_leads_nowhere_and_one_back_in_leads_in(root: Path) -> None:
    (root / "out").symlink_to(root.parent / "outside")
    (root / "up").symlink_to("..")
    (root / "back").symlink_to(f"../{root.name}/team")
    (root / "prefix").symlink_to(f"{root}-other")
    disk = Disk(str(root))
    for spelling in ("out", "out/x.txt", "out/new.txt", "up", "up/outside/x.txt", "prefix"):
        with pytest.raises(Nowhere):
            disk.place(spelling)
    assert disk.place("back/a.txt").target == "/team/a.txt"
    assert disk.place(f"up/{root.name}/team/a.txt").target == "/team/a.txt"


def test_a_dot_segment_after_a_link_means_two_files_and_neither_is_judged(root: Path) -> None:
    (root / "team" / "sub" / "a.txt").write_text("another")
    (root / "deep").symlink_to("team/sub")
    disk = Disk(str(root))
    # Folded first it is /a.txt; handed to the system it is /team/a.txt.
    with pytest.raises(Nowhere):
        disk.place("deep/../a.txt")
    (root / "here").symlink_to("team")
    assert disk.place("here/../hr/pay.txt").target == "/hr/pay.txt"


def test_a_circle_of_links_leads_nowhere(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    (root / "ping").symlink_to("pong")
    (root / "pong").symlink_to("ping")
    (root / "n0").symlink_to("team")
    for number in range(MAX_LINKS):
        (root / f"n{number + 1}").symlink_to(f"n{number}")
    disk = Disk(str(root))
    for spelling in ("loop", "loop/a", "ping", f"n{MAX_LINKS}"):
        with pytest.raises(Nowhere):
            disk.place(spelling)
    assert disk.place(f"n{MAX_LINKS - 1}").target == "/team"


def test_a_new_name_is_kept_below_the_deepest_folder_that_is_there(root: Path) -> None:
    (root / "q").symlink_to("team")
    (root / "broken").symlink_to("hr/none.txt")
    disk = Disk(str(root))
    found = disk.place("q/new/er.txt")
    assert (found.target, found.kind) == ("/team/new/er.txt", "")
    found = disk.place("broken")
    assert (found.target, found.entry, found.kind) == ("/hr/none.txt", "/broken", "")
    assert disk.place("team/a.txt/inner").target == "/team/a.txt/inner"


def test_a_hard_link_is_counted_and_the_links_of_a_folder_are_not(root: Path) -> None:
    os.link(root / "hr" / "pay.txt", root / "team" / "p")
    disk = Disk(str(root))
    assert disk.place("team/p").names == 2
    assert disk.place("hr/pay.txt").names == 2
    assert disk.child("/team", "p") == disk.place("team/p")
    assert disk.place("team").names == 1


def test_what_is_neither_file_nor_folder_is_nowhere(root: Path) -> None:
    os.mkfifo(root / "pipe")
    disk = Disk(str(root))
    with pytest.raises(Nowhere):
        disk.place("pipe")
    assert disk.child("/", "pipe") is None


def test_a_name_that_no_path_can_have_is_nowhere(root: Path) -> None:
    (root / "back\\slash").mkdir()
    (root / "l").symlink_to("back\\slash")
    (root / os.fsdecode(b"\xff")).write_text("")
    (root / "m").symlink_to(os.fsdecode(b"\xff"))
    for spelling in ("l", "m"):
        with pytest.raises(UnsafePath):
            Disk(str(root)).place(spelling)


def test_the_root_of_the_file_system_can_be_the_contents_root(root: Path) -> None:
    disk = Disk("/")
    inner = str(root / "team" / "a.txt")
    assert disk.place(inner.lstrip("/")).target == os.path.realpath(inner)
    assert disk.path("/") == "/"
    with pytest.raises(UnsafePath):
        disk.place("..")


def test_a_root_that_is_itself_a_link_is_the_folder_behind_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    (root / "absolute").symlink_to(tmp_path / "alias" / "team")
    disk = Disk(str(tmp_path / "alias"))
    assert disk.place("absolute/a.txt").target == "/team/a.txt"


def test_names_that_differ_in_unicode_form_are_two_where_the_disk_says_so(root: Path) -> None:
    composed = unicodedata.normalize("NFC", "é.txt")
    apart = unicodedata.normalize("NFD", "é.txt")
    (root / apart).write_text("")
    disk = Disk(str(root))
    assert disk.place(apart).target == f"/{apart}"
    folds = (root / composed).exists()
    assert disk.place(composed).target == f"/{apart if folds else composed}"
    assert disk.place(composed).kind == ("file" if folds else "")


def folding(lstat: Callable[[str], os.stat_result], root: str) -> Callable[[str], os.stat_result]:
    """An `lstat` as of a file system that knows names by their folded form."""

    def find(path: str) -> os.stat_result:
        here = root
        for part in Path(os.path.relpath(path, root)).parts:
            for each in Path(here).iterdir():
                if each.name.casefold() == part.casefold():
                    here = str(each)
                    break
            else:
                raise FileNotFoundError(path)
        return lstat(here)

    return lambda path: find(path) if path.startswith(root + os.sep) else lstat(path)


def test_where_the_disk_folds_case_a_file_is_called_as_its_folder_lists_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "team" / "Plan.TXT").write_text("")
    disk = Disk(str(root))
    other = folding(os.lstat, os.path.realpath(root))

    def there(path: str, _: int) -> bool:
        try:
            other(path)
        except OSError:
            return False
        return True

    monkeypatch.setattr(os, "lstat", other)
    monkeypatch.setattr(os, "access", there)
    # Some file systems list a file by another number than the one it has.
    monkeypatch.setattr(os, "scandir", lambda _: contextlib.nullcontext([]))
    for spelling in ("TEAM/plan.txt", "team/PLAN.txt", "Team/Plan.TXT"):
        found = disk.place(spelling)
        assert (found.target, found.kind) == ("/team/Plan.TXT", "file")
    assert disk.place("TEAM/New.txt").target == "/team/New.txt"


def test_a_folder_that_begins_to_fold_case_is_noticed_although_it_did_not_before(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(str(root))
    for _ in range(2):
        assert ("/team/A.TXT", "") == (
            disk.place("team/A.TXT").target,
            disk.place("team/A.TXT").kind,
        )
        assert disk.place("team/a.txt").kind == "file"
    other = folding(os.lstat, os.path.realpath(root))
    # It can begin only while it is empty, so something was made in it since.
    (root / "team" / "new.txt").write_text("")
    os.utime(root / "team")
    monkeypatch.setattr(os, "lstat", other)
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert disk.place("team/A.TXT").target == "/team/a.txt"


def test_a_file_that_vanishes_between_listing_and_looking_is_left_out(root: Path) -> None:
    disk = Disk(str(root))
    assert disk.child("/team", "gone.txt") is None
    assert not disk.there("/team/gone.txt")
    assert disk.there("/team/a.txt")


def test_what_is_below_a_folder_is_told_whole_without_following_links(root: Path) -> None:
    (root / "team" / "to_hr").symlink_to("../hr")
    (root / "team" / "out").symlink_to(root.parent)
    (root / "team" / "sub" / "c.txt").write_text("")
    found = {
        name: None if place is None else place.target
        for name, place in Disk(str(root)).below("/team")
    }
    assert found == {
        "a.txt": "/team/a.txt",
        "sub": "/team/sub",
        "sub/c.txt": "/team/sub/c.txt",
        "to_hr": "/hr",
        "out": None,
    }


NAMES = ("team", "hr", "sub", "a.txt", "hr/q", "team/out", "team/back", "back", "q", "new")


def _opened(root: str, spelling: str) -> set[str]:
    """What the system opens, as it is written and with the dots folded first."""
    written = f"{root}/{spelling}"
    found = set()
    for path in (written, os.path.normpath(written)):
        with contextlib.suppress(OSError, ValueError):
            Path(path).stat()
            found.add(os.path.realpath(path))
    return found


@settings(max_examples=300, deadline=None)
@given(spelling=spellings(NAMES))
def test_what_is_judged_is_what_the_system_would_open(
    tmp_path_factory: pytest.TempPathFactory, spelling: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "judged"
    root = folder / "root"
    if not root.exists():
        (root / "team" / "sub").mkdir(parents=True)
        (root / "hr").mkdir()
        (root / "team" / "a.txt").write_text("")
        (root / "hr" / "q").symlink_to("../team/sub")
        (root / "team" / "back").symlink_to("../hr")
        (root / "team" / "out").symlink_to(folder)
    real = os.path.realpath(root)
    opened = _opened(real, spelling)
    try:
        found = Disk(str(root)).place(spelling)
    except UnsafePath:
        # Of what has only names that are there, nothing is refused that is one file below.
        plain = set(spelling.split("/")) <= {*"/".join(NAMES).split("/"), "."}
        assert not (plain and len(opened) == 1 and f"{opened.pop()}/".startswith(f"{real}/"))
        return
    target = (real + found.target).rstrip("/")
    assert opened <= {target}
    assert (target in opened) == bool(found.kind)
    assert os.path.isdir(target) == (found.kind == "folder")  # noqa: PTH112  # why: no path


def test_a_path_eight_levels_deep_costs_little_more_than_its_lookups(root: Path) -> None:
    names = [f"level{number}" for number in range(8)]
    (root / Path(*names)).mkdir(parents=True)
    disk, spelling = Disk(str(root)), "/".join(names)
    steps = ["/".join([str(root), *names[:depth]]) for depth in range(1, 9)]

    def best(what: Callable[[], Any]) -> float:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            what()
            times.append(time.perf_counter() - start)
        return min(times)

    plain = best(lambda: [os.lstat(step) for step in steps])
    assert best(lambda: disk.place(spelling)) < plain * 8


def test_only_a_manager_that_keeps_files_has_a_disk() -> None:
    assert disk_of(object()) is None
