"""Audit: one record for every denial, log-in and administrative change.

A record is one JSON object on one line, appended and flushed before the answer goes
out, and at the same time an event on the server's event bus. The bus is not
evidence (anyone who may post can post), the file is.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .policy.model import Decision, Principal

    Value = str | int | float | bool | None | list[str]
    Record = dict[str, Value]

#: Identifies the records on the event bus; `event_schemas/audit/v1.yaml`.
SCHEMA_ID = "https://schema.jupyter.org/jupyter_authorized_server/audit/v1"

#: Longest text of a record's field; names come from clients.
MAX_TEXT = 2048


class Audit:
    """Writes records.

    Args:
        path: the file to append to, made with mode 0600; None writes none.
        emit: also gets each record, as the data of an event; what it raises is
            passed over, since the file has the record by then.
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
        self._lock = threading.Lock()
        self._descriptor = -1
        self.path = path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(path, flags, 0o600)
            except OSError as error:
                msg = f"the audit file `{path}` cannot be written: {error.strerror}"
                raise ConfigurationError(msg) from error

    def close(self) -> None:
        """Close the file; later records go to the event bus only."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

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
        return self._write(
            "decision",
            {
                "principal": decision.principal,
                "token": principal.token,
                "action": decision.action,
                "resource": decision.resource,
                "decision": decision.answer.value,
                "determining": [f"{d.id} ({d.source})" for d in decision.determining],
                "reason": decision.reason_admin,
                "revision": decision.revision,
                "door": door,
                "address": address,
                "request": request,
                **({"shadow": True} if shadow else {}),
            },
        )

    def event(self, kind: str, *, actor: str, fields: Mapping[str, Value] | None = None) -> str:
        """Record that `actor` did something of `kind`; returns the record's id.

        Args:
            kind: `login`, `login_failed`, `logout`, `grant`, `revoke` …
            actor: written form of a principal, or `os:NAME` for the CLI.
            fields: what else there is to say; never a secret.
        """
        return self._write(kind, {"principal": actor, **(fields or {})})

    def _write(self, kind: str, fields: Mapping[str, Value]) -> str:
        record: Record = {"id": secrets.token_hex(8), "time": self._clock(), "kind": kind}
        for key, value in fields.items():
            record[key] = _clean(value)
        # ASCII escapes keep a hostile name from ending the line or driving a terminal.
        line = json.dumps(record, ensure_ascii=True) + "\n"
        with self._lock:
            if self._descriptor >= 0:
                # One write of one line: O_APPEND keeps lines of several processes whole.
                os.write(self._descriptor, line.encode("ascii"))
        if self._emit is not None:
            with contextlib.suppress(Exception):  # why: the file has the record; see class
                self._emit(record)
        return str(record["id"])


def _clean(value: Value) -> Value:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "…"
    return value
