"""Door: the file that a contents manager has opened, whatever its path was a moment ago.

A path is judged before it is used, and in between somebody may put a link in the place of
a folder, and back again. Once a file is open no name leads elsewhere: the system says which
one it is, and that one is asked about before anything is read from it or written to it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from ...errors import UnsafePath
from ..surface.disk import Place, disk_of
from ..surface.places import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .sight import Sight

#: What somebody may do with a file that the manager reads, and with one that it writes.
READS, WRITES = ("open", "copy", "download", "export"), ("save", "create", "upload", "restore")
#: What the system adds to the name of a file that was replaced since it was opened.
_GONE = " (deleted)"


def asking(original: Any, sight_of: Callable[[Any], Sight | None], *, writes: bool) -> Any:
    """`original`, which opens a file of a manager, asking about what it has opened.

    Args:
        original: a method that takes a path of the system and is a context manager.
        sight_of: who acts before that manager; None for the server itself.
        writes: whether it always writes; else its mode says.
    """

    @contextmanager
    def opening(self: Any, os_path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with original(self, os_path, *args, **kwargs) as file:
            sight = sight_of(self)
            if sight is not None:
                mode = str(args[0] if args else kwargs.get("mode", "r"))
                _require(self, sight, file, WRITES if writes or set(mode) & set("wax+") else READS)
            yield file

    return opening


def _require(manager: Any, sight: Sight, file: Any, actions: tuple[str, ...]) -> None:
    """See that what `file` is may be read or written.

    Raises:
        HTTPError: it may not, as if it were not there.
    """
    disk = disk_of(manager)
    if disk is None:
        return
    try:
        number = file.fileno()
        path, names = os.readlink(f"/proc/self/fd/{number}"), os.fstat(number).st_nlink  # noqa: PTH115  # why: no path
    except (OSError, AttributeError):
        # No such list of open files here: what was looked at before and after has to do.
        return
    try:
        inside = disk.inside(path.removesuffix(_GONE))
    except UnsafePath:
        raise HTTPError(404, "the file was exchanged for another one meanwhile") from None
    on = resources(Place(target=inside, entry=inside, kind="file", names=names))
    if not any(sight.allows(action, on) for action in actions):
        raise HTTPError(404, "the file was exchanged for another one meanwhile")
