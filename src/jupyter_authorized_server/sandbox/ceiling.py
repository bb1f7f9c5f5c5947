"""The most processes that a sandbox with a count of its own can hold, whoever the server is.

The limit on an account's processes binds nobody whom the machine takes for root. Since
Linux 6.14 each namespace of processes has its own highest number, which binds all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

#: What a process is watched for where the machine does not keep it from it.
WATCHED = "starts more processes than it may"
_HIGHEST = Path("/proc/sys/kernel/pid_max")
#: Before this version there is one highest number, that of the whole machine.
_SINCE = (6, 14)
#: Numbers that are not given again once they have been used, and the lowest highest one.
_ONCE = 300
_OWNER = 0xB701
_SECONDS = 30


def lower(first: int, most: int) -> bool:
    """Let the namespace of the process `first` hold some `most` processes and threads.

    Args:
        first: the first process of a namespace of its own, which is still waiting.

    Returns:
        Whether it is so; False where this machine cannot do it.
    """
    import fcntl  # noqa: PLC0415  # why: not on every platform

    program = shutil.which("nsenter", path="/usr/bin:/bin:/usr/local/bin")
    if program is None or _version() < _SINCE:
        return False
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError, subprocess.SubprocessError):
        numbers = os.open(f"/proc/{first}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, numbers)
        # Whoever is above what made the namespace may set it, and no process in it.
        above = fcntl.ioctl(numbers, _OWNER)
        stack.callback(os.close, above)
        before = _HIGHEST.read_text()
        done = subprocess.run(  # noqa: S603  # why: a program of the machine
            [
                program, f"--user=/proc/self/fd/{above}", f"--pid=/proc/self/fd/{numbers}",
                "--preserve-credentials", "/bin/sh", "-c",
                f"echo {max(1, most) + _ONCE} > {_HIGHEST}",
            ],
            pass_fds=(above, numbers), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=_SECONDS, check=False, cwd="/",
        )  # fmt: skip
        if _HIGHEST.read_text() != before:
            # It was the machine's own after all.
            _HIGHEST.write_text(before)
            return False
        return done.returncode == 0
    return False


def _version() -> tuple[int, ...]:
    """The version of the machine's kernel; of what cannot be read, none."""
    with contextlib.suppress(ValueError):
        return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    return ()
