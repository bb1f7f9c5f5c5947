"""What a running kernel was shown when it was started, kept where its operator reads it.

Another process, as the command `reach`, can tell by it what this very kernel has: the policy
may say something else by now.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..policy.model import Resource
from . import mounted
from .surroundings import file_name
from .view import View

if TYPE_CHECKING:
    from .room import Room

#: In the server's own folder for sandboxes, which no process is shown.
_FOLDER = "running"
#: Of a process's `stat`, behind its name: when it was begun.
_BEGAN = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a kernel that runs was shown.

    Args:
        path: canonical contents path it was started for; None where there was none.
        token: of its owner, by which it was started; None where by none.
        first: the first process of its sandbox, as the machine counts.
    """

    view: View
    path: str | None
    token: str | None
    first: int
    unconfined: bool

    @property
    def mounts(self) -> frozenset[str] | None:
        """Where something is mounted for it; None where it shares the machine's."""
        if os.readlink(f"/proc/{self.first}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):  # noqa: PTH115  # why: texts
            return None
        return mounted.places(self.first)


def keep(folder: Path, room: Room) -> None:
    """Write down what the kernel in `room` is shown, of which the process has been begun."""
    running, view = room.running, room.view
    began = None if running is None else _began(running.first)
    if running is None or view is None or began is None:
        return
    told = {
        "principal": view.principal,
        "revision": view.revision,
        "read_only": view.read_only,
        "writable": view.writable,
        "besides": sorted(view.besides),
        "program": [view.program.type, view.program.id],
        "path": room.origin.path,
        "token": room.origin.principal.token,
        "first": running.first,
        "began": began,
        "unconfined": room.unconfined,
    }
    place = _place(folder, room.id)
    made = place.with_suffix(".new")
    # A full disk keeps no kernel from running; then nothing is known of this one.
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made.write_text(json.dumps(told), "utf-8")
        made.replace(place)


def forget(folder: Path, kernel: str) -> None:
    """Have nothing be said of the kernel any more."""
    _place(folder, kernel).unlink(missing_ok=True)


def find(folder: Path, kernel: str) -> Shown | None:
    """What the kernel was shown; None where it does not run."""
    with contextlib.suppress(OSError):
        told = json.loads(_place(folder, kernel).read_text("utf-8"))
        if told["began"] == _began(told["first"]):
            kind, name = told["program"]
            view = View(
                principal=told["principal"],
                revision=told["revision"],
                read_only=tuple(told["read_only"]),
                writable=tuple(told["writable"]),
                besides=frozenset(told["besides"]),
                program=Resource(type=kind, id=name),
            )
            return Shown(
                view=view,
                path=told["path"],
                token=told["token"],
                first=told["first"],
                unconfined=told["unconfined"],
            )
    return None


def _place(folder: Path, kernel: str) -> Path:
    return folder / _FOLDER / f"{file_name(kernel)}.json"


def _began(process: int) -> str | None:
    """When `process` was begun, which tells it from a later one of its number; None of none."""
    try:
        words = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return words.rpartition(")")[2].split()[_BEGAN]
