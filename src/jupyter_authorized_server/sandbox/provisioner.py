"""Every kernel of this server starts confined, whatever its kernelspec says."""

from __future__ import annotations

import os
import string
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ..errors import ConfigurationError
from .launch import SOCKETS

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo
    from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

    from .launch import Launcher
    from .room import Room


class ConfinedProvisioner(LocalProvisioner):
    """Starts one kernel in its sandbox, again at each restart, always for its first owner."""

    launcher: Launcher
    room: Room | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the kernel a private place for its sockets."""
        manager: Any = self.parent
        if self.room is None:
            origin = self.launcher.origin(manager)
            self.room = self.launcher.kernel_room(self.kernel_id, origin)
            manager.transport = "ipc"
            manager.ip = f"{self.room.folder}/{SOCKETS}/k"
            manager.connection_file = f"{self.room.folder}/kernel.json"
        session = (kwargs.get("env") or {}).get("JPY_SESSION_NAME", "")
        found = await super().pre_launch(**kwargs)
        found["env"] = {"JPY_SESSION_NAME": str(session)}
        return found

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Run it, with nothing of the server's environment and no descriptor but its log."""
        if self.room is None:
            msg = "a kernel is prepared before it is launched"
            raise ConfigurationError(msg)
        spec = self.kernel_spec
        variables = {**_substituted(spec.env or {}), **kwargs["env"]}
        self.process = self.launcher.launch(
            self.room,
            cmd,
            spec=(variables, str(spec.resource_dir or "")),
            cwd=str(kwargs.get("cwd") or ""),
        )
        assert self.room.running is not None  # noqa: S101  # why: it has just been started
        self.pid = self.process.pid
        self.pgid = self.room.running.first
        self.cwd = kwargs.get("cwd")
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT002  # why: upstream's signature
        """Let go of the process; of its place too, unless it starts again."""
        await super().cleanup(restart=restart)
        if self.room is None:
            return
        if self.room.running is not None:
            self.room.running.close()
            self.room.running = None
        if not restart:
            self.launcher.leave(self.room)
            self.room = None


def _substituted(variables: dict[str, str]) -> dict[str, str]:
    """The kernelspec's variables; a `${NAME}` in them reads only what a kernel may have."""
    known = {"PATH": os.defpath}
    return {
        name: string.Template(str(value)).safe_substitute(known)
        for name, value in variables.items()
    }


class ConfinedFactory(KernelProvisionerFactory):
    """Gives every kernel a `ConfinedProvisioner`; a kernelspec cannot name another."""

    launcher: Launcher

    def create_provisioner_instance(
        self, kernel_id: str, kernel_spec: Any, parent: Any
    ) -> KernelProvisionerBase:
        """The provisioner of a kernel that is about to start."""
        made = ConfinedProvisioner(kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent)
        made.launcher = self.launcher
        return made


def install(launcher: Launcher) -> None:
    """Have every kernel of this process started by `launcher`."""
    KernelProvisionerFactory.clear_instance()
    ConfinedFactory.clear_instance()
    ConfinedFactory.instance().launcher = launcher


def check_installed(launcher: Launcher) -> None:
    """Raise unless kernels are started by `launcher`.

    Raises:
        ConfigurationError: they are not.
    """
    factory = KernelProvisionerFactory.instance()
    if type(factory) is not ConfinedFactory or factory.launcher is not launcher:
        msg = "kernels would not be confined; another extension replaced what starts them"
        raise ConfigurationError(msg)
