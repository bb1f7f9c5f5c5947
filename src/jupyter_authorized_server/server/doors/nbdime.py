"""Door: the notebooks that nbdime compares, each opened as it was asked about.

nbdime takes the path of any file of the machine and any address, runs git and the filters
that a repository names, and compares, which may take minutes, all in the server's own
process and its one loop. So a file is opened here, as the contents manager opens it, and
what compares runs in the sandbox of whoever asks: with the repository alone, read-only,
where git is asked, and with nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from functools import wraps
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError, authenticated

from ... import mistakes
from ...errors import AuthorizationError, UnsafePath
from ...sandbox.errand import Ended, run
from ...sandbox.room import Errand
from ..acting import ACTING
from ..surface.call import Call
from ..surface.disk import disk_of
from ..surface.git import READS
from ..surface.nbdime import CHECKPOINT, GIT, NOTHING, is_address, top_of
from ..surface.places import place_of, resources
from ..wiring import wiring
from . import git, kept
from .sight import sight_of
from .turns import Turns, WaitedTooLongError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..wiring import Wiring

_log = logging.getLogger(__name__)

_MODULE = "nbdime.webapp.nb_server_extension"
#: By which jupyterlab-git compares what its page sends.
_COMPARES = "get_nbdiff"
#: Of this release every handler and what it opens is known; of another nobody has looked.
_READ = "4.0."
#: Seconds that one comparison may take.
_SECONDS = 60.0
_TOLD = "compared.json"
#: Characters of notebooks that are compared; they are written out in the server's one loop.
_MOST = 32 << 20
#: How the program ends when one of the two is no notebook.
_NO_NOTEBOOK = 4
#: What runs in the sandbox: as nbdime's handlers do it, with what was given it.
_PROGRAM = f"""
import json, os, sys
with open(sys.argv[1], encoding="utf-8") as file:
    told = json.load(file)
sys.path += told["path"]
import nbformat
from nbdime.args import process_diff_flags
from nbdime.config import Namespace
from nbdime.diffing.notebooks import diff_notebooks, set_notebook_diff_ignores
from nbdime.ignorables import diff_ignorables
from nbdime.utils import read_notebook
config = told["config"]
ignore = config.pop("Ignore", None)
for each in diff_ignorables:
    config.setdefault(each, None)
process_diff_flags(Namespace(config))
if ignore:
    set_notebook_diff_ignores(ignore)

def fetched(address):
    import requests
    answer = requests.get(address, timeout=20)
    answer.raise_for_status()
    return answer.text

def side(given):
    if given is None:
        return nbformat.v4.new_notebook()
    text = fetched(given["address"]) if "address" in given else given["text"]
    return nbformat.reads(text, as_version=4)

def revisions():
    from nbdime.gitfiles import GitRefIndex, GitRefWorkingTree, changed_notebooks
    special = {{"working": GitRefWorkingTree, "index": GitRefIndex}}
    base, remote = (
        special[each["special"]] if "special" in each else each["git"]
        for each in told["revisions"]
    )
    os.chdir(told["top"])
    for pair in changed_notebooks(base, remote, told["file"], told["top"]):
        return [read_notebook(each, on_null="minimal") for each in pair]
    return [nbformat.read(told["file"], as_version=4)] * 2

def merged(base, local, remote):
    from nbdime.merging.notebooks import merge_notebooks
    for each in (base, local, remote):
        for cell in each.cells:
            cell.pop("id", None)
    return {{"base": base, "merge_decisions": merge_notebooks(base, local, remote)[1]}}

try:
    base, *others = revisions() if "revisions" in told else map(side, told["sides"])
except Exception as error:  # why: whatever it is, the two cannot be compared
    sys.stderr.write(repr(error))
    sys.exit({_NO_NOTEBOOK})
if len(others) == 1:
    answer = {{"base": base, "diff": diff_notebooks(base, *others)}}
else:
    answer = merged(base, *others)
