"""Links for guests: what they show, and every other way that a guest might try."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from serving import PASSWORD, Answer, Serving, give_password, serving
from visiting import Browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RULES = """
@id("guests-look") permit(principal == Jupyter::Guest::"anonymous",
  action in Jupyter::Action::"viewer", resource in Jupyter::Folder::"/open");
@id("not-the-draft") forbid(principal == Jupyter::Guest::"anonymous",
  action, resource == Jupyter::File::"/open/shown/draft.txt");
@id("guests-run") permit(principal == Jupyter::Guest::"anonymous",
  action, resource is Jupyter::Kernel);
"""
NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("guests")
    for name in ("open/shown/deep", "open/beside", "closed"):
        (folder / "root" / name).mkdir(parents=True)
    for name in (
        "open/shown/a.txt",
        "open/shown/draft.txt",
        "open/shown/deep/b.txt",
        "open/beside/c.txt",
        "closed/d.txt",
    ):
        (folder / "root" / name).write_text(name)
    (folder / "root" / "open/shown/n.ipynb").write_text(NOTEBOOK)
    people: dict[str, Any] = {
        "adam": "admin",
        "mia": [("manager", "contents:/open"), ("manager", "contents:/closed")],
        "ed": [("editor", "contents:/open")],
    }
    with serving(folder, people=people, policy={"guests.cedar": RULES}) as running:
        give_password(folder, "ed")
        yield running


def make(server: Serving, who: str = "mia", **more: Any) -> Answer:
    body = {"level": "viewer", "resource": "contents:/open/shown", "guests": True}
    body = {**body, "confirm": True, **more}
    return server.request("POST", "/api/authz/links", who, json_body=body)


def link(server: Serving, who: str = "mia", **more: Any) -> dict[str, Any]:
    made = make(server, who, **more)
    assert 201 == made.status, made.text
    found: dict[str, Any] = made.json
    return found


def guest(server: Serving, **more: Any) -> Browser:
    browser = Browser(server)
    opened = browser.opens(link(server, **more))
    assert 302 == opened.status, opened.text
    return browser


def soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()


def test_a_guest_sees_what_the_link_is_for_and_nothing_else(server: Serving) -> None:
    browser = Browser(server)
    made = link(server)
    page = browser.ask("GET", made["url"])
    assert (200, True) == (page.status, "You can look at open/shown" in page.text)
    # Nothing happens before the button is pressed, and nobody is named.
    assert "mia" not in page.text
    assert ("", 403) == (browser.login, browser.sees("open/shown/a.txt"))
    opened = browser.form("/authz/guest", key=made["secret"])
    assert (302, "/tree/open/shown") == (opened.status, opened.headers["Location"])
    shown = ["open/shown/a.txt", "open/shown/deep/b.txt", "open/shown/n.ipynb", "open/shown"]
    assert [200] * 4 == [browser.sees(path) for path in shown]
    hidden = ["open/shown/draft.txt", "open/beside/c.txt", "closed/d.txt", "closed", "none"]
    assert [404] * 5 == [browser.sees(path) for path in hidden]
    assert 200 == browser.ask("GET", "/files/open/shown/a.txt").status
    assert 404 == browser.ask("GET", "/files/open/shown/draft.txt").status
    assert 404 == browser.ask("GET", "/files/open/shown/../beside/c.txt").status


def test_a_guest_s_listings_show_the_way_and_no_sibling(server: Serving) -> None:
    browser = guest(server)

    def names(path: str) -> list[str]:
        found = browser.ask("GET", f"/api/contents/{path}").json["content"]
        return sorted(each["name"] for each in found)

    assert ["open"] == names("")
    assert ["shown"] == names("open")
    assert ["a.txt", "deep", "n.ipynb"] == names("open/shown")
    assert [] == browser.ask("GET", "/api/kernels").json
    assert [] == browser.ask("GET", "/api/sessions").json


def test_a_guest_who_is_refused_a_page_is_not_called_signed_in_and_finds_the_way_in(
    server: Serving,
) -> None:
    browser = guest(server)
    refused = browser.ask("GET", "/authz/password?a=1&b=2")
    assert 403 == refused.status
    told = [word in refused.text for word in ("You are signed in", "Why can", "next=%2Fauthz")]
    assert [False, False, True] == told
    # Whoever has signed in is led on from there; a guest has not.
    page = browser.ask("GET", "/login?next=/authz/password")
    assert (200, True) == (page.status, "Password" in page.text)


def test_a_guest_is_told_what_there_is_to_do_for_a_guest(server: Serving) -> None:
    browser = guest(server)
    query = "resource=contents:/open/shown/a.txt&resource=contents:/closed"
    me = browser.ask("GET", f"/api/authz/me?{query}").json
    assert me["principal"]["name"].startswith("link:")
    assert ("Guest", []) == (me["principal"]["display_name"], me["principal"]["groups"])
    assert (False, False) == (me["abilities"]["administer"], me["sandbox"]["runs"])
    actions = me["resources"]["contents:/open/shown/a.txt"]["actions"]
    assert {"open", "list", "download"} == {a for a, on in actions.items() if on["allowed"]}
    assert not any(on["allowed"] for on in me["resources"]["contents:/closed"]["actions"].values())
    assert "mia" not in str(me)
    who = browser.ask("GET", "/api/me").json["identity"]
    assert ("Guest", True) == (who["name"], who["username"].startswith("link:"))
    assert 200 == browser.ask("GET", "/api/authz/changes").status
    assert 200 == browser.ask("GET", "/api/kernelspecs").status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/contents/open/shown/a.txt", {"type": "file", "content": "x"}),
        ("POST", "/api/contents/open/shown", {"type": "file"}),
        ("PATCH", "/api/contents/open/shown/a.txt", {"path": "open/shown/z.txt"}),
        ("DELETE", "/api/contents/open/shown/a.txt", None),
        ("POST", "/api/contents/open/shown/n.ipynb/trust", None),
        ("POST", "/api/contents/open/shown/a.txt/checkpoints", None),
        ("GET", "/nbconvert/html/open/shown/n.ipynb", None),
        ("POST", "/nbconvert/html", {"content": {}, "name": "x"}),
        ("POST", "/api/sessions", {"path": "open/shown/n.ipynb", "type": "notebook"}),
        ("POST", "/api/kernels", {}),
        ("GET", "/api/status", None),
        ("GET", "/metrics", None),
        ("PATCH", "/api/me", {"name": "Ada"}),
        ("POST", "/api/shutdown", None),
        ("GET", "/api/events/subscribe", None),
        ("GET", "/api/authz/people", None),
        ("GET", "/api/authz/grants", None),
        ("GET", "/api/authz/links", None),
        ("GET", "/api/authz/tokens", None),
        ("GET", "/api/authz/audit", None),
        ("GET", "/api/authz/live", None),
        ("GET", "/api/authz/logins", None),
        ("GET", "/api/authz/who-can?resource=contents:/open/shown", None),
        ("GET", "/api/authz/what-can", None),
        ("GET", "/api/authz/openapi.json", None),
        ("POST", "/api/authz/check", {"action": "open", "resource": "contents:/open"}),
        ("POST", "/api/authz/tokens", {"name": "t"}),
        (
            "POST",
            "/api/authz/requests",
            {"level": "viewer", "resource": "contents:/closed"},
        ),
        ("POST", "/api/authz/links", {"level": "viewer", "resource": "contents:/open/shown"}),
        (
            "POST",
            "/api/authz/grants",
            {"principal": "everyone", "level": "viewer", "resource": "contents:/open/shown"},
        ),
        ("POST", "/api/authz/links/redeem", {"secret": "x"}),
        ("GET", "/authz", None),
        ("GET", "/authz/password", None),
        ("POST", "/authz/password", None),
        ("GET", "/no/such/route", None),
    ],
)
def test_a_guest_does_nothing_else(
    server: Serving, looking: Browser, method: str, path: str, body: object
) -> None:
    before = sorted(each.name for each in (server.root / "open" / "shown").iterdir())
    answer = looking.ask(method, path, json_body=body)
    assert answer.status in {403, 404, 405}, (method, path, answer.text)
    assert "mia" not in answer.text
    assert before == sorted(each.name for each in (server.root / "open" / "shown").iterdir())
    assert "open/shown/a.txt" == (server.root / "open" / "shown" / "a.txt").read_text()


@pytest.fixture(scope="module")
def looking(server: Serving) -> Browser:
    return guest(server)


def test_a_guest_opens_no_socket_and_no_view_as_another(server: Serving, looking: Browser) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
        "Sec-WebSocket-Version": "13",
    }
    made = server.request("POST", "/api/kernels", "adam", json_body={})
    paths = ["/api/events/subscribe"]
    if made.status == 201:
        paths.append(f"/api/kernels/{made.json['id']}/channels")
        assert looking.ask("GET", f"/api/kernels/{made.json['id']}").status in {403, 404}
    for path in paths:
        assert looking.ask("GET", path, headers=upgrade).status in {403, 404}
    if made.status == 201:
        server.request("DELETE", f"/api/kernels/{made.json['id']}", "adam")
    view = {"X-Jupyter-View-As": "x"}
    for path in ("closed", "open/shown/a.txt"):
        assert 403 == looking.ask("GET", f"/api/contents/{path}", headers=view).status


def test_no_rule_no_guest(server: Serving) -> None:
    refused = make(server, resource="contents:/closed")
    assert (403, True) == (refused.status, "do not let guests" in refused.json["reason"])
    # Going public is asked twice, and guests only look.
    assert 409 == make(server, confirm=False).status
    assert 400 == make(server, level="runner").status
    assert 403 == make(server, "ed").status


def test_a_link_that_is_not_for_guests_opens_nothing_to_them(server: Serving) -> None:
    made = link(server, guests=False)
    browser = Browser(server)
    browser.ask("GET", "/login")
    assert 404 == browser.form("/authz/guest", key=made["secret"]).status
    assert 404 == browser.ask("GET", f"/authz/guest?key={made['secret']}").status
    assert ("", 403) == (browser.login, browser.sees("open/shown/a.txt"))


def test_wrong_and_ended_and_removed_links_are_told_alike(server: Serving) -> None:
    made, wrong = link(server), link(server)
    assert 200 == server.request("DELETE", f"/api/authz/links/{made['id']}", "mia").status
    keys = [made["secret"], f"{wrong['id']}.{'x' * 43}", "", "x.y", "\x00", "x" * 10_000]
    browser = Browser(server)
    browser.ask("GET", "/login")
    answers = [browser.form("/authz/guest", key=key) for key in keys]
    assert [404] * len(keys) == [each.status for each in answers]
    assert 1 == len({each.text for each in answers})


def test_a_guest_ends_with_the_link(server: Serving) -> None:
    made = link(server)
    browser = Browser(server)
    browser.opens(made)
    held = browser.login
    assert 200 == browser.sees("open/shown/a.txt")
    assert 200 == server.request("DELETE", f"/api/authz/links/{made['id']}", "mia").status
    assert 403 == browser.sees("open/shown/a.txt")
    # What the browser kept opens nothing any more, however it is sent.
    secret = held.split("|")[-2] if "|" in held else held
    tried: list[dict[str, str]] = [
        {"Cookie": "; ".join(f"{n}={v}" for n, v in browser.cookies.items()) + f"; x={held}"},
        {"Authorization": f"token {held}"},
        {"Authorization": f"token {secret}"},
        {"Authorization": f"token {made['secret']}"},
    ]
    for headers in tried:
        path = "/api/contents/open/shown/a.txt"
        assert 403 == server.request("GET", path, headers=headers).status


def test_a_guest_ends_with_the_link_s_end_and_its_maker_s_right(server: Serving) -> None:
    given = server.request(
        "POST",
        "/api/authz/grants",
        "adam",
        json_body={
            "principal": "user:ed",
            "level": "manager",
            "resource": "contents:/open/shown/deep",
        },
    ).json
    browser = Browser(server)
    browser.opens(link(server, "ed", resource="contents:/open/shown/deep"))
    assert 200 == browser.sees("open/shown/deep/b.txt")
    # Ed still sees it, but may not share it any more.
    assert 200 == server.request("DELETE", f"/api/authz/grants/{given['id']}", "adam").status
    assert 404 == browser.sees("open/shown/deep/b.txt")
    # No guest outlasts the link, and one whose time is over is nobody.
    now = datetime.now(tz=timezone.utc)
    brief = Browser(server)
    opened = brief.opens(link(server, ends=(now + timedelta(seconds=4)).isoformat()))
    assert 302 == opened.status
    soon(lambda: brief.sees("open/shown/a.txt") == 403)
    assert (datetime.now(tz=timezone.utc) - now).total_seconds() >= 4


def test_uses_are_counted_under_concurrent_opens(server: Serving) -> None:
    made = link(server, uses=2)
    browsers = [Browser(server) for _ in range(6)]
    for browser in browsers:
        browser.ask("GET", made["url"])
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda b=browser: statuses.append(
                b.form("/authz/guest", key=made["secret"]).status
            )
        )
        for browser in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [302, 302, 404, 404, 404, 404] == sorted(statuses)
    assert 2 == sum(browser.sees("open/shown/a.txt") == 200 for browser in browsers)
    # The same browser again uses nothing up.
    inside = next(each for each in browsers if each.login)
    assert 302 == inside.opens(made).status
    assert 200 == inside.sees("open/shown/a.txt")


def test_a_second_link_takes_the_place_of_the_first(server: Serving) -> None:
    browser = guest(server)
    first = browser.login
    browser.opens(link(server, resource="contents:/open/beside"))
    assert first != browser.login
    assert (404, 200) == (browser.sees("open/shown/a.txt"), browser.sees("open/beside/c.txt"))
    name = next(name for name in browser.cookies if name.startswith("username-"))
    again = Browser(server, {name: first})
    assert 403 == again.sees("open/shown/a.txt")


def test_nobody_chooses_a_guest_s_secret_for_them(server: Serving) -> None:
    made = link(server)
    attacker, victim = Browser(server), Browser(server)
    attacker.opens(made)
    victim.cookies.update(attacker.cookies)
    other = link(server, resource="contents:/open/beside")
    victim.opens(other)
    assert attacker.login != victim.login
    assert attacker.sees("open/beside/c.txt") in {403, 404}
    # Another site cannot have a browser press the button.
    forged = Browser(server)
    forged.ask("GET", made["url"])
    del forged.cookies["_xsrf"]
    assert 403 == forged.form("/authz/guest", key=made["secret"]).status
    assert "" == forged.login


def test_who_has_signed_in_is_no_guest_and_takes_nothing_along(server: Serving) -> None:
    browser = guest(server)
    held = browser.login
    browser.ask("GET", "/login")
    assert 302 == browser.form("/login", username="ed", password=PASSWORD).status
    assert "user:ed" == browser.ask("GET", "/api/authz/me").json["principal"]["name"]
    name = next(name for name in browser.cookies if name.startswith("username-"))
    assert 403 == Browser(server, {name: held}).sees("open/shown/a.txt")
    # And a link for guests leads them to accept it as themselves.
    made = link(server)
    led = browser.ask("GET", made["url"])
    assert (302, True) == (led.status, led.headers["Location"].startswith("/authz/link?key="))
    assert (
        browser.form("/authz/guest", key=made["secret"])
        .headers["Location"]
        .startswith("/authz/link")
    )
    assert "user:ed" == browser.ask("GET", "/api/authz/me").json["principal"]["name"]
    browser.ask("GET", "/logout")
    assert 403 == browser.sees("open/shown/a.txt")


def test_a_guest_stands_in_lists_and_records_as_itself(server: Serving) -> None:
    made = link(server)
    browser = Browser(server)
    browser.opens(made)
    browser.ask("DELETE", "/api/contents/open/shown/a.txt")
    name = f"link:{made['id']}"
    query = "who-can?action=open&resource=contents:/open/shown/a.txt"
    found = server.request("GET", f"/api/authz/{query}", "mia").json["items"]
    assert name in [each["principal"] for each in found]
    draft = query.replace("a.txt", "draft.txt")
    found = server.request("GET", f"/api/authz/{draft}", "mia").json["items"]
    assert name not in [each["principal"] for each in found]
    own = [each for each in server.audit if each["principal"] == name]
    assert {"guest", "denial"} <= {each["kind"] for each in own}
    listed = server.request("GET", "/api/authz/links", "mia").json["items"]
    assert [(True, 1)] == [(e["guests"], e["used"]) for e in listed if e["id"] == made["id"]]
    everything = (server.folder / "data" / "authorization" / "audit.jsonl").read_text()
    assert made["secret"] not in everything + server.log


def test_a_guest_who_leaves_is_nobody(server: Serving) -> None:
    browser = guest(server)
    held = dict(browser.cookies)
    browser.ask("GET", "/logout")
    assert 403 == browser.sees("open/shown/a.txt")
    assert 403 == Browser(server, held).sees("open/shown/a.txt")


def test_a_rule_that_is_taken_back_ends_every_guest(server: Serving) -> None:
    browser = guest(server)
    path = server.folder / "policy" / "guests.cedar"
    try:
        path.write_text("// nothing\n")
        soon(lambda: browser.sees("open/shown/a.txt") == 404)
        assert 403 == make(server).status
    finally:
        path.write_text(RULES)
        soon(lambda: browser.sees("open/shown/a.txt") == 200)
