"""Ports for what tests start."""

from __future__ import annotations

import contextlib
import secrets
import socket

#: Below those that a system gives to whoever connects or asks for any: one that was free a
#: moment ago is another program's by the time a server has started.
_FIRST, _MANY = 20_000, 12_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that nobody is given unasked."""
    while True:
        # Not `random`, which is seeded alike in every worker.
        port = _FIRST + secrets.randbelow(_MANY)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