json.dump(answer, sys.stdout)
"""


def install(settings: Mapping[str, Any], wired: Wiring) -> None:
    """Put this door under nbdime's handlers, and what else compares by it, if they are there
    and there is a sandbox.

    Elsewhere they are for administrators, see `surface.nbdime` and `surface.git`.
    """
    module, confinement = sys.modules.get(_MODULE), wired.confinement
    found = settings.get("git")
    if confinement is None or confinement.launcher.backend is None:
        return
    if "nbdime" not in sys.modules or (module is None and not hasattr(found, _COMPARES)):
        return
    version = str(getattr(sys.modules.get("nbdime"), "__version__", ""))
    if not version.startswith(_READ):
        _log.warning(
            "nbdime compares in no sandbox, so it is for administrators: nbdime %s is not the "
            "release that is known, %sx",
            version,
            _READ,
        )
        return
    if hasattr(found, _COMPARES):
        setattr(found, _COMPARES, _Contents(_Comparing(wired, lambda _: {})).compare)
        wired.compares = found
    if module is None:
        return
    for name, answer in (
        ("ExtensionApiDiffHandler", _of_two),
        ("GitDiffHandler", _of_revisions),
        ("IsGitHandler", _is_git),
    ):
        kind = getattr(module, name)
        if not hasattr(kind.post, "upstream"):
            kind.post = _judged(kind.post, answer)
    wired.nbdime = _Comparing(wired, getattr(module, "build_config"))  # noqa: B009  # why: of a module that mypy does not know


def _judged(upstream: Any, answer: Callable[[Any, _Comparing], Awaitable[object]]) -> Any:
    @wraps(upstream)
    async def post(self: Any) -> None:
        comparing = wiring(self.settings).nbdime
        if comparing is None:
            found = upstream(self)
            if isawaitable(found):
                await found
            return
        self.finish(await answer(self, comparing))

    made: Any = authenticated(post)
    made.upstream = upstream
    return made


class _Comparing:
    """Has two notebooks compared, in the sandbox of whoever asks."""

    def __init__(self, wired: Wiring, configured: Callable[[str], dict[str, Any]]) -> None:
        self._wired = wired
        self._configured = configured
        self._turns = Turns()

    async def compare(self, told: Mapping[str, Any], errand: Errand, top: str = "") -> bytes:
        """What nbdime answers.

        Args:
            told: to the program; see there.
            errand: what it is shown.
            top: the absolute path of the repository, if it is shown one.

        Raises:
            HTTPError: there is no answer.
        """
        if sum(len((each or {}).get("text", "")) for each in told.get("sides", ())) > _MOST:
            raise HTTPError(413, mistakes.TOO_LARGE_TO_COMPARE)
        acting = ACTING.get()
        name = "" if acting is None else acting.principal.name
        try:
            async with self._turns.of(name):
                if acting is not None and _has_gone(acting.request):
                    raise HTTPError(503, mistakes.not_compared("nobody waits for it any more"))
                ended = await self._run(name, told, errand, top)
        except WaitedTooLongError:
            raise HTTPError(503, mistakes.not_compared("what you asked before goes on")) from None
        except AuthorizationError as error:
            raise HTTPError(500, mistakes.not_compared(str(error))) from error
        if ended.status == 0:
            return ended.output
        _log.warning("notebooks were not compared: %r", ended.errors[-500:])
        if ended.status == _NO_NOTEBOOK:
            raise HTTPError(422, mistakes.NO_NOTEBOOK)
        raise HTTPError(500, mistakes.not_compared("nbdime failed"))

    async def _run(self, name: str, told: Mapping[str, Any], errand: Errand, top: str) -> Ended:
        room = self._wired.confinement.room_for(errand)
        told = {**told, "path": _importable(), "config": self._configured("extension")}
        return await run(
            self._wired.confinement.launcher,
            room,
            [sys.executable, "-I", "-c", _PROGRAM, f"{room.folder}/{_TOLD}"],
            cwd=top,
            variables=git.surroundings(room.folder, top, writes=False),
            files={_TOLD: json.dumps(told), **git.configuration(name)},
            seconds=_SECONDS,
        )


def _has_gone(request: Any) -> bool:
    stream = getattr(request.connection, "stream", None)
    return stream is not None and bool(stream.closed())


class _Contents:
    """Compares what a page of jupyterlab-git sends.

    jupyterlab-git does it in the threads that answer everybody, which a few such requests
    hold for minutes.
    """

    def __init__(self, comparing: _Comparing) -> None:
        self._comparing = comparing

    async def compare(self, previous: object, current: object, base: object = None) -> Any:
        """The difference of two contents, or how two that come of `base` go together."""
        sides = [_content(each) for each in (*([base] if base else []), previous, current)]
        return json.loads(await self._comparing.compare({"sides": sides}, Errand(folder="")))


def _content(given: object) -> dict[str, str] | None:
    if not given:
        return None
    return {"text": given if isinstance(given, str) else json.dumps(given)}


def _importable() -> list[str]:
    """Where nbdime is imported from: of the folders that the server knows, those installed."""
    ours = Path(str(sys.modules["nbdime"].__file__)).parents[1]
    known = (each for each in sys.path if os.path.isabs(each))  # noqa: PTH117  # why: texts
    prefixes = {sys.prefix, sys.base_prefix}
    return [
        str(ours),
        *(each for each in known if any(Path(each).is_relative_to(p) for p in prefixes)),
    ]


async def _of_two(handler: Any, comparing: _Comparing) -> bytes:
    body = json.loads(handler.request.body)
    base = body["base"]
    if base.startswith(GIT):
        sides = {"git": "HEAD"}, {"special": "working"}
        return await _revisions(handler, comparing, base.removeprefix(GIT), sides)
    if base.startswith(CHECKPOINT):
        path = base.removeprefix(CHECKPOINT)
        remote = await _side(handler, path)
        found = [await _checkpoint(handler, path) or remote, remote]
    else:
        found = [await _side(handler, each) for each in (base, body["remote"])]
    goes_out = any(each is not None and "address" in each for each in found)
    errand = Errand(folder="", besides=git.OUTWARD if goes_out else frozenset())
    return await comparing.compare({"sides": found}, errand)


async def _side(handler: Any, text: str) -> dict[str, str] | None:
    if text == NOTHING:
        return None
    if is_address(text):
        return {"address": text}
    manager = handler.contents_manager
    try:
        path = place_of(manager, text).target.strip("/")
    except UnsafePath:
        raise HTTPError(404, mistakes.NO_SUCH_FILE) from None
    model = await ensure_async(manager.get(path, type="file", format="text", content=True))
    return {"text": str(model["content"])}


async def _checkpoint(handler: Any, path: str) -> dict[str, str] | None:
    """The last one that is kept of the file at `path`; None where none is."""
    manager = handler.contents_manager
    try:
        target = place_of(manager, path).target
        copies = await ensure_async(manager.list_checkpoints(target.strip("/")))
        if not copies:
            return None
        id_, sight = copies[0]["id"], sight_of(wiring(handler.settings))
        if sight is None or not sight.allows("open", resources(place_of(manager, path))):
            raise HTTPError(404, mistakes.NO_SUCH_FILE)
        return {"text": kept.read(manager.checkpoints, id_, target)}
    except (UnsafePath, FileNotFoundError):
        raise HTTPError(404, mistakes.NO_CHECKPOINT) from None


async def _of_revisions(handler: Any, comparing: _Comparing) -> bytes:
    body = json.loads(handler.request.body)
    sides = tuple(_revision(body, name) for name in ("ref_local", "ref_remote"))
    return await _revisions(handler, comparing, body["file_path"], sides)


def _revision(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """What one side says: a revision of git, or a word of nbdime's."""
    said = body.get(name)
    if isinstance(said, dict) and len(said.keys() & {"git", "special"}) == 1:
        if isinstance(said.get("git"), str) and said["git"]:
            return {"git": said["git"]}
        special = str(said.get("special")).lower()
        # As upstream has it: only the later side may be the file as it is.
        if special == "index" or (special == "working" and name == "ref_remote"):
            return {"special": special}
    raise HTTPError(400, mistakes.which_revision(name))


