"""What of the machine itself every confined process reads, and what of it none does."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What of `/etc` a program needs that asks for fonts, certificates, zones or languages.
# fmt: off
ETC = (
    "alternatives", "ca-certificates.conf", "fonts", "group.conf", "host.conf", "inputrc",
    "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "magic",
    "mime.types", "nsswitch.conf", "pki", "protocols", "python3", "R", "services", "ssl",
    "terminfo", "timezone", "bash.bashrc", "profile", "hosts",
)
# fmt: on
#: What a sandbox has of its own, or where the machine has its sockets and its settings.
MACHINES = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/boot", "/root/.ssh")
#: Folders of programs beside `/usr`, of which many are links into it.
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Jupyter's own configuration, which may hold what the server's people must not read.
_CONFIGURATION = ("etc/jupyter", "etc/ipython")


def configuration(shown: Sequence[str]) -> list[Path]:
    """The folders of Jupyter's configuration in the folders that are `shown`, links followed."""
    return sorted(
        {
            Path(os.path.realpath(folder))
            for prefix in (*shown, "/usr/local")
            for name in _CONFIGURATION
            if (folder := Path(prefix, name)).is_dir()
        }
    )


def private(folder: str = "/etc", names: Sequence[str] = ETC) -> Iterator[str]:
    """What of `names` in `folder` the machine does not let everybody read, such as its keys.

    The account of the server may read it, and what it starts is of that account.
    """
    waiting = [f"{folder}/{name}" for name in names]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(OSError):
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                continue
            is_folder = stat.S_ISDIR(mode)
            wanted = stat.S_IROTH | stat.S_IXOTH if is_folder else stat.S_IROTH
            if mode & wanted != wanted:
                yield path
            elif is_folder:
                waiting += [each.path for each in os.scandir(path) if not each.is_symlink()]


def roots(folder: str = "/proc") -> Iterator[str]:
    """What `/proc` tells of the machine itself to root alone, such as of each page of memory.

    A process of root's server is root's to it, capabilities or not.
    """
    if os.geteuid() == 0:
        plain = [each.name for each in os.scandir(folder) if each.is_file(follow_symlinks=False)]
        yield from private(folder, plain)


def memory() -> int:
    """Bytes of memory of the machine, or of what the server's control group has of it."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    groups = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            for place in (Path(path.lstrip("/")), Path()):
                limits = (
                    groups / place / "memory.max",
                    groups / "memory" / place / "memory.limit_in_bytes",
                )
                for limit in limits if kinds in {"", "memory"} else ():
                    with contextlib.suppress(OSError, ValueError):
                        found.append(int(limit.read_text("ascii")))
    return min(found)
