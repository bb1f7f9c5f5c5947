"""What a process leaves behind is out of the way at once, however much it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jupyter_authorized_server.policy.model import Principal
from jupyter_authorized_server.sandbox.room import Origin, Room, home_in, new_scratch, own_in


def test_what_was_left_is_not_met_by_the_next_process_and_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    room = Room(
        origin=Origin(principal=Principal(name="user:ada"), path=None), type="kernels", id="k",
        folder=folder,
    )  # fmt: skip
    for _ in range(2):
        [mount] = own_in(room)
        os.close(mount.source)
        sockets, scratch = Path(mount.at), new_scratch(room, tmp_path)
        assert [] == [*sockets.iterdir()]
        (sockets / "link").symlink_to(tmp_path)
        for number in range(9):
            (sockets / f"{number}").mkdir()
        assert room.scratch is not None
        assert str(room.scratch) == scratch
        (room.scratch / "home" / "left").touch()
    room.clear()
    assert not folder.exists()
    end = time.monotonic() + 60
    while [*tmp_path.iterdir()]:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_home_is_not_that_of_the_next_one_of_its_name(tmp_path: Path) -> None:
    """What somebody has planted there would run with the rights of another."""
    old = Path(home_in(tmp_path, "user-ada"))
    (old / "planted").write_text("before it was known whose it is")
    # It is taken for who is there first, and stays theirs.
    for _ in range(2):
        assert ["planted"] == [
            each.name for each in Path(home_in(tmp_path, "user-ada", since=1.5)).iterdir()
        ]
    new = Path(home_in(tmp_path, "user-ada", since=2.5))
    assert [] == [*new.iterdir()]
    (new / "mine").touch()
    assert ["mine"] == [
        each.name for each in Path(home_in(tmp_path, "user-ada", since=2.5)).iterdir()
    ]
    # The operator finds it, and no process.
    assert ["planted"] == [each.name for each in (tmp_path / "left").glob("*/user-ada/*")]
    assert [] == [*Path(home_in(tmp_path, "user-bob", since=2.5)).iterdir()]
