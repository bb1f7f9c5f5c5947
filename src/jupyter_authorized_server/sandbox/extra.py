"""Folders and devices of the machine that a rule gives some processes besides the contents.

Which they may be a setting says, and whose, a rule of the policy files. None may be a way to
what is the server's own, or to the contents past what the policy says of them.
"""

from __future__ import annotations

import glob
import logging
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CannotConfine, ConfigurationError
from .box import Mount
from .disk import kept_by, operators_secrets
from .machine import MACHINES, SYSTEM
from .surroundings import socket_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..config import JupyterAuthorization

_log = logging.getLogger(__name__)
_ANY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
_OPEN = _ANY | getattr(os, "O_DIRECTORY", 0)
#: What every process is shown anyway.
_SHOWN = ("/usr/", *(f"/{name}/" for name in SYSTEM))
#: Where a licence may lie that all read.
_ETC = Path("/etc")
#: Stands for the folders of kernels' sockets, whose names nobody knows beforehand.
_SOCKETS_OF_KERNELS = "jk-"
_WRITABLE = ":rw"
#: The numbers of memory and of terminals, which undo a sandbox.
_UNSAFE = {1, 4, 5, 7, *range(136, 144)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What settings name.

    Args:
        mounts: folders, each with whether it may be changed.
        shown: paths of folders and files that every process reads.
        devices: paths of devices, or patterns of such.
        kept: absolute paths that no folder may hold or lie in.
    """

    mounts: tuple[tuple[str, bool], ...] = ()
    shown: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()

    def opened(self, *, mounts: bool) -> list[Mount]:
        """What is shown as it is now, the outermost first; whoever asks closes it.

        What was opened is what is shown: a path may be a link by then.

        Args:
            mounts: whether the folders are too that a rule gives.

        Raises:
            CannotConfine: one leads to where none may.
        """
        asked = [
            (path, False, "sandbox_read_only")
            for path in self.shown
            if not path.startswith(_SHOWN)
        ]
        asked += [(path, changes, "sandbox_mounts") for path, changes in self.mounts if mounts]
        found: list[Mount] = []
        try:
            for path, writable, setting in asked:
                is_shown = setting == "sandbox_read_only"
                source = _opened(path, _ANY if is_shown else _OPEN)
                if source is None:
                    continue
                found.append(Mount(source=source, at=path, writable=writable))
                real = self._judge(path, source, setting)
                if is_shown and real != path:
                    # By both names, since what is in it may lead to either.
                    found.append(Mount(source=os.dup(source), at=real))
        except BaseException:  # why: raised again below
            for mount in found:
                os.close(mount.source)
            raise
        return sorted(found, key=lambda mount: mount.at.count("/"))

    def _judge(self, path: str, source: int, setting: str) -> str:
        """The real path of what has been opened, wherever a link has led.

        Raises:
            CannotConfine: it may not be given.
        """
        real = os.readlink(f"/proc/self/fd/{source}")  # noqa: PTH115  # why: a text
        why = why_not(
            Path(real), self.kept, within=_ETC if setting == "sandbox_read_only" else None
        )
        if why:
            msg = f"`{setting}` names `{path}`, {why}"
            raise CannotConfine(msg)
        return real

    def nodes(self) -> tuple[str, ...]:
        """The devices that are there now."""
        paths = {path for pattern in self.devices for path in glob.glob(pattern)}  # noqa: PTH207  # why: absolute patterns
        return tuple(path for path in sorted(paths) if _is_device(path))


def _opened(path: str, how: int) -> int | None:
    try:
        return os.open(path, how)
    except OSError as error:
        _log.warning("a process is not shown `%s`: %s", path, error.strerror)
        return None


def _is_device(path: str) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISCHR(info.st_mode) and os.major(info.st_rdev) not in _UNSAFE


def why_not(path: Path, kept: Iterable[Path], *, within: Path | None = None) -> str:
    """Why no process may be given `path`, which is resolved; empty where it may.

    Args:
        within: a folder of the machine, not all of it, in which it may be.
    """
    machines = any(path.is_relative_to(each) for each in MACHINES)
    if within is not None and within in path.parents:
        machines = False
    if path == Path("/") or machines:
        return "which is the machine's own; name a folder of data"
    for each in kept:
        there = each.resolve()
        if path.is_relative_to(there) or there.is_relative_to(path):
            return f"which is, holds or lies in `{each}`, of the server's own or of its contents"
    return ""


def named(config: JupyterAuthorization, *own: str) -> Extra:
    """What settings name, apart from `own` and what settings say is the server's.

    Raises:
        ConfigurationError: something that no process may be given.
    """
    kept = [*(Path(path) for path in (*kept_by(config), *own)), *operators_secrets()]
    # Whatever holds them holds the sockets of every kernel.
    kept += [Path(base, _SOCKETS_OF_KERNELS) for base in socket_places()]
    check_shown(config.sandbox_read_only, kept)
    found = parse(config.sandbox_mounts, config.sandbox_devices, kept)
    return replace(found, shown=tuple(dict.fromkeys(config.sandbox_read_only)))


def parse(mounts: Sequence[str], devices: Sequence[str], kept: Iterable[Path]) -> Extra:
    """What the settings `sandbox_mounts` and `sandbox_devices` name.

    Raises:
        ConfigurationError: something that no process may be given.
    """
    kept = tuple(kept)
    found: list[tuple[str, bool]] = []
    for text in mounts:
        path = text.removesuffix(_WRITABLE)
        why = _why_not_named(path) or why_not(Path(path).resolve(), kept)
        others = [Path(other).resolve() for other, _ in found]
        real = Path(path).resolve()
        if any(real.is_relative_to(each) or each.is_relative_to(real) for each in others):
            why = why or "which lies in another that it names, or holds one"
        if why:
            msg = f"`sandbox_mounts` names `{path}`, {why}"
            raise ConfigurationError(msg)
        found.append((path, text.endswith(_WRITABLE)))
    for path in devices:
        if not path.startswith("/dev/") or ".." in path.split("/"):
            msg = f"`sandbox_devices` names `{path}`, which is not below `/dev`"
            raise ConfigurationError(msg)
    return Extra(mounts=tuple(found), devices=tuple(devices), kept=kept)


def check_shown(paths: Iterable[str], kept: Iterable[Path]) -> None:
    """Raise unless what every process reads is no way to what none may.

    Raises:
        ConfigurationError: `sandbox_read_only` names such a path.
    """
    kept = tuple(kept)
    for path in paths:
        why = _why_not_named(path) or why_not(Path(path).resolve(), kept, within=_ETC)
        if why:
            msg = f"`sandbox_read_only` names `{path}`, {why}"
            raise ConfigurationError(msg)


def _why_not_named(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or {".", ".."} & set(parts) or "\0" in path:
        return "which is not an absolute path without `.` and `..`"
    return ""
