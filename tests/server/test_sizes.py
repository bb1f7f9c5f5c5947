"""What grows without end in a kernel or terminal, or will not end, harms nobody else.

Each attack is bounded by itself as well: on a machine where nothing stopped it, it would
come to an end of a few hundred processes or megabytes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacking import STARTS, begin, said, waited_for
from serving import Serving, serving
from talking import Client, Shell, notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 120
PROCESSES = 60
CONFIG = f"""
c.JupyterAuthorization.sandbox = "bubblewrap"
c.JupyterAuthorization.sandbox_processes = {PROCESSES}
c.JupyterAuthorization.sandbox_memory = 300
c.KernelManager.shutdown_wait_time = 1.0
"""
PEOPLE = {
    "mona": [("manager", "contents:/team"), STARTS, ("admin", "terminals:")],
    "nell": [("manager", "contents:/other"), STARTS],
    "adam": "admin",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("sizes")
    for name in ("team", "other"):
        notebook(folder / "root" / name / "a.ipynb", "1")
    with serving(
        folder, people=PEOPLE, config=CONFIG, extensions=("jupyter_server_terminals",)
    ) as running:
        begin(running, "nell", "other/a.ipynb")
        yield running


@pytest.fixture
def kernel(server: Serving) -> Iterator[str]:
    """A kernel of Mona's, which is gone afterwards."""
    found = begin(server, "mona")
    yield found
    server.request("DELETE", f"/api/kernels/{found}", "adam")


BOMB = "import os, time\nfor _ in range(6):\n    os.fork()\ntime.sleep(600)"
CHILDREN = """
import subprocess, sys
code = "held = bytearray(b'x') * (100 << 20); __import__('time').sleep(600)"
for each in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]: each.wait()
"""
NAMELESS = """
import os, time
file = os.memfd_create("x")
for _ in range(40): os.write(file, b"x" * (10 << 20))
time.sleep(600)
"""
TOO_MUCH = "MiB of memory together, and may hold 300 MiB"
#: Code that has what it must not, and how that is told.
GROWTHS = {
    "a fork bomb": (BOMB, f"processes and threads, and may have {PROCESSES}"),
    "memory of its children": (CHILDREN, TOO_MUCH),
    "a file without a name": (NAMELESS, TOO_MUCH),
}


@pytest.mark.parametrize("what", GROWTHS)
def test_a_kernel_that_grows_too_large_is_stopped_and_told_and_others_are_not(
    server: Serving, kernel: str, what: str
) -> None:
    code, wanted = GROWTHS[what]
    client = Client(server, kernel, "mona")
    client.run(code)
    words, end = "", time.monotonic() + SECONDS
    while "the kernel was stopped" not in words:
        assert time.monotonic() < end
        words += client.hear(SECONDS).content.get("text", "")
    client.close()
    assert wanted in words
    # It starts again, empty, and another's was never stopped.
    assert "2" == said(server, kernel, "mona", "print(1 + 1)")
    other = server.request("GET", "/api/sessions", "nell").json[0]["kernel"]["id"]
    assert "2" == said(server, other, "nell", "print(1 + 1)")
    stopped = [each for each in server.audit if each["kind"] == "stopped"]
    assert {"user:mona"} == {each["principal"] for each in stopped}
    assert any(wanted in each["reason"] for each in stopped)
    assert wanted in server.log


def test_a_terminal_with_a_fork_bomb_is_stopped_and_says_why(server: Serving) -> None:
    shell = Shell(server, "mona", cwd="team")
    (server.root / "team" / "bomb.py").write_text(BOMB)
    shell.type("python bomb.py\r")
    shell.until("This terminal was stopped: it had ")
    shell.socket.close()
    assert 200 == server.request("GET", "/api/contents/other/a.ipynb", "nell").status


