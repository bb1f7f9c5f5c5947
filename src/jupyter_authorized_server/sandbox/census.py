"""What the processes of a sandbox hold together: how many they are, and their memory.

No limit of one process binds the sum over its children, so the sum is taken.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .box import Confined

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
#: Of a process's memory, its fair share of what it shares with others.
_OWN = ("Pss_Anon:", "SwapPss:")
_SHARED = "Pss_Shmem:"
_BLOCK = 512
_MOST_SEEN = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the processes of one sandbox hold.

    Args:
        processes: with each thread of theirs.
        memory: bytes, with the files that lie in memory; where it is far below what was
            asked about, rather too much than too little.
    """

    processes: int
    memory: int


@dataclass(frozen=True, slots=True)
class _Process:
    number: int
    parent: int
    threads: int
    resident: int
    #: Of a thread that runs; the first may be over, and has nothing then.
    place: str


def census(sandboxes: Iterable[Confined], memory: int) -> list[Held | None]:
    """What each of `sandboxes` holds now; None for one that has ended.

    Args:
        memory: bytes up to which nobody needs to know it exactly.
    """
    children: dict[int, list[_Process]] = {}
    known: dict[int, _Process] = {}
    for process in _running():
        known[process.number] = process
        children.setdefault(process.parent, []).append(process)
    return [_held(each, known.get(each.top), children, memory) for each in sandboxes]


def _held(
    sandbox: Confined, top: _Process | None, children: dict[int, list[_Process]], memory: int
) -> Held | None:
    if top is None:
        return None
    found: list[_Process] = []
    fresh = [top]
    while fresh:
        found += fresh
        fresh = [inner for each in fresh for inner in children.get(each.number, ())]
    files = sum(_used(f"/proc/{sandbox.first}/root{path}") for path in sandbox.forgotten)
    files += _nameless(found)
    held = files + sum(each.resident for each in found)
    if held > memory:
        own, shared = map(sum, zip(*(_fair(each.place) for each in found), strict=True))
        # What is shared lies in files in memory, as a rule; it is not counted twice.
        held = own + max(shared, files)
    return Held(processes=sum(each.threads for each in found), memory=held)


def _running() -> Iterator[_Process]:
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # why: names only
        with contextlib.suppress(OSError, ValueError, IndexError):
            place = f"/proc/{name}"
            words = _stat(place)
            if words[0] == b"Z" and int(words[17]) > 1:
                place = _living(place)
            resident = int(_stat(place)[21]) * _PAGE
            yield _Process(int(name), int(words[1]), int(words[17]), resident, place)


def _stat(place: str) -> list[bytes]:
    return Path(place, "stat").read_bytes().rpartition(b")")[2].split()


def _living(place: str) -> str:
    """Of the process at `place`, whose first thread is over, a thread that is not."""
    for thread in Path(place, "task").iterdir():
        if _stat(str(thread))[0] != b"Z":
            return str(thread)
    return place


def _fair(place: str) -> tuple[int, int]:
    """Bytes of a process's own memory, and of memory that it shares."""
    own = shared = 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path(place, "smaps_rollup").read_text("ascii").splitlines()[1:]:
            name, size = line.split()[:2]
            own += int(size) * 1024 if name in _OWN else 0
            shared += int(size) * 1024 if name == _SHARED else 0
    return own, shared


def litter(folder: Path) -> int:
    """Bytes that files take in `folder`, each thing in it some at least; it is not all read."""
    found = seen = 0
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                found += max(_BLOCK, info.st_blocks * _BLOCK)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                seen += 1
                if seen > _MOST_SEEN:
                    return found
    return found


def _used(path: str) -> int:
    """Bytes that the files of a file system in memory take."""
    with contextlib.suppress(OSError):
        found = os.statvfs(path)
        return (found.f_blocks - found.f_bfree) * found.f_frsize
    return 0


def _nameless(processes: Iterable[_Process]) -> int:
    """Bytes of the files in memory that have no name and that one of `processes` has open."""
    found: dict[tuple[int, int], int] = {}
    for process in processes:
        folder = f"{process.place}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208  # why: names only
                with contextlib.suppress(OSError):
                    path = f"{folder}/{name}"
                    if os.readlink(path).startswith("/memfd:"):  # noqa: PTH115  # why: a text
                        info = os.stat(path)  # noqa: PTH116  # why: a text
                        found[info.st_dev, info.st_ino] = info.st_blocks * _BLOCK
    return sum(found.values())
