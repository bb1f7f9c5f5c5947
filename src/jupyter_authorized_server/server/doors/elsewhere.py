"""Door: kernels behind a gateway: who may start one, whose it is, and that it is no more.

Jupyter Server asks a gateway to start them, and the gateway picks their ids. Nothing here
confines them, so they are for whom a rule lets run programs unconfined.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayMappingKernelManager
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError

from ... import sentences
from ...errors import AuthorizationError, ConfigurationError
from ...policy.model import ANONYMOUS
from ...sandbox.room import Room
from ...sandbox.unconfined import may_be_unconfined
from ..acting import ACTING
from .gateway import part
from .sight import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...policy.model import Principal
    from ...sandbox.room import Origin
    from ..wiring import Wiring
    from .endings import Endings

_log = logging.getLogger(__name__)

#: Seconds between two looks whether the kernels that pages are at are still there.
LOOK = 5
_NO_PARTS = frozenset({"", ".", ".."})


def install(settings: Mapping[str, Any], wired: Wiring, endings: Endings) -> None:
    """Put this door over the managers of an application, if its kernels are behind a gateway.

    Raises:
        ConfigurationError: its address has a password in it.
    """
    manager = settings["kernel_manager"]
    if not isinstance(manager, GatewayMappingKernelManager):
        return
    client = GatewayClient.instance()
    if any("@" in urlsplit(each or "").netloc for each in (client.url, client.ws_url)):
        msg = (
            "`GatewayClient.url` has a name or a password in it, which the log and pages would "
            "tell; set `GatewayClient.http_user` and `GatewayClient.http_pwd`"
        )
        raise ConfigurationError(msg)
    wired.kernels.elsewhere = True
    _Elsewhere(manager, wired, endings).install()
    _keep_below(settings["kernel_spec_manager"])


class _Elsewhere:
    """Over a manager of kernels behind a gateway.

    Args:
        manager: upstream's, or one that is built on it.
    """

    def __init__(self, manager: Any, wired: Wiring, endings: Endings) -> None:
        self._manager = manager
        self._wired = wired
        self._endings = endings
        self._start = manager.start_kernel
        self._list = manager.list_kernels
        self._remove = manager.remove_kernel
        self._looks: PeriodicCallback | None = None

    def install(self) -> None:
        self._wired.kernels.why_no_start = self._why_not
        self._manager.start_kernel = self._start_kernel
        self._manager.list_kernels = self._list_kernels
        self._manager.remove_kernel = self._remove_kernel

    async def _start_kernel(
        self, *, kernel_id: str | None = None, path: str | None = None, **kwargs: Any
    ) -> str:
        manager, confinement = self._manager, self._wired.confinement
        # As it was asked about; a gateway may have another default.
        name = kwargs["kernel_name"] = kwargs.get("kernel_name") or manager.default_kernel_name
        origin = None
        if confinement is not None:
            origin = confinement.origin()
            if origin is None:
                raise self._refused(sentences.NOBODYS_KERNEL)
            why = self._why_not(confinement.launcher.principal(origin))
            if why:
                raise self._refused(why)
        found = str(await self._start(kernel_id=kernel_id, path=path, **kwargs))
        if not manager.get_kernel(found).has_kernel:
            self._remove(found)
            raise HTTPError(404, sentences.KERNEL_IS_GONE)
        try:
            if origin is not None:
                self._let_out(found, origin, str(name))
        except AuthorizationError as error:
            # One that was there before goes on there, without this server.
            if kernel_id is None:
                await manager.get_kernel(found).shutdown_kernel(now=True)
            self._remove(found)
            raise self._refused(str(error)) from error
        if self._looks is None:
            self._looks = PeriodicCallback(self._look, LOOK * 1000)
            self._looks.start()
        return found

    async def _look(self) -> None:
        """Find out which kernels the gateway has ended; a page may wait for one of them."""
        if not self._manager.list_kernel_ids():
            return
        try:
            await self._manager.list_kernels()
        except Exception as error:  # noqa: BLE001  # why: a gateway may answer anything, or nothing
            _log.debug("the gateway cannot be asked which kernels are there: %s", error)

    def _why_not(self, principal: Principal) -> str:
        """Why somebody may have no kernel that nothing confines; empty where they may."""
        confinement = self._wired.confinement
        if confinement is None or may_be_unconfined(self._wired.point, principal):
            return ""
        return str(confinement.launcher.elsewhere)

    def _let_out(self, kernel_id: str, origin: Origin, spec: str) -> None:
        """A kernel runs there, for whoever asks or whose it was before.

        Raises:
            AuthorizationError: its owner may not have it, or it cannot be recorded.
        """
        owned, launcher = self._wired.kernels.get(kernel_id), self._wired.confinement.launcher
        if owned is not None and owned.owner is not None:
            owner = self._wired.point.principal(owned.owner)
            origin = replace(origin, principal=owner, path=owned.path)
        room = Room(origin=origin, type="kernels", id=kernel_id, spec=spec)
        launcher.let_out(room)
        launcher.rooms[_place(kernel_id)] = room

    def _refused(self, why: str) -> HTTPError:
        """The answer to who may not start one; recorded."""
        acting = ACTING.get()
        request = None if acting is None else f"{acting.request.method} {acting.request.path}"
        self._wired.point.audit.note(
            "denial",
            actor=ANONYMOUS if acting is None else acting.principal.actor,
            fields={
                "reason": why,
                "resource": "server:",
                "action": "unconfined",
                "request": request,
                "door": "sandbox",
            },
        )
        return HTTPError(403, why, reason=sentence(why))

    async def _list_kernels(self, **kwargs: Any) -> Any:
        """As upstream, which drops those that the gateway has ended, and tells nobody."""
        manager = self._manager
        before = {each: manager.get_kernel(each) for each in manager.list_kernel_ids()}
        try:
            return await self._list(**kwargs)
        finally:
            for kernel_id, kernel in before.items():
                if kernel_id not in manager:
                    self._wired.kernels.end(kernel_id)
                    part(manager, kernel_id)
                    self._endings.of(kernel).gone()
                    self._let_go(kernel_id)

    def _remove_kernel(self, kernel_id: str, *args: Any, **kwargs: Any) -> Any:
        part(self._manager, kernel_id)
        answer = self._remove(kernel_id, *args, **kwargs)
        self._let_go(kernel_id)
        return answer

    def _let_go(self, kernel_id: str) -> None:
        confinement = self._wired.confinement
        room = confinement and confinement.launcher.rooms.get(_place(kernel_id))
        if room is not None:
            confinement.launcher.leave(room)


def _place(kernel_id: str) -> str:
    return f"elsewhere-{kernel_id}"


def _keep_below(specs: Any) -> None:
    """Have the files of kernelspecs asked for where they are, and nothing else of a gateway.

    Upstream puts what a page asks for into the address as it is, `..` and `?` and all, and
    sends the gateway's own token along.
    """
    theirs = getattr(specs, "get_kernel_spec_resource", None)
    if theirs is None:
        return

    async def get_kernel_spec_resource(kernel_name: str, path: str) -> Any:
        parts = [kernel_name, *path.split("/")]
        if not _NO_PARTS.isdisjoint(parts) or "/" in kernel_name:
            raise HTTPError(404, sentences.NOTHING)
        found = await theirs(quote(kernel_name, safe=""), quote(path))
        if found is None:
            raise HTTPError(404, sentences.NOTHING)
        return found

    specs.get_kernel_spec_resource = get_kernel_spec_resource
