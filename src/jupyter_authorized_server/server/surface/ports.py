"""Whose a port of this machine is: of the kernel or terminal in which something listens.

A forwarded port shows whatever answers there, and everybody's programs share the numbers.
The system says which process listens, and that process is one of somebody's kernel or
terminal, the server's own, or nobody's here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import places as at
from .call import UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...policy.model import Resource
    from .call import Call

_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
#: How the system writes that a socket listens.
_LISTENS = "0A"
MOST = 65_535


def forwarded(type_: str) -> Any:
    """Finds the own kernel, or terminal, that listens on the port in the URL, if one does."""

    def find(call: Call) -> Resource | None:
        found = _own(call)
        return found if found is not None and found.type == type_ else None

    return find


def nobodys(call: Call) -> Resource | None:
    """The server, where the port in the URL is not that of one's own kernel or terminal."""
    return at.SERVER if _own(call) is None else None


def _own(call: Call) -> Resource | None:
    if call.listener is UNREAD:
        call.listener = _listener(call)
    found: Resource | None = call.listener
    return found


def _listener(call: Call) -> Resource | None:
    """What of the principal's own listens on the port of the URL, and it alone."""
    text = call.group(0)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST))):
        return None
    listening = set(sockets(int(text)))
    if not listening:
        return None
    for root, found in _started(call):
        if found.owner == call.principal and listening <= set(held(family(root))):
            return found
    return None


def _started(call: Call) -> Iterator[tuple[int, Resource]]:
    """Each running kernel and terminal, with the process that was started for it."""
    kernels: Any = call.settings["kernel_manager"]
    for id_ in kernels.list_kernel_ids():
        with suppress(KeyError):
            process = getattr(getattr(kernels.get_kernel(id_), "provisioner", None), "pid", None)
            if isinstance(process, int) and process > 1:
                yield process, at.kernel(call, id_)
    shells = getattr(call.settings.get("terminal_manager"), "terminals", {})
    for name, shell in list(shells.items()):
        process = getattr(getattr(shell, "ptyproc", None), "pid", None)
        if isinstance(process, int) and process > 1:
            yield process, at.terminal_of(call.settings, name)


def sockets(port: int) -> Iterator[str]:
    """The sockets that listen on `port`, at any address, as the system numbers them."""
    for table in _TABLES:
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                row = line.split()
                if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
                    yield row[9]


def family(root: int) -> set[int]:
    """The process `root` and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  # why: names
        if name.isascii() and name.isdigit():
            with suppress(OSError, ValueError):
                # The name of a program may hold anything, also a bracket.
                said = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                parents.setdefault(int(said[1]), []).append(int(name))
    found, waiting = set(), [root]
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting += parents.get(process, [])
    return found


def held(processes: Iterable[int]) -> Iterator[str]:
    """The sockets that `processes` have open."""
    for process in processes:
        with suppress(OSError):
            for each in Path("/proc", str(process), "fd").iterdir():
                with suppress(OSError):
                    said = os.readlink(each)  # noqa: PTH115  # why: no path
                    if said.startswith("socket:["):
                        yield said[len("socket:[") : -1]
