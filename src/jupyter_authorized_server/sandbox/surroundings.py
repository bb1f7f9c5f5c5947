"""What surrounds a confined process: its variables, its programs, the names it is given."""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import CannotConfine
from .machine import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a process inherits of the server's environment: language and zone, no secret.
_INHERITED = ("LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM")
_NAME_BYTES = 200
#: Bytes that the path of a socket can have.
SOCKET_PATH = 107


def file_name(name: str) -> str:
    """A name for the home of the principal `name`; no two have the same."""
    quoted = quote(name.replace(":", "-", 1), safe="")
    if len(quoted) <= _NAME_BYTES:
        return quoted
    return quoted[:100] + hashlib.sha256(name.encode()).hexdigest()


def account(name: str) -> str:
    """`name` as a Unix account can be called."""
    bare = re.sub(r"[^a-z0-9_]+", "-", name.partition(":")[2].lower()).strip("-")[:30]
    return bare if bare[:1].isalpha() else f"u-{bare}".rstrip("-")


def environment(
    home: str,
    user: str,
    extra: Mapping[str, str],
    temporary: str = "/tmp",  # noqa: S108  # why: the sandbox's own
) -> dict[str, str]:
    """All the variables that a confined process has.

    Args:
        extra: those of the kernelspec.
        temporary: the folder for what is forgotten.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("LC_")
    }
    packages = f"{home}/.packages"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/bash",
        # Where `pip install` puts what somebody installs, since all else is read-only.
        "PYTHONPATH": packages,
        "PIP_TARGET": packages,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONNOUSERSITE": "1",
        **inherited,
        **extra,
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "TMPDIR": temporary,
    }


def found_program(name: str, variables: Mapping[str, str]) -> str:
    """Absolute path of the program that a kernelspec calls `name`.

    Raises:
        CannotConfine: there is none.
    """
    path = variables.get("PATH") or environment("/", "", {})["PATH"]
    found = shutil.which(name, path=path)
    if found is None or not os.path.isabs(found):  # noqa: PTH117  # why: a text
        msg = (
            f"the kernelspec names the program `{name}`, which is not on this machine; "
            "install it, or mend the `argv` of the kernelspec"
        )
        raise CannotConfine(msg)
    return found


def system_paths(
    *paths: str, apart: Iterable[Path] = (), contents: Path | None = None
) -> tuple[str, ...]:
    """The folders that hold the Python environment and `paths`, to be read.

    For a program in another environment, such as a kernel's, that environment.

    Args:
        apart: folders that the `.pth` files of an environment do not open.
        contents: where people write; the files of an environment in there open nothing.
    """
    found: dict[str, None] = {}
    for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *paths):
        for each in _environment_of(path):
            if each != "/" and os.path.exists(each):  # noqa: PTH110  # why: texts
                found.setdefault(each)
    closed = [*apart, *map(Path, MACHINES), *(() if contents is None else (contents,))]
    trusted = (
        each
        for each in found
        if contents is None or not Path(each).resolve().is_relative_to(contents.resolve())
    )
    for each in _linked_folders(tuple(trusted)):
        real = Path(each).resolve()
        if not any(_share(real, folder.resolve()) for folder in closed):
            found.setdefault(each)
    return tuple(found)


def _share(one: Path, other: Path) -> bool:
    """Whether one of two folders lies in the other."""
    return one.is_relative_to(other) or other.is_relative_to(one)


def _linked_folders(shown: Iterable[str]) -> tuple[str, ...]:
    """The folders that the `.pth` files of the environments in `shown` put on the path.

    An environment may be made of several such; whoever installs a file like that has
    decided what every Python process loads.
    """
    found: dict[str, None] = {}
    for prefix in shown:
        for packages in sorted(glob.glob(f"{glob.escape(prefix)}/lib/python3*/site-packages")):  # noqa: PTH207  # why: twice as fast, at each start
            with contextlib.suppress(OSError):
                for file in _path_files(packages, os.stat(packages).st_mtime_ns):  # noqa: PTH116  # why: a text
                    for line in _path_lines(file, *_version(file)):
                        if os.path.isdir(line):  # noqa: PTH112  # why: texts
                            found.setdefault(line)
    return tuple(found)


def _version(file: str) -> tuple[int, ...]:
    """What changes when `file` does."""
    info = os.stat(file)  # noqa: PTH116  # why: a text
    return (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


@functools.lru_cache(maxsize=64)
def _path_files(packages: str, changed: int) -> list[str]:  # noqa: ARG001  # why: another one then
    """The `.pth` files in `packages`, which was changed last at `changed`."""
    return sorted(f"{packages}/{name}" for name in os.listdir(packages) if name.endswith(".pth"))  # noqa: PTH208  # why: names only


@functools.lru_cache(maxsize=256)
def _path_lines(file: str, *version: int) -> list[str]:  # noqa: ARG001  # why: another one then
    """The folders that `file` names."""
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [line.rstrip() for line in lines if line.startswith("/")]


def _environment_of(path: str) -> list[str]:
    if not os.path.isabs(path):  # noqa: PTH117  # why: texts
        return []
    place = Path(path)
    if place.is_dir():
        return list(dict.fromkeys((path, str(place.resolve()))))
    prefix = place.parent.parent
    if not ((prefix / "pyvenv.cfg").exists() or (prefix / "conda-meta").exists()):
        return [path]
    base = Path(os.path.realpath(place)).parent.parent
    return list(dict.fromkeys((str(prefix), str(prefix.resolve()), str(base))))


def socket_places() -> list[str]:
    """The folders in which that of the sockets can lie, the best first."""
    found = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108  # why: the last resort; what is made in it is private
    return [base for base in found if base]


def short_folder(sockets: str) -> str | None:
    """Where the sockets go: the first folder whose sockets can have a name."""
    for base in socket_places():
        if not os.access(base, os.W_OK):
            continue
        longest = Path(base, "jk-12345678", "0" * 24, sockets, "k-10")
        if len(os.fsencode(longest)) <= SOCKET_PATH:
            return base
    return None
