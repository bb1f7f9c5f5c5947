"""How runs end: heard by the server itself, whoever is connected.

The reply to a run goes to the socket that sent it, and says how it ended. A page may be
gone by then, or the kernel. So the server also listens where it follows a kernel's state
anyway, and knows when a kernel is started anew or ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from jupyter_core.utils import ensure_async

from ...audit import REQUEST
from .backlog import is_larger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...audit import Audit

_log = logging.getLogger(__name__)

#: Runs of one person in one kernel whose end is awaited.
MOST_PENDING = 10_000
#: Longest word of a kernel's that is recorded.
_LONGEST = 128
#: Before the parts of a message, after whom it is for.
_DELIMITER = b"<IDS|MSG>"


@dataclass(slots=True, eq=False, kw_only=True)
class Running:
    """A run whose end is awaited.

    Args:
        record: id of its first record.
        request: id of the request that opened its socket.
        actor: who runs it.
        kernel: written form of the kernel.
        session: as the kernel knows the client; its next socket gets the reply.
        sent: id of the message.
        header: what an answer to it names as its parent.
        silent: whether the kernel may begin it and tell nobody.
        taken: whether the kernel has told everybody that it works on it.
        begun: whether the kernel has told everybody that it begins.
        failed: whether the kernel has told everybody of an error in it.
        over: whether the kernel has told everybody that it is over.
        left: whether its socket has closed.
        told: whether its page has been told that it hears no more of it.
        unheard: whether nobody hears of its end, since its socket has closed.
    """

    record: str
    request: str | None
    actor: str
    kernel: str
    session: str
    sent: str
    header: dict[str, str]
    silent: bool = False
    taken: bool = False
    begun: bool = False
    failed: bool = False
    over: bool = False
    left: bool = False
    told: bool = False
    unheard: bool = False


class Runs:
    """The runs of one kernel, of all sockets to it."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._by_id: dict[str, list[Running]] = {}
        self._by_actor: dict[str, OrderedDict[str, Running]] = {}
        #: Whether it has been said that the kernel sends what is no message.
        self.is_garbled = False
        #: What is called when the kernel is another process from now on.
        self.sockets: WeakSet[Any] = WeakSet()

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def add(self, run: Running) -> None:
        """A run has begun; of too many of one person the oldest is given up."""
        self._by_id.setdefault(run.sent, []).append(run)
        theirs = self._by_actor.setdefault(run.actor, OrderedDict())
        theirs[run.record] = run
        if len(theirs) > MOST_PENDING:
            self._drop(next(iter(theirs.values())))

    def of(self, session: str) -> Iterator[Running]:
        """The runs of one session."""
        for theirs in list(self._by_actor.values()):
            yield from [run for run in theirs.values() if run.session == session]

    def replied(self, session: str, sent: object, status: object) -> dict[str, str] | None:
        """The kernel has replied to who sent the run; its header, if it is one."""
        for run in self._by_id.get(sent, ()) if isinstance(sent, str) else ():
            if run.session == session:
                self._end(run, status)
                return run.header
        return None

    def back(self, session: str) -> None:
        """A socket has opened, and hears how runs of its session end."""
        for run in self.of(session):
            run.unheard = False

    def has(self, session: str, sent: object) -> bool:
        """Whether a message is a run of one session."""
        runs = self._by_id.get(sent, ()) if isinstance(sent, str) else ()
        return any(run.session == session for run in runs)

    def leave(self, session: str, *, unheard: bool = False) -> None:
        """A socket has closed: what a kernel tells everybody is all that will be heard.

        Args:
            unheard: whether that is heard by nobody either, until the session comes back.
        """
        for run in self.of(session):
            run.left, run.unheard = True, unheard
            if run.over:
                self._end(run, _status(run))

    def hear(self, parts: list[bytes]) -> None:
        """Read what the kernel tells everybody, with whom it is for before it."""
        if not self._by_id:
            return
        with contextlib.suppress(
            ValueError, TypeError, AttributeError, RecursionError, IndexError
        ):
            at = parts.index(_DELIMITER)
            header = parts[at + 2]
            # All else costs no more than a look for these bytes.
            if b'"status"' in header or b'"error"' in header or b'"execute_input"' in header:
                self._note(json.loads(header).get("msg_type"), parts[at + 3], parts[at + 5])

    def _note(self, msg_type: object, parent: bytes, content: bytes) -> None:
        # A client may use one id twice; a kernel takes its runs in order.
        sent = json.loads(parent).get("msg_id")
        run = next((each for each in self._by_id.get(sent, ()) if not each.over), None)
        if run is None:
            return
        if msg_type == "execute_input":
            run.begun = True
        elif msg_type == "error":
            run.failed = True
        elif msg_type == "status":
            state = json.loads(content).get("execution_state")
            run.taken |= state == "busy"
            if state == "idle":
                run.over = True
                if run.left:
                    self._end(run, _status(run))

    def all(self) -> list[Running]:
        """Every run whose end is awaited."""
        return [run for runs in self._by_id.values() for run in runs]

    def gone(self, of: list[Running] | None = None) -> None:
        """The process that ran them is no more, and nothing it asked for is awaited.

        Args:
            of: what it can have run; all, where none are named.
        """
        for socket in list(self.sockets):
            socket.kernel_is_gone()
        for run in self.all() if of is None else of:
            if run in self._by_id.get(run.sent, ()):
                if run.unheard:
                    # It may have ended long before, and nobody can say how.
                    self._drop(run)
                else:
                    self._end(run, "died")

    def _end(self, run: Running, status: object) -> None:
        self._drop(run)
        token = REQUEST.set(run.request)
        try:
            self._audit.note(
                "execution_end",
                actor=run.actor,
                fields={
                    "execution": run.record,
                    "kernel": run.kernel,
                    "status": status[:_LONGEST] if isinstance(status, str) else None,
                    "door": "channel",
                },
            )
        finally:
            REQUEST.reset(token)

    def _drop(self, run: Running) -> None:
        runs = self._by_id[run.sent]
        runs.remove(run)
        if not runs:
            del self._by_id[run.sent]
        theirs = self._by_actor[run.actor]
        del theirs[run.record]
        if not theirs:
            del self._by_actor[run.actor]


