"""Backend: a process behind walls of Landlock, where no namespaces can be had.

It shares the machine's names: it sees that other files and processes are there, how large
and how old, and can change times and modes of its account's files. It opens nothing but
what it is given, signals and traces no process but its own, and connects to nothing.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CannotConfine
from . import filter as system_calls
from . import wall
from .box import Building, Confined
from .machine import ETC, SYSTEM, configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .box import Box

_OLDEST = 6
#: Folders to be changed that can be kept apart: the machine has 16 walls for a process.
_MOST = 1 << 7
_RUN, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_READING = _RUN | _READ | _LIST
#: All but making devices, and talking to them.
_WRITING = wall.ALL & ~(1 << 6) & ~(1 << 11) & ~wall.CONTROL
_DEVICE = _WRITE | _READ | wall.CONTROL
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
#: The account's names too, and not what tells a login shell where programs are.
_ETC = (*(name for name in ETC if name != "profile"), "passwd", "group", "gitconfig")
_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
#: In a kernel of IPython `!` asks for a terminal, which nobody gets who shares them.
_IPYTHON = "ipykernel_launcher"
_NO_TERMINAL = "--IPKernelApp.exec_lines=get_ipython().system = get_ipython().system_raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landlock:
    """Confines by Landlock, of which the machine has the version `abi`."""

    abi: int
    word: str = "landlock"
    has_root: bool = False
    leaves_open: frozenset[str] = frozenset({"sees another's file"})

    @property
    def name(self) -> str:
        """What confines, as people are told."""
        return f"Landlock (ABI {self.abi})"

    def leaving(self, what: frozenset[str]) -> Landlock:
        """The same, known to leave `what` open too."""
        return replace(self, leaves_open=self.leaves_open | what)

    def build(self, box: Box, command: Sequence[str], environment: Mapping[str, str]) -> Building:
        """Begin a sandbox in which `command` runs, with the variables of `environment`."""
        return _Walled(box, command, environment)


def find() -> Landlock:
    """The Landlock of this machine.

    Raises:
        CannotConfine: there is none, or one that keeps too little.
    """
    found = wall.abi() if sys.platform.startswith("linux") else 0
    if found < _OLDEST:
        what = f"is of ABI {found}" if found else "is not there"
        msg = f"Landlock {what}, and ABI {_OLDEST} is needed; Linux 6.12 has it"
        raise CannotConfine(msg)
    return Landlock(abi=found)


@dataclass(slots=True, kw_only=True)
class _Walls(Confined):
    """A process that is watched from outside of its walls, by the one that adopts orphans."""

    watcher: int

    @property
    def top(self) -> int:
        """The process from which all that runs in it descends, orphans too."""
        return self.watcher

    def kill(self) -> None:
        """End all that descends from it, now."""
        Confined.kill(self)
        self.close()


class _Walled(Building):
    """A sandbox that Landlock makes."""

    def _line(self) -> list[str]:
        box, program = self._box, [*self._command]
        if box.internet:
            msg = (
                "a rule gives this process the internet, and Landlock, which confines here, "
                "cannot; take the rule back, or let bubblewrap work on this machine"
            )
            raise CannotConfine(msg)
        if _IPYTHON in program:
            program.append(_NO_TERMINAL)
        for path, text in box.texts.items():
            Path(path).write_bytes(text)
        rules = list(self._rules(box))
        plan = {
            "rules": rules,
            "apart": list(apart(rules)),
            "filter": base64.b64encode(system_calls.program(alone=True)).decode(),
            "machine": platform.machine(),
            "cwd": box.cwd or box.home,
            "terminal": box.terminal,
            "command": program,
            "environment": self._environment,
            "tell": self._tells,
            "wait": self._waits,
        }
        packed = self._files.hold(json.dumps(plan).encode())
        return [sys.executable, "-I", "-S", wall.__file__, str(packed)]

    def _rules(self, box: Box) -> Iterator[tuple[int, int]]:
        for mount in box.mounts:
            right = _WRITING if mount.writable else _READING
            is_folder = stat.S_ISDIR(os.fstat(mount.source).st_mode)
            yield self._files.inherit(mount.source), right if is_folder else right & wall.FILE
        for path in _readable(box.system, box.hidden):
            yield from self._rule(path, _READING)
        for path in (*(f"/dev/{name}" for name in _DEVICES), *box.devices):
            yield from self._rule(path, _DEVICE)

    def _rule(self, path: str, right: int) -> Iterator[tuple[int, int]]:
        try:
            descriptor = self._files.keep(os.open(path, _FLAGS))
        except OSError:
            return
        yield descriptor, right if Path(path).is_dir() else right & wall.FILE

    def _confined(self, first: int) -> Confined:
        """The process `first`, which ends when nobody holds the other end of its pipe."""
        stat = Path(f"/proc/{first}/stat").read_text("utf-8")
        watcher = int(stat.rpartition(")")[2].split()[1])
        return _Walls(first=first, status=os.dup(self._release), watcher=watcher)


def apart(rules: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """More walls, by which nothing is moved or linked from one folder of `rules` to another.

    A file that has a second name in somebody's home could be changed there when the right to
    the first is gone. Landlock lets a file go only where it can be done no more with than
    before. So each folder has a number, and for each binary digit of those there are two walls
    that let devices be controlled, one where the digit is 0 and one where it is 1: of any two
    folders each has something by one of the walls that the other has not. No device is
    controlled in any, since the first wall does not let it be.
    """
    given = list(rules)
    folders = [where for where, right in given if right == _WRITING]
    if len(folders) > _MOST:
        msg = (
            f"this process would be given {len(folders)} folders to change, and Landlock keeps "
            f"no more than {_MOST} apart; have `sandbox_mounts` name fewer"
        )
        raise CannotConfine(msg)
    devices = [(where, wall.CONTROL) for where, right in given if right & wall.CONTROL]
    for digit in range((len(folders) - 1).bit_length() if folders else 0):
        for value in (0, 1):
            yield devices + [
                (where, wall.MOVE | (wall.CONTROL if number >> digit & 1 == value else 0))
                for number, where in enumerate(folders)
            ]


def _readable(system: Sequence[str], apart: Sequence[str]) -> Iterator[str]:
    """The paths that every process reads; a folder with something hidden in it by parts."""
    shown = ["/usr", *(f"/{name}" for name in SYSTEM), *system]
    hidden = [str(path) for path in configuration(("/usr", *system))]
    hidden += [os.path.realpath(path) for path in apart]
    for path in dict.fromkeys(os.path.realpath(each) for each in shown):
        yield from _without(path, hidden)
    for name in _ETC:
        yield from _without(os.path.realpath(f"/etc/{name}"), hidden)


def _without(path: str, hidden: Sequence[str]) -> Iterator[str]:
    """`path`, or if one of `hidden` is in it what is in it beside that."""
    if path in hidden:
        return
    if not any(each.startswith(f"{path}/") for each in hidden):
        yield path
        return
    for name in sorted(os.listdir(path)):  # noqa: PTH208  # why: texts
        inner = f"{path}/{name}"
        if not os.path.islink(inner):  # noqa: PTH114  # why: texts
            yield from _without(inner, hidden)
