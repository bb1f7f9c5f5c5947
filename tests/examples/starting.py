"""Starting and stopping `make demo` as a person at a terminal does."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # why: it has no types
from examples.serving import EXAMPLES, Visitor, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(kw_only=True)
class Demo:
    """The demo while it runs."""

    process: subprocess.Popen[str]
    said: str
    url: str
    folder: Path

    def visitor(self, name: str, password: str = "") -> Visitor:
        """Somebody who has signed in, with the password of the table if none is given."""
        row = re.search(rf"^{name} +(\S+)", self.said, re.MULTILINE)
        visitor = Visitor(self.url)
        assert visitor.sign_in(name, password or (row[1] if row else "")) == 200
        return visitor

    @staticmethod
    def wait_until(true: Callable[[], bool]) -> None:
        """Return once `true` is, which a change in the store takes a moment to make."""
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end
            time.sleep(0.1)


@contextlib.contextmanager
def started(scratch: Path, *options: str) -> Iterator[Demo]:
    """The demo, from when it has said everything; it is gone afterwards, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "demo" / "run.py"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**surroundings(scratch), "TMPDIR": str(scratch), "COLUMNS": "200"},
        start_new_session=True,
    )
    try:
        yield _begun(process, scratch)
    finally:
        _end(process)


def _begun(process: subprocess.Popen[str], scratch: Path) -> Demo:
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and lines[-1].startswith("Ctrl-C")):
        line = process.stdout.readline()
        assert line, f"the demo ended: {''.join(lines)}"
        lines.append(line)
    said = "".join(lines)
    url = re.search(r"http://127\.0\.0\.1:\d+", said)
    files = re.search(r"^Files +(.+)/notebooks$", said, re.MULTILINE)
    assert url is not None
    assert files is not None
    return Demo(process=process, said=said, url=url[0], folder=scratch.__class__(files[1]))


def _end(process: subprocess.Popen[str]) -> None:
    """Leave nothing of it: a test that failed has not stopped it, nor its server."""
    if process.poll() is not None:
        return
    tree = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=60)
    for each in (*tree, process):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def stop(demo: Demo, number: signal.Signals = signal.SIGINT) -> str:
    """Stop it as the terminal does, and return what it said at last."""
    os.kill(demo.process.pid, number)
    return demo.process.communicate(timeout=60)[0]
