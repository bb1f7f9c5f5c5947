"""What a process leaves behind is out of the way at once, however much it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jupyter_authorized_server.policy.model import Principal
from jupyter_authorized_server.sandbox.room import Origin, Room, new_scratch, new_sockets

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_left_is_not_met_by_the_next_process_and_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    room = Room(
        origin=Origin(principal=Principal(name="user:ada"), path=None), type="kernels", id="k",
        folder=folder,
    )  # fmt: skip
    for _ in range(2):
        sockets, scratch = new_sockets(room, "s"), new_scratch(room, tmp_path)
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
