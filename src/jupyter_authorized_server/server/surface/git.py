"""Surface of jupyterlab-git.

A repository is a folder with all that is in it. Git runs what a repository's own
configuration names, hooks, filters, a file system monitor, for a `status` as well as
for a `commit`. So it runs in a sandbox that shows the repository and nothing else, see
`doors.git`: to read, for who may read all of it; to change, for who may change all of it
and run code there. Where there is no sandbox, every row that starts git asks for
`unconfined` too, which by default only an `admin` may.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...errors import Nowhere
from ...policy.model import Resource
from ...policy.paths import ancestors
from ..wiring import wiring
from . import places as at
from .core import ADMIN, PAGE, USE, ask, asks
from .disk import disk_of
from .table import Asks, Route
from .whole import everything, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .table import Question, Where

_GIT = "jupyterlab_git.handlers."
READS = ("list", "open")
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
    """The top folder of the repository that the URL's folder is in."""
    return repository(call, plain(call, call.group("path")))


def repository(call: Call, folder: str) -> str:
    """The top folder of the repository that a folder, a canonical path, is in.

    Where it is in none yet, the folder itself. Git is kept from looking above the
    contents root by `keep_below`.

    Raises:
        Nowhere: the repository is not below the contents root, or is kept elsewhere.
    """
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
    return lambda call: everything(call, _repository(call), actions)


def _named(call: Call, *, many: bool) -> tuple[Resource, ...] | None:
    """The files that the body names, which must lie in the repository.

    Args:
        many: whether they may be a list, as the page has it even for one.

    Raises:
        Nowhere: one does not.
    """
    body = call.json()
    names: list[object] = []
    for given in (body[field] for field in _FIELDS if body.get(field) is not None):
        names += given if many and isinstance(given, list) else [given]
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


def _bare(call: Call) -> Resource | None:
    """The server, where what the extension starts is in no sandbox; see `doors.git`."""
    confined = wiring(call.settings).git
    return at.SERVER if confined is None or call.settings.get("git") is not confined else None


def _unconfined(call: Call) -> Resource | None:
    """The server, where notebooks are compared in no sandbox; see `doors.nbdime`."""
    compares = wiring(call.settings).compares
    return at.SERVER if compares is None or call.settings.get("git") is not compares else None


def _kernel(call: Call) -> Resource:
    """A kernel of one's own in the repository: what git runs there is any code."""
    within = ancestors(_repository(call))
    return Resource(type="kernels", within=within, owner=call.principal)


def _asks(
    *actions: str,
    runs: bool = False,
    many: bool = False,
    when: Callable[[Call], bool] | None = None,
) -> Asks:
    """Reading all of a repository, and where `when` holds, or always, `actions` on it too.

    Args:
        many: as for `_named`.
        runs: whether code is run for it that the repository names.
    """

    def only(where: Where) -> Where:
        return where if when is None else lambda call: where(call) if when(call) else None

    questions: list[Question] = [ask(action, "contents", _top) for action in READS]
    questions += [ask(action, "contents", only(_top)) for action in actions]
    if runs:
        questions += [
            ask("launch", "contents", only(_top)),
            ask("launch", "kernelspecs", only(at.default_kernelspec)),
            ask("run", "kernels", only(_kernel)),
        ]
    questions += [replace(ask("unconfined", "server", _bare), bare="git")]
    questions += [ask(action, "contents", _on(READS), whole=True) for action in READS]
    questions += [ask(action, "contents", only(_on(actions)), whole=True) for action in actions]
    # Git knows of files that are not there any more.
    named = replace(ask("open", "contents", partial(_named, many=many), whole=True), absent=True)
    return asks("contents", *questions, named)


_READING = _asks()
#: What changes files, or what git keeps of them, and may remove some.
_WRITING = _asks(*_WRITES, runs=True)
#: What goes to another machine too.
_FETCHING = replace(_WRITING, outward=True)
#: With nothing in the body it tells what is set.
_SETTING = _asks(*_WRITES, runs=True, when=lambda call: bool(call.json().get("options")))

_COMPARING = asks(
    "contents", USE, replace(ask("administer", "server", _unconfined), bare="compares")
)


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
        "Upstream",
    ),
    *_posts(_asks(*_WRITES, runs=True, many=True), "Add"),
    *_posts(
        _WRITING,
        "AddAllUnstaged",
        "AddAllUntracked",
        "BranchDelete",
        "Checkout",
        "Commit",
        "DeleteCommit",
        "Init",
        "Merge",
        "NewTag",
        "Rebase",
        "RemoteAdd",
        "Reset",
        "ResetToCommit",
        "StashApply",
        "StashPop",
        "StripNotebooks",
        "TagCheckout",
    ),
    *_posts(_FETCHING, "Clone", "Fetch", "Pull", "Push"),
    *_posts(_SETTING, "Config"),
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
    Route(handler=_GIT + "GitDiffNotebookHandler", methods={"POST": _COMPARING}),
    # Tells which releases of git and of itself there are; its panel asks before all else.
    Route(handler=_GIT + "GitSettingsHandler", methods={"GET": PAGE}),
    # The hosts that the server's own account trusts.
    Route(handler=_GIT + "SshHostHandler", methods={"GET": ADMIN, "POST": ADMIN}),
)
