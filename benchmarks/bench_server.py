"""What the guard costs a served request, the start and the memory: two servers, side by side.

Run with `python benchmarks/bench_server.py`. Both are real processes of the same
Jupyter Server with the same extensions; one has our guard, policy and identity, the
other AllowAllAuthorizer and a server token. They take turns, so that what else the
machine does falls on both; only the ratios mean anything.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import importlib.metadata
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results" / "server.json"
PEOPLE = {
    "vera": "viewer",
    "rudi": "runner",
    "edna": "editor",
    "carl": "contributor",
    "anna": "admin",
}
TARGETS = {"request_cpu": 1.05, "start_seconds": 0.5, "start_cpu": 0.5, "memory_mb": 40.0}
STARTS, ROUNDS, REQUESTS, WARM_UP = 5, 30, 150, 300
PATH = "/api/contents/notes.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers.

    Args:
        started: seconds from the start of the process to its first answer.
        start_cpu: seconds of processor until then.
    """

    process: subprocess.Popen[bytes]
    port: int
    token: str
    started: float
    start_cpu: float

    def cpu(self) -> float:
        """Seconds of processor that the whole process has used."""
        return cpu_of(self.process.pid)

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


class Figure(TypedDict):
    """One comparison: two medians, what is compared, what was aimed at."""

    without: float
    guarded: float
    compared: float
    target: float
    spread: list[float]


def cpu_of(pid: int) -> float:
    """What the kernel's own clock of a process says, in seconds.

    It counts nanoseconds, and `/proc/PID/stat` hundredths of a second. The arithmetic is
    that of `clock_getcpuclockid(3)`.
    """
    return time.clock_gettime((~pid << 3) | 2)


def prepare(folder: Path) -> dict[str, str]:
    """Write files, store and settings for both servers; the tokens by name."""
    (folder / "root").mkdir()
    (folder / "root" / "notes.md").write_text("Notes\n" * 40, encoding="utf-8")
    url, now = f"sqlite:///{folder / 'store' / 'store.sqlite'}", time.time()
    store, secret = Store.open(url), new_secret()
    for name, level in PEOPLE.items():
        store.add_person(name, display_name=name.capitalize(), now=now)
        store.add_grant(
            principal=f"user:{name}",
            level=level,
            resource="server:",
            granted_by="user:anna",
            now=now,
        )
    store.add_token(secret.id, secret.hash, name="bench", person="vera", expires=None, now=now)
    store.close()
    shared = (
        "c.ServerApp.open_browser = False\nc.ServerApp.allow_root = True\n"
        f"c.ServerApp.root_dir = {str(folder / 'root')!r}\n"
        "c.ServerApp.log_level = 'WARN'\n"
    )
    stock = "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': False}\n"
    ours = (
        "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': True}\n"
        f"c.JupyterAuthorization.store_url = {url!r}\n"
    )
    (folder / "without.py").write_text(
        shared + stock + f"c.IdentityProvider.token = {'t' * 48!r}\n", encoding="utf-8"
    )
    (folder / "guarded.py").write_text(shared + ours, encoding="utf-8")
    return {"without": "t" * 48, "guarded": secret.text}


@contextlib.contextmanager
def server(folder: Path, name: str, token: str) -> Iterator[Server]:
    """The server called `name`, from its first answer until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment = {**kept, "JUPYTER_NO_CONFIG": "", "JUPYTER_PREFER_ENV_PATH": "1"}
    # As where it is installed: what is compiled is kept.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{kind}_DIR"] = str(folder / name / kind.lower())
    command = [sys.executable, "-m", "jupyter_server", f"--config={folder / name}.py"]
    with (folder / f"{name}.log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        started = _first_answer(process, port, began, folder / f"{name}.log")
        used = cpu_of(process.pid)
        yield Server(process=process, port=port, token=token, started=started, start_cpu=used)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _first_answer(process: subprocess.Popen[bytes], port: int, began: float, log: Path) -> float:
    while process.poll() is None and time.perf_counter() - began < 120:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api")
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    sys.exit(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


class Client:
    """One kept-alive connection that keeps cookies, as browsers do."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"Authorization": f"token {server.token}"}
        self._cookies: dict[str, str] = {}

    def ask(self, times: int) -> None:
        """Get the small file, `times` times."""
        for _ in range(times):
            headers = dict(self._headers)
            if self._cookies:
                headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self._cookies.items())
            self._connection.request("GET", PATH, headers=headers)
            answer = self._connection.getresponse()
            body = answer.read()
            for line in answer.headers.get_all("Set-Cookie", []):
                key, _, value = line.partition(";")[0].partition("=")
                self._cookies[key] = value
            if answer.status != 200 or b'"notes.md"' not in body:
                sys.exit(f"{PATH} was answered {answer.status}: {body[:300]!r}")


