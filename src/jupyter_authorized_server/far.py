"""File systems of a network or a program, which may never answer: who asks them waits a while.

The machine's kernel ends no wait for one, so that a thread which asks is lost until it does.
So another one asks, and where the answer does not come nobody asks again before it has come.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = TypeVar("Answer")

#: How long one may take for an answer.
SECONDS = 2.0
_KINDS = ("fuse", "nfs", "cifs", "smb", "ceph", "afs", "lustre", "autofs", "coda", "orangefs")
_TABLE = "/proc/self/mountinfo"
_POINT = 4
_inside = threading.local()


class Far:
    """One that is mounted at `point`."""

    def __init__(self, point: str) -> None:
        self.point = point
        self._above = f"{point.rstrip('/')}/"
        self._asked: dict[object, float] = {}
        self._lock = threading.Lock()

    def holds(self, path: str) -> bool:
        """Whether the absolute `path`, which leads through no link, is on it."""
        return path == self.point or path.startswith(self._above)

    def ask(self, entered: tuple[Far, ...], call: Callable[[], Any]) -> Any:
        """What `call` answers, which may look at those of `entered`.

        Raises:
            Unanswered: nothing, in a while, or what was asked before goes on.
        """
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        with self._lock:
            if any(time.monotonic() - since > SECONDS for since in self._asked.values()):
                raise _silent(self.point)
            self._asked[answer] = time.monotonic()

        def run() -> None:
            _inside.entered = entered
            found: tuple[Any, BaseException | None]
            try:
                # What is remembered of it would be told without it.
                os.statvfs(self.point)
                found = (call(), None)
            except BaseException as error:  # noqa: BLE001  # why: raised for whoever waits
                found = (None, error)
            with self._lock:
                del self._asked[answer]
            answer.put(found)

        threading.Thread(target=run, name="far", daemon=True).start()
        with contextlib.suppress(Empty):
            told, error = answer.get(timeout=SECONDS)
            if error is not None:
                raise error
            return told
        raise _silent(self.point)


class Enters(Exception):
    """Raised before something is asked of `far` by a thread that must not wait for it."""

    def __init__(self, far: Far) -> None:
        super().__init__("it lies on a file system that may not answer")
        self.far = far


def _silent(point: str) -> Unanswered:
    return Unanswered(f"the file system at `{point}` does not answer")


class Mounted:
    """Those of this machine, as its kernel tells them."""

    def __init__(self, table: str = _TABLE) -> None:
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._known: dict[str, Far] = {}
        self._table = -1
        self._changes = select.poll() if hasattr(select, "poll") else None
        with contextlib.suppress(OSError):
            self._table = os.open(table, os.O_RDONLY)
            self._read()
        if self._changes is not None and self._table >= 0:
            self._changes.register(self._table, select.POLLPRI)

    #: Nearly always none.
    all: tuple[Far, ...] = ()

    def look(self) -> None:
        """Read again which there are, where that has changed."""
        if self._changes is None or self._table < 0:
            return
        # One that is asked by two threads at once is asked by neither.
        with self._looking:
            is_changed = bool(self._changes.poll(0))
        if is_changed:
            self._read()

    def _read(self) -> None:
        with self._lock:
            os.lseek(self._table, 0, os.SEEK_SET)
            text = b""
            while part := os.read(self._table, 1 << 16):
                text += part
            found = {}
            for line in text.splitlines():
                words, _, rest = line.partition(b" - ")
                if rest.startswith(tuple(kind.encode() for kind in _KINDS)):
                    point = os.fsdecode(_unescaped(words.split(b" ")[_POINT]))
                    found[point] = self._known.get(point) or Far(point)
            self._known, self.all = found, tuple(found.values())


def _unescaped(path: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), path)


MOUNTED = Mounted()


def check(path: str) -> None:
    """To be called before anything is asked of the absolute `path`, which leads through no link.

    Raises:
        Enters: this thread must not; `answered` has another do it.
    """
    entered = getattr(_inside, "entered", ())
    for far in MOUNTED.all:
        if far not in entered and far.holds(path):
            raise Enters(far)


def answered(call: Callable[[], Answer]) -> Answer:
    """What `call` answers, in this thread where nothing is asked that may not answer.

    Raises:
        Unanswered: there was no answer.
    """
    MOUNTED.look()
    if not MOUNTED.all:
        return call()
    entered: tuple[Far, ...] = ()
    while True:
        try:
            found: Answer = entered[-1].ask(entered, call) if entered else call()
        except Enters as error:  # noqa: PERF203  # why: a turn for each that is entered
            entered = (*entered, error.far)
        else:
            return found


def is_near(folder: str) -> bool:
    """Whether what is in the absolute path `folder` may not answer."""
    return any(far.holds(folder) or _above(far) == folder for far in MOUNTED.all)


def _above(far: Far) -> str:
    return far.point.rpartition("/")[0] or "/"


def silent_in(folder: str) -> frozenset[str]:
    """The names in the absolute path `folder` at which one is mounted that does not answer."""
    return frozenset(
        far.point.rpartition("/")[2]
        for far in MOUNTED.all
        if _above(far) == folder and far.point != "/" and not _answers(far)
    )


def is_silent(folder: str) -> bool:
    """Whether something in the absolute path `folder`, however deep, does not answer."""
    MOUNTED.look()
    inner = f"{folder.rstrip('/')}/"
    return any(
        (far.holds(folder) or far.point.startswith(inner)) and not _answers(far)
        for far in MOUNTED.all
    )


def _answers(far: Far) -> bool:
    try:
        far.ask((far,), lambda: None)
    except (Unanswered, OSError):
        return False
    return True
