"""Starting and stopping `make demo` as a person at a terminal does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.serving import EXAMPLES, Visitor, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable
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


def start(scratch: Path, *options: str) -> Demo:
    """Start the demo; returns when it has said everything."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "demo" / "run.py"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**surroundings(scratch), "TMPDIR": str(scratch), "COLUMNS": "200"},
        start_new_session=True,
    )
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


def stop(demo: Demo, number: signal.Signals = signal.SIGINT) -> str:
    """Stop it as the terminal does, and return what it said at last."""
    os.kill(demo.process.pid, number)
    return demo.process.communicate(timeout=60)[0]