def _status(run: Running) -> str | None:
    """How a run ended whose reply nobody hears; None where that cannot be told."""
    if run.failed:
        return "error"
    if run.begun:
        return "ok"
    # What was heard from its beginning on, and was not told to begin, did not run.
    return "aborted" if run.taken and not run.silent else None


class Endings:
    """The runs of each kernel of a server.

    Args:
        audit: gets the records.
        most: bytes of one message of a kernel that is read; 0 is any number.
    """

    def __init__(self, audit: Audit, most: int = 0) -> None:
        self._audit = audit
        self._most = most
        self._runs: WeakKeyDictionary[Any, Runs] = WeakKeyDictionary()

    def of(self, kernel_manager: Any) -> Runs:
        """The runs of one kernel, by upstream's object."""
        found = self._runs.get(kernel_manager)
        if found is None:
            found = self._runs[kernel_manager] = Runs(self._audit)
        return found

    def install(self, manager: Any) -> None:
        """Listen to every kernel of `manager`, and be told when one is another process."""
        watch = manager.start_watching_activity

        def start_watching_activity(kernel_id: str) -> None:
            watch(kernel_id)
            kernel = manager.get_kernel(kernel_id)
            runs = self.of(kernel)
            stream = kernel._activity_stream  # noqa: SLF001  # why: the one that upstream listens to
            _listen(stream, runs, self._most)
            manager.add_restart_callback(kernel_id, runs.gone)
            manager.add_restart_callback(kernel_id, runs.gone, "dead")

        manager.start_watching_activity = start_watching_activity
        for name in ("restart_kernel", "shutdown_kernel"):
            setattr(manager, name, self._telling(manager, getattr(manager, name)))
        remove = manager.remove_kernel

        def remove_kernel(kernel_id: str, *args: Any, **kwargs: Any) -> Any:
            # Upstream removes one that is gone already as well, and says nothing of it.
            kernel = manager.get_kernel(kernel_id) if kernel_id in manager else None
            answer = remove(kernel_id, *args, **kwargs)
            if kernel is not None:
                self.of(kernel).gone()
            return answer

        manager.remove_kernel = remove_kernel
        # Upstream's own way at the end of a server goes past `shutdown_kernel`.
        shutdown_all = manager.shutdown_all

        async def end_all(*args: Any, **kwargs: Any) -> Any:
            kernels = {each: manager.get_kernel(each) for each in manager.list_kernel_ids()}
            answer = await ensure_async(shutdown_all(*args, **kwargs))
            for kernel_id, kernel in kernels.items():
                if kernel_id not in manager:
                    self.of(kernel).gone()
            return answer

        manager.shutdown_all = end_all

    def _telling(self, manager: Any, method: Callable[..., Any]) -> Callable[..., Any]:
        async def end(kernel_id: str, *args: Any, **kwargs: Any) -> Any:
            runs = self.of(manager.get_kernel(kernel_id))
            # What comes meanwhile waits for the next process.
            before = runs.all()
            try:
                return await ensure_async(method(kernel_id, *args, **kwargs))
            finally:
                runs.gone(before)

        return end


def _listen(stream: Any, runs: Runs, most: int) -> None:
    """Have `runs` hear what comes on `stream`, after who listens there already.

    Args:
        most: bytes of a message that is read; 0 is any number.
    """
    theirs = stream._recv_callback  # noqa: SLF001  # why: a stream says it in no other way

    def hear(parts: list[bytes]) -> None:
        if most and is_larger(parts, most):
            # Read by nobody: it holds up all others for as long as that takes.
            return
        try:
            theirs(parts)
        except Exception as error:  # noqa: BLE001  # why: a kernel may send anything, unsigned too
            if not runs.is_garbled:
                runs.is_garbled = True
                _log.warning("what a kernel tells everybody is no message: %s", error)
        else:
            runs.hear(parts)

    stream.on_recv(hear)
