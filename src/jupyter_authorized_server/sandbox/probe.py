"""Whether the sandbox of this machine holds: tried, not looked up.

Versions prove nothing. So at the start a small program runs in the very sandbox that
kernels get, beside a folder it must not see, and tries to get out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AuthorizationError, CannotConfine
from .bubblewrap import Box, Mount, find, start
from .surroundings import environment, system_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_SECONDS = 60
#: Runs in the sandbox. Prints for each attempt whether it succeeded.
_ATTEMPTS = """
import ctypes, json, os, socket, sys
secret, read_only, home, port, process = json.loads(sys.argv[1])
def attempt(act):
    try:
        return act() is not False
    except (OSError, ValueError):
        return False
def write(path):
    with open(path, "w") as file:
        file.write("x")
def connect():
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
def namespace():
    return ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == 0
def sockets():
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.join(home, "s"))
    os.unlink(os.path.join(home, "s"))
def fork():
    child = os.fork()
    if not child:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(json.dumps({
    "reads another's file": attempt(lambda: open(secret).read()),
    "lists another's folder": attempt(lambda: os.listdir(os.path.dirname(secret))),
    "sees another's file": attempt(lambda: os.stat(secret)),
    "writes a file to be read": attempt(lambda: write(os.path.join(read_only, "planted"))),
    "reaches a port of the machine": attempt(connect),
    "sees another process": attempt(lambda: os.kill(process, 0)),
    "writes in the Python environment": attempt(
        lambda: write(os.path.join(sys.prefix, "jupyter-authorization-probe"))),
    "makes a namespace": attempt(namespace),
    "needs: reads what it may": attempt(lambda: open(os.path.join(read_only, "data")).read()),
    "needs: writes in its home": attempt(lambda: write(os.path.join(home, "mine"))),
    "needs: opens a socket": attempt(sockets),
    "needs: starts a process": attempt(fork),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was found out about this machine.

    Args:
        bwrap: path of bubblewrap; empty where it does not hold here.
        version: its version.
        proc: whether processes get a `/proc`.
        why: why not, or not with a `/proc`, with the remedy.
    """

    bwrap: str = ""
    version: str = ""
    proc: bool = True
    why: str = ""

    @property
    def name(self) -> str:
        """What confines, as people are told."""
        return f"bubblewrap {self.version}" + ("" if self.proc else " without `/proc`")


def probe() -> Probed:
    """Try the sandbox, with a `/proc` and, where that does not work, without; never raises.

    In many containers none can be mounted, since parts of theirs are covered.
    """
    try:
        bwrap, version = find()
    except AuthorizationError as error:
        return Probed(why=f"{error}{_remedy()}")
    why = _why_not(bwrap, proc=True)
    if not why:
        return Probed(bwrap=bwrap, version=version)
    if not _why_not(bwrap, proc=False):
        return Probed(bwrap=bwrap, version=version, proc=False, why=why)
    return Probed(why=why)


def _why_not(bwrap: str, *, proc: bool) -> str:
    """Why the sandbox does not hold; empty where it does."""
    try:
        open_ = _tried(bwrap, proc=proc)
    except (AuthorizationError, OSError, ValueError, subprocess.SubprocessError) as error:
        return f"{error}{_remedy()}"
    if open_:
        return "a process in the sandbox of this machine " + ", ".join(open_)
    return ""


def _tried(bwrap: str, *, proc: bool) -> list[str]:
    """What a process in the sandbox can do and must not, or cannot and must."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jk-probe-")))
        for name in ("another", "shared", "home"):
            (folder / name).mkdir(mode=0o700)
        (folder / "another" / "secret").write_text("x")
        (folder / "shared" / "data").write_text("x")
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        command = [
            sys.executable, "-I", "-S", "-c", _ATTEMPTS,
            json.dumps([
                str(folder / "another" / "secret"), str(folder / "shared"),
                str(folder / "home"), listening.getsockname()[1], os.getpid(),
            ]),
        ]  # fmt: skip
        mounts = tuple(
            Mount(source=stack.enter_context(_opened(folder / name)), at=str(folder / name),
                  writable=name == "home")
            for name in ("shared", "home")
        )  # fmt: skip
        home = str(folder / "home")
        box = Box(system=system_paths(), mounts=mounts, home=home, proc=proc)
        output = stack.enter_context(tempfile.TemporaryFile())
        confined, process = start(
            bwrap, box, command, environment=environment(box.home, "probe", {}), output=output
        )
        stack.callback(confined.close)
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read()
        try:
            found: dict[str, bool] = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            msg = f"the probe failed: {said[-300:].decode('utf-8', 'replace').strip()}"
            raise CannotConfine(msg) from None
    return [
        what if succeeded else what.replace("needs:", "cannot do what a kernel needs:")
        for what, succeeded in found.items()
        if succeeded is not what.startswith("needs:")
    ]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, _OPEN)
    try:
        yield descriptor
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _remedy() -> str:
    clue = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    with contextlib.suppress(OSError):
        if clue.read_text().strip() == "1":
            return "; AppArmor keeps user namespaces from it: install a profile for `bwrap`"
    limit = Path("/proc/sys/user/max_user_namespaces")
    with contextlib.suppress(OSError):
        if limit.read_text().strip() == "0":
            return f"; this machine has no user namespaces: raise `{limit}`"
    return ""
