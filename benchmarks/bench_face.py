"""What the extension costs JupyterLab's start, and how fast sharing opens on a full server.

Run with `python benchmarks/bench_face.py`; needs Chromium and the built extension. Two
real servers, whose starts take turns; of one the browser fetches nothing of the
extension. A share is opened on the access page with 100,000 grants of 5,000 people in
the store. All of it is measured in the browser.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
# ruff: noqa: E402  # why: what the tests start servers with is found after this
from browser.conftest import FLAGS
from browser.crowd import crowd
from browser.page import Window
from examples.serving import EXAMPLES, furnish, serving

if TYPE_CHECKING:
    from examples.serving import Served
    from playwright.sync_api import Browser, Page

RESULTS = Path(__file__).parent / "results" / "face.json"
OURS = "/lab/extensions/jupyter-authorized-server/"
TARGETS = {"main_thread_ms": 60, "transferred_kb": 250, "share_ms": 300}
OPENED = """async () => {
  const field = document.querySelector('[role=tabpanel] form input[type=text]');
  const begin = performance.now();
  field.form.requestSubmit();
  while (document.querySelectorAll('.authz-share tbody tr').length === 0) {
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
  const took = performance.now() - begin;
  document.querySelector('.authz-share').remove();
  return took;
}"""


def start(page: Page, served: Served) -> dict[str, float]:
    """Load JupyterLab anew; what its main thread did, and what of that was ours."""
    session = page.context.new_cdp_session(page)
    sizes: dict[str, float] = {}
    names: dict[str, str] = {}
    session.on(
        "Network.responseReceived", lambda e: names.update({e["requestId"]: e["response"]["url"]})
    )
    session.on(
        "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
    )
    for each in ("Network", "Profiler"):
        session.send(f"{each}.enable")
    # Of the thread's own clock, which stands still while others have the processor.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto("about:blank")
    before = _tasks(session)
    session.send("Profiler.setSamplingInterval", {"interval": 250})
    session.send("Profiler.start")
    page.goto(f"{served.url}/lab?reset")
    page.wait_for_selector(".jp-LauncherCard")
    page.wait_for_selector(".jp-DirListing-item")
    page.wait_for_timeout(2_500)
    profile = session.send("Profiler.stop")["profile"]
    took = _tasks(session) - before
    session.detach()
    own, called = _ours(profile["nodes"])
    timed = list(zip(profile["samples"], profile["timeDeltas"], strict=True))
    spent = sum(delta for node, delta in timed if node in own)
    caused = sum(delta for node, delta in timed if node in called)
    fetched = sum(size for id_, size in sizes.items() if OURS in names.get(id_, ""))
    return {
        "tasks": took * 1000,
        "own": spent / 1000,
        "caused": caused / 1000,
        "fetched": fetched / 1000,
    }


def _ours(nodes: list[dict[str, Any]]) -> tuple[set[int], set[int]]:
    """Of a profile's functions our own, and those with all that they have called.

    Some of ours stand in the place of the front end's, and call those: what would have been
    called without them as well is nothing that they cause.
    """
    own = {each["id"] for each in nodes if OURS in each["callFrame"]["url"]}
    by_id = {each["id"]: each for each in nodes}
    called: set[int] = set()
    waiting = list(own)
    while waiting:
        found = by_id[waiting.pop()]
        if found["id"] not in called:
            called.add(found["id"])
            waiting.extend(
                each
                for each in found.get("children", [])
                if not (
                    found["id"] in own and each not in own and _name(by_id[each]) == _name(found)
                )
            )
    return own, called


def _name(node: dict[str, Any]) -> str:
    return str(node["callFrame"]["functionName"].rpartition(".")[2])


def _tasks(session: Any) -> float:
    found = session.send("Performance.getMetrics")["metrics"]
    return next(float(each["value"]) for each in found if each["name"] == "TaskDuration")


def signed_in(browser: Browser, served: Served, path: str) -> Page:
    """A page of somebody who has signed in."""
    window = Window(browser.new_context().new_page(), served.url)
    window.sign_in("adam", path)
    return window.page


def run(rounds: int) -> dict[str, Any]:
    """All figures."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        pages = []
        for name in ("with", "without"):
            home = folder / name
            shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
            served = stack.enter_context(serving(home, people={"adam": "admin"}))
            page = signed_in(browser, served, "/lab")
            if name == "without":
                page.route(f"**{OURS}**", lambda route: route.abort())
            pages.append((page, served))
        found = [[start(*each) for each in pages] for _ in range(rounds)]
        with_, without = ([each[n] for each in found] for n in (0, 1))
        if any(each["fetched"] for each in without):
            sys.exit("the second server has the extension as well")
        home = folder / "full"
        shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
        (home / "data").mkdir()
        furnish(home, {})
        crowd(home)
        full = stack.enter_context(serving(home, people={"adam": "admin"}))
        page = signed_in(browser, full, "/authz#grants")
        page.wait_for_selector(".authz-list tbody tr")
        page.get_by_label("Share what").fill("contents:/team")
        shares = [page.evaluate(OPENED) for _ in range(rounds)]
    return {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": rounds,
        "figures": {
            "main_thread_ms": {
                "own_scripts": round(statistics.median(each["own"] for each in with_), 1),
                "with_what_they_call": round(
                    statistics.median(each["caused"] for each in with_), 1
                ),
                "tasks_with": round(statistics.median(each["tasks"] for each in with_)),
                "tasks_without": round(statistics.median(each["tasks"] for each in without)),
                "least_difference": round(
                    min(each["tasks"] for each in with_) - min(each["tasks"] for each in without)
                ),
                "target": TARGETS["main_thread_ms"],
            },
            "transferred_kb": {
                "found": round(statistics.median(each["fetched"] for each in with_), 1),
                "target": TARGETS["transferred_kb"],
            },
            "share_ms": {
                "found": round(statistics.median(shares)),
                "most": round(max(shares)),
                "first": round(shares[0]),
                "target": TARGETS["share_ms"],
            },
        },
    }


def main() -> None:
    """Measure, print, and keep the figures where `--keep` says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    found = json.dumps(run(options.rounds), indent=2)
    print(found)
    if options.keep:
        RESULTS.write_text(found + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
