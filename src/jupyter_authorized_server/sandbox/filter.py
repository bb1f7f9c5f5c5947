"""The system calls that a confined process is refused, as a program the kernel runs.

No call here is needed to compute; each has let a process out of a sandbox, reach what is
the machine's, or speak to another machine past the private network.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass

from ..errors import ConfigurationError

_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AND = 0x54
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
#: Offsets in `struct seccomp_data`; the low half of an argument, on a little-endian machine.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
#: CLONE_NEW*: time, mount, cgroup, uts, ipc, user, pid, net.
_NAMESPACES = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000
_NAMESPACES |= 0x40000000
#: TIOCSTI, TIOCLINUX: put words into a terminal's mouth.
_TERMINAL = (0x5412, 0x541C)
#: F_SETLEASE, F_SETDELEG: whoever reads a file keeps others from opening it.
_LEASES = (1024, 1040)
#: AF_ALG, AF_VSOCK: no network namespace keeps them in.
_FAMILIES = (38, 40)
_X32 = 0x40000000
#: AF_UNIX of a stream, whose end is fixed when it is made, and AF_NETLINK of NETLINK_ROUTE,
#: without which the library of a kernel's sockets ends the kernel.
_LOCAL, _KINDS, _KIND, _ROUTES = 1, (1, 5), 0xF, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The numbers of one machine's system calls."""

    architecture: int
    refused: tuple[int, ...]
    unknown: tuple[int, ...]
    clone: int
    ioctl: int
    fcntl: int
    socket: int
    #: What a process does to the names of the machine where it has none of its own: wait
    #: for changes, share memory and queues, connect.
    shared: tuple[int, ...]
    pair: int
    #: Calls that say whom they are about: when to run, with what limits, how urgently.
    schedule: tuple[int, ...]
    limits: int
    priority: int
    io_priority: int


#: Numbers that are the same everywhere: the mount calls, quotactl_fd and the like.
_NEW = (428, 429, 430, 431, 432, 433, 442, 443, 467)
_IO_URING_AND_CLONE3 = (425, 426, 427, 435)

# fmt: off
TABLES = {
    "x86_64": Table(
        architecture=0xC000003E,
        refused=(
            153, 155, 161, 163, 164, 165, 166, 167, 168, 169, 172, 173, 175, 176, 179, 180,
            212, 227, 246, 248, 249, 250, 272, 298, 300, 303, 304, 308, 313, 320, 321, 323,
            103, 134, *_NEW,
        ),
        unknown=_IO_URING_AND_CLONE3,
        clone=56,
        ioctl=16,
        fcntl=72,
        socket=41,
        shared=(
            29, 30, 31, 42, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241, 253, 254, 294,
        ),
        pair=53,
        schedule=(142, 144, 203, 314),
        limits=302,
        priority=141,
        io_priority=251,
    ),
    "aarch64": Table(
        architecture=0xC00000B7,
        refused=(
            18, 39, 40, 41, 42, 51, 58, 60, 89, 97, 104, 105, 106, 112, 116, 142, 170, 217,
            218, 219, 224, 225, 241, 262, 264, 265, 268, 273, 280, 282, 294, *_NEW,
        ),
        unknown=_IO_URING_AND_CLONE3,
        clone=220,
        ioctl=29,
        fcntl=25,
        socket=198,
        shared=(
            26, 27, 180, 181, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 203,
        ),
        pair=199,
        schedule=(118, 119, 122, 274),
        limits=261,
        priority=140,
        io_priority=30,
    ),
}
# fmt: on


