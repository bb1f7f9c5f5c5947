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
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AuthorizationError, CannotConfine
from . import bounds, bubblewrap, landlock
from .box import PROCESSES, Box, Mount
from .bubblewrap import Bubblewrap
from .ceiling import WATCHED
from .starting import start
from .surroundings import environment, system_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .bounds import Bounds
    from .box import Backend

_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_SECONDS = 60
#: Runs in the sandbox. Prints for each attempt whether it succeeded.
_ATTEMPTS = """
import ctypes, json, os, resource, signal, socket, sys
globals().update(json.loads(sys.argv[1]))
libc = ctypes.CDLL(None, use_errno=True)
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
def meet():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(local)
def write_to():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", letters)
def limit():
    kind = resource.RLIMIT_CORE
    resource.prlimit(process, kind, resource.prlimit(process, kind))
def namespace():
    return libc.unshare(0x10000000) == 0
def sockets():
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.join(home, "s"))
    os.unlink(os.path.join(home, "s"))
def fork():
    child = os.fork()
    if not child:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
def multiply():
    import _thread
    held = _thread.allocate_lock()
    held.acquire()
    _thread.stack_size(1 << 16)
    try:
        for _ in range(many):
            _thread.start_new_thread(held.acquire, ())
    except (RuntimeError, MemoryError):
        return False
print(json.dumps({
    "reads another's file": attempt(lambda: open(secret).read()),
    "lists another's folder": attempt(lambda: os.listdir(os.path.dirname(secret))),
    "sees another's file": attempt(lambda: os.stat(secret)),
    "writes a file to be read": attempt(lambda: write(os.path.join(read_only, "planted"))),
    "reaches a port of the machine": attempt(connect),
    "reaches a socket of another": attempt(meet),
    "sends to a socket of the machine": attempt(write_to),
    "sees another process": attempt(lambda: os.kill(process, 0)),
    "limits another process": attempt(limit),
    "writes in the Python environment": attempt(
        lambda: write(os.path.join(sys.prefix, "jupyter-authorization-probe")) if changes
        else os.access(sys.prefix, os.W_OK)),
    "makes a namespace": attempt(namespace),
    "needs: reads what it may": attempt(lambda: open(os.path.join(read_only, "data")).read()),
    "needs: writes in its home": attempt(lambda: write(os.path.join(home, "mine"))),
    "needs: opens a socket": attempt(sockets),
    "needs: starts a process": attempt(fork),
    "starts more processes than it may": attempt(multiply),
}), flush=True)
os._exit(0)
"""
#: How the names of what a kernel has to be able to do begin.
NEEDS = "needs:"
#: More than a limit of one gets by rounding up, and than the limit of an account.
_MANY = PROCESSES + 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was found out about this machine.

    Args:
        backend: what confines here; None where nothing does.
        why: why not, or not in a better way, with the remedy.
        bounds: where control groups can be made; None where none can.
        unbounded: why none can be made.
    """

    backend: Backend | None = None
    why: str = ""
    bounds: Bounds | None = None
    unbounded: str = ""


def probe(wanted: str = "auto") -> Probed:
    """Try the ways to confine, the best first; never raises.

    Bubblewrap with a `/proc`; without, since in many containers none can be mounted, as
    parts of theirs are covered; Landlock.

    Args:
        wanted: `bubblewrap` or `landlock` for that alone; else any.
    """
    whys: list[str] = []
    within, unbounded = _bounds()
    for kind, find in _WAYS.items():
        if wanted not in {kind, "auto", "require"}:
            continue
        try:
            ways = find()
        except AuthorizationError as error:
            whys.append(f"{error}{_remedy() if kind == 'bubblewrap' else ''}")
            continue
        for way in ways:
            why, open_ = _judged(way, within)
            if not why:
                return Probed(
                    backend=way.leaving(open_),
                    why="; ".join(whys),
                    bounds=within,
                    unbounded=unbounded,
                )
            whys.append(why)
    return Probed(why="; ".join(dict.fromkeys(whys)))


def _bounds() -> tuple[Bounds | None, str]:
    """Where control groups can be made, or why none can."""
    try:
        return bounds.find(), ""
    except CannotConfine as error:
        return None, str(error)


def begin(wanted: str = "auto") -> Future[Probed]:
    """`probe` in a thread of its own, while the server makes its other parts."""
    found: Future[Probed] = Future()

    def run() -> None:
        try:
            found.set_result(probe(wanted))
        except BaseException as error:  # noqa: BLE001  # why: raised where it is waited for
            found.set_exception(error)

    threading.Thread(target=run, name="probe", daemon=True).start()
    return found


def _bubblewraps() -> list[Backend]:
    path, version = bubblewrap.find()
    return [Bubblewrap(path=path, version=version, proc=proc) for proc in (True, False)]


_WAYS: dict[str, Callable[[], list[Backend]]] = {
    "bubblewrap": _bubblewraps,
    "landlock": lambda: [landlock.find()],
}


def why_not(backend: Backend) -> str:
    """Why the sandbox does not hold; empty where it does."""
    return _judged(backend)[0]


def why_no_internet(backend: Backend, opened: tuple[str, ...]) -> str:
    """Why no process can be given the internet here, tried by giving it; empty where one can.

    Args:
        opened: networks that are reached besides.
    """
    box = Box(system=system_paths(), internet=True, opened=opened)
    try:
        with tempfile.TemporaryFile() as output:
            confined, process = start(backend, box, ["/bin/true"], environment={}, output=output)
            process.wait(_SECONDS)
            confined.close()
    except (AuthorizationError, subprocess.SubprocessError) as error:
        return str(error)
    return ""


def _judged(backend: Backend, within: Bounds | None = None) -> tuple[str, frozenset[str]]:
    """Why the sandbox does not hold, and what of it is left to be watched."""
    try:
        open_ = _tried(backend, within)
    except (AuthorizationError, OSError, ValueError, subprocess.SubprocessError) as error:
        return f"{error}{_remedy() if backend.has_root else ''}", frozenset()
    worse = [what for what in open_ if what != WATCHED]
    if worse:
        said = ", ".join(worse)
        return f"a process that {backend.name} confines on this machine {said}", frozenset()
    return "", frozenset(open_)


def _tried(backend: Backend, within: Bounds | None) -> list[str]:
    """What a process in the sandbox can do and must not, or cannot and must."""
    with surrounded() as (folder, told), contextlib.ExitStack() as stack:
        mounts = tuple(
            Mount(source=stack.enter_context(_opened(folder / name)), at=str(folder / name),
                  writable=name == "home")
            for name in ("shared", "home")
        )  # fmt: skip
        # Where it is the account that is limited, the server and others are counted too.
        most = 1 if backend.has_root else PROCESSES
        box = Box(
            system=system_paths(),
            mounts=mounts,
            home=str(folder / "home"),
            user="probe",
            processes=most,
            bounds=within,
        )
        # Whether the machine limits how many it is, this is to tell.
        found = attempted(backend.leaving(frozenset({WATCHED})), box, told)
    return [
        what if succeeded else what.replace(NEEDS, "cannot do what a kernel needs:")
        for what, succeeded in found.items()
        if succeeded is not what.startswith(NEEDS) and what not in backend.leaves_open
    ]


@contextlib.contextmanager
def surrounded() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder with what a process must not reach around it, and what it is told of that."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jk-probe-")))
        for name in ("another", "shared", "home"):
            (folder / name).mkdir(mode=0o700)
        (folder / "another" / "secret").write_text("x")
        (folder / "shared" / "data").write_text("x")
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(str(folder / "another" / "s"))
        local.listen()
        letters = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        letters.bind(f"\0{folder}")
        yield (
            folder,
            {
                "secret": str(folder / "another" / "secret"),
                "read_only": str(folder / "shared"),
                "home": str(folder / "home"),
                "port": listening.getsockname()[1],
                "local": str(folder / "another" / "s"),
                "letters": f"\0{folder}",
                "process": os.getpid(),
                "many": _MANY,
                "changes": True,
            },
        )


def attempted(backend: Backend, box: Box, told: Mapping[str, Any]) -> dict[str, bool]:
    """Each attempt of a process in `box`, and whether it succeeded.

    Raises:
        CannotConfine: it could not be tried.
    """
    command = [sys.executable, "-I", "-S", "-c", _ATTEMPTS, json.dumps(told)]
    surroundings = environment(box.home, box.user, {}, box.temporary)
    with tempfile.TemporaryFile() as output:
        confined, process = start(backend, box, command, environment=surroundings, output=output)
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            confined.kill()
            process.wait()
        finally:
            confined.close()
        output.seek(0)
        return _said(output.read())


def attempted_without(told: Mapping[str, Any]) -> dict[str, bool]:
    """Each attempt of a process that nothing confines, and whether it succeeded.

    Raises:
        CannotConfine: it could not be tried.
    """
    command = [sys.executable, "-I", "-S", "-c", _ATTEMPTS, json.dumps(told)]
    found = subprocess.run(  # noqa: S603  # why: a program of our own
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
    )
    return _said(found.stdout)


def _said(words: bytes) -> dict[str, bool]:
    try:
        found: dict[str, bool] = json.loads(words.splitlines()[-1])
    except (ValueError, IndexError):
        msg = f"the probe failed: {words[-300:].decode('utf-8', 'replace').strip()}"
        raise CannotConfine(msg) from None
    return found


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
