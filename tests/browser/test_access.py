"""Sharing in JupyterLab, and the access page: two people, both colours, keyboard, a phone."""

from __future__ import annotations

import re
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from browser.accessible import out_of_reach, violations
from browser.conftest import store_of
from browser.page import LAB, WHERE
from playwright.sync_api import expect
from websocket import ABNF, create_connection

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.store.journals import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served
    from playwright.sync_api import Page

    Visit = Callable[[Served, str, str], Window]
    Shoot = Callable[[Window, str], None]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("afresh")]

WHO = "Person, group:NAME, everyone or link"
OWN_TABS = ["My access", "Grants", "Live doors", "Requests", "Audit", "Explain", "Map", "Reach"]
#: The words of the lists that stand on more than one line.
BROKEN = """[...document.querySelectorAll('.authz-list td:not(.authz-long)')].flatMap(cell => {
  const words = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const broken = [];
  while (words.nextNode()) {
    for (const found of words.currentNode.data.matchAll(/\\S+/g)) {
      range.setStart(words.currentNode, found.index);
      range.setEnd(words.currentNode, found.index + found[0].length);
      if (new Set([...range.getClientRects()].map(each => each.top)).size > 1) {
        broken.push(found[0]);
      }
    }
  }
  return broken;
})"""
#: What somebody types in or presses that stands out of its tab.
OUTSIDE = """(() => {
  const panel = document.querySelector('[role=tabpanel]');
  const padding = parseFloat(getComputedStyle(panel).paddingRight);
  const edge = panel.getBoundingClientRect().right - padding;
  return [...panel.querySelectorAll('input, select, button')]
    .filter(each => each.getBoundingClientRect().right > edge + 1)
    .map(each => each.outerHTML);
})()"""
TABS = [*OWN_TABS[:2], "People and groups", *OWN_TABS[2:5], "Policy", *OWN_TABS[5:]]


def open_tab(window: Window, name: str) -> None:
    window.page.get_by_role("tab", name=name).click()
    expect(window.page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_what_is_shared_in_a_dialog_is_there_for_the_other_and_gone_when_it_is_taken_back(
    server: Served, visit: Visit, shoot: Shoot
) -> None:
    nina = server.visitor("nina")
    assert 404 == nina.status("GET", "/api/contents/statistics.ipynb")
    window = visit(server, "adam", "/lab")
    page = window.page
    item = page.locator(".jp-DirListing-item").filter(has_text="statistics.ipynb")
    dialog = page.get_by_role("dialog", name="Share statistics.ipynb")
    item.click(button="right")
    gives_nothing_by_its_address(page)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    item.click(button="right")
    page.get_by_role("menuitem", name="Share…").click()
    expect(dialog.get_by_label(WHO)).to_be_focused()
    # By keyboard alone: name, level, Enter.
    page.keyboard.type("nina")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    row = dialog.locator('[data-principal="user:nina"]')
    expect(row).to_be_visible()
    given = row.get_by_label("Level of user:nina")
    expect(given).to_have_value("editor")
    can = "They can also change and save files and run any code."
    expect(given).to_have_attribute("title", can)
    shared = item.get_by_role("img", name="shared with others", include_hidden=True)
    expect(shared).to_have_count(1)
    assert [] == violations(page, ".jp-Dialog")
    shoot(window, "lab-share-light")
    assert [] == out_of_reach(page, ".authz-Dialog")
    assert 200 == nina.status("GET", "/api/contents/statistics.ipynb")
    # The table is drawn anew each time; whoever has no mouse stays where they are.
    row.get_by_label("Level of user:nina").press("ArrowUp")
    expect(row.locator("select option[selected]")).to_have_text("runner")
    expect(row.get_by_label("Level of user:nina")).to_be_focused()
    row.get_by_role("button", name="Remove: user:nina").press("Enter")
    expect(row).to_have_count(0)
    expect(dialog.get_by_label(WHO)).to_be_focused()
    expect(shared).to_have_count(0)
    assert 404 == nina.status("GET", "/api/contents/statistics.ipynb")
    # Signed out while the dialog is open: it says so and keeps what was typed.
    adam = server.visitor("adam")
    for login in adam.ask("GET", "/api/authz/logins")[1]["items"]:
        if not login["current"]:
            assert 200 == adam.status("DELETE", f"/api/authz/logins/{login['id']}")
    dialog.get_by_label(WHO).fill("nina")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.locator(".authz-say").first).to_contain_text("ign in")
    expect(dialog.get_by_label(WHO)).to_have_value("nina")
    assert 404 == nina.status("GET", "/api/contents/statistics.ipynb")


