"""The program through which a process that Landlock confines is started, and watched.

It runs by itself, as `python -I -S`, and needs nothing but ctypes. It puts up the walls in
a child and runs there what it was told to; any doubt ends it before that. Outside of the
walls it stays, and when the child ends, when the server lets go of it or ends itself, it
ends all that has descended from the child, also what has left its session: it is who
inherits every orphan. It is two processes, of which each does so when the other is killed.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

_SET_DEATH_SIGNAL, _SET_SECCOMP, _DROP_FROM_BOUNDS = 1, 22, 24
_SET_SECURE_BITS, _SET_ADOPTER, _NO_NEW_RIGHTS, _AMBIENT, _CLEAR_ALL = 28, 36, 38, 47, 4
#: Root is nobody special, and nothing changes that again.
_NO_ROOT = 0b101111
_FILTER_MODE = 2
_RULESET, _ADD_RULE, _RESTRICT = 444, 445, 446
_BENEATH = 1
#: The number of `capset`, and the version of what it is told.
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITIES = 0x20080522
_MOST_CAPABILITIES = 64
#: Right to a folder by what is in it; a plain file takes only those to itself.
FILE = 0b1100000000000111
#: All that Landlock can be asked to keep, of ABI 6: files, TCP, abstract sockets and signals.
ALL = (1 << 16) - 1
_TCP, _SCOPES = 0b11, 0b11
#: To move and link things from one folder to another, and to control devices.
MOVE, CONTROL = 1 << 13, 1 << 15
#: What keeps folders apart: see `landlock.apart`.
APART = MOVE | CONTROL
_QUIET = (
    signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
    signal.SIGPIPE, signal.SIGWINCH,
)  # fmt: skip

#: The exit status of what could not be run.
_NOT_RUN = 127
_MOST_DESCRIPTORS = 1 << 20
_LOOK_SECONDS = 0.002
#: Threads of a process that looks as if it were over, and is not.
_ALIVE = 2

_c = ctypes.CDLL(None, use_errno=True)


def _called(answer: int, what: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


def _prctl(option: int, *values: int) -> int:
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return int(_c.prctl(option, *words))


def _syscall(number: int, *words: Any) -> int:
    return int(_c.syscall(ctypes.c_long(number), *words))


def abi() -> int:
    """The version of Landlock that the machine has; 0 for none."""
    return max(0, _syscall(_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))


def _drop_capabilities(machine: str) -> None:
    """Have none, and get none by running anything, as root neither."""
    if os.geteuid() == 0:
        # Fails where root has been left no right to, and then has none to give up.
        _prctl(_SET_SECURE_BITS, _NO_ROOT)
        for number in range(_MOST_CAPABILITIES):
            _prctl(_DROP_FROM_BOUNDS, number)
    _prctl(_AMBIENT, _CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    _called(_syscall(_CAPSET[machine], header, (ctypes.c_uint32 * 6)()), "capset")
    _called(_prctl(_NO_NEW_RIGHTS, 1), "no new privileges")


def _wall_in(kept: list[int], rules: list[list[int]]) -> None:
    """From here on only what `rules` name: descriptors, each with a right.

    Args:
        kept: rights to files, to TCP, and to what is of no file, that go by rules.
    """
    asked = (ctypes.c_uint64 * 3)(*kept)
    size = ctypes.c_size_t(ctypes.sizeof(asked))
    walls = _called(_syscall(_RULESET, asked, size, ctypes.c_uint(0)), "landlock")
    for descriptor, right in rules:
        rule = right.to_bytes(8, sys.byteorder) + descriptor.to_bytes(4, sys.byteorder)
        put = _syscall(
            _ADD_RULE, ctypes.c_int(walls), ctypes.c_int(_BENEATH), rule, ctypes.c_uint(0)
        )
        _called(put, "a rule of landlock")
    _called(_syscall(_RESTRICT, ctypes.c_int(walls), ctypes.c_uint(0)), "landlock")
    os.close(walls)


def _refuse_calls(program: bytes) -> None:
    held = ctypes.create_string_buffer(program, len(program))
    told = _Program(len(program) // 8, ctypes.addressof(held))
    answer = _prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(told))
    _called(answer, "the filter of system calls")


def _run(plan: dict[str, Any], parent: int, ready: int) -> None:
    """In the child: put up the walls, say so, wait, and become the program."""
    for number in (*_QUIET, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if not plan["terminal"]:
        os.setsid()
    os.chdir(plan["cwd"])
    _drop_capabilities(plan["machine"])
    _called(_prctl(_SET_DEATH_SIGNAL, signal.SIGKILL), "the parent's end")
    if os.getppid() != parent:
        return
    _wall_in([ALL, _TCP, _SCOPES], plan["rules"])
    for rules in plan["apart"]:
        _wall_in([APART, 0, 0], rules)
    _close_but(plan["tell"], ready)
    _refuse_calls(base64.b64decode(plan["filter"]))
    os.write(plan["tell"], json.dumps({"child-pid": os.getpid()}).encode() + b"\n")
    if os.read(ready, 1):
        os.execve(plan["command"][0], plan["command"], plan["environment"])  # noqa: S606  # why: it is what is walled in


def _close_but(*kept: int) -> None:
    """Close every descriptor but the first three and `kept`, which no program inherits."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        os.set_inheritable(descriptor, False)  # noqa: FBT003  # why: its only argument
        low = descriptor + 1
    os.closerange(low, _MOST_DESCRIPTORS)


