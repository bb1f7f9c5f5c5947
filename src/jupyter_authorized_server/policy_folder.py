"""The policy files: read from their folder, and noticed when they change.

What changed is found by looking at the folder (names, sizes, times), not by asking the
system for news: news does not come from network mounts, nor when what a link leads to
is exchanged, as a mounted configuration is. A look costs some 0.1 ms.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AuthorizationError, ConfigurationError, InvalidName, Mistake, PolicyError
from .policy.document import PolicyFile
from .policy.model import Grant, parse_name
from .policy.roster import PersonEntry
from .policy.snapshot import load_policy

if TYPE_CHECKING:
    from .policy.snapshot import CheckedPolicy

#: Files of a policy folder that are read, in the order of their names.
POLICY_SUFFIXES = (".cedar", ".yaml", ".yml")

_WRITABLE = (
    "anybody on this machine can write it, so anybody could change the policy; take that away "
    "with `chmod o-w`"
)
_NO_FILE = "this is no file; give it a name with another ending, or take it away"

#: Named as the place of the grant that the setting `owner` gives.
OWNER = "JupyterAuthorization.owner"


def read_policy(folder: Path | None, owner: str = "") -> CheckedPolicy:
    """The policy of the files in `folder`, with the built-in rules; those alone for None.

    Args:
        owner: name of the person whom the settings make `admin`; empty for nobody.

    Raises:
        PolicyError: it does not load; holds all mistakes.
        AuthorizationError: the folder or a file cannot be read.
        ConfigurationError: nobody can be called like `owner`.
    """
    if folder is None:
        return _owned(load_policy([]), owner)
    try:
        names = policy_files(folder)
        wrong = [
            Mistake(source=str(each), line=0, message=message)
            for each in (folder, *names)
            if (message := _why_not(each, is_folder=each == folder))
        ]
        # A pipe would be waited for, perhaps for ever.
        files = [] if wrong else [PolicyFile(source=str(n), text=n.read_bytes()) for n in names]
    except OSError as error:
        msg = f"the policy in `{folder}` cannot be read: {error}"
        raise AuthorizationError(msg) from error
    if wrong:
        raise PolicyError(wrong)
    return _owned(load_policy(files), owner)


def _owned(policy: CheckedPolicy, owner: str) -> CheckedPolicy:
    """`policy` with `owner` as `admin`; as it is where nobody is."""
    if not owner:
        return policy
    try:
        name = parse_name(owner, "user name")
    except InvalidName as error:
        msg = f"`owner` is no name that a person can have: {error}"
        raise ConfigurationError(msg) from None
    grant = Grant(
        id=OWNER,
        principal=f"user:{name}",
        level="admin",
        resource="server:",
        granted_by="policy",
        note="owner of this server",
        source=OWNER,
    )
    said = policy.document
    person = PersonEntry(name=name, display_name=name, source=OWNER, line=0)
    is_known = any(each.name == name for each in said.people)
    return replace(
        policy,
        document=replace(
            said,
            people=said.people if is_known else (*said.people, person),
            grants=(*said.grants, grant),
        ),
    )


def policy_files(folder: Path) -> list[Path]:
    """The files in `folder` that are read, in order.

    Raises:
        OSError: it cannot be looked into.
    """
    found = (path for path in folder.iterdir() if path.suffix in POLICY_SUFFIXES)
    return sorted(path for path in found if not _is_lock(path))


def _is_lock(path: Path) -> bool:
    """Whether it is what Emacs puts beside a file being changed: a link that leads nowhere."""
    return path.name.startswith(".#") and path.is_symlink() and not path.exists()


def _why_not(path: Path, *, is_folder: bool) -> str:
    """Why the folder or file at `path` is not read; empty if it is."""
    mode = path.stat().st_mode
    if not is_folder and not stat.S_ISREG(mode):
        return _NO_FILE
    return _WRITABLE if os.name == "posix" and mode & stat.S_IWOTH else ""


class PolicyFolder:
    """A folder of policy files and what it looked like when it was last read.

    Args:
        path: the folder; None where there is none.
        owner: as for `read_policy`.
    """

    def __init__(self, path: Path | None, owner: str = "") -> None:
        self.path = path
        self._owner = owner
        self._read = self._last = _look(path)
        self._taken: tuple[object, ...] = ()

    def load(self) -> CheckedPolicy:
        """The policy as the files say it now; takes as long as checking them takes.

        Raises:
            PolicyError, AuthorizationError: as `read_policy`. It is not tried again
                before something changes.
        """
        # Looked at first: what changes while it is read is seen as a change afterwards.
        self._read = looked = _look(self.path)
        policy = read_policy(self.path, self._owner)
        self._taken = looked
        return policy

    def changed(self) -> bool:
        """Whether something is different from what was read, and has come to rest.

        What still differs from one look to the next is being written: an editor's half
        of a file may load and lack the forbids of its other half.
        """
        now = _look(self.path)
        at_rest = now == self._last
        self._last = now
        return at_rest and now != self._read

    def files(self) -> tuple[str, ...]:
        """The files that are there now."""
        try:
            return () if self.path is None else tuple(map(str, policy_files(self.path)))
        except OSError:
            return ()

    def newer(self) -> tuple[str, ...]:
        """Those of `files` that are not as they were when the policy was last read whole."""
        taken = frozenset(self._taken[1:])
        files = map(Path, self.files())
        return tuple(str(each) for each in files if (each.name, *_marks(each)) not in taken)

    def gone(self) -> tuple[str, ...]:
        """Those that were there when the policy was last read whole, and are not any more."""
        there = {Path(each).name for each in self.files()}
        taken = [str(each[0]) for each in self._taken[1:] if isinstance(each, tuple)]
        return tuple(str(self.path / each) for each in taken if self.path and each not in there)


def _look(folder: Path | None) -> tuple[object, ...]:
    if folder is None:
        return ()
    try:
        names = policy_files(folder)
        return tuple((each.name, *_marks(each)) for each in (folder, *names))
    except OSError as error:
        return (str(error),)


def _marks(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except OSError as error:
        return (str(error),)
    mode, size = found.st_mode, found.st_size
    return found.st_dev, found.st_ino, mode, size, found.st_mtime_ns, found.st_ctime_ns