#: Ends of nothing but the strongest signal, with a daemon that has left its session.
STUBBORN = """
import signal, subprocess, time
for each in set(signal.valid_signals()) - {{signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}}:
    signal.signal(each, signal.SIG_IGN)
_ = subprocess.Popen(["setsid", "sleep", "607.{port}"])
print("deaf", flush=True)
while True: time.sleep(1)
"""


@pytest.mark.parametrize("way", ["shut down", "restarted", "not allowed any more"])
def test_a_kernel_that_ignores_every_signal_ends_all_the_same(
    server: Serving, kernel: str, way: str
) -> None:
    daemon = f"sleep 607.{server.port}"
    client = Client(server, kernel, "mona")
    client.run(STUBBORN.format(port=server.port))
    while "deaf" not in client.hear(SECONDS).content.get("text", ""):
        pass
    assert waited_for(daemon, there=True)
    path = f"/api/kernels/{kernel}"
    began = time.monotonic()
    if way == "shut down":
        assert 204 == server.request("DELETE", path, "mona").status
    elif way == "restarted":
        assert 200 == server.request("POST", f"{path}/restart", "mona").status
    else:
        lose_and_get_back(server, path)
    assert waited_for(daemon, there=False)
    assert time.monotonic() - began < SECONDS
    client.close()
    if way == "restarted":
        assert "2" == said(server, kernel, "mona", "print(1 + 1)")


def lose_and_get_back(server: Serving, path: str) -> None:
    """Take Mona's grant on her folder until the kernel at `path` is gone."""
    with server.store() as store:
        (grant,) = (
            each
            for each in store.state().grants
            if each.principal == "user:mona" and each.resource == "contents:/team"
        )
        store.remove_grant(grant.id)
        end = time.monotonic() + SECONDS
        while server.request("GET", path, "adam").status != 404:
            assert time.monotonic() < end
            time.sleep(0.05)
        store.add_grant(
            principal="user:mona", level="manager", resource="contents:/team",
            now=time.time(), granted_by="os:test",
        )  # fmt: skip
        while server.request("GET", "/api/contents/team", "mona").status != 200:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_files_in_memory_have_an_end_and_devices_no_room(server: Serving, kernel: str) -> None:
    fill = (
        "import os, shutil\n"
        "def fill(path):\n"
        "    try:\n"
        "        with open(path, 'wb') as file:\n"
        "            for _ in range(20): file.write(b'x' * (10 << 20)); file.flush()\n"
        "    except OSError as error: return error.strerror\n"
        "    finally:\n"
        "        if os.path.exists(path): os.unlink(path)\n"
        "print({fill(path) for path in PATHS})"
    )
    full = fill.replace("PATHS", "['/tmp/x', '/dev/shm/x', '/run/x']")
    assert "{'No space left on device'}" == said(server, kernel, "mona", full)
    none = fill.replace("PATHS", "['/dev/x']")
    assert "{'Read-only file system'}" == said(server, kernel, "mona", none)


def test_a_process_has_the_limits_that_are_told_and_gives_way_to_the_server(
    server: Serving, kernel: str
) -> None:
    ask = (
        "import json, os, resource as r\n"
        "print(json.dumps([os.getpriority(0, 0), r.getrlimit(r.RLIMIT_CORE),"
        " r.getrlimit(r.RLIMIT_NPROC)[1] - 300, r.getrlimit(r.RLIMIT_NOFILE)[1] <= 4096,"
        " [line.split()[1] for line in open('/proc/self/status')"
        " if line.startswith(('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'))]]))"
    )
    mine = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    wanted = [min(19, mine + 5), [0, 0], PROCESSES, True, ["0" * 16] * 5 + ["1"]]
    assert wanted == json.loads(said(server, kernel, "mona", ask))


def test_the_number_of_the_whole_machine_is_not_touched(server: Serving) -> None:
    assert Path("/proc/sys/kernel/pid_max").read_text() > "0"
    begin(server, "mona")
    before = Path("/proc/sys/kernel/pid_max").read_text()
    assert int(before) > PROCESSES + 300