def _begin(plan: dict[str, Any], ready: int) -> int:
    """Start the child, which runs when something is written to `ready`'s other end."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        _run(plan, parent, ready)
    except BaseException as error:  # noqa: BLE001  # why: whatever it is, nothing is run
        os.write(2, f"{error}\n".encode())
    os._exit(_NOT_RUN)


def _descendants() -> set[int]:
    """The processes that come from this one and run.

    The first thread of a process may have ended while its others run, or still end; then
    the process looks as if it were over, and is the parent of its children all the same.
    """
    parents: dict[int, int] = {}
    over: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # why: names only
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            parents[int(name)] = int(words[1])
            if words[0] in (b"Z", b"X") and int(words[17]) < _ALIVE:
                over.add(int(name))
    found: set[int] = set()
    fresh = {os.getpid()}
    while fresh:
        fresh = {each for each, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found - over


def _end_all() -> None:
    """End every descendant; first all are stopped, so that none can beget another."""
    stopped: set[int] = set()
    while found := _descendants():
        fresh = found - stopped
        for descendant in fresh or found:
            with contextlib.suppress(OSError):
                os.kill(descendant, signal.SIGSTOP if fresh else signal.SIGKILL)
        stopped |= fresh
        if not fresh:
            stopped = set()
            time.sleep(_LOOK_SECONDS)


def _reaped(child: int) -> int | None:
    """Let go of what has ended; how `child` ended, if it did."""
    ended = 1
    while ended:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
    return None


def _watch(child: int, waits: list[int], ready: int) -> int:
    """Wait for the end of `child`, or until it is to end; how it ended.

    Args:
        waits: what is told to it goes to `ready`; where one can tell no more, it is to end.
    """
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    for number in _QUIET:
        signal.signal(number, signal.SIG_IGN)
    while True:
        status = _reaped(child)
        if status is not None:
            return status
        can_read = select.select([*waits, woken], [], [])[0]
        for each in {*can_read} - {woken}:
            if not os.read(each, 1):
                return 128 + signal.SIGKILL
            os.write(ready, b"1")
        if woken in can_read:
            for told in os.read(woken, 64):
                if told != signal.SIGCHLD:
                    return 128 + told


def main() -> NoReturn:
    """Start what the plan says, whose descriptor is the only argument, and watch it."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        plan = json.load(file)
    # Without it, nothing that descends from here could be found.
    Path("/proc/self/stat").read_bytes()
    _called(_prctl(_SET_ADOPTER, 1), "adopting orphans")
    above, held = os.pipe()
    child = os.fork()
    if child:
        # Nothing is told here, and the end of who holds this ends the other.
        _close_but(above, held)
        waits, lets = [above], held
    else:
        _called(_prctl(_SET_ADOPTER, 1), "adopting orphans")
        ready, lets = os.pipe()
        child = _begin(plan, ready)
        waits = [plan["wait"], above]
        _close_but(*waits, lets)
    try:
        status = _watch(child, waits, lets)
    finally:
        _end_all()
    os._exit(status)


if __name__ == "__main__":
    main()
