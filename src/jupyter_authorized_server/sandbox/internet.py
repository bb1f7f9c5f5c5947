"""The internet for one sandbox that has a network of its own, by `pasta`.

What carries packets out runs as the server's account, which could connect to the machine
itself and to all that is near it. So a filter of the machine's own stands before it, in the
sandbox's network; `uplink` is the program that puts it up.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CannotConfine
from . import uplink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What is not the internet: this host, private and shared networks, neighbours, providers'
#: own services for their machines, examples, measurements, many at once, and no address.
# fmt: off
CLOSED = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4",
)
# fmt: on
#: Addresses of the sandbox, of what carries its packets, and of who knows names, of those
#: that are given to nobody.
INNER, OUTER, NAMES = "198.51.100.10", "198.51.100.9", "198.51.100.11"
RESOLVER = f"nameserver {NAMES}\n".encode()
_PLACES = "/usr/bin:/usr/local/bin:/bin"
_OWNER = 0xB701
_SECONDS = 60.0
_REMEDY = (
    "take back the rule that gives `internet`, or see that Debian's `passt` and the kernel's "
    "`nf_tables` work here"
)


@dataclass(slots=True)
class Uplink:
    """What gives one sandbox the internet; it ends with it."""

    process: subprocess.Popen[bytes]
    held: int
    #: Descriptor of what carries packets, which ends by itself only with whoever started it.
    carries: int = -1

    @property
    def is_over(self) -> bool:
        """Whether who keeps the filter as it has to be has ended."""
        return self.process.poll() is not None

    def close(self) -> None:
        """End it."""
        os.close(self.held)
        if self.carries >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.carries, signal.SIGKILL)
            os.close(self.carries)
        threading.Thread(target=self.process.wait, daemon=True).start()


def find() -> str:
    """Path of the machine's `pasta`.

    Raises:
        CannotConfine: there is none.
    """
    found = shutil.which("pasta", path=_PLACES)
    if found is None:
        msg = f"a rule gives this process the internet, and there is no `pasta`: {_REMEDY}"
        raise CannotConfine(msg)
    return found


def connect(
    pasta: str, first: int, opened: Sequence[str], *, is_over: Callable[[], bool]
) -> Uplink:
    """Give the sandbox of the process `first`, which is still waiting, the internet.

    Args:
        opened: networks that it reaches besides.
        is_over: whether that process has ended, so that its number may be another's.

    Raises:
        OSError: it cannot be given, or would be given too much.
    """
    import fcntl  # noqa: PLC0415  # why: not on every platform

    with contextlib.ExitStack() as ours, contextlib.ExitStack() as stack:

        def opens(descriptor: int, until: contextlib.ExitStack = stack) -> int:
            until.callback(os.close, descriptor)
            return descriptor

        net = opens(os.open(f"/proc/{first}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        user = opens(fcntl.ioctl(net, _OWNER))
        watched = opens(os.pidfd_open(first))
        if is_over():
            msg = "it ended before it had the internet"
            raise OSError(msg)
        told, tells = map(opens, os.pipe(), (ours, stack))
        waits, held = map(opens, os.pipe(), (stack, ours))
        plan = {
            "pasta": pasta, "net": net, "user": user, "first": watched, "tell": tells,
            "wait": waits, "inner": INNER, "outer": OUTER, "names": NAMES,
            "opened": list(opened), "closed": list(CLOSED),
        }  # fmt: skip
        packed = opens(os.memfd_create("jupyter-authorization"))
        os.write(packed, json.dumps(plan).encode())
        os.lseek(packed, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603  # why: a program of our own
            [sys.executable, "-I", "-S", uplink.__file__, str(packed)],
            pass_fds=(net, user, watched, tells, waits, packed), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd="/",
        )  # fmt: skip
        ours.pop_all()
    found = Uplink(process, held)
    said = _answer(told)
    os.close(told)
    word, _, number = said.partition(" ")
    if word == "ready":
        try:
            found.carries = os.pidfd_open(int(number))
        except (OSError, ValueError) as error:
            said = str(error)
    if found.carries < 0:
        found.close()
        msg = (
            "a rule gives this process the internet, which it cannot have here: "
            f"{said or 'no answer'}; {_REMEDY}"
        )
        raise OSError(msg)
    return found


def _answer(told: int) -> str:
    said = b""
    asked = select.poll()
    asked.register(told, select.POLLIN)
    while b"\n" not in said and asked.poll(_SECONDS * 1000):
        more = os.read(told, 4096)
        if not more:
            break
        said += more
    return said.decode("utf-8", "replace").strip()
