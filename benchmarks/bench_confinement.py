"""What a confined kernel costs beside one of a server whose sandbox is off.

Run with `python benchmarks/bench_confinement.py`. Two real servers; their kernels take
turns. The third column of starts is a person whose kernel is shown 99 folders one by one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from serving import Serving, serving
from talking import Client, notebook, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS = Path(__file__).parent / "results" / "confinement.json"
STARTS, ROUNDS, FOLDERS = 9, 15, 99
SPECS = ("runner", "kernelspecs:")
PEOPLE = {
    "mona": [("manager", "contents:/team"), SPECS],
    "many": [("manager", f"contents:/f{number}") for number in range(FOLDERS)] + [SPECS],
    "adam": "admin",
}
#: Each prints the seconds of a processor that it took, with its children.
WORK = {
    "open and close": "for _ in range(60_000): os.close(os.open('data', os.O_RDONLY))",
    "compute": "for number in range(4_000_000): number * number",
    "read 1 MiB": "for _ in range(1000): open('data', 'rb').read()",
    "start a program": "for _ in range(40): subprocess.run(['true'])",
}


def served(folder: Path, config: str, stack: contextlib.ExitStack) -> Serving:
    for name in ("team", *(f"f{number}" for number in range(FOLDERS))):
        (folder / "root" / name).mkdir(parents=True)
    (folder / "root" / "team" / "data").write_bytes(bytes(1 << 20))
    for path in ("team/a.ipynb", "f0/a.ipynb"):
        notebook(folder / "root" / path, "1")
    return stack.enter_context(serving(folder, people=PEOPLE, config=config))


def first_reply(server: Serving, who: str, path: str) -> float:
    """Seconds from the request that starts a kernel to its first answer."""
    began = time.perf_counter()
    kernel = start(server, who, path)
    client = Client(server, kernel, who)
    client.answer(client.run("1"))
    took = time.perf_counter() - began
    client.close()
    for session in server.request("GET", "/api/sessions", "adam").json:
        server.request("DELETE", f"/api/sessions/{session['id']}", "adam")
    return took


def worked(client: Client, code: str) -> float:
    spent = "sum(os.times()[:4])"
    lines = (f"began = {spent}", code, f"print({spent} - began)")
    return float(client.text("\n".join(lines)))


def ratios(rounds: int, plain: Callable[[], float], ours: Callable[[], float]) -> list[float]:
    found = []
    for number in range(rounds + 1):
        pair = (plain(), ours()) if number % 2 else (ours(), plain())[::-1]
        if number:
            found.append(pair[1] / pair[0])
    return found


def told(name: str, found: Sequence[float]) -> dict[str, float]:
    figures = {"median": statistics.median(found), "least": min(found), "most": max(found)}
    print(f"{name:28} x {figures['median']:.2f} ({min(found):.2f} to {max(found):.2f})")
    return {key: round(value, 3) for key, value in figures.items()}


def memory(server: Serving) -> int:
    """KiB that all below a server's process have for themselves, the server left out."""
    total, below = 0, {server.process.pid}
    for path in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in below:
                below.add(int(path.name))
                lines = (path / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total


def main() -> None:
    figures: dict[str, object] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jk-bench-")))
        off = served(folder / "off", "c.JupyterAuthorization.sandbox = 'off'", stack)
        ours = served(folder / "on", "c.JupyterAuthorization.sandbox = 'require'", stack)
        for name, who, path in (
            ("start to first reply", "mona", "team/a.ipynb"),
            (f"with {FOLDERS} folders", "many", "f0/a.ipynb"),
        ):
            figures[name] = told(
                name,
                ratios(
                    STARTS,
                    lambda who=who, path=path: first_reply(off, who, path),  # type: ignore[misc]  # why: bound now
                    lambda who=who, path=path: first_reply(ours, who, path),  # type: ignore[misc]  # why: bound now
                ),
            )
        clients = [
            Client(each, start(each, "mona", "team/a.ipynb"), "mona") for each in (off, ours)
        ]
        for client in clients:
            client.socket.settimeout(600)
            client.text("import os, subprocess, time")
            client.text("os.chdir(os.path.dirname(os.environ['JPY_SESSION_NAME']))")
        more = memory(ours) - memory(off)
        print(f"{'memory of a kernel':28} {more:+} KiB")
        figures["memory of a kernel, KiB"] = more
        for name, code in WORK.items():
            figures[name] = told(
                name,
                ratios(
                    ROUNDS,
                    lambda code=code: worked(clients[0], code),  # type: ignore[misc]  # why: bound now
                    lambda code=code: worked(clients[1], code),  # type: ignore[misc]  # why: bound now
                ),
            )
        for client in clients:
            client.close()
    machine = {
        "at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    RESULTS.write_text(json.dumps({"machine": machine, "ratios": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
