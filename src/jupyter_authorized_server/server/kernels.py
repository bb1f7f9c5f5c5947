"""Whose kernels: who started each one and for which notebook."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.multikernelmanager import DuplicateKernelError
from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from .. import sentences
from ..errors import StoreError

try:
    import resource
except ImportError:  # pragma: no cover  # why: it is not there on Windows
    resource = None  # type: ignore[assignment]  # why: as above

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal

_log = logging.getLogger(__name__)

#: Days for which the owner of a kernel is kept that this server does not see.
KEPT_DAYS = 30
#: Kernels that have ended and whose origin is kept, for what is said about their end.
_MOST_ENDED = 256


#: Channels of a page to a kernel, with two that are there while it connects.
_CHANNELS = 6
#: Channels of all pages to all kernels together: each page takes four.
_MOST_CHANNELS = 16_384
#: Open files that they take, with room for everything else.
_OPEN_FILES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """The origin of something that runs.

    Args:
        owner: written form of the principal who started it; None once that person is
            no more.
        path: canonical contents path it was started for; None where there was none.
    """

    owner: str | None
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """What the guard has just allowed, for whoever starts a process in this request."""

    principal: Principal
    path: str | None


#: Set by the guard around the handler it lets through; None in the server's own tasks.
STARTING: ContextVar[Starting | None] = ContextVar("jupyter_authorization_starting", default=None)


class TooMany(DuplicateKernelError, HTTPError):  # why: upstream answers the first kind with 409
    """A start beyond what one person may have running."""

    def __init__(self, most: int, what: str) -> None:
        self.sentence = sentences.too_many_running(str(most), what)
        HTTPError.__init__(self, 409, self.sentence, reason=self.sentence)

    def __str__(self) -> str:
        return self.sentence


class Kernels:
    """The origin of each running kernel, in memory and in the store.

    Args:
        point: whose store keeps them, so that they outlive this server where the
            kernels do.
    """

    def __init__(self, point: DecisionPoint) -> None:
        self._point = point
        self._refusal = ""
        #: Why somebody can have no kernel of their own, where nothing here confines them.
        self.why_no_start: Callable[[Principal], str] | None = None
        #: Whether they are on another machine, behind a gateway, which picks their ids.
        self.elsewhere = False
        self._owned: dict[str, Owned] = {}
        self._ended: OrderedDict[str, Owned] = OrderedDict()
        self._known: set[str] = set()
        self._manager: Any = ()
        self._starting: set[str] = set()
        point.on_change(lambda _: self._forget_people())

    def get(self, kernel_id: str) -> Owned | None:
        """The origin of a kernel; None where nobody knows it."""
        return self._owned.get(kernel_id) or self._ended.get(kernel_id)

    def restore(self) -> None:
        """Take over what the store knows, and clear it of kernels that are long gone."""
        old = []
        for owner in self._point.store.owners():
            kernel_id = owner.resource.partition(":")[2]
            is_here = kernel_id in self._manager
            if not is_here and owner.since < time.time() - KEPT_DAYS * 86_400:
                old.append(owner.resource)
            else:
                self._owned.setdefault(kernel_id, Owned(owner=owner.principal, path=owner.path))
        self._point.store.remove_owners(old)
        self._forget_people()

    def of(self, owner: str) -> list[str]:
        """The kernels that `owner` has running or starting."""
        return [
            kernel_id
            for kernel_id, owned in self._owned.items()
            if owned.owner == owner and (kernel_id in self._manager or kernel_id in self._starting)
        ]

    def begin(self, kernel_id: str, starting: Starting, most: int) -> None:
        """Record who starts a kernel, before it exists.

        Nothing is awaited between the count and the record, so that many starts at once
        come no further than one after the other.

        Raises:
            TooMany: this person has `most` running.
            HTTPError: the store cannot keep it, and a kernel would be nobody's later.
        """
        owner = starting.principal.name
        if most and len(self.of(owner)) >= most:
            raise TooMany(most, "kernels")
        self._starting.add(kernel_id)
        self._keep(kernel_id, starting)

    def _keep(self, kernel_id: str, starting: Starting) -> None:
        owner, path = starting.principal.name, starting.path
        self._owned[kernel_id] = Owned(owner=owner, path=path)
        try:
            self._point.store.set_owner(f"kernels:{kernel_id}", owner, path=path, now=time.time())
        except StoreError as error:
            self.failed(kernel_id)
            # Why is for whoever runs the server: it names the store.
            _log.error("the owner of a kernel cannot be kept: %s", error)
            raise HTTPError(503, sentences.OUT_OF_REACH) from error

    def named(self, before: str, kernel_id: str, starting: Starting) -> None:
        """What was begun as `before` has the id that its gateway picked.

        Raises:
            HTTPError: as for `begin`.
        """
        self.failed(before)
        self._keep(kernel_id, starting)

    def began(self, kernel_id: str) -> None:
        """It runs."""
        self._starting.discard(kernel_id)

    def failed(self, kernel_id: str) -> None:
        """It did not start."""
        self._starting.discard(kernel_id)
        # Upstream keeps it among those that are starting, and a server with one of those
        # does not end.
        getattr(self._manager, "_pending_kernels", {}).pop(kernel_id, None)
        self.end(kernel_id)

    def end(self, kernel_id: str) -> None:
        """It is no more."""
        owned = self._owned.pop(kernel_id, None)
        if owned is None:
            return
        self._ended[kernel_id] = owned
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        try:
            self._point.store.remove_owners([f"kernels:{kernel_id}"])
        except StoreError:
            # Its id is never used again; `restore` clears it away.
            return

    def attach(self, kernel_manager: Any, most: int) -> None:
        """Have every start through `kernel_manager` recorded.

        Args:
            most: kernels that one person may have running; 0 is any number.
        """
        self._manager = kernel_manager
        make_room(getattr(kernel_manager, "context", None))
        start, shutdown = kernel_manager.start_kernel, kernel_manager.shutdown_kernel
        remove = kernel_manager.remove_kernel

        async def start_kernel(*args: Any, **kwargs: Any) -> str:
            starting = STARTING.get()
            kernel_id = kwargs.get("kernel_id")
            if starting is None or (kernel_id is not None and kernel_id in kernel_manager):
                return str(await ensure_async(start(*args, **kwargs)))
            if self.elsewhere:
                return await self._start_elsewhere(start, shutdown, starting, most, kwargs)
            kernel_id = str(kernel_id or kernel_manager.new_kernel_id(**kwargs))
            self.begin(kernel_id, starting, most)
            try:
                found = str(await ensure_async(start(*args, **{**kwargs, "kernel_id": kernel_id})))
            except BaseException:  # why: raised again below
                self.failed(kernel_id)
                raise
            self.began(kernel_id)
            return found

        async def shutdown_kernel(kernel_id: str, *args: Any, **kwargs: Any) -> Any:
            answer = await ensure_async(shutdown(kernel_id, *args, **kwargs))
            if kernel_id not in kernel_manager:
                self.end(kernel_id)
            return answer

        def remove_kernel(kernel_id: str, *args: Any, **kwargs: Any) -> Any:
            # Also of a kernel that died by itself.
            answer = remove(kernel_id, *args, **kwargs)
            if kernel_id not in kernel_manager:
                self.end(kernel_id)
            return answer

        kernel_manager.start_kernel = start_kernel
        kernel_manager.shutdown_kernel = shutdown_kernel
        kernel_manager.remove_kernel = remove_kernel

    async def _start_elsewhere(
        self,
        start: Callable[..., Any],
        shutdown: Callable[..., Any],
        starting: Starting,
        most: int,
        kwargs: Mapping[str, Any],
    ) -> str:
        """Start a kernel whose id is not known before, or take in one that runs there.

        Nothing is awaited between its start and the record of whose it is.
        """
        known = self._owned.get(str(kwargs.get("kernel_id")))
        if known is not None and known.owner is not None:
            # Of a server before this one, which did not end it.
            return str(await ensure_async(start(**kwargs)))
        place = f"starting-{secrets.token_hex(8)}"
        self.begin(place, starting, most)
        try:
            found = str(await ensure_async(start(**kwargs)))
        except BaseException:  # why: raised again below
            self.failed(place)
            raise
        try:
            self.named(place, found, starting)
        except HTTPError:
            await ensure_async(shutdown(found, now=True))
            raise
        return found

    def why_not(self, principal: Principal, *, starts: bool) -> str:
        """Why `principal` can have nothing to do with kernels here; empty where they can.

        Args:
            starts: whether they start one.
        """
        if self._refusal or not starts or self.why_no_start is None:
            return self._refusal
        return self.why_no_start(principal)

    def refuse(self, kernel_manager: Any, why: str) -> None:
        """Have nobody start a kernel, or attach to one by its id, through `kernel_manager`."""
        self._refusal = why

        async def start_kernel(*_: Any, **__: Any) -> str:
            raise HTTPError(403, why, reason=why)

        # The guard says so first; this is for extensions that start kernels themselves.
        kernel_manager.start_kernel = start_kernel

    def _forget_people(self) -> None:
        """What a removed person has running is nobody's, also for the next of that name."""
        knows = self._point.directory.knows
        owners = {owned.owner for owned in self._owned.values() if owned.owner is not None}
        gone = {owner for owner in self._known & owners if not knows(owner)}
        self._known = {owner for owner in owners if knows(owner)}
        for kernel_id, owned in self._owned.items():
            if owned.owner in gone:
                self._owned[kernel_id] = replace(owned, owner=None)


def make_room(context: Any) -> None:
    """Have no 256 pages take what everybody's kernels share.

    ZeroMQ has room for 1,023 channels in one process unless told otherwise before the
    first, and jupyter_server for 4,096 open files.
    """
    if isinstance(context, zmq.Context):
        context.set(zmq.MAX_SOCKETS, min(_MOST_CHANNELS, context.get(zmq.SOCKET_LIMIT)))
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def has_room(context: Any) -> bool:
    """Whether ZeroMQ has room for one more page's channels to a kernel."""
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(_CHANNELS):
                stack.enter_context(context.socket(zmq.DEALER))
    except zmq.ZMQError:
        return False
    return True
