"""How soon a grant counts among 100,000, and how long the first questions about many take.

Run with `python benchmarks/bench_store.py`. A store in a file is filled; then it is
opened as at a start, grants are given and taken back, and each time the next decision is
waited for. Figures are milliseconds of processor time, since other work may keep the
machine busy: the median and the worst of the rounds.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
import timeit
from pathlib import Path
from typing import TYPE_CHECKING

from bench_engine import GROUPS, LEVELS, PEOPLE, folders
from sqlalchemy import insert

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.inquiry import what_can, who_can
from jupyter_authorized_server.policy.model import Resource
from jupyter_authorized_server.store import Store, schema

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results" / "store.json"
ROUNDS = 15
#: What is measured, for the file of results.
FOUND: dict[str, object] = {}


def fill(store: Store, number: int, places: list[str], rng: random.Random) -> None:
    """People in three groups each, and grants, a third of them to people."""
    with store._write() as connection:  # noqa: SLF001  # why: a store has no way to be filled at once
        connection.execute(
            insert(schema.people),
            [
                {"name": f"u{n}", "display_name": "", "disabled": False, "created": 1}
                for n in range(PEOPLE)
            ],
        )
        connection.execute(
            insert(schema.groups), [{"name": f"g{n}", "created": 1} for n in range(GROUPS)]
        )
        connection.execute(
            insert(schema.group_people),
            [
                {"group_name": f"g{group}", "person": f"u{n}"}
                for n in range(PEOPLE)
                for group in rng.sample(range(GROUPS), 3)
            ],
        )
        connection.execute(insert(schema.grants), [_row(n, rng, places) for n in range(number)])


def _row(number: int, rng: random.Random, places: list[str]) -> dict[str, object]:
    to_person = rng.random() < 1 / 3
    return {
        "id": f"g-{number:012x}",
        "person": f"u{rng.randrange(PEOPLE)}" if to_person else None,
        "group_name": None if to_person else f"g{rng.randrange(GROUPS)}",
        "level": rng.choice(LEVELS),
        "resource": f"contents:{rng.choice(places)}",
        "granted_by": "user:u0",
        "note": "",
        "created": 1,
    }


def timed(do: Callable[[], object]) -> float:
    """Milliseconds of processor time that `do` takes."""
    began = time.process_time()
    do()
    return (time.process_time() - began) * 1000


def told(what: str, times: list[float], *, of: str = "") -> None:
    """Print one line, and keep it."""
    shown = f"{what} {of}".strip()
    print(f"{shown:44} {statistics.median(times):9.2f} {max(times):9.2f}")
    FOUND[what] = {
        "first": round(times[0], 2),
        "median": round(statistics.median(times), 2),
        "worst": round(max(times), 2),
    }


def changes(point: DecisionPoint, to: str) -> tuple[list[float], list[float]]:
    """From the moment a change is in the store to the next decision: given, taken back."""
    on = Resource(type="contents", id="/bench/a.ipynb")
    asker = "user:u7"
    given, taken = [], []

    def seen(expected: bool) -> None:
        point.refresh()
        found = point.decide(point.principal(asker), "open", on, door="bench", record=False)
        if found.allowed != expected:
            raise SystemExit("the change does not count")

    seen(expected=False)
    for _ in range(ROUNDS):
        grant = point.store.add_grant(
            principal=to, level="viewer", resource="contents:/bench", now=1, granted_by="os:bench"
        )
        given.append(timed(lambda: seen(expected=True)))
        point.store.remove_grant(grant.id)
        taken.append(timed(lambda: seen(expected=False)))
    return given, taken


def move(store: Store, to: Store) -> None:
    """All of a store into an empty one, in one transaction."""
    to.import_rows(store.export_rows())


def main() -> None:
    """Print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = random.Random(7)
    places = folders(rng)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite'}"
        with Store.open(url) as store:
            fill(store, number, places, rng)
        print(f"{number} grants; milliseconds{'median':>33} {'worst':>9}")
        with Store.open(url) as store, Store.open(f"{url}.copy") as copy:
            told("moved to another store at once", [timed(lambda: move(store, copy))])
        starts = []
        for _ in range(5):
            with Store.open(url) as store:
                starts.append(timed(lambda: _point(store)))  # why: called here
        told("load at start", starts)
        with Store.open(url) as store:
            point = _point(store)
            for to in ("user:u7", "group:g7", "everyone"):
                point.store.add_grant(
                    principal=to, level="viewer", resource="contents:/x", now=1, granted_by="os:b"
                )
            _many(point, rng, places)
            for to in ("user:u7", "everyone"):
                given, taken = changes(point, to)
                told(f"given to {to}, until the next decision", given)
                told(f"taken back from {to}", taken)
            _again(point)
    kept = {"grants": number, "milliseconds": FOUND, "load": round(os.getloadavg()[0], 1)}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _again(point: DecisionPoint) -> None:
    """A decision that was made before: microseconds, the best of a few hundred each."""
    asker = point.principal("user:u7")
    on = Resource(type="contents", id="/x/a.ipynb")
    times = timeit.repeat(
        lambda: point.decide(asker, "open", on, door="bench"), number=200, repeat=25
    )
    microseconds = min(times) / 200 * 1e6
    print(f"{'a decision made before, microseconds':44} {microseconds:9.2f}")
    FOUND["a decision made before, microseconds"] = round(microseconds, 2)


def _point(store: Store) -> DecisionPoint:
    return DecisionPoint(store, policy_dir=None, audit=Audit(None))


def _many(point: DecisionPoint, rng: random.Random, places: list[str]) -> None:
    """The questions about many, each about somebody and something not asked about yet."""
    deep = [path for path in places if path.count("/") == 4]  # why: the deepest
    who, what, counts = [], [], []
    for _ in range(ROUNDS):
        on = Resource(type="contents", id=f"{rng.choice(deep)}/a.ipynb")
        who.append(timed(lambda: list(who_can(point, "open", on, door="bench"))))  # noqa: B023  # why: called here
        asker = point.principal(f"user:u{rng.randrange(PEOPLE)}")
        counts.append(0)

        def ask() -> None:
            counts[-1] = len(list(what_can(point, asker, "save", door="bench")))  # noqa: B023  # why: called here

        what.append(timed(ask))
    told("who-can", who, of=f"(first: {who[0]:.1f})")
    some = round(statistics.median(counts))
    told("what-can", what, of=f"(first: {what[0]:.1f}; some {some} places)")


if __name__ == "__main__":
    main()