async def _revisions(
    handler: Any, comparing: _Comparing, path: str, sides: tuple[dict[str, str], ...]
) -> bytes:
    disk = disk_of(handler.contents_manager)
    try:
        target = place_of(handler.contents_manager, path).target
        folder = top_of(_call(handler), path)
    except UnsafePath:
        raise HTTPError(404, mistakes.NO_SUCH_FILE) from None
    assert disk is not None  # noqa: S101  # why: a repository is on one
    top = disk.path(folder)
    told = {
        "revisions": sides,
        "top": top,
        "file": target.removeprefix(folder.rstrip("/") + "/"),
    }
    return await comparing.compare(told, Errand(folder=folder), top)


async def _is_git(handler: Any, _: _Comparing) -> dict[str, bool]:
    """Whether the file is in a repository that whoever asks may read."""
    manager = handler.contents_manager
    disk, sight = disk_of(manager), sight_of(wiring(handler.settings))
    if disk is None or sight is None:
        return {"is_git": False}
    try:
        folder = top_of(_call(handler), json.loads(handler.request.body)["path"])
        on = resources(place_of(manager, folder))
    except UnsafePath:
        return {"is_git": False}
    reads = all(sight.allows(each, on) for each in READS)
    return {"is_git": reads and disk.git(folder) == "here"}


def _call(handler: Any) -> Call:
    return Call(handler.request, handler.settings, [], {})
