"""Seam: every process that this server starts for somebody goes into the sandbox."""

from __future__ import annotations

import asyncio
import atexit
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_path, jupyter_data_dir, jupyter_path
from jupyter_core.utils import ensure_async

from ..errors import AuthorizationError, ConfigurationError
from ..sandbox import provisioner
from ..sandbox.disk import Disk, server_paths
from ..sandbox.launch import Launcher, Origin, Room
from ..sandbox.probe import probe
from .kernels import STARTING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from ..sandbox.view import View
    from .wiring import Wiring

_log = logging.getLogger(__name__)


class Confinement:
    """Wires a `Launcher` into one server, and ends what the policy no longer allows.

    Raises:
        ConfigurationError: a sandbox is required, and this machine has none.
    """

    def __init__(self, app: ServerApp, wired: Wiring) -> None:
        self._kernels: Any = app.kernel_manager
        config = wired.config
        self.launcher = Launcher(
            point=wired.point,
            disk=_disk(app, wired),
            folder=config.sandbox_folder(),
            system=tuple(config.sandbox_read_only),
        )
        found = probe()
        if found.bwrap:
            self.launcher.bwrap = found.bwrap
            app.log.info("kernels are confined by bubblewrap %s", found.version)
        else:
            self.launcher.missing = (
                f"code cannot be run on this server: {found.why}; "
                "`c.JupyterAuthorization.sandbox` says what else can be chosen"
            )
            if config.sandbox != "auto":
                msg = f"kernels cannot be confined: {found.why}"
                raise ConfigurationError(msg)
            app.log.error("%s", self.launcher.missing)
        self._install()
        self._ending: set[asyncio.Task[None]] = set()
        wired.point.on_change(lambda _: self.look_again())
        atexit.register(self.launcher.close)

    def _install(self) -> None:
        manager, origins = self._kernels, self.launcher.origins
        prepare = manager.pre_start_kernel

        def pre_start_kernel(*args: Any, **kwargs: Any) -> Any:
            made = prepare(*args, **kwargs)
            starting = STARTING.get()
            if starting is not None:
                origins[made[0]] = Origin(principal=starting.principal, path=starting.path)
            return made

        manager.pre_start_kernel = pre_start_kernel
        provisioner.install(self.launcher)

    def check_installed(self) -> None:
        """Raise unless kernels are confined.

        Raises:
            ConfigurationError: they are not.
        """
        provisioner.check_installed(self.launcher)

    def look_again(self) -> None:
        """End each kernel that has more than its owner may have now."""
        for room in [*self.launcher.rooms.values()]:
            why = self._too_much(room)
            if why:
                _log.warning("a kernel of %s is stopped: %s", room.origin.principal.name, why)
                self._end(room)

    def look_at_the_clock(self) -> None:
        """As `look_again`, where a grant that a kernel rests on has ended."""
        now = time.time()
        views = (room.view for room in self.launcher.rooms.values())
        if any(view is not None and view.ends <= now for view in views):
            self.look_again()

    def _too_much(self, room: Room) -> str:
        if room.view is None:
            return ""
        try:
            now = self.launcher.view(room)
        except AuthorizationError as error:
            return str(error)
        if _is_wider(room.view, now):
            return "it was shown more than its owner may have now"
        room.view = _kept(room.view, now)
        return ""

    def _end(self, room: Room) -> None:
        if room.running is not None:
            room.running.kill()
        room.view = None
        task = asyncio.ensure_future(self._shut_down(room.kernel_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _shut_down(self, kernel_id: str) -> None:
        try:
            await ensure_async(self._kernels.shutdown_kernel(kernel_id, now=True))
        except Exception:  # noqa: BLE001  # why: the kernel is dead; what is left must not end the server
            _log.exception("a kernel that was stopped could not be cleaned up after")


def _is_wider(had: View, now: View) -> bool:
    """Whether a process with the view `had` reaches what `now` does not."""
    return any(not now.reads(path) for path in (*had.read_only, *had.writable)) or any(
        not now.writes(path) for path in had.writable
    )


def _kept(had: View, now: View) -> View:
    """What a process still has, until the policy of now ends it."""
    return type(had)(
        principal=had.principal,
        revision=now.revision,
        read_only=had.read_only,
        writable=had.writable,
        left_out=had.left_out,
        ends=now.ends,
    )


def _disk(app: ServerApp, wired: Wiring) -> Disk | None:
    """The contents root; None where the contents are kept elsewhere than on a disk."""
    root = getattr(app.contents_manager, "root_dir", None)
    if not isinstance(root, str) or not Path(root).is_dir():
        return None
    config = wired.config
    store = config.store_url.partition("sqlite:///")[2]
    kept = [
        *jupyter_config_path(),
        *jupyter_path(),
        jupyter_data_dir(),
        app.runtime_dir,
        app.config_dir,
        config.policy_dir,
        config.audit_file,
        str(config.sandbox_folder()),
        store,
        app.certfile,
        app.keyfile,
        app.cookie_secret_file,
    ]
    policy = config.policy_folder()
    return Disk(Path(root), server_paths(*kept, *([] if policy is None else [str(policy)])))
