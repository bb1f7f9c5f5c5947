"""The people of the demo in each front end, in a browser."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
from browser.accessible import out_of_reach, violations
from browser.page import CLASSIC, LAB, WHERE, Window
from examples.serving import PASSWORD, serving
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from examples.serving import Served
    from playwright.sync_api import Browser, Page

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]
    Shoot = Callable[[Window, str], None]

pytestmark = pytest.mark.browser

UNSAVED = "You can view team/plan.ipynb but not change it."
UNSTARTED = "You can view team/plan.ipynb but not start a kernel for it."


def test_a_viewer_sees_a_notebook_in_the_classic_one_and_reads_why_it_is_not_saved(
    served: Start, visit: Visit
) -> None:
    server = served("demo")
    file = server.root / "team" / "plan.ipynb"
    before = file.read_bytes()
    window = visit(server, "vera", f"{WHERE[CLASSIC]}team/plan.ipynb")
    notebook = window.classic()
    notebook.shows("Plan of the week")
    said = notebook.no_kernel()
    assert "not start a kernel for it." in said
    ask_why(window)
    keys_that_are_refused_say_why(window.page)
    notebook.insert("1 + 1")
    notebook.save()
    notebook.refuses(UNSAVED)
    assert file.read_bytes() == before
    assert [] == window.asked_twice()


def keys_that_are_refused_say_why(page: Page) -> None:
    """Press what a person knows by heart; to a viewer, each does nothing and says the reason."""
    cells = "JSON.stringify(Jupyter.notebook.toJSON().cells)"
    before = page.evaluate(cells)
    told = page.locator("#header .authz-notice")
    # What is copied may be pasted elsewhere, so that alone works.
    page.keyboard.type("c")
    for keys, reason in (
        *((each, UNSTARTED) for each in ("ii", "00")),
        *((each, UNSAVED) for each in ("s", "dd", "a", "b", "x", "v", "m", "f")),
    ):
        page.keyboard.type(keys)
        expect(told).to_have_count(1)
        expect(told).to_contain_text(reason)
        told.get_by_role("button", name="Close").click()
        expect(told).to_have_count(0)
    page.keyboard.press("Enter")
    page.keyboard.type("typed")
    page.keyboard.press("Escape")
    assert before == page.evaluate(cells)
    for refused in ("#cell_type", "#delete_cell", "#insert_cell_below"):
        expect(page.locator(refused)).to_have_attribute("title", UNSAVED)
    expect(page.locator("#cell_type")).to_be_disabled()
    expect(page.locator("#copy_cell")).not_to_have_attribute("aria-disabled", "true")


def ask_why(window: Window) -> None:
    """From the classic notebook's dialog about a refusal to the reason, and to asking for more."""
    page = window.page
    page.locator("#notification_kernel").click()
    failed = page.locator(".modal-dialog").filter(has_text="Failed to start the kernel")
    failed.get_by_role("button", name="Why can't I?").click()
    dialog = page.get_by_role("dialog", name="Why this is refused")
    expect(dialog).to_contain_text(UNSTARTED)
    expect(dialog).to_contain_text("You tried to start a kernel for team/plan.ipynb.")
    # Upstream's dialog takes the keyboard once it has slid in.
    close = dialog.get_by_role("button", name="Close", exact=True)
    expect(close).to_be_focused()
    dialog.get_by_text("Ask for access…").click()
    expect(dialog.get_by_label("Level")).to_have_value("runner")
    # What is typed is no command to the notebook below.
    note = dialog.get_by_label("Why you need it")
    note.press_sequentially("add b")
    expect(note).to_have_value("add b")
    assert [] == violations(page, ".modal.in")
    close.click()
    # The notebook has it again once what lay over it is gone.
    expect(page.locator(".modal-backdrop")).to_have_count(0)


def test_an_editor_runs_and_saves(served: Start, visit: Visit, shoot: Shoot) -> None:
    server = served("demo")
    window = visit(server, "edda", f"{WHERE[LAB]}statistics.ipynb")
    notebook = window.lab()
    notebook.shows("Rain in a week")
    notebook.insert('print("edda was here")')
    notebook.run()
    notebook.prints("edda was here")
    notebook.save()
    notebook.saved()
    assert "edda was here" in (server.root / "statistics.ipynb").read_text("utf-8")
    # Nor is the kernel asked about more than once.
    assert [] == window.asked_twice()
    shoot(window, "editor-lab")


