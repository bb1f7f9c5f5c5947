"""What one confined process gets, and how one is started, whatever confines it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .bounds import Bound, Bounds
    from .internet import Uplink

#: Processes and threads that one sandbox may have, and the bytes that they may hold together.
PROCESSES, MEMORY = 1024, 16 << 30
#: What the machine holds it to is a little higher, so that who is above is seen and told.
_ABOVE = 300
#: Of memory, this part more.
_ABOVE_MEMORY = 8
#: Per process: bytes of data, open files, bytes a file, core dumps.
LIMITS = {
    "RLIMIT_DATA": 16 << 30,
    "RLIMIT_NOFILE": 4096,
    "RLIMIT_FSIZE": 64 << 30,
    "RLIMIT_CORE": 0,
}
#: Where what is forgotten goes in a root of the sandbox's own.
TEMPORARY = "/tmp"  # noqa: S108  # why: the sandbox's own
_ANSWER_SECONDS = 30.0
#: How far what is confined gives way to the server where both want the same processor.
_GIVES_WAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One folder of the machine inside the sandbox, by descriptor.

    Args:
        source: an open descriptor of it; whoever opened it closes it.
        at: absolute path that it has inside.
    """

    source: int
    at: str
    writable: bool = False


@dataclass(slots=True, kw_only=True)
class Box:
    """All that one confined process gets.

    Args:
        system: absolute paths to read, besides the system's own programs.
        mounts: of the contents, the home and the sockets, the outermost first.
        home: path of the home inside; made empty and forgotten where no mount has it.
        cwd: where the process starts.
    """

    system: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    #: Files that are made for it alone, which it may change: by path, what is in each.
    texts: dict[str, bytes] = field(default_factory=dict)
    home: str = "/home/me"
    user: str = "me"
    cwd: str = ""
    #: Where it may put what is forgotten.
    temporary: str = TEMPORARY
    limits: Mapping[str, int] = field(default_factory=lambda: dict(LIMITS))
    #: How many it may be, with its threads, and the bytes that its files in memory may take.
    processes: int = PROCESSES
    memory: int = MEMORY
    #: Where the machine bounds all that it is together; None where it cannot.
    bounds: Bounds | None = None
    #: Whether it may be controlled by the terminal that starts it.
    terminal: bool = False
    #: Whether who starts it tells it something, by a pipe of its own making.
    hears: bool = False
    #: Whether it has the machine's network, and not one of its own with nobody in it.
    network: bool = False
    #: Whether it has the internet in the network of its own, and these networks with it.
    internet: bool = False
    opened: tuple[str, ...] = ()
    #: Paths of devices that it may use besides the usual ones.
    devices: tuple[str, ...] = ()
    #: Absolute paths that it is not shown with what it reads of the system.
    hidden: tuple[str, ...] = ()


