"""A process that nothing confines: only for whom a rule of the policy files says so."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import IO, TYPE_CHECKING

from ..errors import CannotConfine
from ..policy.model import Resource
from .bubblewrap import Confined
from .view import by_rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal

_SERVER = Resource(type="server")


def may_be_unconfined(point: DecisionPoint, principal: Principal) -> bool:
    """Whether a rule lets `principal` run programs that nothing confines."""
    return by_rule(point, principal, "unconfined", _SERVER)


class Unconfined(Confined):
    """A process in a group of its own; what leaves the group outlives it."""

    def kill(self) -> None:
        """End it, with its group."""
        with contextlib.suppress(OSError):
            os.killpg(self.first, signal.SIGKILL)


def start_unconfined(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: str,
    output: IO[bytes],
) -> tuple[Unconfined, subprocess.Popen[bytes]]:
    """Run `command`, with nothing of the server's environment and no descriptor of its own.

    Raises:
        CannotConfine: it cannot be run.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # why: a kernelspec's, for whom a rule lets
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        msg = f"the program could not be run: {error}"
        raise CannotConfine(msg) from error
    return Unconfined(first=process.pid, status=-1), process
