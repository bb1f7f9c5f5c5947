"""What of the machine is this server's own, and what of it people's processes may have."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_config_path, jupyter_path

from ..sandbox.disk import Disk, kept_by, server_paths
from ..sandbox.extra import named

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from ..sandbox.extra import Extra
    from .wiring import Wiring

_log = logging.getLogger(__name__)


def import_nothing_from(root: Path) -> None:
    """Have no module imported from the contents, where people write.

    A server that is started as `python -m` looks for modules in the folder it is started in.
    """
    here = None
    with contextlib.suppress(OSError):
        here = Path.cwd().resolve()
    if here is None or not here.is_relative_to(root):
        return
    for entry in [*sys.path]:
        with contextlib.suppress(OSError, RuntimeError):
            if Path(entry).resolve() == here:
                sys.path.remove(entry)
                _log.warning(
                    "no module is imported from `%s` any more, which is in the contents: who "
                    "may write there could have the server run it",
                    here,
                )


def extra_of(app: ServerApp, wired: Wiring) -> Extra:
    """What settings name of the machine besides.

    Raises:
        ConfigurationError: something that no process may be given.
    """
    contents = getattr(app.contents_manager, "root_dir", None)
    return named(wired.config, *_secrets_of(app), *((contents,) if contents else ()))


def _secrets_of(app: ServerApp) -> tuple[str, ...]:
    """What is this server's own besides what the settings say."""
    found = (app.runtime_dir, app.config_dir, app.certfile, app.keyfile, app.cookie_secret_file)
    return tuple(path for path in found if path)


def own_of(app: ServerApp, wired: Wiring) -> tuple[str, ...]:
    """Paths of what is this server's own, as its policy, store and configuration."""
    return (*kept_by(wired.config), *_secrets_of(app))


def contents_disk(app: ServerApp, wired: Wiring) -> Disk | None:
    """The contents root; None where the contents are kept elsewhere than on a disk."""
    root = getattr(app.contents_manager, "root_dir", None)
    if not isinstance(root, str) or not Path(root).is_dir():
        return None
    kept = [
        *jupyter_config_path(),
        *jupyter_path(),
        *own_of(app, wired),
    ]
    return Disk(Path(root), server_paths(*kept))
