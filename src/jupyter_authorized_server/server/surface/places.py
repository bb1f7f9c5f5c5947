"""Where in a request a resource stands: the `where` functions of the surface tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async
from tornado.escape import url_unescape

from ...policy import paths
from ...policy.model import Resource
from ..wiring import wiring

if TYPE_CHECKING:
    from .call import Call
    from .table import Where

SERVER = Resource(type="server")


def server(_: Call) -> Resource:
    """The server itself."""
    return SERVER


def every(type_: str) -> Where:
    """All resources of a type."""
    resource = Resource(type=type_)
    return lambda _: resource


def contents(path: str) -> Resource:
    """A contents path, from any spelling; the one way a path becomes a resource here."""
    return Resource(type="contents", id=paths.canonical(path))


def path(group: str | int = "path") -> Where:
    """The contents path in a group of the URL pattern."""
    return lambda call: contents(call.group(group))


def listed(group: str | int = "path") -> Where:
    """As `path`, unless the query says that a file is meant."""
    return lambda call: (
        None if call.query("type") in {"file", "notebook"} else contents(call.group(group))
    )


def opened(group: str | int = "path") -> Where:
    """As `path`, unless the query says that a folder is meant."""
    return lambda call: None if call.query("type") == "directory" else contents(call.group(group))


def body_path(*names: str) -> Where:
    """The contents path at `names` in the JSON body, if there is one."""

    def find(call: Call) -> Resource | None:
        found = call.text(*names)
        return None if found is None else contents(found)

    return find


def copy_source(call: Call) -> Resource | None:
    """What a new file is to be a copy of, if it is one."""
    found = call.text("copy_from")
    return contents(found) if found else None


async def existing_file(call: Call) -> Resource | None:
    """The URL's path, if a file is there to be overwritten."""
    return contents(call.group("path")) if await _overwrites(call) else None


async def new_file(call: Call) -> Resource | None:
    """The URL's path, if the request makes something that is not there yet."""
    return None if await _overwrites(call) else contents(call.group("path"))


async def _overwrites(call: Call) -> bool:
    # Without a body upstream makes an untitled file *in* the path.
    if not call.json():
        return False
    manager = call.settings["contents_manager"]
    name = paths.canonical(call.group("path")).strip("/")
    return bool(await ensure_async(manager.file_exists(name)))


def kernel(call: Call, kernel_id: str) -> Resource:
    """A running kernel, with its notebook and owner where they are known."""
    owned = wiring(call.settings).kernels.get(kernel_id)
    if owned is None:
        return Resource(type="kernels", id=kernel_id)
    within = paths.ancestors(owned.path) if owned.path is not None else ()
    return Resource(type="kernels", id=kernel_id, within=within, owner=owned.owner)


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


async def session_kernel(call: Call) -> Resource:
    """The kernel of the session in the URL; every kernel where there is no such session."""
    manager = call.settings["session_manager"]
    session_id = call.group("session_id")
    for model in await ensure_async(manager.list_sessions()):
        if model.get("id") == session_id:
            return kernel(call, model["kernel"]["id"])
    return Resource(type="kernels")


def _spec(name: str) -> Resource:
    # jupyter_client finds kernelspecs without regard to case.
    return Resource(type="kernelspecs", id=name.lower())


def _default_spec(call: Call) -> str:
    return str(call.settings["kernel_manager"].default_kernel_name)


def kernelspec(*names: str) -> Where:
    """The kernelspec named in the JSON body, or the default one."""

    def find(call: Call) -> Resource:
        found = call.text(*names)
        return _spec(found or _default_spec(call))

    return find


def kernelspec_group(call: Call) -> Resource:
    """The kernelspec in the URL, which its handler decodes a second time."""
    return _spec(url_unescape(call.group("kernel_name"), plus=False))


def kernelspec_unless_attached(call: Call) -> Resource | None:
    """The kernelspec of a new session, unless the body attaches it to a running kernel."""
    if call.text("kernel", "id"):
        return None
    return _spec(call.text("kernel", "name") or _default_spec(call))


def kernelspec_if_named(*names: str) -> Where:
    """The kernelspec named in the JSON body, if there is one."""

    def find(call: Call) -> Resource | None:
        found = call.text(*names)
        return _spec(found) if found else None

    return find


def named(type_: str, group: str | int) -> Where:
    """The resource of a type whose id is in a group of the URL pattern."""
    return lambda call: Resource(type=type_, id=call.group(group))


def own_settings(call: Call) -> Resource:
    """The settings of whoever asks."""
    return Resource(type="settings", id=call.principal, owner=call.principal)


def server_if_kernel_id(call: Call) -> Resource | None:
    """The server, if the body picks the id of the kernel it starts.

    A known id hands out somebody's kernel, a free one lets a client prepare the name
    that another kernel's grants will stand on; so it is an administrator's.
    """
    return SERVER if call.text("kernel_id") else None
