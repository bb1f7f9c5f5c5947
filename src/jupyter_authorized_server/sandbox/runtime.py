"""The folder of all that ends with a server; those of servers that were killed are swept.

Each has a mark that its server keeps locked for as long as it lives, however it ends. So what
has a mark and no lock is nobody's, and what has no mark may be anybody's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import bubblewrap
from .sockets import SOCKETS
from .surroundings import short_folder, socket_places

if TYPE_CHECKING:
    from collections.abc import Iterator

#: In the folder of `sandbox_dir`, where what kernels print is kept while they run.
LOGS = "logs"
_PREFIX, _MARK = "jk-", "server"
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
#: A pipe in the place of a mark must not hold the server up.
_FILE = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: What a kernel's folder is called, and its log.
_TOKEN = re.compile("[0-9a-f]{24}")


def new_folder() -> tuple[Path, int]:
    """A private folder, and a descriptor to hold for as long as it is somebody's."""
    import fcntl  # noqa: PLC0415  # why: not on every platform

    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=short_folder(SOCKETS)))
    made = folder / f"{_MARK}.new"
    mark = os.open(made, _FILE | os.O_CREAT | os.O_EXCL, 0o600)
    # Before it is called one, so that nobody finds it without its lock.
    fcntl.flock(mark, fcntl.LOCK_EX)
    made.rename(folder / _MARK)
    return folder, mark


def sweep(kept: Path) -> None:
    """Remove what killed servers of this account have left: processes, folders, kernels' logs.

    Args:
        kept: folder of `sandbox_dir`, which may have been theirs.
    """
    bubblewrap.end_left()
    for base in dict.fromkeys(socket_places()):
        with contextlib.suppress(OSError), _opened(base) as where:
            for name in os.listdir(where):  # noqa: PTH208  # why: of a descriptor
                if name.startswith(_PREFIX):
                    with contextlib.suppress(OSError):
                        _take(where, name, kept / LOGS)


def _take(where: int, name: str, logs: Path) -> None:
    """Remove the folder called `name` in the folder `where`, if it is nobody's.

    Raises:
        OSError: it is somebody's, or cannot be removed.
    """
    import fcntl  # noqa: PLC0415  # why: not on every platform

    with _opened(name, _FOLDER, where) as folder:
        if os.fstat(folder).st_uid != os.geteuid():
            return
        with _opened(_MARK, _FILE, folder) as mark:
            told = os.fstat(mark)
            if not stat.S_ISREG(told.st_mode) or told.st_uid != os.geteuid():
                return
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # By what is open, whatever is called so by now; no link in it is followed.
            inner = [each for each in os.listdir(folder) if each != _MARK]  # noqa: PTH208  # why: of a descriptor
            for each in inner:
                shutil.rmtree(f"/proc/self/fd/{folder}/{each}", ignore_errors=True)
                if _TOKEN.fullmatch(each):
                    (logs / f"{each}.log").unlink(missing_ok=True)
            if os.listdir(folder) == [_MARK]:  # noqa: PTH208  # why: of a descriptor
                os.unlink(_MARK, dir_fd=folder)
                os.rmdir(name, dir_fd=where)


@contextlib.contextmanager
def _opened(path: str, flags: int = _FOLDER, where: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, dir_fd=where)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
