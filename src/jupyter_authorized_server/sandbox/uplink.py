"""The program that gives one sandbox the internet, and nothing of what lies nearer.

It runs by itself, as `python -I -S`, outside of the sandbox and before anything runs in
there. First it has the machine's own filter of packets, in the sandbox's network, refuse
whatever is no address of the internet, and every address of this machine, also those that
it gets later. Then it starts `pasta`, which carries packets out. It tries what must not
work, says that it is ready, and ends what it has started when the sandbox ends, or the
server. Whoever is in the sandbox has no right to its network's filter.

Routes would not do: a socket that is bound to a device goes past them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _SET_ADOPTER = 1, 4, 36
_CAPABILITIES = 0x20080522
_REQUEST, _ACKNOWLEDGE, _DUMP, _CREATE, _APPEND = 1, 4, 0x300, 0x400, 0x800
_ERROR, _DONE = 2, 3
#: Of routing: a new address, the question for all, and the group that hears of new ones.
_NEW_ADDRESS, _ASK_ADDRESSES, _ADDRESSES = 20, 22, 0x10
_ADDRESS, _LOCAL = 1, 2
#: Of the filter: its messages, what they do, and the family of both protocols.
_BEGIN, _END, _TABLES, _BOTH = 16, 17, 10, 1
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_NESTED = 0x8000
_OUTPUT, _ACCEPT, _DROP = 3, 1, 0
#: What a rule looks at: the protocol of a packet, the device, the protocol in it.
_PROTOCOL, _DEVICE, _INNER = 15, 5, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DESTINATION, _PORT = 16, 2
_EQUAL, _ADMINISTRATIVELY = 0, 3
_NAME = b"jupyter"
#: Bytes of what stands before a message and before a field, and of a field with an address.
_HEADER, _FIELD, _VERSION_4_FIELD = 16, 4, 8
_READY_SECONDS, _LOOK_SECONDS = 20.0, 0.01

_c = ctypes.CDLL(None, use_errno=True)


def _called(answer: int, what: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def _nested(kind: int, *inner: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(inner))


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))


def _message(kind: int, flags: int, body: bytes, number: int) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body


def _expression(name: str, *attributes: bytes) -> bytes:
    word = _attribute(1, name.encode() + b"\0")
    return _nested(1, word, _nested(2, *attributes))


def _meta(key: int) -> bytes:
    return _expression("meta", _number(1, 1), _number(2, key))


def _field(base: int, offset: int, length: int) -> bytes:
    return _expression(
        "payload", _number(1, 1), _number(2, base), _number(3, offset), _number(4, length)
    )


def _is(data: bytes) -> bytes:
    return _expression("cmp", _number(1, 1), _number(2, _EQUAL), _nested(3, _attribute(1, data)))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise", _number(1, 1), _number(2, 1), _number(3, len(mask)),
        _nested(4, _attribute(1, mask)), _nested(5, _attribute(1, bytes(len(mask)))),
    )  # fmt: skip


def _verdict(code: int) -> bytes:
    return _expression("immediate", _number(1, 0), _nested(2, _nested(2, _number(1, code))))


_REFUSE = _expression("reject", _number(1, 2), _attribute(2, bytes([_ADMINISTRATIVELY])))
_VERSION_4 = _meta(_PROTOCOL) + _is(bytes([socket.AF_INET]))


def _to(network: str) -> bytes:
    """What a packet of version 4 to `network` is known by."""
    address, _, length = network.partition("/")
    bits = int(length or 32)
    mask = struct.pack(">I", (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF)
    wanted = bytes(a & b for a, b in zip(socket.inet_aton(address), mask, strict=True))
    return _VERSION_4 + _field(_NETWORK_HEADER, _DESTINATION, 4) + _masked(mask) + _is(wanted)


def _names_at(address: str, protocol: int) -> bytes:
    """What a question for a name's address is known by."""
    port = _field(_TRANSPORT_HEADER, _PORT, 2) + _is(struct.pack(">H", 53))
    return _to(address) + _meta(_INNER) + _is(bytes([protocol])) + port


def rules(plan: dict[str, Any], own: Iterable[str]) -> Iterator[bytes]:
    """What the filter does, in its order, where `own` are the machine's addresses."""
    yield _meta(_DEVICE) + _is(struct.pack("=I", 1)) + _verdict(_ACCEPT)
    for address in own:
        yield _to(address) + _REFUSE
    for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
        yield _names_at(plan["names"], protocol) + _verdict(_ACCEPT)
    for network in plan["opened"]:
        yield _to(network) + _verdict(_ACCEPT)
    for network in plan["closed"]:
        yield _to(network) + _REFUSE
    yield _VERSION_4 + _verdict(_ACCEPT)
    yield _REFUSE


