"""Where a kernel and the server speak: a folder of sockets that is the kernel's alone.

A kernel makes its sockets there, so it can change the folder as it begins. Once all are open
it cannot any more, where that can be taken from a process that runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import relay
from .box import can_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .box import Box, Confined

#: In a kernel's folder, the one folder that it shares with the server.
SOCKETS = "s"
#: How the names of the sockets in it begin.
SOCKET = "k"
#: Where its sockets are and with which keys they are spoken to.
CONNECTION = "kernel.json"
#: Where a sandbox with a root of its own has that folder. The machine tells whoever has its
#: network how open sockets are called, and so nobody is told where the server finds another's.
INSIDE = "/run/kernel"
_SECONDS, _LOOK_SECONDS = 60.0, 0.05
#: NS_GET_USERNS: whose rights are needed to change what is mounted.
_OWNER = 0xB701
#: Runs outside of the sandbox, and joins it with nothing left to load.
_SEAL = """
import ctypes, os, sys
owner, mounts, path = int(sys.argv[1]), int(sys.argv[2]), os.fsencode(sys.argv[3])
c = ctypes.CDLL(None, use_errno=True)
c.setns, c.mount
try:
    for namespace, kind in ((owner, 0x10000000), (mounts, 0x20000)):
        if c.setns(namespace, kind):
            os._exit(ctypes.get_errno())
    how = os.statvfs(path).f_flag & 0b1110
    os._exit(ctypes.get_errno() if c.mount(None, path, None, 0x1021 | how, None) else 0)
except OSError as error:
    os._exit(error.errno)
"""


def connection(
    folder: Path, box: Box, command: Sequence[str], *, has_root: bool, by_tcp: bool
) -> list[str]:
    """Have a kernel told where its sockets are; what to run in the place of `command`.

    It is a file of its own, which a kernel that finds keys in it writes anew; the server
    does not read it.

    Args:
        folder: the private folder of the kernel, as the machine has it.
        has_root: whether it has a root of its own.
        by_tcp: whether it listens on TCP instead, in a network of its own.
    """
    told = json.loads((folder / CONNECTION).read_bytes())
    if has_root:
        told["ip"] = f"{INSIDE}/{SOCKET}"
    known = relay.told(told) if by_tcp else told
    # Nothing of the contents lies over it, as might be over where all put what they forget.
    path = f"{Path(INSIDE).parent if has_root else box.temporary}/{CONNECTION}"
    box.texts[path] = json.dumps(known).encode()
    line = [word.replace(str(folder / CONNECTION), path) for word in command]
    return relay.line(told["ip"], told, line) if by_tcp else line


def is_open(folder: Path) -> bool:
    """Whether a kernel has opened a socket in `folder`, however much it has put there."""
    with os.scandir(folder) as entries:
        return any(entry.name.startswith(f"{SOCKET}-") for entry in entries)


def seal(
    running: Confined, folder: Path, ports: Iterable[int], told: Callable[[str], None]
) -> None:
    """Have a process be shown the folder of its sockets only to read, once all are open.

    It takes a while, and nobody waits for it.

    Args:
        folder: of the sockets, as the machine has it.
        ports: what the names of the sockets end in.
        told: called with why it could not be done.
    """
    wanted = [folder / f"{SOCKET}-{port}" for port in ports]
    first, handle = running.first, os.dup(running.handle)

    def run() -> None:
        try:
            why = _not_sealed(first, handle, wanted)
        finally:
            os.close(handle)
        if why:
            told(why)

    threading.Thread(target=run, name="seal", daemon=True).start()


def _not_sealed(first: int, handle: int, wanted: list[Path]) -> str:
    """Seal what the process `first` has; why that cannot be, empty where it is or has ended.

    Args:
        handle: of that process, whose number another may have some day.
    """
    import fcntl  # noqa: PLC0415  # why: not on every platform

    until = time.monotonic() + _SECONDS
    while not all(map(os.path.lexists, wanted)):
        if can_read(handle, _LOOK_SECONDS):
            return ""
        if time.monotonic() > until:
            return "it has not opened all of them"
    try:
        with contextlib.ExitStack() as stack:
            mounts = os.open(f"/proc/{first}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, mounts)
            owner = fcntl.ioctl(mounts, _OWNER)
            stack.callback(os.close, owner)
            if can_read(handle, 0.0):
                return ""
            done = subprocess.run(  # noqa: S603  # why: a program of our own
                [sys.executable, "-I", "-S", "-c", _SEAL, str(owner), str(mounts), INSIDE],
                pass_fds=(owner, mounts), stdin=subprocess.DEVNULL, env={}, cwd="/",
                timeout=_SECONDS, check=False,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return "" if can_read(handle, 0.0) else str(error)
    return os.strerror(done.returncode) if done.returncode else ""
