"""Sharing in JupyterLab, and the access page: two people, light and dark, by keyboard, on a phone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from examples.serving import EXAMPLES, ROOT, Served, serving
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browser.page import Window
    from playwright.sync_api import Browser, Page

    Visit = Callable[[Served, str, str], Window]
    Shoot = Callable[[Window, str], None]

pytestmark = pytest.mark.browser

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
TABS = ["My access", "Grants", "People and groups", "Explain", "Map"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("access")
    shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
    people = {"adam": "admin", "vera": "viewer", "nina": ""}
    with serving(home, people=people) as running:
        yield running


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe-core finds wrong, seriously, inside `within`."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "([within, tags]) => axe.run(within, {runOnly: {type: 'tag', values: tags}})"
        ".then(found => found.violations)",
        [within, RULES],
    )
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def open_tab(window: Window, name: str) -> None:
    window.page.get_by_role("tab", name=name).click()
    expect(window.page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def settled(page: Page) -> None:
    """Wait until what the tab has asked for is there."""
    page.wait_for_load_state("networkidle")


def test_what_is_shared_in_a_dialog_is_there_for_the_other_and_gone_when_it_is_taken_back(
    server: Served, visit: Visit, shoot: Shoot
) -> None:
    nina = server.visitor("nina")
    assert 404 == nina.status("GET", "/api/contents/statistics.ipynb")
    window = visit(server, "adam", "/lab")
    page = window.page
    item = page.locator(".jp-DirListing-item").filter(has_text="statistics.ipynb")
    item.click(button="right")
    page.get_by_role("menuitem", name="Share…").click()
    dialog = page.get_by_role("dialog", name="Share statistics.ipynb")
    expect(dialog.get_by_label("Person, group:NAME or everyone")).to_be_focused()
    # By keyboard alone: name, level, Enter.
    page.keyboard.type("nina")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    row = dialog.locator('[data-principal="user:nina"]')
    expect(row).to_be_visible()
    expect(row.get_by_label("Level of user:nina")).to_have_value("editor")
    assert [] == violations(page, ".jp-Dialog")
    shoot(window, "share-lab")
    assert 200 == nina.status("GET", "/api/contents/statistics.ipynb")
    row.get_by_role("button", name="Remove: user:nina").click()
    expect(row).to_have_count(0)
    assert 404 == nina.status("GET", "/api/contents/statistics.ipynb")


def test_sharing_with_everyone_asks_once_more_and_a_wrong_name_is_answered_in_the_dialog(
    server: Served, visit: Visit
) -> None:
    window = visit(server, "adam", "/authz#grants")
    page = window.page
    page.get_by_label("Share what").fill("contents:/notes.txt")
    page.get_by_role("button", name="Share…").click()
    who = page.get_by_label("Person, group:NAME or everyone")
    who.fill("no<b>body")
    share = page.get_by_role("button", name="Share", exact=True)
    share.click()
    expect(page.locator(".authz-share .authz-say")).to_have_attribute("data-kind", "failed")
    who.fill("everyone")
    share.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator('.authz-share [data-principal="everyone"]')).to_have_count(0)
    share.click()
    page.get_by_role("dialog").get_by_role("button", name="Share with everyone").click()
    row = page.locator('.authz-share [data-principal="everyone"]')
    expect(row).to_be_visible()
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
    expect(page.locator(".authz-share .authz-say")).to_contain_text("changed this meanwhile")
    expect(level).to_have_value("editor")
    assert 200 == adam.status("DELETE", f"/api/authz/grants/{grant['id']}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 320])
def test_every_tab_of_the_access_page_is_accessible(
    server: Served, visit: Visit, shoot: Shoot, scheme: str, width: int
) -> None:
    window = visit(server, "adam", "/authz")
    page = window.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 700})
    for tab in TABS:
        open_tab(window, tab)
        settled(page)
        if tab == "Explain":
            page.get_by_label("Who", exact=True).fill("user:vera")
            page.get_by_label("On what").fill("contents:/team/plan.ipynb")
            page.get_by_label("Does what").select_option("save")
            page.get_by_role("button", name="Explain").click()
            expect(page.locator("[data-answer]")).to_have_attribute("data-answer", "deny")
        assert [] == violations(page), tab
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(window, f"access-{tab.split()[0].lower()}-{scheme}-{width}")


def test_a_plain_user_sees_her_own_part_only(server: Served, visit: Visit) -> None:
    window = visit(server, "vera", "/authz")
    page = window.page
    expect(page.get_by_role("tab")).to_have_text(["My access", "Grants", "Explain", "Map"])
    expect(page.get_by_role("tabpanel")).to_contain_text("user:vera")
    open_tab(window, "Grants")
    settled(page)
    expect(page.locator(".authz-list tbody tr")).to_have_count(1)
    open_tab(window, "Explain")
    page.get_by_label("Who", exact=True).fill("user:adam")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".authz-say")).to_have_attribute("data-kind", "failed")


def test_arrow_keys_lead_from_tab_to_tab_and_a_lost_login_is_told_in_words(
    server: Served, visit: Visit
) -> None:
    window = visit(server, "vera", "/authz")
    page = window.page
    page.get_by_role("tab", name="My access").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Grants")).to_be_focused()
    settled(page)
    page.context.clear_cookies()
    page.locator(".authz-list").get_by_label("Search").fill("x")
    expect(page.locator(".authz-list .authz-say")).to_contain_text("sign in")
