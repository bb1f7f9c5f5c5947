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


#: Bytes that are copied at once.
AT_ONCE = 1 << 23
#: What a system says that sends from one file to another not at all, or not from this one.
_NOT_SENT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EOVERFLOW}


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


def transfer(source: int, to: int) -> None:
    """Copy all of the file `source` to where `to` stands, leaving the system to do it."""
    done, sends = 0, hasattr(os, "sendfile")
    while True:
        if sends:
            try:
                sent = os.sendfile(to, source, done, AT_ONCE)
            except OSError as error:
                if error.errno not in _NOT_SENT or done:
                    raise
                sends = False
                continue
        else:
            part = os.pread(source, AT_ONCE, done)
            sent = len(part)
            while part:
                part = part[os.write(to, part) :]
        if not sent:
            return
        done += sent


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