def gives_nothing_by_its_address(page: Page) -> None:
    """What the file browser says of its link, in the menu that is open; and on to who has what."""
    expect(page.get_by_role("menuitem", name="Shareable")).to_have_count(0)
    page.get_by_role("menuitem", name="Copy link", exact=True).click()
    told = page.get_by_role("alert").filter(has_text="The link gives nobody access by itself.")
    expect(told).to_contain_text("The link is copied.")
    told.get_by_role("button", name="Share…").click()


def test_what_is_asked_for_is_approved_for_a_time_and_the_open_page_of_who_asked_shows_it(
    server: Served, visit: Visit, shoot: Shoot
) -> None:
    asking = visit(server, "vera", f"{WHERE[LAB]}team/plan.ipynb")
    notebook = asking.lab()
    notebook.shows("Plan of the week")
    notebook.no_kernel()
    badge = asking.page.locator(".authz-Badge button")
    expect(badge).to_have_text("Viewing")
    shares_nothing_but_the_address(asking.page)
    badge.press("Enter")
    dialog = asking.page.get_by_role("dialog")
    dialog.get_by_text("Ask for access…").click()
    assert [] == violations(asking.page, ".jp-Dialog")
    assert [] == out_of_reach(asking.page, ".authz-Dialog")
    dialog.get_by_label("Level").select_option("editor")
    note = f"<b>the minutes {secrets.token_hex(4)}</b>"
    dialog.get_by_label("Why you need it").fill(note)
    dialog.get_by_role("button", name="Ask for access").click()
    expect(dialog.locator(".authz-say")).to_contain_text("You have asked")
    shoot(asking, "lab-ask-light")
    asking.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(badge).to_be_focused()
    answering = visit(server, "adam", "/authz#requests")
    row = answering.page.locator("tbody tr").filter(has_text=note)
    expect(row).to_be_visible()
    # As wide as what it is answered with may be, also between a telephone and a desk.
    answering.page.set_viewport_size({"width": 680, "height": 700})
    assert answering.page.evaluate("document.documentElement.scrollWidth") <= 680
    row.get_by_label("Until").fill("2099-01-01T00:00")
    row.get_by_label("What to tell them").fill("until the <i>term</i> ends")
    row.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("approved: until the <i>term</i> ends")
    expect(badge).to_have_text(re.compile("^Editing"))
    (given,) = server.visitor("vera").ask("GET", "/api/authz/grants?level=editor")[1]["items"]
    assert ("contents:/team/plan.ipynb", "2099") == (given["resource"], given["ends"][:4])
    assert 200 == server.visitor("adam").status("DELETE", f"/api/authz/grants/{given['id']}")
    expect(badge).to_have_text("Viewing")