def _put(found: Iterable[bytes]) -> None:
    """Have the filter of the network that this process is in be `found`, at one stroke."""
    header = struct.pack(">BBH", _BOTH, 0, 0)
    table = _attribute(1, _NAME + b"\0")
    hook = _nested(4, _number(1, _OUTPUT), _number(2, 0))
    chain = (
        table + _attribute(3, _NAME + b"\0") + hook + _number(5, _DROP)
        + _attribute(7, b"filter\0")
    )  # fmt: skip
    parts = [
        (_NEW_TABLE, _CREATE, table),
        (_DELETE_TABLE, 0, table),
        (_NEW_TABLE, _CREATE, table),
        (_NEW_CHAIN, _CREATE, chain),
    ]
    for rule in found:
        body = table + _attribute(2, _NAME + b"\0") + _nested(4, rule)
        parts.append((_NEW_RULE, _CREATE | _APPEND, body))
    batch = struct.pack(">BBH", 0, 0, _TABLES)
    packet = _message(_BEGIN, _REQUEST, batch, 0)
    for number, (kind, flags, body) in enumerate(parts, 1):
        asks = flags | _REQUEST | _ACKNOWLEDGE
        packet += _message(_TABLES << 8 | kind, asks, header + body, number)
    packet += _message(_END, _REQUEST, batch, len(parts) + 1)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as told:
        told.settimeout(_READY_SECONDS)
        told.sendto(packet, (0, 0))
        left = len(parts)
        while left:
            for kind, body in _messages(told.recv(1 << 16)):
                if kind == _ERROR:
                    code = struct.unpack("=i", body[:4])[0]
                    if code:
                        raise OSError(-code, f"the filter of packets: {os.strerror(-code)}")
                    left -= 1


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER:
        length, kind = struct.unpack("=IH", data[:6])
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def _own_addresses() -> set[str]:
    """The addresses of version 4 that this machine has now."""
    found: set[str] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asked:
        asked.settimeout(_READY_SECONDS)
        body = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
        asked.sendto(_message(_ASK_ADDRESSES, _REQUEST | _DUMP, body, 1), (0, 0))
        while True:
            for kind, body in _messages(asked.recv(1 << 16)):
                if kind == _DONE:
                    return found
                if kind == _NEW_ADDRESS:
                    found |= _addresses_in(body[8:])


def _addresses_in(data: bytes) -> set[str]:
    found = set()
    while len(data) >= _FIELD:
        length, kind = struct.unpack("=HH", data[:4])
        if kind in (_ADDRESS, _LOCAL) and length == _VERSION_4_FIELD:
            found.add(socket.inet_ntoa(data[4:8]))
        data = data[max(4, (length + 3) & ~3) :]
    return found


def _enter(plan: dict[str, Any]) -> None:
    """Go over into the sandbox's network, with every right there."""
    _called(_c.setns(plan["user"], _NEW_USER), "the sandbox's rights")
    _called(_c.setns(plan["net"], _NEW_NET), "the sandbox's network")


def _give_up_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    _called(_c.capset(header, (ctypes.c_uint32 * 6)()), "giving up capabilities")


def _within(plan: dict[str, Any], act: Callable[[], None]) -> None:
    """Do `act` in the sandbox's network, by a child; an error of it is raised here."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            _enter(plan)
            act()
            status = 0
        except BaseException as error:  # noqa: BLE001  # why: told to who waits
            os.write(writes, str(error).encode()[:1000])
        os._exit(status)
    os.close(writes)
    with os.fdopen(reads, "rb") as file:
        said = file.read().decode("utf-8", "replace")
    if os.waitpid(child, 0)[1]:
        raise OSError(said or "the sandbox's network could not be made")


def _carry(plan: dict[str, Any]) -> None:
    """Start what carries packets, and wait until it does.

    It goes on as a child of this process, which adopts it.
    """
    inside = _stand_in(plan)
    try:
        _run_until_ready(plan, inside)
    finally:
        os.kill(inside, signal.SIGKILL)
        os.waitpid(inside, 0)


def _stand_in(plan: dict[str, Any]) -> int:
    """A process in the sandbox's network that has no right there, and does nothing.

    By it `pasta` finds the way in; it opens nothing of a process with more rights than its own.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):  # why: told by saying nothing
            _enter(plan)
            _give_up_capabilities()
            _called(_c.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "the parent's end")
            _called(_c.prctl(_SET_DUMPABLE, 1, 0, 0, 0), "being found")
            os.write(writes, b"1")
            signal.pause()
        os._exit(1)
    os.close(writes)
    with os.fdopen(reads, "rb", buffering=0) as file:
        if not file.read(1):
            os.waitpid(child, 0)
            raise OSError("the sandbox's network cannot be entered")
    return child


