"""Surface of jupyterlab-git.

A repository is a folder with all that is in it. Git runs what a repository's own
configuration names, hooks, filters, a file system monitor, for a `status` as well as
for a `commit`, and it runs under the server's own account, in no sandbox. So every row
that starts git asks for `unconfined` too, which by default only an `admin` may.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import Nowhere
from . import places as at
from .core import ADMIN, INSPECT, PAGE, ask, asks
from .disk import disk_of
from .table import Asks, Route
from .whole import everything, plain

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call
    from .table import Question, Where

_GIT = "jupyterlab_git.handlers."
_READS = ("list", "open")
_WRITES = ("save", "create", "delete")
#: Fields of a body that name files, relative to the repository.
_FIELDS = ("filename", "file_path", "follow_path")


def keep_below(manager: object) -> None:
    """Keep git from taking a folder around the contents root for the repository."""
    disk = disk_of(manager)
    if disk is not None:
        above = os.path.dirname(disk.path("/"))  # noqa: PTH120  # why: as the system writes it
        known = os.environ.get("GIT_CEILING_DIRECTORIES", "")
        os.environ["GIT_CEILING_DIRECTORIES"] = os.pathsep.join(filter(None, (above, known)))


def _repository(call: Call) -> str:
    """The top folder of the repository that the URL's folder is in.

    Where it is in none yet, the folder itself. Git is kept from looking above the
    contents root by `keep_below`.

    Raises:
        Nowhere: the repository is not below the contents root, or is kept elsewhere.
    """
    folder = plain(call, call.group("path"))
    disk = disk_of(call.settings["contents_manager"])
    if disk is None:
        msg = "git needs files on a disk of this server"
        raise Nowhere(msg)
    top = folder
    while True:
        kept = disk.git(top)
        if kept == "elsewhere":
            msg = "this repository keeps what it holds in another place"
            raise Nowhere(msg)
        if kept == "here":
            return top
        if top == "/":
            return folder
        top = top.rpartition("/")[0] or "/"


def _top(call: Call) -> tuple[Resource, ...]:
    return at.contents(call, _repository(call))


def _on(actions: tuple[str, ...]) -> Where:
    return lambda call: everything(call, _repository(call), actions, follows=False)


def _named(call: Call) -> tuple[Resource, ...] | None:
    """The files that the body names, which must lie in the repository.

    Raises:
        Nowhere: one does not.
    """
    body = call.json()
    names = [body[field] for field in _FIELDS if body.get(field) is not None]
    listed = body.get("notebooks")
    names += listed if isinstance(listed, list) else []
    if not names:
        return None
    top = _repository(call)
    found: list[Resource] = []
    for name in names:
        path = plain(call, f"{top}/{name}" if isinstance(name, str) else "\0")
        if not path.startswith(f"{top.rstrip('/')}/"):
            msg = "a file that is named is not in the repository"
            raise Nowhere(msg)
        found += at.resources(at.place(call, path))
    return tuple(found)


def _asks(*actions: str) -> Asks:
    questions: list[Question] = [ask("unconfined", "server", at.server)]
    questions += [ask(action, "contents", _top) for action in actions]
    questions += [ask(action, "contents", _on(actions), whole=True) for action in actions]
    return asks("contents", *questions, ask("open", "contents", _named, whole=True))


_READING = _asks(*_READS)
#: What changes files, or what git keeps of them, and may remove some.
_WRITING = _asks(*_READS, *_WRITES)


def _posts(asked: Asks, *names: str) -> tuple[Route, ...]:
    return tuple(
        Route(handler=f"{_GIT}Git{name}Handler", methods={"POST": asked}) for name in names
    )


ROUTES: tuple[Route, ...] = (
    *_posts(
        _READING,
        "Branch",
        "ChangedFiles",
        "Content",
        "DetailedLog",
        "Diff",
        "Log",
        "ShowPrefix",
        "ShowTopLevel",
        "Status",
        "Tag",
    ),
    *_posts(
        _WRITING,
        "Add",
        "AddAllUnstaged",
        "AddAllUntracked",
        "BranchDelete",
        "Checkout",
        "Clone",
        "Commit",
        "Config",
        "DeleteCommit",
        "Fetch",
        "Init",
        "Merge",
        "NewTag",
        "Pull",
        "Push",
        "Rebase",
        "RemoteAdd",
        "Reset",
        "ResetToCommit",
        "StashApply",
        "StashPop",
        "StripNotebooks",
        "TagCheckout",
        "Upstream",
    ),
    Route(handler=_GIT + "GitCheckNotebooksHandler", methods={"GET": _READING}),
    Route(handler=_GIT + "GitSubmodulesHandler", methods={"GET": _READING}),
    Route(handler=_GIT + "GitRemoteDetailsShowHandler", methods={"GET": _READING}),
    Route(handler=_GIT + "GitRemoteRemoveHandler", methods={"DELETE": _WRITING}),
    Route(handler=_GIT + "GitIgnoreHandler", methods={"GET": _READING, "POST": _WRITING}),
    Route(
        handler=_GIT + "GitStashHandler",
        methods={"GET": _READING, "POST": _WRITING, "DELETE": _WRITING},
    ),
    # Works on what the body brings, and on nothing else.
    Route(handler=_GIT + "GitDiffNotebookHandler", methods={"POST": PAGE}),
    Route(handler=_GIT + "GitSettingsHandler", methods={"GET": INSPECT}),
    # The hosts that the server's own account trusts.
    Route(handler=_GIT + "SshHostHandler", methods={"GET": ADMIN, "POST": ADMIN}),
)
