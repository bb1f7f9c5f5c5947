from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jupyter_authorized_server.sandbox.unconfined import start_unconfined


@pytest.mark.skipif(  # why: only Linux does
    not Path("/proc/self").exists(), reason="this system lists no processes"
)
def test_the_jobs_of_a_shell_end_with_it_though_each_is_a_group_of_its_own(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    # A job in the background is not hung up on when its shell is killed.
    code = f"set -m; sleep 604 & echo $! > {told}.new; mv {told}.new {told}; wait"
    with (tmp_path / "log").open("wb") as log:
        running, process = start_unconfined(
            ["bash", "-c", code],
            environment={"PATH": os.environ["PATH"]},
            cwd=str(tmp_path),
            output=log,
        )
    end = time.monotonic() + 60
    while not told.exists() and time.monotonic() < end:
        time.sleep(0.01)
    job = int(told.read_text())
    assert os.getpgid(job) != running.first
    running.kill()
    process.wait(60)
    while _runs(job) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _runs(job)


def _runs(pid: int) -> bool:
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return told.rpartition(")")[2].split()[0] not in "ZX"