def _run_until_ready(plan: dict[str, Any], inside: int) -> None:
    line = [
        plan["pasta"], "--quiet", "--config-net", "--ipv4-only",
        "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw",
        "--no-dhcp", "--address", plan["inner"], "--netmask", "255.255.255.248",
        "--gateway", plan["outer"], "--dns-forward", plan["names"], "--ns-ifname", "internet",
        "--userns", f"/proc/{inside}/ns/user", "--netns", f"/proc/{inside}/ns/net",
    ]  # fmt: skip
    if os.geteuid() == 0:
        # It has no right outside of the sandbox's network all the same: it gives all up.
        line += ["--runas", "0:0"]
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        for descriptor in (1, 2):
            os.dup2(writes, descriptor)
        _c.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        # Python ignores it, and `pasta` takes what was there before for a failure.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execv(line[0], line)  # noqa: S606  # why: the program that was looked for
    os.close(writes)
    said, until = b"", time.monotonic() + _READY_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if select.select([reads], [], [], 0)[0]:
            said += os.read(reads, 1000)[: 1000 - len(said)]
        if ended:
            break
        if time.monotonic() > until:
            msg = f"`{plan['pasta']}` does not get ready"
            raise OSError(msg)
        time.sleep(_LOOK_SECONDS)
    os.close(reads)
    if status:
        lines = said.decode("utf-8", "replace").splitlines()
        told = [each for each in lines if each and "to syslog" not in each]
        msg = f"`{plan['pasta']}` could not carry packets: {' '.join(told) or status}"
        raise OSError(msg)


def _children() -> list[int]:
    """The processes that this one has started, or adopted."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # why: names only
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            if int(words[1]) == os.getpid():
                found.append(int(name))
    return found


def _end() -> None:
    """End what carries packets."""
    while found := _children():
        for child in found:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _try(plan: dict[str, Any], own: Iterable[str]) -> None:
    """See that this machine is not reached, also by a socket that goes past the routes.

    Raises:
        OSError: it is.
    """
    with socket.create_server(("0.0.0.0", 0)) as listening:  # noqa: S104  # why: nobody is accepted
        port = listening.getsockname()[1]

        def reach() -> None:
            for address in own:
                for device in (b"", b"internet\0"):
                    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
                        tried.settimeout(1)
                        with contextlib.suppress(OSError):
                            tried.setsockopt(socket.SOL_SOCKET, 25, device)
                            tried.connect((address, port))
                            msg = f"{address} of this machine would be reached"
                            raise SystemExit(msg)

        _within(plan, reach)


def main() -> NoReturn:
    """Do what the plan says, whose descriptor is the only argument."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        plan = json.load(file)
    for name in ("user", "net", "first", "tell", "wait"):
        os.set_inheritable(plan[name], False)  # noqa: FBT003  # why: its only argument
    _called(_c.prctl(_SET_ADOPTER, 1, 0, 0, 0), "adopting what is started")
    # Whoever has made a sandbox has every right in it; of root's own rights none is needed.
    _give_up_capabilities()
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    news.bind((0, _ADDRESSES))
    try:
        own = _own_addresses()
        _within(plan, partial(_put, rules(plan, own)))
        _carry(plan)
        _try(plan, own)
        os.write(plan["tell"], b"ready %d\n" % _children()[0])
        while True:
            can_read = select.select([news, plan["first"], plan["wait"]], [], [])[0]
            if plan["first"] in can_read or plan["wait"] in can_read:
                break
            news.recv(1 << 16)
            own |= _own_addresses()
            _within(plan, partial(_put, rules(plan, own)))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(plan["tell"], f"{error.strerror or error}\n".encode())
    finally:
        _end()
    os._exit(0)


if __name__ == "__main__":
    main()
