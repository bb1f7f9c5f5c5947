"""Audit: one record for every denial, log-in and change, and every permitted write.

A record is one line of a file (see `journal`), there before the answer goes out, and an
event on the server's event bus once the line has been handed to the disk itself, so that
nobody acts on what a power cut can still take. The bus is not evidence (anyone who may
post can post), the file is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .chain import Link, Once
    from .policy.model import Decision, Principal

    Value = str | int | float | bool | None | list[str]
    Record = dict[str, Value]

_log = logging.getLogger(__name__)

#: Identifies the records on the event bus; `event_schemas/audit/v1.yaml`.
SCHEMA_ID = "https://schema.jupyter.org/jupyter_authorized_server/audit/v1"

#: Seconds after which what was written has been handed to the disk itself.
SYNC_WITHIN = 0.1
#: The same, of what was permitted: a file that is saved is itself on the disk much later.
SYNC_PERMITTED_WITHIN = 1.0

#: Id of the request that is being answered, by which its records belong together; chosen
#: by the server. What comes over a socket has that of its handshake.
REQUEST: ContextVar[str | None] = ContextVar("jupyter_authorization_request", default=None)

#: Records that wait for a disk until the bus hears of them; of more it never hears.
MOST_UNTOLD = 10_000

#: Longest text of a record's field; names come from clients.
MAX_TEXT = 2048


class Audit:
    """Writes records.

    Args:
        path: the file to append to, made with mode 0600; None writes none.
        emit: also gets each record, as the data of an event, in the context of what it is
            about; from a thread of its own where there is a file. What it raises is passed
            over, since the file has the record by then.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path | None,
        emit: Callable[[Record], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self.path = path
        self._journal: Journal | None = None
        #: Records that the file has and the bus not yet, each with its context.
        self._untold: deque[tuple[Context, Record]] = deque()
        self._is_failing = False
        self._order = threading.Lock()
        self._written = threading.Event()
        self._urgent = threading.Event()
        self._closed = threading.Event()
        if path is not None:
            try:
                self._journal = Journal(path)
            except OSError as error:
                msg = f"the audit file `{path}` cannot be written: {error.strerror}"
                raise ConfigurationError(msg) from error
            self._syncer = threading.Thread(target=self._sync, name="audit", daemon=True)
            self._syncer.start()

    @property
    def link(self) -> Link | None:
        """The place in the chain of the last record this process wrote."""
        return None if self._journal is None else self._journal.link

    def last(self) -> int:
        """Number of the last record in the chain, whoever wrote it.

        Raises:
            OSError: the file cannot be read.
        """
        return 0 if self._journal is None else self._journal.last()

    def prune(self, before: float, announce: Callable[[Link], None]) -> int:
        """Drop records older than `before`; see `Journal.prune`."""
        return 0 if self._journal is None else self._journal.prune(before, announce)

    def close(self) -> None:
        """Close the file; later records go to the event bus only."""
        if self._journal is not None and not self._closed.is_set():
            self._closed.set()
            self._written.set()
            self._urgent.set()
            self._syncer.join()
            # What came while the last of it was told.
            is_on_disk = self._sync_journal()
            self._journal.close()
            if is_on_disk:
                self._tell(len(self._untold))

    def _sync(self) -> None:
        """Hand what was written to the disk, apart from the requests that wrote it."""
        while not self._closed.is_set():
            self._written.wait()
            # What is left is for the disk.
            self._urgent.wait(SYNC_PERMITTED_WITHIN - SYNC_WITHIN)
            self._closed.wait(SYNC_WITHIN * 0.7)
            self._urgent.clear()
            self._written.clear()
            handed = len(self._untold)
            if self._sync_journal():
                self._tell(handed)
            else:
                # Once more, within a second.
                self._written.set()
                with self._order:
                    while len(self._untold) > MOST_UNTOLD:
                        self._untold.popleft()

    def _sync_journal(self) -> bool:
        """Whether the disk has taken what was written; if not, nobody is told of it yet."""
        assert self._journal is not None  # noqa: S101  # why: asked by who has one
        try:
            self._journal.sync()
        except OSError as error:
            if not self._is_failing:
                _log.critical("records may not outlast a power cut for now: %s", error)
            self._is_failing = True
            return False
        if self._is_failing:
            _log.warning("the disk has taken the records again, also those of meanwhile")
        self._is_failing = False
        return True

    def _tell(self, number: int) -> None:
        """Tell the bus of so many records, the first first."""
        assert self._emit is not None or not number  # noqa: S101  # why: none is kept without it
        for _ in range(number):
            try:
                context, record = self._untold.popleft()
            except IndexError:
                # Another thread has told it.
                return
            with contextlib.suppress(Exception):  # why: the file has the record; see class
                context.run(self._emit, record)  # type: ignore[arg-type]  # why: as above

    def decision(
        self,
        decision: Decision,
        *,
        principal: Principal,
        door: str,
        address: str | None = None,
        request: str | None = None,
        shadow: bool = False,
    ) -> str:
        """Record a decision; returns the record's id.

        Args:
            request: what was asked for, such as `PATCH /api/contents/a.ipynb`.
            shadow: whether it was a denial that shadow mode let through.
        """
        allowed = decision.allowed
        record = self._begun("decision")
        record["principal"] = decision.principal
        record["token"] = principal.token
        if principal.viewer is not None:
            record["viewer"] = principal.viewer.name
        record["action"] = decision.action
        record["resource"] = decision.resource
        record["decision"] = decision.answer.value
        record["determining"] = [f"{d.id} ({d.source})" for d in decision.determining]
        if not allowed:
            # What permits is said by `determining` already.
            record["reason"] = decision.reason_admin
        record["revision"] = decision.revision
        record["door"] = door
        record["address"] = address
        record["request"] = request
        if shadow:
            record["shadow"] = True
        return self.write(_short(record), urgent=not allowed)

    def event(self, kind: str, *, actor: str, fields: Mapping[str, Value] | None = None) -> str:
        """Record that `actor` did something of `kind`; returns the record's id.

        Args:
            kind: `login`, `login_failed`, `logout`, `grant`, `revoke` …
            actor: written form of a principal, or `os:NAME` for the CLI.
            fields: what else there is to say; never a secret.
        """
        return self.write(self.made(kind, actor=actor, fields=fields))

    def made(self, kind: str, *, actor: str, fields: Mapping[str, Value] | None = None) -> Record:
        """The record that `event` would write, for `write`."""
        return _short({**self._begun(kind), "principal": actor, **(fields or {})})

    def note(self, kind: str, *, actor: str, fields: Mapping[str, Value] | None = None) -> str:
        """As `event`, of what is so already; that it cannot be recorded is logged, and no id."""
        try:
            return self.event(kind, actor=actor, fields=fields)
        except OSError as error:
            _log.critical("`%s` of `%s` cannot be recorded: %s", kind, actor, error)
            return ""

    def _begun(self, kind: str) -> Record:
        """What each record begins with."""
        record: Record = {"id": os.urandom(8).hex(), "time": self._clock(), "kind": kind}
        asked = REQUEST.get()
        if asked is not None:
            record["request_id"] = asked
        return record

    def write(self, record: Record, *, urgent: bool = True, once: Once | None = None) -> str:
        """Put a record that was `made` into the chain; returns its id.

        Args:
            record: not in the chain yet.
            urgent: whether the disk itself gets it at once; see `SYNC_WITHIN`.
            once: where somebody else may have put it there, by which that is found out.

        Raises:
            OSError: it is not in the file.
        """
        # The bus hears of records in the order that they have in the file.
        with self._order:
            chained = None if self._journal is None else self._journal.append(record, once)
            if once is not None and record["id"] in once.found:
                return str(record["id"])
            if self._emit is not None:
                self._untold.append((copy_context(), chained or record))
        if chained is not None:
            # Who clears them hands what was written before to the disk afterwards.
            if urgent and not self._urgent.is_set():
                self._urgent.set()
            if not self._written.is_set():
                self._written.set()
        else:
            self._tell(len(self._untold))
        return str(record["id"])


def _short(record: Record) -> Record:
    """A record whose texts are not too long."""
    for key, value in record.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            record[key] = value[:MAX_TEXT] + "…"
    return record