def test_signing_out_leads_back_to_the_login_page_where_a_wrong_password_is_answered(
    served: Start, visit: Visit, shoot: Shoot
) -> None:
    window = visit(served("demo"), "vera", "/nbclassic/tree")
    page = window.page
    expect(page.locator("#notebook_list")).to_contain_text("statistics.ipynb")
    page.click("#logout")
    expect(page.locator("main")).to_contain_text("Signed out")
    page.goto(f"{window.url}/nbclassic/tree")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.fill("#username", "vera")
    shoot(window, "sign-in")
    page.fill("#password", "not hers")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")


def test_a_page_that_is_refused_says_so_in_words(served: Start, visit: Visit) -> None:
    window = visit(served("demo"), "vera", "/nbclassic/tree")
    answer = window.page.goto(f"{window.url}/metrics")
    assert answer is not None
    assert answer.status == 403
    expect(window.page.locator("h1")).to_have_text("Not allowed")
    window.page.get_by_role("link", name="Why can't I?").click()
    panel = window.page.get_by_role("tabpanel", name="Explain")
    expect(panel).to_contain_text("You tried to see the measurements of this server.")
    expect(panel).to_contain_text("The lowest level that can do this is admin.")
    # What she passes on leads who looks after the server to the same, told of her.
    last = served("demo").visitor("vera").ask("GET", "/api/authz/audit?action=monitor&limit=1")
    reference = last[1]["items"][0]["id"]
    page = visit(served("demo"), "adam", "/authz#audit").page
    page.get_by_label("Search").fill(reference)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name=f"Explain: {reference}").click()
    panel = page.get_by_role("tabpanel", name="Explain")
    expect(panel).to_contain_text("user:vera tried to see the measurements of this server.")
    expect(panel.locator("[data-answer]")).to_have_attribute("data-answer", "deny")


def test_the_pages_to_set_up_to_sign_in_and_for_the_password_are_accessible(
    chromium: Browser, tmp_path: Path, shoot: Shoot
) -> None:
    with (
        serving(tmp_path, "--ServerApp.default_url=/authz", people={}, command="server") as empty,
        contextlib.closing(chromium.new_context()) as context,
    ):
        window = Window(context.new_page(), empty.url)
        page = window.page

        def look(name: str = "") -> None:
            for scheme, width in (("light", 1100), ("dark", 320)):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                page.set_viewport_size({"width": width, "height": 700})
                assert [] == violations(page, both=False), f"{page.url}, {scheme}"
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert [] == out_of_reach(page)
                if name:
                    shoot(window, f"{name}-{scheme}-{width}")

        page.goto(f"{empty.url}/authz")
        expect(page.get_by_role("status")).to_contain_text("Nobody can sign in yet")
        look()
        address = re.search(r"/authz/setup\?token=\S+", empty.log)
        assert address is not None
        page.goto(f"{empty.url}{address.group()}")
        look("set-up")
        for repeated in ("another password", PASSWORD):
            page.get_by_label("User name").fill("first<b>")
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_label("The same password again").fill(repeated)
            page.get_by_role("button", name="Set up").click()
            if repeated != PASSWORD:
                expect(page.get_by_role("alert")).to_be_visible()
                look()
        expect(page.get_by_role("tab", name="My access")).to_have_attribute(
            "aria-selected", "true"
        )
        page.goto(f"{empty.url}{address.group()}")
        expect(page.get_by_role("heading", level=1)).to_have_text("This link opens nothing")
        look()
        page.goto(f"{empty.url}/authz/password")
        look("password")
        page.get_by_role("button", name="Sign out everywhere").click()
        expect(page.get_by_role("status")).to_contain_text("You are signed out everywhere")
        look()
        page.get_by_role("link", name="Sign in again").click()
        look("sign-in")
        page.get_by_label("User name").fill("first<b>")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look("sign-in-wrong")