class Files:
    """The descriptors that one process inherits: given ones, and texts to be read once."""

    def __init__(self) -> None:
        self.inherited: list[int] = []
        self._held: list[int] = []

    def inherit(self, descriptor: int) -> int:
        """Have `descriptor` inherited."""
        self.inherited.append(descriptor)
        return descriptor

    def keep(self, descriptor: int) -> int:
        """Have `descriptor` inherited, and closed with what is held here."""
        self._held.append(descriptor)
        return self.inherit(descriptor)

    def hold(self, data: bytes) -> int:
        """A descriptor from which `data` can be read."""
        descriptor = self.keep(os.memfd_create("jupyter-authorization"))
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def close(self) -> None:
        """Close what is held here."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()


@dataclass(slots=True, kw_only=True)
class Confined:
    """A process in its sandbox.

    Args:
        first: the sandbox's first process, as the machine counts; when it ends, all do.
            Its group is what was started in the sandbox and did not leave the group.
        status: descriptor that is held until the process has ended.
        handle: descriptor of that first process, whose number another may have some day.
        forgotten: paths inside of file systems in memory that are its own.
    """

    first: int
    status: int
    handle: int = -1
    forgotten: tuple[str, ...] = ()
    #: What gives it the internet.
    uplink: Uplink | None = None
    #: The control group that all of it is in.
    bound: Bound | None = None

    @property
    def top(self) -> int:
        """The process from which all that runs in it descends, orphans too."""
        return self.first

    @property
    def is_over(self) -> bool:
        """Whether all of it has ended, or is held no more."""
        return self.handle < 0 or can_read(self.handle, 0.0)

    def kill(self) -> None:
        """End all that runs in it, now."""
        if self.handle >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def close(self) -> None:
        """Let go of what is held for the process."""
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)
        if self.uplink is not None:
            self.uplink.close()
            self.uplink = None
        if self.bound is not None:
            self.bound.remove()
        if self.status >= 0:
            os.close(self.status)
            self.status = -1


class Building(contextlib.AbstractContextManager["Building"]):
    """A sandbox that is being built: start `line`, then let `run` what it makes.

    Each way to confine makes its own `line`, which says on one descriptor which process is
    the first, and lets it run when it can read from another. What it starts with itself is
    outside of the sandbox, so that it gets none of the variables of what runs inside.
    """

    def __init__(self, box: Box, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._box = box
        self._command = list(command)
        self._environment = dict(environment)
        self._files = Files()
        self._told = self._tells = self._waits = self._release = -1
        self._bound: Bound | None = None
        self._waiting: Confined | None = None
        self._is_unwanted = False
        #: What to start, with these descriptors and no others, and this for its input; a
        #: process that hears has its pipe there, and what is controlled by a terminal that
        #: where this is none.
        self.line: list[str] = []
        self.stdin = subprocess.DEVNULL

    def __enter__(self) -> Building:  # noqa: PYI034  # why: `Self` came with Python 3.11
        try:
            self._told, self._tells = os.pipe()
            self._waits, self._release = os.pipe()
            self.line = self._line()
        except BaseException:  # why: raised again below
            self.__exit__()
            raise
        return self

    @abstractmethod
    def _line(self) -> list[str]:
        """What to start."""

    @property
    def inherited(self) -> list[int]:
        """The descriptors that `line` needs."""
        return [*self._files.inherited, self._tells, self._waits]

    def run(
        self, taken: Callable[[Confined], object] = lambda _: None, hears: int = -1
    ) -> Confined:
        """Let what was started run, limited, once it is what was planned; this takes a while.

        Args:
            taken: called with it while it still waits, and may end it.
            hears: descriptor by which it is told something, where that is so.

        Raises:
            OSError: the sandbox could not be built, or nobody wants it; nothing has run.
        """
        confined = self._take()
        try:
            taken(confined)
            if self._is_unwanted:
                confined.kill()
            self._check(confined)
            confined.uplink = self._connect(confined)
            self._let_run(confined, hears)
        except BaseException:  # why: raised again; what waits must not run
            confined.kill()
            confined.close()
            raise
        return confined

    def give_up(self) -> None:
        """Have nothing run: nobody waits for it any more."""
        self._is_unwanted = True
        if self._waiting is not None:
            self._waiting.kill()

    def _take(self) -> Confined:
        """The process that waits to be let run, limited."""
        self._let_go()
        first = _first(self._told)
        handle = os.pidfd_open(first)
        try:
            self._bind(first)
            self._limit(first)
            found = self._confined(first)
        except BaseException:  # why: raised again; what waits must not run
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
            raise
        found.handle = handle
        found.bound, self._bound = self._bound, None
        self._waiting = found
        return found

    def _let_run(self, confined: Confined, hears: int) -> None:  # noqa: ARG002  # why: for those that wait twice
        """Let what waits run."""
        if confined.is_over:
            msg = "it ended before it was let run"
            raise OSError(msg)
        os.write(self._release, b"1")

    def _check(self, confined: Confined) -> None:
        """Raise unless what waits is what was planned."""

    def _bind(self, first: int) -> None:
        """Put the process `first`, and so all that come from it, into a control group."""
        box = self._box
        if box.bounds is not None:
            above = box.memory // _ABOVE_MEMORY
            self._bound = box.bounds.make(
                memory=box.memory + above, processes=box.processes + _ABOVE
            )
            self._bound.hold(first)

    def _connect(self, confined: Confined) -> Uplink | None:  # noqa: ARG002  # why: for those that can
        """What gives the process the internet; None where it gets none."""
        return None

    def _limit(self, first: int) -> None:
        """Limit the process `first`, and so all that come from it."""
        import resource  # noqa: PLC0415  # why: not on every platform

        limits = {**self._box.limits, "RLIMIT_NPROC": self._box.processes + _ABOVE}
        for name, most in limits.items():
            kind = getattr(resource, name)
            hard = resource.prlimit(first, kind)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(first, kind, (value, value))
        now = os.getpriority(os.PRIO_PROCESS, first)
        os.setpriority(os.PRIO_PROCESS, first, now + _GIVES_WAY)

    def _confined(self, first: int) -> Confined:
        """The process `first`, which runs, with what has to be held for it."""
        # Bubblewrap tells there how it ended; it dies of a pipe that nobody holds.
        told, self._told = self._told, -1
        return Confined(first=first, status=told, forgotten=self._forgotten())

    def _forgotten(self) -> tuple[str, ...]:
        """Paths inside of the file systems in memory that are the sandbox's own."""
        return ()

    def _let_go(self) -> None:
        for descriptor in (self._tells, self._waits):
            if descriptor >= 0:
                os.close(descriptor)
        self._tells = self._waits = -1
        self._files.close()

    def __exit__(self, *_: object) -> None:
        self._let_go()
        for descriptor in (self._told, self._release):
            if descriptor >= 0:
                os.close(descriptor)
        self._told = self._release = -1
        if self._bound is not None:
            # What was in it has not run, and is ended with what confines.
            self._bound.remove()


class Backend(Protocol):
    """A way to confine."""

    @property
    def word(self) -> str:
        """What it is called in records."""

    @property
    def name(self) -> str:
        """What people are told that confines."""

    @property
    def has_root(self) -> bool:
        """Whether a process has files of its own making: `/tmp`, a home that is forgotten."""

    @property
    def leaves_open(self) -> frozenset[str]:
        """What the probe of the machine attempts and this does not prevent."""

    def leaving(self, what: frozenset[str]) -> Backend:
        """The same, known to leave `what` open too."""

    def build(self, box: Box, command: Sequence[str], environment: Mapping[str, str]) -> Building:
        """Begin a sandbox in which `command` runs, with the variables of `environment`."""


def can_read(descriptor: int, seconds: float) -> bool:
    """Whether something can be read within `seconds`; of a number however high."""
    asked = select.poll()
    asked.register(descriptor, select.POLLIN)
    return bool(asked.poll(seconds * 1000))


def _first(told: int) -> int:
    """The first process of the sandbox, as soon as it is said which.

    Raises:
        OSError: none is said.
    """
    said = b""
    while b"\n" not in said:
        if not can_read(told, _ANSWER_SECONDS):
            msg = "what confines does not answer"
            raise OSError(msg)
        more = os.read(told, 4096)
        if not more:
            msg = "what confines ended without a word"
            raise OSError(msg)
        said += more
    status: dict[str, Any] = json.loads(said.splitlines()[0])
    return int(status["child-pid"])
