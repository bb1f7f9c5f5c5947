"""Where the path lies that a request wants resolved: `/api/resolvePath`.

Its handler answers whether a path of the machine exists, in two scopes: as the contents
manager reads it, and as a kernel does. Each answer is about a file, so each is asked
about as that file, there or not; what lies outside the contents root is nobody's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_server.utils import to_api_path

from ...errors import Nowhere
from ...policy.model import Resource
from ...policy.paths import canonical
from . import places as at
from .disk import disk_of

if TYPE_CHECKING:
    from .call import Call


def by_contents(call: Call) -> tuple[Resource, ...]:
    """The file that the contents manager means.

    Raises:
        UnsafePath: there can be none that may be judged.
    """
    text = call.query("path")
    manager = call.settings["contents_manager"]
    if disk_of(manager) is None:
        return at.contents(call, text)
    path, root = _expanded(text), os.path.abspath(manager.root_dir)  # noqa: PTH100  # why: links stay
    if path != text:
        below = _below(os.path.abspath(path), root)  # noqa: PTH100  # why: as above
        if below is None:
            # Upstream answers the same whatever is there: that is for who might open what is
            # called so in the contents.
            return (Resource(type="contents", id=canonical(text)),)
        return at.contents(call, below)
    # As the manager does it: what does not begin with the root counts from the root.
    return at.contents(call, to_api_path(text, manager.root_dir))


def by_kernel(call: Call) -> tuple[Resource, ...] | None:
    """The file that the kernel in the query means, if there is one.

    Raises:
        UnsafePath: it lies outside the contents root, or nobody can tell.
    """
    provisioner = _provisioner(call)
    if not isinstance(provisioner, LocalProvisioner):
        return None
    disk = disk_of(call.settings["contents_manager"])
    if disk is None:
        msg = "the contents are on no disk, so a kernel's path is none of them"
        raise Nowhere(msg)
    path = Path(provisioner.cwd or "/", _expanded(call.query("path")))
    return at.contents(call, disk.inside(os.path.realpath(path)))


def elsewhere(call: Call) -> Resource | None:
    """The server, where the kernel's process is on another machine or of another kind."""
    provisioner = _provisioner(call)
    return None if provisioner is None or isinstance(provisioner, LocalProvisioner) else at.SERVER


def kernel(call: Call) -> Resource | None:
    """The kernel in the query, if there is one."""
    found = call.query("kernel")
    return at.kernel(call, found) if found else None


def _provisioner(call: Call) -> Any:
    kernels, id_ = call.settings["kernel_manager"], call.query("kernel")
    if not id_ or id_ not in kernels:
        return None
    return getattr(kernels.get_kernel(id_), "provisioner", None)


def _expanded(text: str) -> str:
    if "\0" in text:
        msg = "the path has a NUL in it"
        raise Nowhere(msg)
    try:
        return os.path.expanduser(text)  # noqa: PTH111  # why: raises for nobody
    except ValueError as error:
        msg = "the path begins with no home"
        raise Nowhere(msg) from error


def _below(path: str, root: str) -> str | None:
    """`path` as one below `root`; None outside."""
    if path == root:
        return ""
    start = root.rstrip(os.sep) + os.sep
    if not path.startswith(start):
        return None
    return path[len(start) :].replace(os.sep, "/")