def shares_nothing_but_the_address(page: Page) -> None:
    """What a viewer finds behind *Share…*, by keyboard: who shared with her, and the address."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    share = page.get_by_role("button", name="Share…")
    share.press("Enter")
    dialog = page.get_by_role("dialog", name="Share plan.ipynb")
    expect(dialog).to_contain_text("You can view team/plan.ipynb but not share it.")
    row = dialog.locator('[data-principal="user:vera"]')
    expect(row).to_contain_text("given for the whole server")
    copy = dialog.get_by_role("button", name="Copy link")
    expect(copy).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.locator(".authz-say").first).to_have_text("The link is copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "/lab/tree/team/plan.ipynb" == copied[copied.index("/lab") :]
    assert [] == out_of_reach(page, ".authz-Dialog")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(share).to_be_focused()
    page.get_by_role("menuitem", name="File", exact=True).click()
    expect(page.get_by_role("menuitem", name="Share…")).to_be_visible()
    page.keyboard.press("Escape")


def test_a_link_is_shown_once_and_gives_its_level_to_whoever_opens_it(
    server: Served, visit: Visit
) -> None:
    page = visit(server, "adam", "/authz#grants").page
    page.get_by_label("Share what").fill("contents:/notes.txt")
    page.get_by_role("button", name="Share…").click()
    # In the box where one names a person; what is made is listed under "Links".
    page.get_by_label(WHO).fill("link")
    page.get_by_label("How often it counts").fill("1")
    page.get_by_role("button", name="Share", exact=True).click()
    once = page.get_by_label("This is shown once; copy it now.")
    expect(once).to_be_focused()
    address = once.input_value()
    expect(page.locator(".authz-links-list li")).to_contain_text("used 0 of 1 times")
    guest = visit(server, "nina", address.removeprefix(server.url)).page
    expect(guest.locator("main")).to_contain_text("notes.txt")
    guest.get_by_role("button").click()
    guest.wait_for_url(lambda url: "notes.txt" in url, wait_until="commit")
    nina = server.visitor("nina")
    assert 200 == nina.status("GET", "/api/contents/notes.txt")
    page.get_by_role("tab", name="My access").click()
    (given,) = nina.ask("GET", "/api/authz/grants")[1]["items"]
    assert 200 == server.visitor("adam").status("DELETE", f"/api/authz/grants/{given['id']}")


def test_a_manager_whose_own_access_ends_is_told_and_offered_that_end(
    server: Served, visit: Visit
) -> None:
    body = {"principal": "user:nina", "level": "manager", "resource": "contents:/team"}
    status, mine = server.visitor("adam").ask(
        "POST", "/api/authz/grants", {**body, "ends": "2098-07-01T12:00:00Z"}
    )
    assert 201 == status, mine
    page = visit(server, "nina", f"/authz#grants/{quote('contents:/team', safe='')}").page
    form = page.locator("form.authz-give")
    expect(form).to_contain_text("Yours ends Jul 1, 2098")
    until = form.get_by_label("Until")
    expect(until).to_have_value(re.compile("^2098-07-01T"))
    form.get_by_label(WHO).fill("vera")
    # What she types instead is hers to choose, up to that.
    until.fill("2099-01-01T00:00")
    expect(form.get_by_role("button", name="Share", exact=True)).to_be_enabled()
    assert until.evaluate("field => !field.validity.valid")
    until.fill("2098-06-01T00:00")
    form.get_by_label("Level").select_option("editor")
    expect(until).to_have_value("2098-06-01T00:00")
    page.get_by_role("button", name="Share", exact=True).click()
    row = page.locator('.authz-share [data-principal="user:vera"]')
    expect(row.get_by_label("Level of user:vera")).to_have_value("editor")
    # Which end before a moment, and which do not.
    both = page.locator(".authz-list tbody tr")
    page.get_by_label("Ends before").fill("2098-06-15T00:00")
    expect(both).to_have_count(1)
    expect(both).to_contain_text("user:vera")
    page.get_by_label("Ends before").fill("2098-08-01T00:00")
    expect(both).to_have_count(2)
    # A link of hers gives no longer than that either, without her doing.
    page.get_by_text("Links", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_label("This is shown once; copy it now.")).to_be_visible()
    # Of files an administrator has no more than she, and who is one is not hers to know.
    page.get_by_role("tab", name="Map").click()
    page.get_by_label("Whose level").fill("adam")
    page.get_by_role("button", name="Show").click()
    held = page.locator(".authz-map li").filter(has_text="team").locator(".authz-level")
    expect(held).to_have_text("at least manager")


def test_a_level_that_a_manager_cannot_give_is_grey_and_says_why(
    server: Served, visit: Visit
) -> None:
    body = {"principal": "user:nina", "level": "manager", "resource": "contents:/team"}
    status, mine = server.visitor("adam").ask("POST", "/api/authz/grants", body)
    assert 201 == status, mine
    page = visit(server, "nina", f"/authz#grants/{quote('contents:/team', safe='')}").page
    level = page.locator("form.authz-give").get_by_label("Level")
    options = level.locator("option")
    expect(options.last).to_have_text(
        "admin \N{EN DASH} only an administrator can give the level `admin`"
    )
    expect(options.last).to_be_disabled()
    expect(level.locator("option:disabled")).to_have_count(1)
    # By keyboard one comes as far as what one can give.
    level.press("End")
    expect(level).to_have_value("manager")


def test_a_link_that_has_ended_says_so_and_gives_nothing(server: Served, visit: Visit) -> None:
    adam = server.visitor("adam")
    soon = datetime.now(timezone.utc) + timedelta(seconds=1)
    body = {"level": "viewer", "resource": "contents:/notes.txt", "ends": soon.isoformat()}
    status, link = adam.ask("POST", "/api/authz/links", body)
    assert 201 == status, link
    page = visit(server, "nina", "/authz").page
    end = time.monotonic() + 60
    while True:
        page.goto(f"{server.url}{link['url']}")
        if page.get_by_role("button").count() == 0:
            break
        assert time.monotonic() < end, "the link does not end"
    expect(page.locator("main")).to_contain_text("This link is over")
    assert 404 == server.visitor("nina").status("GET", "/api/contents/notes.txt")


def test_names_of_every_kind_are_shown_as_they_are_and_shared(
    server: Served, visit: Visit
) -> None:
    names = [
        'it\'s "quoted" & <b>bold.txt',
        "<img src=x onerror=document.title=1>.txt",
        "\U0001f600 #1 100%.txt",
        "\u05e9\u05dc\u05d5\u05dd-\u0645\u0631\u062d\u0628\u0627.txt",
        "\u202egnp.txt",
        "\u00e9" * 125 + "1.txt",
    ]
    folder = server.root / "names"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("x", "utf-8")
    window = visit(server, "adam", "/authz#map")
    page = window.page
    page.locator("summary").filter(has_text="names").click()
    for name in names:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert 0 == page.locator("#authz img, #authz b").count()
    # What is linked to is what is shared.
    for name in names[:3]:
        resource = f"contents:/names/{name}"
        page.evaluate("at => { location.hash = at; }", f"grants/{quote(resource, safe='')}")
        expect(page.locator("h3").first).to_have_text(f"Share names/{name}")
        page.get_by_label(WHO).fill("nina")
        page.get_by_role("button", name="Share", exact=True).click()
        row = page.locator('.authz-share [data-principal="user:nina"]')
        expect(row).to_be_visible()
        path = quote(f"names/{name}")
        assert 200 == server.visitor("nina").status("GET", f"/api/contents/{path}?content=0")
        row.get_by_role("button").click()
        expect(row).to_have_count(0)
    assert 0 == page.locator("#authz img, #authz b").count()
    assert "1" != page.title()


def test_an_administrator_looks_around_as_another_who_sees_that(
    server: Served, visit: Visit, shoot: Shoot
) -> None:
    adam = server.visitor("adam")
    for view in adam.ask("GET", "/api/authz/views")[1]["items"]:
        # An earlier try of this test may have ended while she looked.
        adam.status("DELETE", f"/api/authz/views/{view['id']}")
    seen = visit(server, "vera", "/authz").page
    expect(seen.get_by_role("tabpanel")).to_contain_text("user:vera")
    classic = visit(server, "vera", "/nbclassic/tree").page.locator("#header [role=status]")
    expect(classic).to_be_hidden()
    window = visit(server, "adam", "/authz#people")
    page = window.page
    # Whoever is added there is told to lack what the page cannot give.
    page.get_by_label("Name", exact=True).first.fill("zoe")
    page.get_by_role("button", name="Add person").click()
    expect(page.locator(".authz-say").first).to_contain_text("jupyter authz users password zoe")
    row = page.locator("tbody tr").filter(has_text="zoe")
    expect(row).to_contain_text("no password")
    row.get_by_role("button", name="Remove: zoe").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="View as: vera").click()
    dialog = page.get_by_role("dialog", name="Look around as user:vera?")
    dialog.get_by_role("button", name="View as").click()
    bar = page.get_by_role("region", name="View as")
    expect(bar).to_contain_text("You look around as user:vera and change nothing.")
    expect(page.get_by_role("tab")).to_have_text(OWN_TABS)
    expect(page.get_by_role("tabpanel")).to_contain_text("user:vera")
    expect(seen.locator("header")).to_contain_text(["", "user:adam looks around as you"])
    expect(classic).to_have_text("user:adam looks around as you at the moment.")
    page.get_by_label("Name of the program").fill("a token of vera's")
    page.get_by_role("button", name="Make a token").click()
    said = "you change and run nothing"
    expect(page.locator(".authz-say").filter(has_text=said)).to_be_visible()
    assert [] == violations(page)
    shoot(window, "access-viewing-light")
    bar.get_by_role("button", name="Be yourself again").click()
    expect(bar).to_have_count(0)
    expect(page.get_by_role("tab", name="People and groups")).to_be_visible()
    expect(seen.locator("header")).not_to_contain_text(["", "looks around as you"])
    expect(classic).to_be_hidden()


def test_a_token_is_shown_once_and_revoked(server: Served, visit: Visit) -> None:
    page = visit(server, "vera", "/authz#mine").page
    page.get_by_label("Name of the program").fill("agent")
    page.get_by_label("At most this level").select_option("viewer")
    page.get_by_role("button", name="Make a token").click()
    secret = page.get_by_label("This is shown once; copy it now.").input_value()
    asked = Request(f"{server.url}/api/me", headers={"Authorization": f"token {secret}"})  # noqa: S310  # why: a server of the test
    with urlopen(asked, timeout=60) as answer:  # noqa: S310  # why: a server of the test
        assert 200 == answer.status
    page.get_by_role("button", name="Revoke: agent").click()
    expect(page.get_by_role("button", name="Revoke: agent")).to_have_count(0)


def test_a_sign_in_elsewhere_is_ended_from_here(server: Served, visit: Visit) -> None:
    elsewhere = server.visitor("nina")
    page = visit(server, "nina", "/authz#mine").page
    rows = page.locator("table").filter(has_text="Browser").locator("tbody tr")
    expect(rows.filter(has_text="this browser")).to_have_count(1)
    others = rows.filter(has_text="Python-urllib")
    # Of each visit of the tests there is one.
    for left in reversed(range(others.count())):
        others.first.get_by_role("button", name="Sign out").click()
        expect(others).to_have_count(left)
    assert 403 == elsewhere.status("GET", "/api/me")


def test_an_administrator_sees_who_is_connected_and_ends_it(server: Served, visit: Visit) -> None:
    vera = server.visitor("vera")
    address = f"ws{server.url.removeprefix('http')}/api/events/subscribe"
    socket = create_connection(address, cookie=vera.cookies, timeout=60)
    page = visit(server, "adam", "/authz#live").page
    row = page.locator("tbody tr").filter(has_text="user:vera")
    expect(row).to_contain_text("the events of this server")
    page.get_by_label("Search").fill("nobody of this name")
    expect(row).to_have_count(0)
    page.get_by_label("Search").fill("VERA")
    row.get_by_role("button", name="Disconnect").click()
    dialog = page.get_by_role("dialog", name="Disconnect user:vera?")
    assert [] == violations(page, "dialog")
    dialog.get_by_role("button", name="Disconnect").click()
    expect(row).to_have_count(0)
    while socket.recv_data()[0] != ABNF.OPCODE_CLOSE:
        pass
    # `close` would leave the descriptor open after a closing frame of the server.
    socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped


def test_sharing_with_everyone_asks_once_more_and_a_wrong_name_is_answered_in_the_dialog(
    server: Served, visit: Visit
) -> None:
    window = visit(server, "adam", "/authz#grants")
    page = window.page
    page.get_by_label("Share what").fill("contents:/notes.txt")
    page.get_by_role("button", name="Share…").click()
    who = page.get_by_label(WHO)
    who.fill("no<b>body")
    share = page.get_by_role("button", name="Share", exact=True)
    share.click()
    expect(page.locator(".authz-share > .authz-say")).to_have_attribute("data-kind", "failed")
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
    group = f"crew-{secrets.token_hex(4)}"
    assert 201 == server.visitor("adam").status("POST", "/api/authz/groups", {"name": group})
    who.fill(f"group:{group}")
    share.click()
    row = page.locator(f'.authz-share [data-principal="group:{group}"]')
    expect(row).to_be_visible()
    row.get_by_role("button").click()
    expect(row).to_have_count(0)
    # A number of times only, which the list says as well.
    who.fill("nina")
    page.get_by_label("How often it counts").fill("2")
    share.click()
    row = page.locator('.authz-share [data-principal="user:nina"]')
    expect(row).to_contain_text("counts 2 more times")
    assert 200 == server.visitor("nina").status("GET", "/api/contents/notes.txt")
    page.locator(".authz-list").get_by_label("Search").fill("nina")
    expect(page.locator(".authz-list tbody tr")).to_contain_text(["counts once more"])
    row.get_by_role("button").click()
    expect(row).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 320)])
def test_every_tab_of_the_access_page_is_accessible_also_by_keyboard(
    server: Served, visit: Visit, shoot: Shoot, scheme: str, width: int
) -> None:
    adam = server.visitor("adam")
    assert adam.status("POST", "/api/authz/groups", {"name": "lookers"}) in {201, 409}
    added = adam.status("PATCH", "/api/authz/groups/lookers", {"add": ["user:vera"]})
    assert added in {200, 409}
    window = visit(server, "adam", "/authz")
    page = window.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 700})
    for tab in TABS:
        open_tab(window, tab)
        window.settled()
        if tab == "Explain":
            page.get_by_label("Who", exact=True).fill("user:vera")
            page.get_by_label("On what").fill("contents:/team/plan.ipynb")
            page.get_by_label("Does what").select_option("save")
            page.get_by_role("button", name="Explain").click()
            answer = page.locator('[data-answer="deny"]')
            expect(answer).to_contain_text("user:vera reads: You can view team/plan.ipynb but")
            expect(answer.get_by_role("code").first).to_have_text("save")
            expect(answer).not_to_contain_text(re.compile("`|you may see"))
            givers = answer.get_by_role("heading", name="Who could give it")
            expect(givers.locator("xpath=..")).to_contain_text("user:adam")
        if tab == "Reach":
            expect(page.get_by_label("Whose processes")).to_have_value("user:adam")
            page.get_by_role("button", name="Try it now").click()
            panel = page.get_by_role("tabpanel", name="Reach")
            # It has been tried when it says what is not to be had.
            expect(panel.get_by_role("heading", name="What cannot be")).to_be_visible()
            expect(panel).to_contain_text(
                re.compile(r"user:adam.*nothing that the policy denies.*Confined by")
            )
        assert [] == violations(page, both=False), tab
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [] == page.evaluate(BROKEN), tab
        assert [] == page.evaluate(OUTSIDE), tab
        if scheme == "light":
            assert [] == out_of_reach(page), tab
            if tab == "Audit":
                the_records_are_checked_saved_and_followed(server, page)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        shoot(window, f"access-{tab.split()[0].lower()}-{scheme}-{width}")


def the_records_are_checked_saved_and_followed(server: Served, page: Page) -> None:
    """On the Audit tab, to an administrator."""
    # There is nothing to choose while no other server shares the store.
    expect(page.get_by_label("Server", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Check that no record was changed").click()
    expect(page.locator(".authz-say").first).to_contain_text("records")
    with page.expect_download() as kept:
        page.get_by_role("button", name="Save these records as a file").click()
    lines = kept.value.path().read_text("utf-8").splitlines()
    assert page.locator(".authz-list tbody tr").count() == len(lines)
    asked = f"nobody-{secrets.token_hex(4)}"
    page.get_by_label("Follow").check()
    assert server.visitor("vera").status("DELETE", f"/api/contents/{asked}") in {403, 404}
    expect(page.locator(".authz-list tbody tr").filter(has_text=asked)).to_have_count(1)
    there = server.home / "elsewhere.jsonl"
    audit = Audit(there)
    audit.event("login", actor="user:zoe")
    audit.close()
    with store_of(server) as store:
        assert store.keep_journal(there) is None
    page.get_by_label("Server", exact=True).select_option(name_of(there))
    expect(page.locator(".authz-list tbody tr")).to_contain_text(["user:zoe"])
    page.get_by_label("Server", exact=True).select_option("this one")
    expect(page.locator(".authz-list tbody tr").filter(has_text="user:zoe")).to_have_count(0)
    page.get_by_label("Follow").uncheck()


def test_the_map_shows_the_levels_of_another_person(server: Served, visit: Visit) -> None:
    page = visit(server, "adam", "/authz#map").page
    row = page.locator(".authz-map li").filter(has_text="notes.txt")
    expect(row.locator(".authz-level")).to_have_text("admin")
    expect(row.get_by_role("link")).to_have_text("notes.txt")
    page.get_by_label("Whose level").fill("vera")
    page.get_by_role("button", name="Show").click()
    expect(row.locator(".authz-level")).to_have_text("viewer")


def test_a_plain_user_sees_her_own_part_only(server: Served, visit: Visit) -> None:
    given = {"principal": "everyone", "level": "viewer", "resource": "contents:/team"}
    adam = server.visitor("adam")
    assert 201 == adam.ask("POST", "/api/authz/grants", {**given, "confirm": True})[0]
    body = {"principal": "user:vera", "level": "editor", "resource": "contents:/notes.txt"}
    status, hers = adam.ask("POST", "/api/authz/grants", body)
    assert 201 == status
    window = visit(server, "vera", "/authz")
    page = window.page
    expect(page.get_by_role("tab")).to_have_text(OWN_TABS)
    expect(page.get_by_role("tabpanel")).to_contain_text("user:vera")
    open_tab(window, "Grants")
    window.settled()
    expect(page.locator(".authz-list tbody tr")).to_have_count(3)
    # She can give back what is hers, and take nothing from everybody.
    expect(page.locator(".authz-list tbody button")).to_have_text(["Leave", "Leave"])
    row = page.locator(".authz-list tbody tr").filter(has_text="notes.txt")
    row.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog", name="Leave this?").get_by_role("button", name="Leave").click()
    expect(row).to_have_count(0)
    assert 404 == adam.status("GET", f"/api/authz/grants/{hers['id']}")
    open_tab(window, "Explain")
    page.get_by_label("Does what").select_option("save")
    page.get_by_role("button", name="Explain").click()
    answer = page.locator('[data-answer="deny"]')
    expect(answer).to_contain_text("You can view the top folder but not change it.")
    expect(answer).to_contain_text("No grant or rule that you may see decides this.")
    page.get_by_label("Who", exact=True).fill("user:adam")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".authz-say")).to_have_attribute("data-kind", "failed")
