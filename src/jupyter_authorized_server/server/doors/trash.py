"""Door: what is deleted goes to the trash from the folder that was asked about.

By its path another file could be taken, which has the name by then. So the name is taken
out of its folder, which is held open, and put into a trash that is opened link by link too:
that of the server's account, or one at the top of the disk that the file lies on, as the
freedesktop.org specification of trashes has them.
"""

from __future__ import annotations

import datetime as dt
import errno
import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ... import mistakes
from ...errors import Nowhere
from ...policy.paths import MAX_COMPONENT_BYTES
from ..surface.descent import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..surface.descent import Held

_ENDING = ".trashinfo"
_OPEN = os.O_RDONLY | getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)


def put(found: Held) -> None:
    """Put what is at `found` into the trash.

    Raises:
        OSError: there is no trash that could take it.
    """
    info = found.folder.look(found.name)
    if info is None:
        raise FileNotFoundError(errno.ENOENT, mistakes.NO_SUCH_FILE)
    if any(_put(found, trash) for trash in _trashes(found.folder, info.st_dev)):
        return
    raise OSError(errno.EXDEV, mistakes.NO_TRASH)


def _trashes(folder: Folder, device: int) -> Iterator[Folder]:
    """The trashes that may be on the same disk as what is in `folder`."""
    data = _data(device)
    if data is not None:
        yield _own(data, "Trash")
    yield _own(_top(folder), f".Trash-{os.geteuid()}")


def _data(device: int) -> Folder | None:
    """Where the server's account keeps data, if it has a home and that is on the disk."""
    try:
        home = Path.home()
        if home.stat().st_dev != device:
            return None
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Folder(os.open(data, _OPEN), str(data))
    except (OSError, RuntimeError):
        # An account without a home, or one that it cannot write in.
        return None


def _top(folder: Folder) -> Folder:
    """The highest folder on the same disk, as it is mounted."""
    here = Folder(os.dup(folder.number), folder.path)
    while True:
        above = Folder(os.open("..", _OPEN, dir_fd=here.number), "")
        if _mount(above) != _mount(here) or os.path.sameopenfile(above.number, here.number):
            return here
        here = above


def _mount(folder: Folder) -> str:
    told = Path(f"/proc/self/fdinfo/{folder.number}").read_text(encoding="ascii").splitlines()
    return next((line for line in told if line.startswith("mnt_id:")), "")


def _own(folder: Folder, name: str) -> Folder:
    """The folder called `name` in `folder`, made where it is not there.

    Raises:
        OSError: it is a link, or somebody else's, so that what is put there is theirs.
    """
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder.number)
    try:
        found = folder.enter(name)
    except Nowhere:
        raise OSError(errno.ELOOP, mistakes.trash_no_folder(name)) from None
    if os.fstat(found.number).st_uid != os.geteuid():
        raise OSError(errno.EPERM, mistakes.trash_of_another(name))
    return found


def _put(found: Held, trash: Folder) -> bool:
    """Put `found` into `trash`; False where that is on another disk."""
    files, notes = _own(trash, "files"), _own(trash, "info")
    name, number = _note(found.name, files, notes)
    try:
        with os.fdopen(number, "w", encoding="ascii") as note:
            moment = dt.datetime.now(tz=dt.timezone.utc).astimezone()
            note.write(
                f"[Trash Info]\nPath={quote(os.fsencode(found.named))}\n"
                f"DeletionDate={moment:%Y-%m-%dT%H:%M:%S}\n"
            )
        os.rename(found.name, name, src_dir_fd=found.folder.number, dst_dir_fd=files.number)
    except BaseException as error:  # why: raised again
        notes.remove(f"{name}{_ENDING}")
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            return False
        raise
    return True


def _note(name: str, files: Folder, notes: Folder) -> tuple[str, int]:
    """A name that nothing in the trash has, and its note, to be written."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122  # why: as a file manager shows it
    most = MAX_COMPONENT_BYTES - len(_ENDING)
    for number in itertools.count():
        free = name if not number else f"{stem} {number}{ending}"
        if len(os.fsencode(free)) > most:
            free = f"{number} {os.fsencode(name)[: most - 20].decode('utf-8', 'ignore')}"
        if files.look(free) is not None:
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            return free, os.open(f"{free}{_ENDING}", flags, 0o600, dir_fd=notes.number)
        except FileExistsError:
            continue
    raise AssertionError  # pragma: no cover  # why: numbers do not end
