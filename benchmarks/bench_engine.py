"""How long one decision takes, beside a bare dict walk in the same run.

Run with `python benchmarks/bench_engine.py`. Only the ratios mean anything: the
walk is measured on the same machine, in the same minute, over the same paths.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_authorized_server.policy import cedar
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import Snapshot, decide, load_policy
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Context,
    Grant,
    Principal,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS = Path(__file__).parent / "results" / "engine.json"
POLICIES = 500
PEOPLE, GROUPS, DEPTH = 1_000, 100, 5
LEVELS = ("viewer", "runner", "editor", "contributor", "manager", "admin")
NOW = 1_800_000_000.0
CONDITIONS = """
@id("hours") permit(principal in Jupyter::Group::"g1", action in Jupyter::Action::"read", resource)
when { context.hour >= 8 && context.hour < 18 };
@id("notebooks") permit(principal in Jupyter::Group::"everyone",
  action in Jupyter::Action::"read", resource)
when { resource has path && resource.path like "*.md" };
@id("night") forbid(principal, action in Jupyter::Action::"write", resource)
when { context.hour > 22 };
@id("sealed") forbid(principal, action, resource)
when { resource has path && resource.path like "/sealed/*" };
"""


def folders(rng: random.Random) -> list[str]:
    """About 12 000 folders, five levels deep."""
    made = ["/"]
    for depth in range(1, DEPTH):
        above = [path for path in made if len([p for p in path.split("/") if p]) == depth - 1]
        for path in above:
            made += [f"{path.rstrip('/')}/d{rng.randrange(10**6)}" for _ in range(10)]
    return made


def grants(rng: random.Random, number: int, places: Sequence[str]) -> list[Grant]:
    """Random grants, a third of them to people, the rest to groups."""
    return [
        Grant(
            id=f"g-{count:012x}",
            principal=f"user:u{rng.randrange(PEOPLE)}"
            if rng.random() < 1 / 3
            else f"group:g{rng.randrange(GROUPS)}",
            level=rng.choice(LEVELS),
            resource=f"contents:{rng.choice(places)}",
        )
        for count in range(number)
    ]


def requests(rng: random.Random, number: int, places: Sequence[str]) -> list[AccessRequest]:
    """Questions about files at depth five by people in three groups each."""
    people = [
        Principal(
            name=f"user:u{count}",
            groups=tuple(sorted({f"g{rng.randrange(GROUPS)}" for _ in range(3)})),
        )
        for count in range(PEOPLE)
    ]
    deep = [path for path in places if path.count("/") == DEPTH - 1]
    context = Context(time=NOW, hour=12, weekday=3, door="bench")
    return [
        AccessRequest(
            principal=rng.choice(people),
            action=rng.choice(("open", "save", "delete")),
            resource=Resource(type="contents", id=f"{rng.choice(deep)}/a.ipynb"),
            context=context,
        )
        for _ in range(number)
    ]


def walked(rows: Sequence[Grant], asked: Sequence[AccessRequest]) -> dict[str, dict[str, int]]:
    """For each person who asks, what the bare walk looks into."""
    levels: dict[str, dict[str, int]] = {}
    for row in rows:
        places = levels.setdefault(row.principal, {})
        place = row.resource.removeprefix("contents:")
        places[place] = max(places.get(place, 0), LEVELS.index(row.level) + 1)
    tables: dict[str, dict[str, int]] = {}
    for principal in {request.principal.name: request.principal for request in asked}.values():
        table = tables[principal.name] = {}
        for key in principal.keys:
            for place, level in levels.get(key, {}).items():
                table[place] = max(table.get(place, 0), level)
    return tables


def walk(table: dict[str, int], path: str) -> int:
    """The bare dict walk over the ancestors: the least that any answer must do."""
    found = 0
    while True:
        found = max(found, table.get(path, 0))
        if path == "/":
            return max(found, table.get("server:", 0))
        path = path[: path.rindex("/")] or "/"


def medians(
    asks: Sequence[Callable[[AccessRequest], object]], asked: Sequence[AccessRequest]
) -> list[float]:
    """Of each of `asks` the median over all questions, the best of three each; microseconds.

    They take turns at each question, so that what else the machine does falls on all.
    """
    clock = time.perf_counter_ns
    times: list[list[int]] = [[] for _ in asks]
    for request in asked:
        for ask, found in zip(asks, times, strict=True):
            best = 10**12
            for _ in range(3):
                start = clock()
                ask(request)
                best = min(best, clock() - start)
            found.append(best)
    overhead = min(-clock() + clock() for _ in range(1_000))
    return [(statistics.median(found) - overhead) / 1_000 for found in times]


def main() -> None:
    """Print the table."""
    asked_number = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    rng = random.Random(7)
    places = folders(rng)
    asked = requests(rng, asked_number, places)
    print(f"{len(places)} folders, {PEOPLE} people, {GROUPS} groups, {len(asked)} questions")
    print("microseconds a decision, median over the questions of the best of three each")
    head = ("grants", "build s", "walk", "allow", "allow/walk", "deny", "deny/walk")
    head += ("4 cond.", "Cedar", "cond./Cedar")
    print("".join(f"{word:>12}" for word in head))
    found = []
    for number in (1_000, 10_000, 100_000):
        row = figures(rng, number, places, asked)
        print("".join(f"{figure:12.2f}" for figure in row))
        found.append(dict(zip(head, (round(figure, 2) for figure in row), strict=True)))
    reloads = reload()
    print(f"milliseconds to load {POLICIES} policies: {reloads}")
    kept = {"decisions": found, "policies": reloads, "load": round(os.getloadavg()[0], 1)}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def reload() -> dict[str, dict[str, float]]:
    """Milliseconds to check many policies, all of them new, and when one has changed.

    Processor time, the time that passes, and how long a thread that wants to run every
    millisecond, as the server's does, waited at most.
    """

    def rules(changed: str) -> list[str]:
        return [
            f'@id("r{number}") forbid(principal == Jupyter::User::"u{number}", action, '
            f'resource in Jupyter::Folder::"/{changed if number == 0 else ""}d{number}") '
            "when { context.hour > 3 };"
            for number in range(POLICIES)
        ]

    def apart(texts: list[str]) -> list[PolicyFile]:
        return [PolicyFile(source=f"{n}.cedar", text=text) for n, text in enumerate(texts)]

    def together(texts: list[str]) -> list[PolicyFile]:
        return [PolicyFile(source="all.cedar", text="\n".join(texts))]

    load_policy([])
    return {
        "all new": _timed(apart(rules(""))),
        "one changed": _timed(apart(rules("x"))),
        "all moved into one file": _timed(together(rules("x"))),
        "one changed in it": _timed(together(rules("y"))),
        "a line put in before all": _timed(together(["// a line", *rules("y")])),
    }


def _timed(files: list[PolicyFile]) -> dict[str, float]:
    longest, is_over = 0.0, threading.Event()

    def want() -> None:
        nonlocal longest
        before = time.perf_counter()
        while not is_over.wait(0.001):
            now = time.perf_counter()
            longest, before = max(longest, now - before), now

    other = threading.Thread(target=want)
    other.start()
    began, used = time.perf_counter(), time.process_time()
    load_policy(files)
    found = {"passed": time.perf_counter() - began, "used": time.process_time() - used}
    is_over.set()
    other.join()
    return {word: round(each * 1000, 1) for word, each in {**found, "waited": longest}.items()}


def figures(
    rng: random.Random, number: int, places: Sequence[str], asked: Sequence[AccessRequest]
) -> tuple[float, ...]:
    """One row of the table: with `number` grants."""
    rows = grants(rng, number, places)
    start = time.perf_counter()
    snapshot = Snapshot(load_policy([]), rows, 1)
    built = time.perf_counter() - start
    heavy = Snapshot(load_policy([PolicyFile(source="bench.cedar", text=CONDITIONS)]), rows, 1)
    tables = walked(rows, asked)
    allowed = [request for request in asked if decide(snapshot, request).allowed]
    denied = [request for request in asked if not decide(snapshot, request).allowed]

    def bare(request: AccessRequest) -> int:
        return walk(tables[request.principal.name], request.resource.id)

    def ask(request: AccessRequest) -> object:
        return decide(snapshot, request)

    walk_allowed, allow = medians((bare, ask), allowed)
    walk_denied, deny = medians((bare, ask), denied)
    both = [request for request in allowed if decide(heavy, request).allowed]
    conditional, alone = conditions(heavy, both[: len(asked) // 4])
    return (
        number,
        built,
        walk_allowed,
        allow,
        allow / walk_allowed,
        deny,
        deny / walk_denied,
        conditional,
        alone,
        conditional / alone,
    )


def conditions(snapshot: Snapshot, asked: Sequence[AccessRequest]) -> list[float]:
    """A decision with conditions, and the one call of Cedar in it by itself: the bare limit."""
    handed: list[tuple[Any, ...]] = []
    call = cedar._ask  # noqa: SLF001  # why: what is measured

    def noted(*arguments: Any) -> str:
        handed.append(arguments)
        return call(*arguments)

    alone = {}
    cedar._ask = noted  # noqa: SLF001  # why: as above
    try:
        for request in asked:
            handed.clear()
            decide(snapshot, request)
            alone[id(request)] = tuple(handed)
    finally:
        cedar._ask = call  # noqa: SLF001  # why: as above
    return medians(
        (
            lambda request: decide(snapshot, request),
            lambda request: [call(*arguments) for arguments in alone[id(request)]],
        ),
        asked,
    )


if __name__ == "__main__":
    main()