def program(machine: str | None = None, *, alone: bool = False) -> bytes:
    """The filter for `machine`, as the machine's kernel reads it.

    Args:
        alone: whether it has to keep also what namespaces keep.

    Raises:
        ConfigurationError: there is no table for it.
    """
    name = machine or platform.machine()
    if name not in TABLES:
        msg = f"there is no table of system calls for `{name}`"
        raise ConfigurationError(msg)
    table = TABLES[name]
    lines = [
        *_unless(_ARCHITECTURE, _JUMP_EQUAL, table.architecture, _KILL),
        _line(_LOAD, _NUMBER),
    ]
    if name == "x86_64":
        lines += [_line(_JUMP_LEAST, _X32, 0, 1), _line(_RETURN, _ERRNO | _ENOSYS)]
    for numbers, error in ((table.refused, _EPERM), (table.unknown, _ENOSYS)):
        for number in numbers:
            lines += [_line(_JUMP_EQUAL, number, 0, 1), _line(_RETURN, _ERRNO | error)]
    lines += _argument(table.clone, 0, _JUMP_SET, (_NAMESPACES,))
    lines += _argument(table.ioctl, 1, _JUMP_EQUAL, _TERMINAL)
    lines += _argument(table.fcntl, 1, _JUMP_EQUAL, _LEASES)
    lines += _argument(table.socket, 0, _JUMP_EQUAL, _FAMILIES)
    if alone:
        lines += _without_namespaces(table)
    lines.append(_line(_RETURN, _ALLOW))
    return b"".join(lines)


def _without_namespaces(table: Table) -> list[bytes]:
    lines = []
    for number in table.shared:
        lines += [_line(_JUMP_EQUAL, number, 0, 1), _DENY]
    for number in table.schedule:
        # The library of a kernel's sockets asks for each of its threads by its number, to be
        # run as all are, and ends the kernel where that fails; so nothing is done about it.
        lines += _when(number, _only(0, 0, _LEAVE))
    lines += _when(table.limits, _only(0, 0))
    lines += _when(table.priority, [*_only(0, 0), *_only(1, 0)])
    lines += _when(table.io_priority, [*_only(0, 1), *_only(1, 0)])
    stream = [_line(_LOAD, _ARGUMENTS + 8), _line(_AND, _KIND)]
    for kind in _KINDS:
        stream += [_line(_JUMP_EQUAL, kind, 0, 1), _line(_RETURN, _ALLOW)]
    stream.append(_DENY)
    lines += _when(table.pair, [*_only(0, _LOCAL), *stream])
    routes = [_line(_LOAD, _ARGUMENTS), _line(_JUMP_EQUAL, _ROUTES, 0, 4), *_only(2, 0)]
    routes.append(_line(_RETURN, _ALLOW))
    return lines + _when(table.socket, [*routes, *_only(0, _LOCAL), *stream])


def _only(index: int, value: int, answer: bytes | None = None) -> list[bytes]:
    """Refuse the call unless its argument `index` is `value`."""
    test = _line(_JUMP_EQUAL, value, 1, 0)
    return [_line(_LOAD, _ARGUMENTS + 8 * index), test, answer or _DENY]


def _when(number: int, inner: list[bytes]) -> list[bytes]:
    """`inner` for the call `number`, which is in the accumulator before and after."""
    inner = [*inner, _line(_LOAD, _NUMBER)]
    return [_line(_JUMP_EQUAL, number, 0, len(inner)), *inner]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


#: Done, as is said, and not done.
_LEAVE = _line(_RETURN, _ERRNO)
#: Not allowed.
_DENY = _line(_RETURN, _ERRNO | _EPERM)


def _unless(offset: int, test: int, value: int, answer: int) -> list[bytes]:
    return [_line(_LOAD, offset), _line(test, value, 1, 0), _line(_RETURN, answer)]


def _argument(number: int, index: int, test: int, values: tuple[int, ...]) -> list[bytes]:
    """Refuse the call `number` whose argument `index` is, or has a bit of, one of `values`.

    The number is in the accumulator before and after.
    """
    inner = [_line(_LOAD, _ARGUMENTS + 8 * index)]
    for value in values:
        inner += [_line(test, value, 0, 1), _DENY]
    return _when(number, inner)
