"""The contents root as a process is shown it: folders opened step by step, no link followed.

A path that was a folder when the policy was asked can be a link when it is mounted. So
nothing is mounted by its path: each folder is opened from the root's own descriptor, one
name at a time and never through a link, and what was opened is what is mounted.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir

from .. import far
from ..errors import Unanswered
from ..policy.paths import components
from ..store import file_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config import JupyterAuthorization

_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: In the home of whoever runs the server: keys, and what starts with a shell.
# fmt: off
_SECRETS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".config", ".kube", ".docker", ".local", ".jupyter",
    ".ipython", ".cache", ".netrc", ".pypirc", ".git-credentials", ".gitconfig", ".npmrc",
    ".pgpass", ".my.cnf", ".bash_history", ".bashrc", ".profile",
)
# fmt: on


class Disk:
    """The folders below a contents root.

    Args:
        root: the contents root.
        kept: absolute paths that are the server's own and are never shown.
    """

    #: How often something was not told since a file system did not answer.
    silences = 0

    def __init__(self, root: Path, kept: Iterable[Path]) -> None:
        self.root = root.resolve()
        self._kept = {
            tuple(resolved.parts)
            for path in kept
            if path.exists() and (resolved := path.resolve())
        }

    def _parts(self, path: str) -> tuple[str, ...]:
        return (*self.root.parts, *components(path))

    def place(self, path: str) -> str:
        """Where the canonical `path` is in the file system."""
        return str(self.root.joinpath(*components(path)))

    def is_kept(self, path: str) -> bool:
        """Whether the canonical `path` is, or lies in, something of the server's own."""
        parts = self._parts(path)
        return any(parts[:n] in self._kept for n in range(1, len(parts) + 1))

    def holds_kept(self, path: str) -> bool:
        """Whether something of the server's own is, or lies below, the canonical `path`."""
        parts = self._parts(path)
        return any(kept[: len(parts)] == parts for kept in self._kept)

    def open(self, path: str) -> int:
        """A descriptor of the folder at the canonical `path`.

        Raises:
            OSError: it is not there, no folder, does not answer, or a step of the way is a link.
        """
        self._check_answers(path)
        found = os.open(self.root, _OPEN)
        for name in components(path):
            try:
                inner = os.open(name, _OPEN, dir_fd=found)
            finally:
                os.close(found)
            found = inner
        return found

    def _check_answers(self, path: str) -> None:
        """Raise where the canonical `path` is on a file system that does not answer.

        Raises:
            OSError: it is.
        """
        place = self.place(path)
        try:
            far.answered(lambda: far.check(place))
        except Unanswered as error:
            self.silences += 1
            raise OSError(errno.ETIMEDOUT, str(error)) from None

    def folders(self, path: str) -> list[str]:
        """The names of the folders in the canonical `path`; links are none."""
        return [name for name, kind in self.entries(path) if kind == "folder"]

    def entries(self, path: str) -> list[tuple[str, str]]:
        """What is in the canonical folder `path`: each name, and what it is as `kind` says."""
        try:
            found = self.open(path)
        except OSError:
            return []
        try:
            readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=found)
        except OSError:
            return []
        finally:
            os.close(found)
        try:
            with os.scandir(readable) as entries:
                return [(each.name, _kind(each)) for each in entries if _sayable(each.name)]
        finally:
            os.close(readable)

    def kind(self, path: str) -> str:
        """What is at the canonical `path`: `folder`, `file`, `link` …, empty for nothing."""
        *above, name = components(path)
        try:
            folder = self.open("/" + "/".join(above))
        except OSError as error:
            return "link" if error.errno in {errno.ELOOP, errno.ENOTDIR} else ""
        try:
            self._check_answers(path)
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except OSError:
            return ""
        finally:
            os.close(folder)
        for kind, test in (
            ("folder", stat.S_ISDIR),
            ("file", stat.S_ISREG),
            ("link", stat.S_ISLNK),
        ):
            if test(mode):
                return kind
        return "special file"


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "special file"


def _sayable(name: str) -> bool:
    """Whether a contents path can have `name` in it; no rule can be about another."""
    try:
        return components("/" + name) == (name,)
    except ValueError:
        return False


def kept_by(config: JupyterAuthorization) -> tuple[str, ...]:
    """What the settings say is the server's own: store, records, policy, keys, homes."""
    policy, store = config.policy_folder(), file_of(config.store_url)
    found = (
        "" if store is None else str(store),
        config.audit_file,
        config.policy_dir,
        "" if policy is None else str(policy),
        str(config.sandbox_folder()),
        jupyter_config_dir(),
        jupyter_data_dir(),
        jupyter_runtime_dir(),
    )
    return tuple(path for path in found if path)


def operators_secrets() -> list[Path]:
    """What of the home of whoever runs the server is nobody else's."""
    return [Path.home() / name for name in _SECRETS]


def server_paths(*folders: str) -> list[Path]:
    """What is never shown: `folders`, the code the server runs, and its operator's secrets."""
    own = {Path(folder) for folder in folders if folder}
    own.update(Path(entry) for entry in sys.path if entry)
    own.update(Path(entry) for entry in (sys.prefix, sys.base_prefix, sysconfig.get_path("data")))
    own.add(Path(__file__).parent.parent)
    own.update(operators_secrets())
    return [path.absolute() for path in own]
