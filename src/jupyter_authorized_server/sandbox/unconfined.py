"""A process that nothing confines: only for whom a rule of the policy files says so."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import CannotConfine
from ..policy.model import Resource
from .box import Confined
from .view import by_rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal

_SERVER = Resource(type="server")
#: Looks for what is left of a session before it is given up.
_LOOKS = 50


def may_be_unconfined(point: DecisionPoint, principal: Principal) -> bool:
    """Whether a rule lets `principal` run programs that nothing confines."""
    return by_rule(point, principal, "unconfined", _SERVER)


class Unconfined(Confined):
    """A process in a session of its own; what leaves the session outlives it."""

    @property
    def is_over(self) -> bool:
        """Whether its first process has ended."""
        try:
            os.kill(self.first, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        """End it, with all of its session: each job of a shell is a group of its own."""
        # One that is forked at this moment is met at the next look.
        for _ in range(_LOOKS):
            members = _session(self.first)
            for pid in members:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not members:
                break
        with contextlib.suppress(OSError):
            os.killpg(self.first, signal.SIGKILL)


def _session(leader: int) -> list[int]:
    """The processes of the session of `leader`, as far as the system lists processes."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  # why: names only, at once
            with contextlib.suppress(OSError, ValueError):
                if os.getsid(int(name)) == leader and not _is_over(name):
                    found.append(int(name))
    return found


def _is_over(pid: str) -> bool:
    """Whether a process has ended, with all its threads, and waits for its parent to ask how."""
    words = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return words[0] in "ZX" and int(words[17]) == 1


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
