"""Headless Chromium, real servers with people on them, and what a person does in a page."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from browser.accessible import other_colours
from browser.page import Window
from examples.serving import EXAMPLES, ROOT, Served, serving
from playwright.sync_api import Browser, sync_playwright
from stores import store_url

from jupyter_authorized_server.store import Store, WishState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, BrowserType

#: Of the demo: a name, and the level on the server.
LEVELS = {"vera": "viewer", "rune": "runner", "edda": "editor", "adam": "admin"}
OK = 200
IMAGES = ROOT / "docs" / "images"
#: Front ends let a test ask them how far they are (`Lab.ready`).
EXPOSED = (
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _launch(kind: BrowserType) -> Browser:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        reason = os.environ.get("BROWSER_MISSING") or "no chromium on the PATH"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"browser tests cannot run, and `CI` is true: {reason}")
        pytest.skip(reason)  # why: in CI it fails, above
    return kind.launch(executable_path=found, args=FLAGS)


# A module at a time: Playwright keeps an event loop running in this thread, in which no
# test of another module could run one of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = _launch(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Served]]:
    """Starts each server once: `served("demo")`, or an example and its configuration file."""
    running: dict[tuple[str, ...], Served] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str, config: str = "", *options: str) -> Served:
            key = (name, config, *options)
            if key not in running:
                home: Path = tmp_path_factory.mktemp(name)
                shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
                running[key] = stack.enter_context(
                    serving(
                        home,
                        *EXPOSED,
                        *options,
                        people=LEVELS if name == "demo" else {"ada": ""},
                        config=EXAMPLES / name / config if config else None,
                    )
                )
            return running[key]

        yield start


@pytest.fixture(scope="module")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for sharing: an administrator, a viewer, somebody without a grant."""
    home = tmp_path_factory.mktemp("access")
    shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
    people = {"adam": "admin", "vera": "viewer", "nina": ""}
    with serving(home, *EXPOSED, people=people) as running:
        yield running


@pytest.fixture(scope="module")
def given(server: Served) -> frozenset[str]:
    """The grants that the server began with."""
    with contextlib.closing(store_of(server)) as store:
        return frozenset(each.id for each in store.state().grants)


@pytest.fixture
def afresh(server: Served, given: frozenset[str]) -> None:
    """Takes away what another test has left in the store, or an earlier try of this one."""
    with contextlib.closing(store_of(server)) as store:
        for grant in store.state().grants:
            if grant.id not in given:
                store.remove_grant(grant.id)
        for link in store.links():
            store.remove_link(link.id)
        for token in store.tokens():
            store.remove_token(token.id)
        for wish in store.wishes():
            if wish.state is WishState.OPEN:
                store.answer_wish(wish.id, WishState.WITHDRAWN, by="os:test", now=time.time())


def store_of(server: Served) -> Store:
    return Store.open(store_url(server.home))


@pytest.fixture(scope="module")
def browsers(chromium: Browser) -> Iterator[Callable[[Served, str], BrowserContext]]:
    """The browser of each person on each server, with all that it has loaded already."""
    made: dict[tuple[str, str], BrowserContext] = {}

    def browser_of(served: Served, person: str) -> BrowserContext:
        key = (served.url, person)
        if key not in made:
            _no_news(served, person)
            made[key] = chromium.new_context(viewport={"width": 1100, "height": 680})
        return made[key]

    yield browser_of
    for each in made.values():
        each.close()


@pytest.fixture
def visit(
    browsers: Callable[[Served, str], BrowserContext],
) -> Iterator[Callable[[Served, str, str], Window]]:
    """Leads somebody to a path, in their own browser; through the page to sign in, if need be."""
    with contextlib.ExitStack() as stack:

        def lead(served: Served, person: str, path: str) -> Window:
            context = browsers(served, person)
            page = context.new_page()
            stack.callback(page.close)
            window = Window(page, served.url)
            if _is_signed_in(context, served, person):
                window.go(path)
            else:
                context.clear_cookies()
                window.sign_in(person, path)
            return window

        yield lead


def _is_signed_in(context: BrowserContext, served: Served, person: str) -> bool:
    """Whether it is `person` who comes with this browser, and nobody who looks around."""
    if not context.cookies(served.url):
        return False
    answer = context.request.get(f"{served.url}/api/authz/me")
    if answer.status != OK:
        return False
    who = answer.json()["principal"]
    return bool(who["name"] == f"user:{person}" and who["viewer"] is None)


def _no_news(served: Served, person: str) -> None:
    # JupyterLab asks in a corner whether it may fetch news; not what is tested here.
    served.visitor(person).status(
        "PUT",
        "/lab/api/settings/@jupyterlab/apputils-extension:notification",
        {"raw": '{"fetchNews": "false", "checkForUpdates": false}'},
    )


@pytest.fixture
def shoot() -> Callable[[Window, str], None]:
    """Keeps a picture for the docs, where `AUTHORIZED_SCREENSHOTS=1` says so."""

    def keep(window: Window, name: str) -> None:
        if os.environ.get("AUTHORIZED_SCREENSHOTS") != "1":
            return
        IMAGES.mkdir(exist_ok=True)
        window.page.mouse.move(0, 0)
        # What slides in is shown where it comes to rest; not by ending its animation, since
        # that is a toast's clock as well.
        window.page.wait_for_timeout(1_500)
        window.page.screenshot(path=IMAGES / f"{name}.png")
        if "-light" in name:
            with other_colours(window.page):
                window.page.wait_for_timeout(500)
                window.page.screenshot(path=IMAGES / f"{name.replace('-light', '-dark')}.png")

    return keep
