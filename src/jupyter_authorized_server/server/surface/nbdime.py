"""Surface of nbdime, which compares two notebooks.

Each is a file, its checkpoint, what git keeps of it, or what is at an address: a file is
asked about as one that is opened, a repository as git's own rows ask, and an address is
for who has the internet in a kernel of theirs. `doors.nbdime` fetches and compares them in
a sandbox; where there is none, nbdime would do it in the server itself, by path and in its
one loop, and then administrators alone may.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ... import mistakes
from ..wiring import wiring
from . import places as at
from .core import PAGE, ask, asks
from .git import READS, repository
from .table import Route, Unanswerable
from .whole import everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...policy.model import Resource
    from .call import Call
    from .table import Question, Where

_NBDIME = "nbdime.webapp.nb_server_extension."
_SIDES = ("base", "remote")
#: How `base` begins where one path says both sides.
GIT, CHECKPOINT = "git:", "checkpoint:"
#: How nbdime writes that there is no notebook on one side.
NOTHING = os.devnull


def is_address(text: str) -> bool:
    """Whether one side is no file: nbdime takes what has this in it for an address."""
    return "://" in text


def _said(call: Call, name: str) -> str:
    found = call.text(name)
    if found is None:
        raise Unanswerable(400, mistakes.must_be_text_at(name))
    if is_address(found) and not found.startswith(("http://", "https://")):
        raise Unanswerable(400, mistakes.WHICH_ADDRESS)
    return found


def _sides(call: Call) -> tuple[str, ...]:
    """What `base` and `remote` say, where each says one side."""
    if _said(call, "base").startswith((GIT, CHECKPOINT)):
        return ()
    return tuple(_said(call, name) for name in _SIDES)


def _file(number: int) -> Where:
    """The file on one side; on the first, also that whose checkpoint it is compared with."""

    def find(call: Call) -> tuple[Resource, ...] | None:
        sides, base = _sides(call), _said(call, "base")
        if not sides:
            is_first = number == 0 and base.startswith(CHECKPOINT)
            return at.contents(call, base.removeprefix(CHECKPOINT)) if is_first else None
        path = sides[number]
        return None if path == NOTHING or is_address(path) else at.contents(call, path)

    return find


def _program_with_internet(call: Call) -> Resource | None:
    return at.default_kernelspec(call) if any(map(is_address, _sides(call))) else None


def _named_in_git(call: Call) -> str | None:
    base = _said(call, "base")
    return base.removeprefix(GIT) if base.startswith(GIT) else None


def _named(call: Call) -> str:
    return _said(call, "file_path")


def top_of(call: Call, path: str) -> str:
    """The top folder of the repository that the file at `path` is in."""
    return repository(call, at.place(call, path).target.rpartition("/")[0] or "/")


def _bare(call: Call) -> Resource | None:
    """The server, where what nbdime compares is in no sandbox."""
    return None if wiring(call.settings).nbdime else at.SERVER


_BARE = replace(ask("administer", "server", _bare), bare="nbdime")


def _of_git(named: Callable[[Call], str | None]) -> tuple[Question, ...]:
    """Reading all of the repository in which the file lies that `named` finds."""

    def only(where: Callable[[Call, str], tuple[Resource, ...]]) -> Where:
        def find(call: Call) -> tuple[Resource, ...] | None:
            path = named(call)
            return None if path is None else where(call, path)

        return find

    def top(call: Call, path: str) -> tuple[Resource, ...]:
        return at.contents(call, top_of(call, path))

    def whole(call: Call, path: str) -> tuple[Resource, ...]:
        return everything(call, top_of(call, path), READS)

    # Git knows of files that are not there any more.
    opens = replace(ask("open", "contents", only(at.contents)), absent=True)
    return (
        opens,
        *(ask(action, "contents", only(top)) for action in READS),
        *(ask(action, "contents", only(whole), whole=True) for action in READS),
    )


ROUTES: tuple[Route, ...] = (
    # Pages that show what their address says, and ask for what is compared.
    Route(handler=_NBDIME + "AuthMainDifftoolHandler", methods={"GET": PAGE}),
    Route(handler=_NBDIME + "CheckpointDifftoolHandler", methods={"GET": PAGE}),
    Route(handler=_NBDIME + "GitDifftoolHandler", methods={"GET": PAGE}),
    Route(
        handler=_NBDIME + "ExtensionApiDiffHandler",
        methods={
            "POST": asks(
                "contents",
                _BARE,
                ask("open", "contents", _file(0)),
                ask("open", "contents", _file(1)),
                *_of_git(_named_in_git),
                ask("internet", "kernelspecs", _program_with_internet),
            )
        },
    ),
    Route(
        handler=_NBDIME + "GitDiffHandler",
        methods={"POST": asks("contents", _BARE, *_of_git(_named))},
    ),
    # Tells whether the file is in a repository that whoever asks may read.
    Route(
        handler=_NBDIME + "IsGitHandler",
        methods={"POST": asks("contents", _BARE, ask("open", "contents", at.body_path("path")))},
    ),
)
