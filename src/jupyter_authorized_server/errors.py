"""Every exception of the package.

::

    AuthorizationError            whatever this package raises on purpose
    |-- InvalidName               a principal, action, resource, level or path that cannot be one
    |   `-- UnsafePath            a contents path that names nothing under the root
    |       `-- Nowhere           one that leads to no file on the disk that may be judged
    |           |-- Hidden        one that is written as a hidden file's, which nobody may use
    |           `-- Unanswered    one on a file system that does not answer
    |-- UnknownName               a well-formed name of something that does not exist
    |-- DuplicateName             a name that is taken
    |-- Outdated                  a change of something that has changed meanwhile
    |-- Moved                     a change that was judged before something else changed
    |-- Unconfirmed               a change that must be asked for twice
    |-- LastKeeper                a change that would leave a resource without a manager
    |-- PolicyError               a policy that does not load; holds every mistake at once
    |-- StoreError                the store could not be read or written
    |   |-- StoreUnavailable      locked, read-only, truncated, or gone
    |   `-- StoreVersionError     written by another version of this package
    |-- CannotConfine             a process could not start inside its sandbox, so it did not
    |   `-- Overtaken             its owner may have less by now than it was begun with
    |-- EndedAtOnce               a process that ended before it had really started
    |-- TooMuch                   a view of more folders than a process can be shown
    `-- ConfigurationError        the server cannot enforce as it is set up, so it does not start

A denial is not an exception: it is a `Decision` up to the door that answers it.
"""

from __future__ import annotations

from dataclasses import dataclass


class AuthorizationError(Exception):
    """Whatever this package raises on purpose; the message says what to do."""


class InvalidName(AuthorizationError, ValueError):
    """A text that cannot be the name of a principal, action, resource or level."""


class UnsafePath(InvalidName):
    """A contents path that climbs out of the root or that no file can have."""


class Nowhere(UnsafePath):
    """A path that leads to no file that may be judged; answered like a missing file.

    What the disk says about a path must not show in the answer, so the message is for
    the audit file only.

    Args:
        path: canonical form of what was asked for, where that has one; on it stands the
            question in whose answer the disk does not show.
    """

    def __init__(self, message: str, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class Hidden(Nowhere):
    """A contents path that is written as that of a hidden file; which says nothing of the disk."""


class Unanswered(Nowhere):
    """A contents path on a file system of a network or a program that does not answer."""


class UnknownName(AuthorizationError, LookupError):
    """A well-formed name of something that does not exist here."""


class DuplicateName(AuthorizationError):
    """A name that something else already has."""


class Outdated(AuthorizationError):
    """A change made in the belief that something is as it no longer is."""


class Moved(AuthorizationError):
    """A change that was judged at a revision which is no longer the last one."""


class Unconfirmed(AuthorizationError):
    """A change whose reach is such that whoever makes it must say so."""


class LastKeeper(AuthorizationError):
    """A change after which nobody could say any more who may use something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in a policy file.

    Args:
        source: the file's path, or a name such as `<builtin>`.
        line: counted from 1; 0 where the whole file is meant.
        message: lower case, no full stop, with the remedy where there is one.
    """

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.message}"


class PolicyError(AuthorizationError):
    """A policy that does not load. `mistakes` holds all of them, in order."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


class StoreError(AuthorizationError):
    """The store could not be read or written; nothing was changed."""


class StoreUnavailable(StoreError):
    """The store is locked, read-only, truncated, not a store, or gone."""


class StoreVersionError(StoreError):
    """The store was written by another version of this package."""


class ConfigurationError(AuthorizationError):
    """The server cannot enforce the policy as it is set up, so it must not start."""


class CannotConfine(AuthorizationError):
    """A process that could not be started inside its sandbox, and so was not started."""


class Overtaken(CannotConfine):
    """A process whose owner may have less by now than it was begun with."""


class EndedAtOnce(AuthorizationError):
    """A process that ended before it had really started; the message says what it said."""


class TooMuch(AuthorizationError):
    """A view of more folders than a process can be shown."""
