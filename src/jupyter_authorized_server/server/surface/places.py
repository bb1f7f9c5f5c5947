"""Where in a request a resource stands: the `where` functions of the surface tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.escape import url_unescape

from ... import mistakes, sentences
from ...errors import Hidden, Nowhere, UnsafePath
from ...policy import paths
from ...policy.model import Resource
from ..acting import as_server
from ..origin import is_from_elsewhere
from ..wiring import wiring
from . import reserved
from .disk import Place, disk_of
from .hidden import hides
from .table import Unanswerable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..kernels import Kernels, Owned
    from .call import Call
    from .table import Where

SERVER = Resource(type="server")
#: Kind of a place that only its contents manager knows about.
UNKNOWN = "unknown"
#: Where upstream keeps checkpoints, and how it calls them, unless it is told otherwise.
_COPIES = ".ipynb_checkpoints"
_COPY = re.compile(r"(.+)-checkpoint(\.[^.]*)?", re.DOTALL)


def server(_: Call) -> Resource:
    """The server itself."""
    return SERVER


def every(type_: str) -> Where:
    """All resources of a type."""
    resource = Resource(type=type_)
    return lambda _: resource


def place(call: Call, path: object) -> Place:
    """What a contents path means here, from any spelling.

    Raises:
        UnsafePath: it can mean no file that may be judged.
    """
    if isinstance(path, str) and path in call.places:
        return call.places[path]
    try:
        found = place_of(call.settings["contents_manager"], path)
    except Nowhere as error:
        error.path = paths.canonical(path)  # type: ignore[arg-type]  # why: it was a text
        raise
    call.places[str(path)] = found
    return found


def place_of(manager: Any, path: object) -> Place:
    """What a path means to the contents manager `manager`.

    Where it keeps no files on a disk of ours, a path means itself, and only in its one
    written form, since nobody knows what such a manager makes of another one.

    Raises:
        UnsafePath: it can mean no file that may be judged.
    """
    disk = disk_of(manager)
    if disk is None:
        own = paths.canonical(path)  # type: ignore[arg-type]  # why: it refuses what is no text
        if str(path).strip("/") != own.strip("/"):
            msg = "the path is not in its one written form"
            raise Nowhere(msg)
        return Place(target=own, entry=own, kind=UNKNOWN)
    found = disk.place(path)
    if found.hidden and hides(manager, disk, found):
        if any(part.startswith(".") for part in paths.components(str(path))):
            msg = "the path is that of a hidden file"
            raise Hidden(msg)
        msg = "the path leads to a hidden file"
        raise Nowhere(msg)
    return reserved.unless_own(found, disk.own) if disk.own else found


def resources(found: Place, *, moved: bool = False) -> tuple[Resource, ...]:
    """What must be allowed for the file at a place: the named resource first.

    Args:
        moved: the name itself is changed, as by a delete; then its link counts too.

    Raises:
        UnsafePath: what is the server's own would be moved with it.
    """
    if moved and found.keeps:
        raise UnsafePath(mistakes.SERVERS_OWN)
    named = [found.target]
    if moved and found.entry != found.target:
        named.append(found.entry)
    if found.hidden:
        # A checkpoint has in it what its file had.
        named += filter(None, map(_original, tuple(named)))
    # A file of several names may be under several rules, and nobody can list its names:
    # only who has the right everywhere has it under each of them.
    if found.names > 1:
        named.append("/")
    return tuple(Resource(type="contents", id=each) for each in named)


def _original(path: str) -> str | None:
    """The file that the one at `path` is a copy of, if that is a checkpoint."""
    above, _, name = path.rpartition("/")
    folder, _, kept_in = above.rpartition("/")
    copy = _COPY.fullmatch(name) if kept_in == _COPIES else None
    return copy and f"{folder}/{copy[1]}{copy[2]}"


def contents(call: Call, path: object, *, moved: bool = False) -> tuple[Resource, ...]:
    """The resources of a contents path; the one way a path becomes one here."""
    return resources(place(call, path), moved=moved)


async def there(manager: Any, resource: Resource) -> bool:
    """Whether there is something at a canonical contents path, whoever asks."""
    disk = disk_of(manager)
    if disk is not None:
        return disk.there(resource.id)
    with as_server():
        return bool(await ensure_async(manager.exists(resource.id.strip("/"))))


def path(group: str | int = "path") -> Where:
    """The contents path in a group of the URL pattern."""
    return lambda call: contents(call, call.group(group))


def entry(group: str | int = "path") -> Where:
    """As `path`, where the name itself is changed too."""
    return lambda call: contents(call, call.group(group), moved=True)


def listed(group: str | int = "path") -> Where:
    """As `path`, unless the query says that a file is meant."""
    return lambda call: (
        None if call.query("type") in {"file", "notebook"} else contents(call, call.group(group))
    )


def opened(group: str | int = "path") -> Where:
    """As `path`, unless the query says that a folder is meant."""
    return lambda call: (
        None if call.query("type") == "directory" else contents(call, call.group(group))
    )


def body_path(*names: str, moved: bool = False) -> Where:
    """The contents path at `names` in the JSON body, if there is one."""

    def find(call: Call) -> tuple[Resource, ...] | None:
        found = call.text(*names)
        return None if found is None else contents(call, found, moved=moved)

    return find


#: What JupyterLab and Notebook 7 post in place of a notebook's name, which comes beside it.
_UNNAMED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def session_path(call: Call) -> tuple[Resource, ...] | None:
    """The notebook that a session is for, if the body names one.

    JupyterLab and Notebook 7 start a session as `FOLDER/UUID` with the notebook's name
    beside it, and send the real path a moment later. The kernel is recorded for the
    notebook that is named, so that is what is asked about.
    """
    found = call.text("path")
    if found is None:
        return None
    folder, slash, last = found.rpartition("/")
    name = call.text("name")
    if name and name.endswith(".ipynb") and "/" not in name and _UNNAMED.fullmatch(last):
        found = f"{folder}{slash}{name}"
    return contents(call, found)


def kernel_of(kernels: Kernels, kernel_id: str) -> Resource:
    """A running kernel, with its notebook and owner where they are known."""
    return running("kernels", kernel_id, kernels.get(kernel_id))


def running(type_: str, id_: str, owned: Owned | None) -> Resource:
    """Something that runs, of an origin that may be known."""
    if owned is None:
        return Resource(type=type_, id=id_)
    within = paths.ancestors(owned.path) if owned.path is not None else ()
    return Resource(type=type_, id=id_, within=within, owner=owned.owner)


def kernel(call: Call, kernel_id: str) -> Resource:
    """A running kernel of this application."""
    return kernel_of(wiring(call.settings).kernels, kernel_id)


def kernel_group(group: str | int = "kernel_id") -> Where:
    """The kernel whose id is in a group of the URL pattern."""
    return lambda call: kernel(call, call.group(group))


def if_action(action: str) -> Where:
    """The kernel in the URL, if the URL asks for `action`."""
    return lambda call: (
        kernel(call, call.group("kernel_id")) if call.group("action") == action else None
    )


def kernel_in_body(*names: str) -> Where:
    """The kernel whose id is at `names` in the JSON body, if there is one."""

    def find(call: Call) -> Resource | None:
        found = call.text(*names)
        return kernel(call, found) if found else None

    return find


def terminal_of(settings: Mapping[str, Any], name: str) -> Resource:
    """A shell, with who started it and where."""
    shells = getattr(settings.get("terminal_manager"), "terminals", {})
    shell = shells.get(name)
    owned = None if shell is None else wiring(settings).terminals.get(shell)
    return running("terminals", name, owned)


def terminal(group: str | int = 0, *, there: bool = False) -> Where:
    """The shell whose name is in a group of the URL pattern.

    Args:
        there: only one that runs.
    """

    def find(call: Call) -> Resource | None:
        name = call.group(group)
        return None if there and not _runs(call, name) else terminal_of(call.settings, name)

    return find


def terminal_to_start(call: Call) -> Resource | None:
    """The shell that a page would start whose URL names it; None where it runs already.

    Raises:
        Unanswerable: a link of another site may have led there.
    """
    name = call.group(0)
    if _runs(call, name):
        return None
    if is_from_elsewhere(call.request):
        raise Unanswerable(403, sentences.TERMINAL_FROM_ELSEWHERE)
    return terminal_of(call.settings, name)


def _runs(call: Call, name: str) -> bool:
    return name in getattr(call.settings.get("terminal_manager"), "terminals", {})


def new_terminal(call: Call) -> Resource:
    """A shell to be started, in the folder that the body names."""
    folder = call.text("cwd")
    within = () if folder is None else paths.ancestors(place(call, folder).target)
    return Resource(type="terminals", within=within)


async def _session(call: Call) -> dict[str, Any] | None:
    """The session in the URL, whoever may see it."""
    manager = call.settings["session_manager"]
    session_id = call.group("session_id")
    with as_server():
        models = await ensure_async(manager.list_sessions())
    return next((model for model in models if model.get("id") == session_id), None)


async def session_kernel(call: Call) -> Resource:
    """The kernel of the session in the URL; every kernel where there is no such session."""
    found = await _session(call)
    return Resource(type="kernels") if found is None else kernel(call, found["kernel"]["id"])


async def session_notebook(call: Call) -> tuple[Resource, ...] | None:
    """What the session in the URL is for, if the body starts another kernel for it."""
    if not call.text("kernel", "name") or call.text("kernel", "id"):
        return None
    found = await _session(call)
    return None if found is None else contents(call, found.get("path") or "")


async def session_kernel_to_replace(call: Call) -> Resource | None:
    """The kernel of the session in the URL, if the body puts another one in its place."""
    return await session_kernel(call) if call.json().get("kernel") else None


async def session_kernel_to_keep(call: Call) -> Resource | None:
    """The kernel of the session in the URL, if only its path or name is to change."""
    return None if call.json().get("kernel") else await session_kernel(call)


def spec(name: str) -> Resource:
    """A kernelspec."""
    # jupyter_client finds kernelspecs without regard to case.
    return Resource(type="kernelspecs", id=name.lower())


def _default_spec(call: Call) -> str:
    return str(call.settings["kernel_manager"].default_kernel_name)


def default_kernelspec(call: Call) -> Resource:
    """The kernelspec that a kernel has of which nobody says more."""
    return spec(_default_spec(call))


def kernelspec(*names: str) -> Where:
    """The kernelspec named in the JSON body, or the default one."""

    def find(call: Call) -> Resource:
        found = call.text(*names)
        return spec(found or _default_spec(call))

    return find


def kernelspec_group(call: Call) -> Resource:
    """The kernelspec in the URL, which its handler decodes a second time."""
    return spec(url_unescape(call.group("kernel_name"), plus=False))


def kernelspec_unless_attached(call: Call) -> Resource | None:
    """The kernelspec of a new session, unless the body attaches it to a running kernel."""
    if _is_running(call, call.text("kernel", "id")):
        return None
    return spec(call.text("kernel", "name") or _default_spec(call))


def kernelspec_if_named(*names: str) -> Where:
    """The kernelspec named in the JSON body, if there is one."""

    def find(call: Call) -> Resource | None:
        found = call.text(*names)
        return spec(found) if found else None

    return find


def named(type_: str, group: str | int) -> Where:
    """The resource of a type whose id is in a group of the URL pattern."""
    return lambda call: Resource(type=type_, id=call.group(group))


def own_settings(call: Call) -> Resource:
    """The settings of whoever asks."""
    return Resource(type="settings", id=call.principal, owner=call.principal)


def _is_running(call: Call, kernel_id: str | None) -> bool:
    return bool(kernel_id) and kernel_id in call.settings["kernel_manager"]


def server_if_free_id(call: Call) -> Resource | None:
    """The server, if a new session picks the id of the kernel it starts; as below."""
    found = call.text("kernel", "id")
    return SERVER if found and not _is_running(call, found) else None


def server_if_kernel_id(call: Call) -> Resource | None:
    """The server, if the body picks the id of the kernel it starts.

    A known id hands out somebody's kernel, a free one lets a client prepare the name
    that another kernel's grants will stand on; so it is an administrator's.
    """
    return SERVER if call.text("kernel_id") else None
