"""What a person finds there: their home and what is shared with them; a guest, one thing."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

import pytest
from browser.accessible import violations
from browser.page import CLASSIC, LAB, NOTEBOOK, Window
from examples.serving import PASSWORD
from playwright.sync_api import expect

from jupyter_authorized_server.credentials import hash_password
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from examples.serving import Served
    from playwright.sync_api import Browser

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser

LISTINGS = {
    CLASSIC: ("/nbclassic/tree", "#notebook_list"),
    LAB: ("/lab", ".jp-DirListing-content"),
    NOTEBOOK: ("/tree", ".jp-DirListing-content"),
}
FAY = "fay"
GUESTS_LOOK = """
@id("guests-look") permit(principal == Jupyter::Guest::"anonymous",
  action in Jupyter::Action::"viewer", resource in Jupyter::Folder::"/team");
"""
HOME = "--JupyterAuthorization.home=home/{user}"


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the server's rules are, as an option."""
    folder: Path = tmp_path_factory.mktemp("policy")
    (folder / "guests.cedar").write_text(GUESTS_LOOK, "utf-8")
    return f"--JupyterAuthorization.policy_dir={folder}"


def add_fay(served: Served) -> None:
    """Somebody who may look into one folder, and has a home."""
    url = f"sqlite:///{served.home / 'data' / 'authorization' / 'store.sqlite'}"
    with Store.open(url) as store:
        if FAY not in {each.name for each in store.state().people}:
            now = time.time()
            store.add_person(FAY, password_hash=hash_password(PASSWORD), now=now)
            store.add_grant(
                principal=f"user:{FAY}",
                level="viewer",
                resource="contents:/team",
                now=now,
                granted_by="os:test",
            )


@pytest.mark.parametrize("front_end", [CLASSIC, LAB, NOTEBOOK])
def test_the_listing_holds_what_is_ones_own_and_what_is_shared(
    served: Start, visit: Visit, policy: str, front_end: str
) -> None:
    server = served("demo", "", HOME, policy)
    add_fay(server)
    # Somebody else has a home as well.
    server.visitor("edda").status("GET", "/api/contents/home/edda")
    path, listing = LISTINGS[front_end]
    window = visit(server, FAY, path)
    entries = window.page.locator(listing)
    expect(entries).to_contain_text("home")
    expect(entries).to_contain_text("team")
    for name in ("statistics", "notes"):
        expect(entries).not_to_contain_text(name)
    if front_end != CLASSIC:
        # The button is drawn anew by its maker, which does not know what may be done.
        upload = window.page.locator('[data-jp-item-name="uploader"] jp-button')
        expect(upload).to_have_attribute("disabled", "")
        expect(upload).to_have_attribute("title", re.compile("^You can"))
    window.page.goto(f"{window.url}{path}{'/tree' if front_end == LAB else ''}/home")
    entries = window.page.locator(listing)
    expect(entries).to_contain_text(FAY)
    expect(entries).not_to_contain_text("edda")


def test_a_link_for_guests_is_made_after_one_more_question_and_shows_one_thing_unnamed(
    served: Start, visit: Visit, chromium: Browser, policy: str
) -> None:
    server = served("demo", "", HOME, policy)
    page = visit(server, "adam", "/authz#grants").page
    page.get_by_label("Share what").fill("contents:/team/plan.ipynb")
    page.get_by_role("button", name="Share…").click()
    page.get_by_text("Links", exact=True).click()
    page.get_by_label("Whoever has not signed in can look, too").check()
    make = page.get_by_role("button", name="Make a link")
    make.click()
    sure = page.get_by_role("dialog")
    expect(sure).to_contain_text("without signing in")
    sure.get_by_role("button", name="Cancel").click()
    once = page.get_by_label("This is shown once; copy it now.")
    expect(once).to_have_count(0)
    make.click()
    sure.get_by_role("button", name="Share with everyone").click()
    address = once.input_value()
    expect(page.locator(".authz-links-list li").last).to_contain_text("for guests")
    with contextlib.closing(chromium.new_context()) as context:
        window = Window(context.new_page(), server.url)
        window.page.goto(address)
        expect(window.page.locator("main")).to_contain_text("You change and run nothing.")
        assert [] == violations(window.page)
        window.page.get_by_role("button", name="Look as a guest").click()
        window.lab().shows("Plan of the week")
        expect(window.page.locator(".authz-Badge button")).to_have_text("Viewing")
        window.page.goto(f"{server.url}/authz")
        expect(window.page.locator("main")).to_contain_text("Guests see what they were shown")
