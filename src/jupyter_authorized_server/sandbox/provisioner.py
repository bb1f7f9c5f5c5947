"""Every kernel of this server starts confined, whatever its kernelspec says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import string
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets.config import SingletonConfigurable

from ..errors import AuthorizationError, CannotConfine, ConfigurationError, EndedAtOnce, Overtaken
from . import shown, sockets
from .bounds import too_much
from .printed import last_words, opened
from .sockets import CONNECTION, SOCKET, SOCKETS
from .starting import start_aside
from .surroundings import environment, found_program
from .unconfined import start_unconfined

if TYPE_CHECKING:
    import subprocess

    from jupyter_client.connect import KernelConnectionInfo
    from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

    from .launch import Launcher
    from .room import Room


#: A kernel that ends within these seconds may lack something of its machine.
_AT_ONCE = 10.0
#: How often one is begun whose owner may have less each time that it is there.
_TRIES = 3
_LOOK_SECONDS = 0.005
_REMEDY = (
    "; if it needs files besides its environment, "
    "`c.JupyterAuthorization.sandbox_read_only` can show it them"
)
_TCP = (
    "if it listens on TCP only, it works with bubblewrap, and where no rule gives it the "
    "machine's network"
)


class ConfinedProvisioner(LocalProvisioner):
    """Starts one kernel in its sandbox, again at each restart, always for its first owner."""

    launcher: Launcher
    room: Room | None = None
    #: Whether its end has been asked for, or told.
    _is_expected: bool = False
    _started: float = 0.0
    _remedy: str = ""
    _launching: asyncio.Task[subprocess.Popen[bytes]] | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the kernel a private place for its sockets."""
        manager: Any = self.parent
        session = (kwargs.get("env") or {}).get("JPY_SESSION_NAME", "")
        try:
            if self.room is None:
                origin = self.launcher.origin(manager)
                self.room = self.launcher.kernel_room(self.kernel_id, origin, manager.kernel_name)
                manager.transport = "ipc"
                manager.ip = f"{self.room.folder}/{SOCKETS}/{SOCKET}"
                manager.connection_file = f"{self.room.folder}/{CONNECTION}"
                _encrypt(manager)
            found = await super().pre_launch(**kwargs)
        except BaseException as error:  # why: raised again below
            if self.room is not None and self.room.view is None:
                self.launcher.leave(self.room)
                self.room = None
            if isinstance(error, OSError):
                msg = f"the kernel cannot be given a place for its sockets: {error}; make room"
                raise CannotConfine(msg) from error
            raise
        if not _is_encrypted(manager) and self.room.view is None:
            self.log.info("kernel %s is not encrypted: %s", self.kernel_id, _why_plain(manager))
        found["env"] = {"JPY_SESSION_NAME": str(session)}
        return found

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Run it, with nothing of the server's environment and no descriptor but its log.

        The first time, wait until it has opened its sockets: nobody can be answered before,
        and one that dies before can say why to whoever starts it.

        Raises:
            AuthorizationError: it does not run.
        """
        room = self.room
        if room is None:
            msg = "a kernel is prepared before it is launched"
            raise ConfigurationError(msg)
        is_first = room.view is None
        self._is_new()
        spec = self.kernel_spec
        variables = {**_substituted(spec.env or {}), **kwargs["env"]}
        folder, cwd = str(spec.resource_dir or ""), str(kwargs.get("cwd") or "")
        room.stopped = ""
        self._launching = asyncio.ensure_future(
            self._launch(room, cmd, spec=(variables, folder), cwd=cwd)
        )
        try:
            self.process = await self._launching
            assert room.running is not None  # noqa: S101  # why: it has just been started
            shown.keep(self.launcher.folder, room)
            self._is_expected, self._started = False, time.monotonic()
            self.pid = self.process.pid
            self.pgid = room.running.first
            self.cwd = kwargs.get("cwd")
            if is_first:
                await self._wait_for_sockets(room)
        except BaseException:  # why: raised again below
            if is_first:
                await self._give_up(room)
            raise
        return self.connection_info

    async def _launch(
        self, room: Room, cmd: list[str], *, spec: tuple[dict[str, str], str], cwd: str
    ) -> subprocess.Popen[bytes]:
        """Run it in the view of its owner, while others are served.

        Args:
            spec: the kernelspec's variables, and its folder.
            cwd: the folder to start in, where the process is shown it.
        """
        assert room.log is not None  # noqa: S101  # why: a kernel's room has one
        launcher, variables = self.launcher, spec[0]
        program = found_program(cmd[0], variables)
        line = [program, *cmd[1:]]
        if launcher.backend is None:
            home, user = launcher.unconfine(room)
            with opened(room.log) as log:
                room.running, process = start_unconfined(
                    line,
                    environment=environment(home, user, variables),
                    cwd=cwd or home,
                    output=log,
                )
            return process
        for _ in range(_TRIES - 1):
            with contextlib.suppress(Overtaken):
                return await self._launch_once(room, line, spec=spec, cwd=cwd)
        return await self._launch_once(room, line, spec=spec, cwd=cwd)

    async def _launch_once(
        self, room: Room, line: list[str], *, spec: tuple[dict[str, str], str], cwd: str
    ) -> subprocess.Popen[bytes]:
        launcher, (variables, folder) = self.launcher, spec
        assert room.log is not None  # noqa: S101  # why: as its caller has seen
        assert launcher.backend is not None  # noqa: S101  # why: as above
        met = frozenset(room.company)
        with launcher.box(room, line[0], folder, cwd=cwd) as box, opened(room.log) as log:
            own = room.folder or Path()
            has_root = launcher.backend.has_root
            by_tcp = not (_is_encrypted(self.parent) or Path(line[0]).name.startswith("python"))
            # In the machine's network anybody could listen to it.
            can = has_root and not box.network
            self._remedy = _REMEDY if can or not by_tcp else f"{_REMEDY}; {_TCP}"
            line = sockets.connection(own, box, line, has_root=has_root, by_tcp=by_tcp and can)
            surroundings = environment(box.home, box.user, variables, box.temporary)
            room.running, process = await start_aside(
                launcher.backend, box, line, environment=surroundings, output=log
            )
        try:
            launcher.look_again(room, met)
        except AuthorizationError:
            room.running.kill()
            await asyncio.to_thread(process.wait)
            room.running.close()
            room.running = None
            raise
        if launcher.backend.has_root:
            self._seal(room)
        return process

    def _seal(self, room: Room) -> None:
        """Let it change the folder of its sockets no more, once they are open."""
        assert room.running is not None  # noqa: S101  # why: it has just been started
        told: dict[str, Any] = dict(self.connection_info)
        sockets.seal(
            room.running,
            (room.folder or Path()) / SOCKETS,
            [port for name, port in told.items() if name.endswith("_port")],
            lambda why: self.log.info(
                "kernel %s may change the folder of its sockets: %s", self.kernel_id, why
            ),
        )

    async def _wait_until_launched(self) -> None:
        """Wait where it is just being launched: nobody can end what is not there yet."""
        if self._launching is not None:
            await asyncio.wait([self._launching])

    async def _wait_for_sockets(self, room: Room) -> None:
        """Wait until it can be spoken to, for a while.

        Raises:
            EndedAtOnce: it has ended before.
        """
        process: Any = self.process
        until = self._started + _AT_ONCE
        while not sockets.is_open((room.folder or Path()) / SOCKETS):
            status = process.poll()
            if status is not None:
                raise EndedAtOnce(self._why(room, status))
            if time.monotonic() > until:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _give_up(self, room: Room) -> None:
        if room.running is not None:
            room.running.kill()
        self._is_expected = True
        await self.wait()
        self.launcher.leave(room)
        self.room = None

    async def poll(self) -> int | None:
        """Its exit status, None while it runs; an end that nobody asked for is told."""
        status = await super().poll()
        if status and self.process is not None and not self._is_expected:
            self._is_expected = True
            self._tell(status)
        return status

    def _tell(self, status: int) -> None:
        """Say in the log why it ended, and to whoever asks for the kernel."""
        room = self.room
        if room is None or room.view is None:
            return
        why = self._why(room, status)
        self.log.warning("kernel %s of %s: %s", self.kernel_id, room.origin.principal.name, why)
        manager: Any = self.parent
        if manager.has_trait("reason"):
            manager.reason = why
        self._is_new()

    def _is_new(self) -> None:
        """What it did before is over: upstream waits for no answer of a kernel that is busy,
        and a page that comes before this one has opened its sockets would miss what it prints.
        """
        manager: Any = self.parent
        if getattr(manager, "execution_state", None) == "busy":
            manager.execution_state = "restarting"

    def _why(self, room: Room, status: int) -> str:
        bound = None if room.running is None else room.running.bound
        if not room.stopped and bound is not None and bound.is_exceeded:
            room.stopped = too_much(held=bound.memory, may=self.launcher.memory)
            self.launcher.outgrown(room, room.stopped)
        if room.stopped:
            return f"the kernel was stopped: {room.stopped}"
        words = "" if room.log is None else last_words(room.log)
        said = f"; its last words: {words}" if words else " and said nothing"
        why = f"the kernel ended with {_named(status)}{said}"
        return why + self._remedy if time.monotonic() - self._started < _AT_ONCE else why

    async def send_signal(self, signum: int) -> None:
        """Send `signum` to all that is of its group, while that is its own."""
        running = None if self.room is None else self.room.running
        if running is None or not running.is_over:
            await super().send_signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT002  # why: upstream's signature
        """End it now, with all that was started in it."""
        await self._wait_until_launched()
        self._is_expected = True
        running = None if self.room is None else self.room.running
        if running is None:
            await super().kill(restart=restart)
        else:
            running.kill()

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT002  # why: upstream's signature
        """Ask it to end."""
        await self._wait_until_launched()
        self._is_expected = True
        await super().terminate(restart=restart)

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT002  # why: upstream's signature
        """It has been asked to end by a message."""
        self._is_expected = True
        await super().shutdown_requested(restart=restart)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT002  # why: upstream's signature
        """Let go of the process; of its place too, unless it starts again."""
        await self._wait_until_launched()
        await super().cleanup(restart=restart)
        if self.room is None:
            return
        if self.room.running is not None:
            if not self.room.unconfined:
                self.room.running.kill()
            self.room.running.close()
            self.room.running = None
        if not restart:
            self.launcher.leave(self.room)
            self.room = None


def _encrypt(manager: Any) -> None:
    """Have the kernel of `manager` given keys, where both know what to do with them.

    A folder shared with a kernel is where it can put a link in place of a socket; by its keys
    the server knows that whoever answers there is that kernel, and whoever else listens at the
    other end of a link hears nothing.
    """
    if getattr(manager, "transport_encryption", "") == "disabled" and zmq.has("curve"):
        manager.transport_encryption = "auto"


def _is_encrypted(manager: Any) -> bool:
    return getattr(manager, "curve_publickey", None) is not None


def _why_plain(manager: Any) -> str:
    """Why nothing encrypts what is said to the kernel of `manager`."""
    if not zmq.has("curve"):
        return "`pyzmq` was built without CURVE; install its wheel"
    if not hasattr(manager, "curve_publickey"):
        return "this `jupyter_client` makes no keys; update it"
    return "its kernelspec does not name `curve` in `supported_encryption`"


def _named(status: int) -> str:
    """What an exit status of what confines means."""
    number = -status if status < 0 else status - 128
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(number).name}"
    return f"status {status}"


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

    def __init__(self, **kwargs: Any) -> None:
        # Upstream reads here what every installed package offers, which takes as long as
        # anything else at the start.
        SingletonConfigurable.__init__(self, **kwargs)

    def _check_availability(self, provisioner_name: str) -> bool:
        # Not left to upstream, whose own look for one name fails on Python 3.12.
        if not self.provisioners:
            self.provisioners.update({each.name: each for each in self._get_all_provisioners()})
        return super()._check_availability(provisioner_name)

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
