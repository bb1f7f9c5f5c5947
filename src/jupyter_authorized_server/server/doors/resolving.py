"""Door: the files that a kernel's path means, which is looked for when it is asked about again.

Upstream looks for it by path and follows links, a moment after the question. Whoever puts
a link in its place meanwhile would be told whether any file of the machine is there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ...errors import UnsafePath
from ..acting import ACTING
from ..surface.disk import disk_of
from .moving import is_there
from .sight import sight_of

if TYPE_CHECKING:
    from ..wiring import Wiring

_INSTALLED = "_jupyter_authorization_files"


def install(kernels: Any, contents: Any, wired: Wiring) -> None:
    """Have the kernels of `kernels` look for files of `contents` in this way."""
    setattr(kernels, _INSTALLED, (contents, wired))
    kind: Any = KernelManager
    if hasattr(kind.resolve_path, "upstream"):
        return
    upstream = kind.resolve_path

    def resolve_path(self: Any, path: str) -> Any:
        known = getattr(self.parent, _INSTALLED, None)
        if known is None or ACTING.get() is None:
            return upstream(self, path)
        if not isinstance(self.provisioner, LocalProvisioner):
            # Of another machine, which is for who administers the server; see `surface.resolved`.
            return upstream(self, path)
        files, wiring = known
        return _resolved(files, wiring, self.provisioner.cwd, path)

    resolve_path.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    kind.resolve_path = resolve_path


def _resolved(contents: Any, wired: Wiring, cwd: str | None, text: str) -> str | None:
    disk = disk_of(contents)
    try:
        given = Path(text).expanduser()
        real = os.path.realpath(given if given.is_absolute() else Path(cwd or "/", given))
        inside = None if disk is None else disk.inside(real)
    except (UnsafePath, RuntimeError, ValueError):
        return None
    if inside is None or not is_there(contents, sight_of(wired), inside):
        return None
    return given.as_posix() if given.is_absolute() else real
