"""What is said to a kernel that listens on TCP through sockets in a folder, carried for real."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.sandbox import relay

if TYPE_CHECKING:
    from collections.abc import Iterator

MUCH = bytes(range(256)) * (1 << 14)
#: A kernel that begins to listen late, says who it is, and sends back what it was sent.
KERNEL = """
import os, resource, socket, sys, threading, time
resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
time.sleep(0.3)
def answer(one):
    told = b""
    while part := one.recv(1 << 16):
        told += part
    one.sendall(told)
    one.close()
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    print(os.getpid(), os.getpgid(0), flush=True)
    while True:
        threading.Thread(target=answer, args=[listening.accept()[0]]).start()
"""
SECONDS = 30


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1] - relay.told({"hb_port": 0})["hb_port"]
    told = {"transport": "ipc", "ip": "k", "hb_port": number}
    known = relay.told(told)
    assert ("tcp", "127.0.0.1") == (known["transport"], known["ip"])
    # What a program ignores as it begins, Python would not tell.
    begins = 'grep SigIgn /proc/self/status; exec "$@"'
    command = ["/bin/sh", "-c", begins, "sh", sys.executable, "-c", KERNEL, str(known["hb_port"])]
    line = relay.line(str(tmp_path / "k"), told, command)
    # What carries has room for few at once.
    line = ["/bin/sh", "-c", 'ulimit -Sn 30; exec "$@"', "sh", *line]
    with subprocess.Popen(line, stdout=subprocess.PIPE, start_new_session=True) as process:
        yield process, tmp_path / f"k-{number}"
        process.kill()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(tmp_path).encode() in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)


def test_what_is_said_reaches_a_kernel_and_comes_back_whole(
    kernel: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, at = kernel
    end = time.monotonic() + SECONDS
    while not at.exists():
        assert time.monotonic() < end
    with contextlib.ExitStack() as crowd:
        # Those for whom there is no room wait, and harm nobody who comes later.
        for _ in range(40):
            crowd.enter_context(socket.socket(socket.AF_UNIX)).connect(str(at))
    answers: dict[int, bytes] = {}

    def say(number: int) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(SECONDS)
            one.connect(str(at))
            one.sendall(MUCH + bytes([number]))
            one.shutdown(socket.SHUT_WR)
            answers[number] = b"".join(iter(lambda: one.recv(1 << 16), b""))

    speaking = [threading.Thread(target=say, args=[number]) for number in range(3)]
    for each in speaking:
        each.start()
    for each in speaking:
        each.join(SECONDS)
    assert {number: MUCH + bytes([number]) for number in range(3)} == answers
    # It is the kernel itself that was started, with a group of its own and no signal ignored.
    assert process.stdout is not None
    ignored = int(process.stdout.readline().split()[1], 16)
    assert [] == [n for n in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> (n - 1) & 1]
    assert [process.pid] * 2 == [*map(int, process.stdout.readline().split())]