def figure(without: list[float], guarded: list[float], *, ratio: bool, target: float) -> Figure:
    """Compare pair by pair, since both of a pair met the same minute."""
    pairs = zip(guarded, without, strict=True)
    compared = sorted(ours / theirs if ratio else ours - theirs for ours, theirs in pairs)
    return Figure(
        without=round(statistics.median(without), 4),
        guarded=round(statistics.median(guarded), 4),
        compared=round(statistics.median(compared), 4),
        target=target,
        spread=[round(compared[0], 4), round(compared[-1], 4)],
    )


def measure_starts(folder: Path, tokens: dict[str, str]) -> dict[str, Figure]:
    """Seconds to the first answer, by the clock and of processor; megabytes after a while."""
    seen: dict[str, dict[str, list[float]]] = {
        key: {name: [] for name in tokens} for key in ("start_seconds", "start_cpu", "memory_mb")
    }
    for count in range(STARTS + 1):
        for name, token in tokens.items():
            with server(folder, name, token) as running:
                Client(running).ask(100)
                # The first of each compiles modules and makes keys.
                if count:
                    seen["start_seconds"][name].append(running.started)
                    seen["start_cpu"][name].append(running.start_cpu)
                    seen["memory_mb"][name].append(running.memory())
    return {key: figure(**found, ratio=False, target=TARGETS[key]) for key, found in seen.items()}


def measure_requests(folder: Path, tokens: dict[str, str]) -> Figure:
    """Milliseconds of the server's processor for one request."""
    used: dict[str, list[float]] = {name: [] for name in tokens}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(server(folder, name, token))
            for name, token in tokens.items()
        }
        clients = {name: Client(each) for name, each in running.items()}
        for client in clients.values():
            client.ask(WARM_UP)
        for count in range(ROUNDS):
            for name in sorted(tokens, reverse=count % 2 == 1):
                before = running[name].cpu()
                clients[name].ask(REQUESTS)
                used[name].append((running[name].cpu() - before) / REQUESTS * 1000)
    return figure(**used, ratio=True, target=TARGETS["request_cpu"])


def main(arguments: list[str]) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests-only", action="store_true", help="skip start and memory")
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        print("skipped: reads the processor time of another process as Linux tells it")
        return 0
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="bench-server-") as name:
        folder = Path(name)
        tokens = prepare(folder)
        if not options.requests_only:
            figures |= measure_starts(folder, tokens)
        figures["request_cpu"] = measure_requests(folder, tokens)
    show(figures)
    if not options.requests_only:
        keep(figures)
    return 0


def show(figures: dict[str, Figure]) -> None:
    """A table."""
    titles = {
        "request_cpu": ("CPU per request, ms", "x"),
        "start_seconds": ("until it answers, s", "+"),
        "start_cpu": ("CPU until then, s", "+"),
        "memory_mb": ("resident memory, MB", "+"),
    }
    print(f"{'':22}{'without':>10}{'guarded':>10}{'compared':>11}{'target':>9}   spread")
    for key, found in figures.items():
        title, sign = titles[key]
        low, high = found["spread"]
        verdict = "" if found["compared"] <= found["target"] else "   MISSED"
        print(
            f"{title:22}{found['without']:10.3f}{found['guarded']:10.3f}"
            f"{sign:>4}{found['compared']:7.3f}{found['target']:9.2f}"
            f"   {low:.3f} … {high:.3f}{verdict}"
        )


def keep(figures: dict[str, Figure]) -> None:
    """Write the figures with what they depend on."""
    packages = ("jupyter_authorized_server", "jupyter_server", "jupyterlab", "tornado", "cedarpy")
    RESULTS.parent.mkdir(exist_ok=True)
    content = {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "requests": ROUNDS * REQUESTS,
        "starts": STARTS,
        "figures": figures,
    }
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
