"""Whether time tells what nobody may know: a file that one may not see, and none at all.

Run with `python benchmarks/bench_absence.py`. One real server, and a person who was given
nothing there. A request for what is there and one for what is not take turns, at each door
and for a file, a folder of ten thousand names and a link.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from serving import Serving, serving

RESULTS = Path(__file__).parent / "results" / "absence.json"
ROUNDS, WARM_UP, NAMES = 1_000, 50, 10_000
#: What is there, by the name that stands in the results; as long as what is not.
THERE = {"file": "pay.ipynb", "folder": "pay-many", "link": "pay-link"}
KERNEL = {"name": "absent"}
#: Method, address and body, each with a place for the path.
DOORS = {
    "contents": ("GET", "/api/contents/{}", None),
    "move": ("PATCH", "/api/contents/{}", {"path": "own/x.ipynb"}),
    "files": ("GET", "/files/{}", None),
    "checkpoints": ("GET", "/api/contents/{}/checkpoints", None),
    "session": (
        "POST",
        "/api/sessions",
        {"path": "{}", "type": "notebook", "name": "x", "kernel": KERNEL},
    ),
}


class Asking:
    """One connection of somebody who was given nothing of what is asked for."""

    def __init__(self, server: Serving) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {"Authorization": f"token {server.tokens['nora']}"}

    def ask(self, door: str, path: str) -> float:
        """Microseconds until the refusal, as whoever asks can measure them."""
        method, address, body = DOORS[door]
        sent = None if body is None else json.dumps(body).replace("{}", path)
        begun = time.perf_counter()
        self._connection.request(method, address.format(path), sent, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        took = time.perf_counter() - begun
        if answer.status not in {403, 404}:
            sys.exit(f"{method} {path} was answered {answer.status}")
        return took * 1e6


def overlap(there: list[float], absent: list[float]) -> float:
    """How often a request for what is there takes longer than one for what is not.

    A half is what somebody would see who only guesses, 0 and 1 what tells them for certain.
    """
    ordered = sorted(absent)
    found = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in there)
    return found / (2 * len(there) * len(absent))


def compare(asking: Asking, door: str, name: str) -> dict[str, float]:
    """Median microseconds for what is not there, the ratio to it, and the overlap."""
    there: list[float] = []
    absent: list[float] = []
    turns = [(there, f"hr/{name}"), (absent, f"hr/{name.replace('pay', 'nay')}")]
    for number in range(ROUNDS + WARM_UP):
        for found, path in turns if number % 2 else reversed(turns):
            took = asking.ask(door, path)
            if number >= WARM_UP:
                found.append(took)
    median = statistics.median(absent)
    return {
        "absent_us": round(median),
        "ratio": round(statistics.median(there) / median, 3),
        "overlap": round(overlap(there, absent), 3),
    }


def main() -> int:
    """Measure, print, and keep the figures."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-absence-") as name:
        folder = Path(name)
        hr = folder / "root" / "hr"
        (hr / THERE["folder"]).mkdir(parents=True)
        (hr / THERE["file"]).write_text("{}")
        (hr / THERE["link"]).symlink_to(THERE["file"])
        for number in range(NAMES):
            (hr / THERE["folder"] / f"{number}.txt").touch()
        people = {"nora": [("manager", "contents:/own"), ("runner", "kernelspecs:")]}
        with serving(folder, people=people) as server:
            asking = Asking(server)
            for door in DOORS:
                for kind, path in THERE.items():
                    if kind == "file" or door in {"contents", "move"}:
                        found = compare(asking, door, path)
                        figures[f"{door}, {kind}"] = found
                        print(
                            f"{door:12}{kind:8}",
                            *(f"{key} {value:<8}" for key, value in found.items()),
                        )
    content = {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "requests": ROUNDS,
        "figures": figures,
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
