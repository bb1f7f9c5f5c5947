"""Sharing while something goes wrong: a message to read, and nothing that was typed is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from browser.between import BROKEN, UNKNOWN, between
from browser.page import CLASSIC, LAB, WHERE, Window
from examples.serving import PASSWORD, Served
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.between import Between
    from playwright.sync_api import Browser

    Visit = Callable[[Served, str, str], Window]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("afresh")]

SILENT = "The server does not say now what you can do here."
WHO = "Person, group:NAME, everyone or link"


def test_a_server_that_fails_or_is_slow_or_old_costs_time_and_no_typing(
    server: Served, chromium: Browser
) -> None:
    with between(server.url) as way, contextlib.closing(chromium.new_context()) as context:
        window = Window(context.new_page(), way.url)
        page = window.page
        window.sign_in("adam", f"{WHERE[LAB]}team/plan.ipynb")
        window.lab().shows("Plan of the week")
        window.lab().ready()
        # Not even asked who has access: the dialog opens and says so.
        way.answers["/api/authz/grants"] = BROKEN
        page.get_by_role("button", name="Share…").click()
        dialog = page.get_by_role("dialog", name="Share plan.ipynb")
        said = dialog.locator(".authz-share > .authz-say")
        expect(said).to_contain_text("Something went wrong on the server")
        dialog.get_by_label(WHO).fill("nina")
        dialog.locator(".authz-give").get_by_label("Level").select_option("editor")
        share = dialog.get_by_role("button", name="Share", exact=True)
        share.click()
        expect(share).to_be_enabled()
        expect(said).to_contain_text("Something went wrong on the server")
        expect(dialog.get_by_label(WHO)).to_have_value("nina")
        del way.answers["/api/authz/grants"]
        # While it takes its time, nothing is sent twice.
        way.waits["/api/authz/grants"] = threading.Event()
        share.click()
        expect(share).to_be_disabled()
        way.waits.pop("/api/authz/grants").set()
        row = dialog.locator('[data-principal="user:nina"]')
        expect(row.get_by_label("Level of user:nina")).to_have_value("editor")
        dialog.get_by_role("button", name="Close", exact=True).last.click()
        # A server that is older than the page: what it does not know is told, the rest works.
        way.answers.update(dict.fromkeys(("/api/authz/levels", "/api/authz/changes"), UNKNOWN))
        page.get_by_role("button", name="Share…").click()
        expect(said).to_contain_text("this server is older than this page")
        expect(row).to_contain_text("editor")
        dialog.get_by_role("button", name="Close", exact=True).last.click()
        is_silent_for_a_while(window, way)
        page.goto("about:blank")


def is_silent_for_a_while(window: Window, way: Between) -> None:
    """What pages do while nothing of ours is answered, and once it is again."""
    page = window.page
    # Nobody home at all: what one works on is not in the way.
    way.answers.update(dict.fromkeys(("/api/authz/", "/authz/"), BROKEN))
    page.reload()
    window.lab().shows("Plan of the week")
    save = page.locator('[data-jp-item-name="save"] jp-button')
    expect(save).not_to_have_attribute("aria-disabled", "true")
    window.lab().ready()
    badge = page.locator(".authz-Badge button")
    assert 0 == badge.count()
    silent = page.get_by_role("alert").filter(has_text=SILENT)
    expect(silent).to_be_visible()
    classic = Window(page.context.new_page(), way.url)
    classic.go(f"{WHERE[CLASSIC]}team/plan.ipynb")
    expect(classic.page.get_by_text(SILENT)).to_be_visible()
    share = classic.page.get_by_role("link", name="Share…")
    expect(share).to_be_hidden()
    # Nobody has to load the page again for it.
    way.answers.clear()
    expect(badge).to_have_text("Editing")
    expect(silent).to_have_count(0)
    expect(share).to_be_visible()
    expect(classic.page.get_by_role("link", name="Editing")).to_be_visible()
    expect(classic.page.get_by_text(SILENT)).to_have_count(0)
    classic.page.close()


def test_a_store_that_another_process_holds_costs_time_and_no_typing(
    server: Served, visit: Visit
) -> None:
    page = visit(server, "adam", "/authz#grants").page
    page.evaluate("location.hash = 'grants/contents:/team'")
    who = page.get_by_label("Person, group:NAME, everyone or link")
    share = page.get_by_role("button", name="Share", exact=True)
    file = server.home / "data" / "authorization" / "store.sqlite"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        who.fill("nina")
        share.click()
        said = page.locator(".authz-share > .authz-say")
        expect(said).to_have_attribute("data-kind", "failed")
        expect(said).to_contain_text("cannot use its store at the moment")
        expect(said).not_to_contain_text(str(server.home))
        expect(who).to_have_value("nina")
        other.execute("ROLLBACK")
    # Where it is and what is wrong with it, who looks after the server reads.
    assert "another process has it locked" in server.log
    share.click()
    row = page.locator('.authz-share [data-principal="user:nina"]')
    row.get_by_role("button").click()
    expect(row).to_have_count(0)


def test_two_who_change_one_grant_do_not_overwrite_each_other(
    server: Served, visit: Visit
) -> None:
    adam = server.visitor("adam")
    body = {"principal": "user:nina", "level": "viewer", "resource": "contents:/team"}
    status, grant = adam.ask("POST", "/api/authz/grants", body)
    assert status in {200, 201}
    window = visit(server, "adam", "/authz#grants")
    page = window.page
    page.get_by_label("Share what").fill("contents:/team")
    page.get_by_role("button", name="Share…").click()
    level = page.get_by_label("Level of user:nina")
    expect(level).to_have_value("viewer")
    assert 200 == adam.status("PATCH", f"/api/authz/grants/{grant['id']}", {"level": "editor"})
    level.select_option("runner")
    expect(page.locator(".authz-share > .authz-say")).to_contain_text("changed this meanwhile")
    expect(level).to_have_value("editor")
    assert 200 == adam.status("DELETE", f"/api/authz/grants/{grant['id']}")


def test_arrow_keys_lead_from_tab_to_tab_and_a_lost_login_is_told_and_leads_back_to_the_tab(
    server: Served, visit: Visit
) -> None:
    window = visit(server, "vera", "/authz")
    page = window.page
    page.get_by_role("tab", name="My access").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Grants")).to_be_focused()
    window.settled()
    page.context.clear_cookies()
    page.locator(".authz-list").get_by_label("Search").fill("x")
    expect(page.locator(".authz-list .authz-say")).to_contain_text("Sign in")
    # What stands after `#` never reaches the server, and a wrong password does not lose it.
    page.goto("about:blank")
    page.goto(f"{server.url}/authz#grants/contents:/notes.txt")
    for password in ("wrong", PASSWORD):
        page.fill("#username", "vera")
        page.fill("#password", password)
        page.click("button[type=submit]")
    expect(page.get_by_role("tab", name="Grants")).to_have_attribute("aria-selected", "true")
    expect(page.locator("h3").first).to_have_text("Share notes.txt")
