"""In each front end a person finds their home and what is shared with them, and no more."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from browser.page import CLASSIC, LAB, NOTEBOOK
from examples.serving import PASSWORD
from playwright.sync_api import expect

from jupyter_authorized_server.credentials import hash_password
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser

LISTINGS = {
    CLASSIC: ("/nbclassic/tree", "#notebook_list"),
    LAB: ("/lab", ".jp-DirListing-content"),
    NOTEBOOK: ("/tree", ".jp-DirListing-content"),
}
FAY = "fay"


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
    served: Start, visit: Visit, front_end: str
) -> None:
    server = served("demo", "", "--JupyterAuthorization.home=home/{user}")
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
