"""Who asks a file system that may not answer waits a while, and nobody waits for it twice."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from jupyter_authorized_server import far
from jupyter_authorized_server.errors import Unanswered

TABLE = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:40 / /srv/of\040all rw,relatime shared:2 master:1 - nfs4 far:/all rw
23 21 0:41 / /srv/fuse rw,relatime - tmpfs nfs rw
24 22 0:42 / /srv/of\040all/own rw,relatime - fuse.sshfs me@far rw
""".lstrip()


def points(made: far.Mounted) -> list[str]:
    return [each.point for each in made.all]


def test_what_a_network_and_programs_keep_is_told_from_what_disks_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table").write_text(TABLE)
    made = far.Mounted(str(tmp_path / "table"))
    assert ["/srv/of all", "/srv/of all/own"] == points(made)
    monkeypatch.setattr(far, "MOUNTED", made)
    near = ["/srv", "/srv/of all", "/srv/of all/x", "/", "/srv/fuse"]
    assert [True, True, True, False, False] == [far.is_near(each) for each in near]
    paths = ["/srv/of all", "/srv/of all/a", "/srv/of allness", "/srv"]
    assert [True, True, False, False] == [made.all[0].holds(each) for each in paths]


def test_where_the_machine_tells_of_none_nothing_is_far(tmp_path: Path) -> None:
    made = far.Mounted(str(tmp_path / "none"))
    made.look()
    assert [] == points(made)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[far.Far, far.Far]:
    """Two folders of this machine that are taken for such."""
    monkeypatch.setattr(far, "SECONDS", 60.0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    found = far.Far(str(tmp_path / "a")), far.Far(str(tmp_path / "b"))
    made = far.Mounted(str(tmp_path / "none"))
    made.all = found
    monkeypatch.setattr(far, "MOUNTED", made)
    return found


def is_asked_by_another(*paths: str) -> bool:
    def ask() -> threading.Thread:
        for path in paths:
            far.check(path)
        return threading.current_thread()

    return far.answered(ask) is not threading.current_thread()


def test_only_what_may_not_answer_is_asked_by_another_thread(two: tuple[far.Far, far.Far]) -> None:
    a, b = two
    assert not is_asked_by_another("/", "/usr")
    assert is_asked_by_another(a.point)
    assert is_asked_by_another(f"{a.point}/x", f"{b.point}/x", a.point)
    with pytest.raises(far.Enters):
        far.check(b.point)


def test_an_error_of_what_is_asked_is_the_askers(two: tuple[far.Far, far.Far]) -> None:
    def ask() -> os.stat_result:
        far.check(two[0].point)
        return os.lstat(f"{two[0].point}/none")

    with pytest.raises(FileNotFoundError):
        far.answered(ask)


def test_what_does_not_answer_is_asked_again_only_when_it_has(
    two: tuple[far.Far, far.Far], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    begun, answers = threading.Event(), threading.Event()
    asked: list[str] = []

    def ask(on: far.Far) -> bool:
        far.check(on.point)
        asked.append(on.point)
        begun.set()
        return answers.wait(60)

    monkeypatch.setattr(far, "SECONDS", 0.02)
    with pytest.raises(Unanswered, match=f"`{a.point}` does not answer"):
        far.answered(lambda: ask(a))
    assert begun.wait(60)
    time.sleep(0.03)
    # Nobody is asked a second time.
    with pytest.raises(Unanswered):
        far.answered(lambda: ask(a))
    assert "a" in far.silent_in(str(Path(a.point).parent))
    assert [a.point] == asked
    answers.set()
    monkeypatch.setattr(far, "SECONDS", 60.0)
    assert far.answered(lambda: ask(a))
    assert far.answered(lambda: ask(b))
    assert frozenset() == far.silent_in(str(Path(a.point).parent))


def test_many_threads_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, failed = far.Mounted(), []
    monkeypatch.setattr(far, "MOUNTED", made)

    def looks() -> None:
        try:
            for _ in range(2_000):
                far.answered(int)
        except Exception as error:  # noqa: BLE001  # why: told below
            failed.append(error)

    threads = [threading.Thread(target=looks) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [] == failed
