"""Writing over a file by its descriptor, with a copy beside it until that is done.

As upstream does it by path: the file stays the one it was, which grants follow, and what
breaks off leaves it as it was. But no link is followed, neither in the place of the file
nor of the copy beside it, where whoever runs code in the folder could have put one.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_server.services.contents.fileio import path_to_intermediate

from ...policy.paths import MAX_COMPONENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..surface.descent import Held


#: Bytes that are copied at once, and after how many such parts somebody is asked.
AT_ONCE = 1 << 20
_ASKED = 64
#: What a system says that sends from one file to another not at all, or not from this one.
_NOT_SENT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EOVERFLOW}
#: What a file system says that knows of no holes.
_NO_HOLES = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def opened(found: Held, allow: Callable[[int], None]) -> tuple[int, bool]:
    """A descriptor of the file at `found`, nothing of it changed yet, and whether it is new.

    Args:
        found: of a file that need not be there.
        allow: raises unless a file of so many names may be written there.
    """
    try:
        number = found.folder.open(found.name, os.O_RDWR)
    except FileNotFoundError:
        allow(1)
        return found.folder.open(found.name, os.O_RDWR | os.O_CREAT | os.O_EXCL), True
    try:
        allow(os.fstat(number).st_nlink)
    except BaseException:  # why: raised again
        os.close(number)
        raise
    return number, False


@contextmanager
def over(
    found: Held,
    number: int,
    *,
    is_new: bool,
    keeps: bool,
    text: bool = True,
    encoding: str = "utf-8",
    log: Any = None,  # noqa: ARG001  # why: upstream's argument
    **kwargs: Any,
) -> Iterator[Any]:
    """The file of `number`, emptied, to be written; as it was, if that breaks off.

    Args:
        keeps: whether a copy of it is kept until then.
        text: whether text is written, in `encoding`, and not bytes.
    """
    if text:
        kwargs.setdefault("newline", "\n")
        file: Any = os.fdopen(number, "w", encoding=encoding, **kwargs)
    else:
        file = os.fdopen(number, "wb", **kwargs)
    beside = None
    try:
        if keeps and not is_new:
            beside = _copied(found, number)
        os.ftruncate(number, 0)
        yield file
        file.flush()
        if keeps:
            os.fsync(number)
    except BaseException:  # why: raised again
        _close(file)
        folder = found.folder
        if beside is not None:
            os.replace(beside, found.name, src_dir_fd=folder.number, dst_dir_fd=folder.number)
        elif is_new and keeps:
            folder.remove(found.name)
        raise
    _close(file)
    if beside is not None:
        found.folder.remove(beside)


def _close(file: Any) -> None:
    try:
        file.close()
    except OSError:
        # What could not be written before cannot be now; it was reported then.
        return


def transfer(source: int, to: int, again: Callable[[], None] = lambda: None) -> None:
    """Copy all of the file `source` into the empty file `to`, where holes stay holes.

    Args:
        again: is called now and then, and raises where the copy is not to go on.
    """
    size, stood = os.fstat(source).st_size, os.lseek(source, 0, os.SEEK_CUR)
    for count, (at, length) in enumerate(_parts(source, size), 1):
        os.lseek(to, at, os.SEEK_SET)
        _send(source, to, at, at + length)
        if count % _ASKED == 0:
            again()
    # To look for holes is to go there.
    os.lseek(source, stood, os.SEEK_SET)
    os.ftruncate(to, min(size, os.fstat(source).st_size))


def _parts(number: int, size: int) -> Iterator[tuple[int, int]]:
    """Where something stands in the file `number` of `size` bytes, and how much."""
    at = 0
    while at < size:
        ends = size
        if hasattr(os, "SEEK_DATA"):
            try:
                at = os.lseek(number, at, os.SEEK_DATA)
                ends = min(size, os.lseek(number, at, os.SEEK_HOLE))
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                if error.errno not in _NO_HOLES:
                    raise
        while at < ends:
            length = min(AT_ONCE, ends - at)
            yield at, length
            at += length


def _send(source: int, to: int, at: int, ends: int) -> None:
    """Copy what stands between `at` and `ends`, leaving the system to do it where it does."""
    sends = hasattr(os, "sendfile")
    while at < ends:
        if sends:
            try:
                sent = os.sendfile(to, source, at, ends - at)
            except OSError as error:
                if error.errno not in _NOT_SENT:
                    raise
                sends = False
                continue
        else:
            part = os.pread(source, ends - at, at)
            sent = len(part)
            while part:
                part = part[os.write(to, part) :]
        if not sent:
            return
        at += sent


def _copied(found: Held, number: int) -> str | None:
    """The name of a copy of the file beside it; None where its folder takes none."""
    beside = str(path_to_intermediate(found.name))  # type: ignore[no-untyped-call]  # why: upstream's
    if len(os.fsencode(beside)) > MAX_COMPONENT_BYTES:
        beside = os.fsencode(beside)[: MAX_COMPONENT_BYTES - 3].decode("utf-8", "ignore")
    folder = found.folder
    try:
        folder.remove(beside)
        copy = folder.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except PermissionError:
        return None
    try:
        info = os.fstat(number)
        try:
            transfer(number, copy)
            os.fchmod(copy, info.st_mode & 0o7777)
            os.utime(copy, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(copy)
    except BaseException:  # why: raised again
        folder.remove(beside)
        raise
    return beside
