"""The extension where the server is another than it is made for: older, or very full."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from browser.crowd import crowd
from browser.page import Window
from examples.serving import EXAMPLES, furnish, serving
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser.page import Window as Page
    from examples.serving import Served
    from playwright.sync_api import Browser

    Visit = Callable[[Served, str, str], Page]

pytestmark = pytest.mark.browser


def test_a_hundred_thousand_grants_come_in_pages_and_are_searched_by_the_server(
    chromium: Browser, visit: Visit, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLES / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").mkdir()
    furnish(tmp_path, {})
    crowd(tmp_path)
    with serving(tmp_path, people={"adam": "admin"}) as server:
        page = visit(server, "adam", "/authz#grants").page
        rows = page.locator(".authz-list tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(100)
        page.locator(".authz-list").get_by_label("Search").fill("/team/99999")
        expect(rows).to_have_count(1)
        page.get_by_label("Share what").fill("contents:/team")
        page.get_by_role("button", name="Share…").click()
        shares = page.locator(".authz-share")
        expect(shares.locator("tbody tr")).to_have_count(50)
        expect(shares).to_contain_text("There are more")
        who = page.get_by_label("Person, group:NAME, everyone or link")
        who.fill("p4321")
        # Of a match the server tells; everyone can always be named.
        offered = shares.locator("datalist option")
        expect(offered).to_have_text(["Person <b>4321</b>", "everyone", "whoever opens a link"])
        page.get_by_role("tab", name="People and groups").click()
        people = page.locator(".authz-list").first
        expect(people.locator("tbody tr")).to_have_count(50)
        people.get_by_label("Search").fill("p4999")
        expect(people.locator("tbody tr")).to_have_count(1)
        assert 0 == page.locator("#authz b").count()


def test_on_a_server_without_this_package_nothing_is_grey_and_nothing_fails(
    chromium: Browser, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLES / "notebooks", tmp_path / "notebooks")
    options = (
        '--ServerApp.jpserver_extensions={"jupyter_authorized_server": False}',
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
    )
    with serving(tmp_path, *options, people={}) as server:
        page = chromium.new_page()
        window = Window(page, server.url)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server.url}/lab/tree/team/plan.ipynb")
        window.lab().shows("Plan of the week")
        save = page.locator('[data-jp-item-name="save"] jp-button')
        expect(save).not_to_have_attribute("aria-disabled", "true")
        assert 0 == page.locator(".authz-Badge button, .authz-Status button").count()
        expect(page.get_by_role("button", name="Share…")).to_be_hidden()
        # Asked while it was starting, and no more once that is known.
        asked = [each for each in window.refused if "authz" in each]
        assert {"404 GET /api/authz/me"} == set(asked)
        page.locator(".jp-NotebookPanel .jp-Cell").first.click()
        assert asked == [each for each in window.refused if "authz" in each]
        assert [] == [each for each in errors if "authz" in each]
        page.close()
