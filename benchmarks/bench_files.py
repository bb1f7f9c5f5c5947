"""What seeing only one's own files costs: one contents manager, guarded and not, by turns.

Run with `python benchmarks/bench_files.py`. Both managers are in this process, over the
same folder; the guarded one answers a person, the other nobody in particular. They take
turns, and the figure is the median ratio of neighbours, in processor time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from traitlets import Any as AnyTrait
from traitlets.config import LoggingConfigurable

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors import contents
from jupyter_authorized_server.server.doors.authorizer import PolicyAuthorizer
from jupyter_authorized_server.server.surface.disk import Disk
from jupyter_authorized_server.server.wiring import KEY, Wiring
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RESULTS = Path(__file__).parent / "results" / "files.json"
CONDITION = """
permit(principal, action in Jupyter::Action::"viewer", resource is Jupyter::File)
when { resource.path like "/many/*" && context.hour < 24 };
"""
MANY, MORE, GRANTS = 10_000, 50_000, 1_000
DEEP = "/a/b/c/d/e/f/g/h.txt"


class _App(LoggingConfigurable):
    web_app = AnyTrait()


def guarded(folder: Path, *, conditional: bool) -> tuple[Any, Acting, Store]:
    """A guarded manager over `folder`/root, and the person it answers."""
    store = Store.open(f"sqlite:///{folder / f'{conditional}.sqlite'}")
    store.add_person("vera", now=0)
    level = "contents:/" if not conditional else "contents:/elsewhere"
    for resource in (level, *(f"contents:/many/{n}.txt" for n in range(GRANTS))):
        store.add_grant(
            principal="user:vera", level="editor", resource=resource, now=0, granted_by="os:b"
        )
    policy = folder / f"policy-{conditional}"
    policy.mkdir()
    if conditional:
        (policy / "rules.cedar").write_text(CONDITION)
    point = DecisionPoint(store, policy_dir=policy, audit=Audit(None))
    wired = Wiring(config=JupyterAuthorization(), point=point)
    app = _App(web_app=SimpleNamespace(settings={KEY: wired}))
    wired.authorizer = PolicyAuthorizer(parent=app)
    manager = AsyncLargeFileManager(root_dir=str(folder / "root"))
    contents.install(manager, wired)
    request = SimpleNamespace(remote_ip="::1", method="GET", path="/bench")
    return manager, Acting(principal=point.principal("user:vera"), request=request), store


def compare(
    plain: Any, ours: Any, acting: Acting, do: Callable[[Any], Awaitable[Any]], rounds: int
) -> dict[str, float]:
    """Median processor seconds without and with the guard, and the median ratio."""

    async def once(manager: Any, who: Acting | None) -> float:
        ACTING.set(who)
        begun = time.process_time()
        await do(manager)
        return time.process_time() - begun

    pairs = []
    for number in range(rounds + 1):
        # Each begins as often as the other: the second finds more in the processor's caches.
        if number % 2 == 0:
            first, second = asyncio.run(once(plain, None)), asyncio.run(once(ours, acting))
        else:
            second, first = asyncio.run(once(ours, acting)), asyncio.run(once(plain, None))
        if number:
            pairs.append((first, second))
    return {
        "without": round(statistics.median(first for first, _ in pairs), 5),
        "guarded": round(statistics.median(second for _, second in pairs), 5),
        "ratio": round(statistics.median(second / first for first, second in pairs), 3),
    }


def repeated(
    plain: Any, ours: Any, acting: Acting, do: Callable[[Any], Awaitable[Any]], rounds: int
) -> dict[str, Any]:
    """As `compare`, five times: the middle one, and the ratios of all."""
    found = [compare(plain, ours, acting, do, rounds) for _ in range(5)]
    found.sort(key=lambda each: each["ratio"])
    return {**found[2], "ratios": [each["ratio"] for each in found]}


def notebook() -> dict[str, Any]:
    """A notebook of one megabyte."""
    cells = [
        {"cell_type": "markdown", "id": f"c{n}", "metadata": {}, "source": "x" * 9_900}
        for n in range(100)
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return {"type": "notebook", "format": "json", "content": content}


def resolving(root: Path, rounds: int = 20_000) -> float:
    """Microseconds to find out what a path eight levels deep means."""
    disk = Disk(str(root))
    begun = time.process_time()
    for _ in range(rounds):
        disk.place(DEEP)
    return round((time.process_time() - begun) / rounds * 1e6, 1)


def main() -> int:
    """Measure, print, and keep the figures."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "root"
        (root / DEEP[1:]).parent.mkdir(parents=True)
        (root / DEEP[1:]).write_text("x")
        for kind, number in (("many", MANY), ("more", MORE)):
            (root / kind).mkdir()
            for each in range(number):
                (root / kind / f"{each}.txt").touch()
        plain = AsyncLargeFileManager(root_dir=str(root))
        ours, acting, of_first = guarded(folder, conditional=False)
        asking, asker, of_second = guarded(folder, conditional=True)
        figures["listing 10 000 entries, 1 000 grants"] = compare(
            plain, ours, acting, lambda m: m.get("many"), 4
        )
        figures["listing 10 000 entries, a condition on each"] = compare(
            plain, asking, asker, lambda m: m.get("many"), 4
        )
        figures["listing 50 000 entries"] = compare(
            plain, ours, acting, lambda m: m.get("more"), 2
        )
        model = notebook()
        figures["saving 1 MB"] = repeated(
            plain, ours, acting, lambda m: m.save(dict(model), "a.ipynb"), 60
        )
        figures["opening 1 MB"] = repeated(plain, ours, acting, lambda m: m.get("a.ipynb"), 60)
        figures["resolving 8 levels, microseconds"] = resolving(root)
        of_first.close()
        of_second.close()
    for what, figure in figures.items():
        sys.stdout.write(f"{what}: {figure}\n")
    kept = {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "figures": figures,
    }
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
