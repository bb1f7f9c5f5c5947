from __future__ import annotations

import threading
import urllib.parse
from typing import Any

import pytest
from server.identity.house import NOW, PASSWORD, Browser, House

from jupyter_authorized_server import credentials
from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.server.identity import password as password_module
from jupyter_authorized_server.server.identity.words import WRONG


def test_the_right_password_signs_in_and_goes_where_one_wanted(
    house: House, browser: Browser
) -> None:
    answer = browser.sign_in("ada", next_url="/base/tree?x=1")
    assert (answer.status, answer.location) == (302, "/base/tree?x=1")
    assert browser.me == "ada"


def test_the_login_cookie_is_for_this_server_and_no_script(house: House, browser: Browser) -> None:
    answer = browser.sign_in("ada")
    cookie = next(c for c in answer.headers.get_all("Set-Cookie", []) if "username-" in c)
    attributes = sorted(part.strip().partition("=")[0] for part in cookie.split(";")[1:])
    assert attributes == ["HttpOnly", "Path", "SameSite", "expires"]
    assert "Path=/base/" in cookie
    assert "SameSite=Lax" in cookie
    assert PASSWORD not in cookie


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("eve", PASSWORD),
        ("a/b", PASSWORD),
        ("", PASSWORD),
        ("ada", ""),
        ("Ada", PASSWORD),
        ("ada ", PASSWORD),
        ("\u202eada", PASSWORD),
        ("ada", "x" * 1_000_000),
        ("x" * 1_000_000, PASSWORD),
        ("ada", PASSWORD + " "),
    ],
    ids=lambda text: f"{text[:20]}:{len(text)}",
)
def test_whatever_is_wrong_the_words_are_the_same(
    house: House, browser: Browser, name: str, password: str
) -> None:
    answer = browser.sign_in(name, password)
    assert (answer.status, answer.alert) == (401, WRONG)
    assert browser.login_cookie == ""
    assert [r["name"] for r in house.records("login_failed")] == [name[:128]]
    assert house.records("login") == []


@pytest.mark.parametrize("name", ["ada", "nobody", "eve", "a/b", "mute"])
def test_each_attempt_verifies_one_password_whoever_it_names(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    house.store.add_person("mute", now=NOW)
    verified: list[bool] = []

    def verify(hash_: str | None, password: object) -> bool:
        verified.append(hash_ is not None)
        return credentials.verify_password(hash_, password)

    monkeypatch.setattr(password_module, "verify_password", verify)
    assert browser.sign_in(name, "wrong password").status == 401
    assert verified == [name == "ada"]


def test_a_page_without_the_xsrf_field_signs_nobody_in(house: House, browser: Browser) -> None:
    browser.get("/base/login")
    fields = {"username": "ada", "password": PASSWORD}
    answer = browser.post("/base/login", fields, xsrf=False)
    assert answer.status == 403
    assert "stale" in answer.alert
    assert house.store.login_sessions() == ()


def test_a_form_from_another_site_signs_nobody_in(house: House, browser: Browser) -> None:
    browser.get("/base/login")
    xsrf = browser.cookies["_xsrf"]
    body = f"_xsrf={xsrf}&username=ada&password={PASSWORD.replace(' ', '+')}".encode()
    headers = {
        "Origin": "https://elsewhere.example",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert browser.send("POST", "/base/login", body, headers).status == 404
    assert house.store.login_sessions() == ()


def test_a_password_in_the_address_is_not_looked_at(house: House, browser: Browser) -> None:
    query = f"?username=ada&password={PASSWORD.replace(' ', '+')}"
    answer = browser.post(f"/base/login{query}", {"username": "ada"})
    assert answer.status == 401


def test_a_form_that_is_not_utf8_is_refused(house: House, browser: Browser) -> None:
    browser.get("/base/login")
    body = f"_xsrf={browser.cookies['_xsrf']}&username=%ff%fe&password=x".encode()
    answer = browser.send(
        "POST", "/base/login", body, {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status, answer.alert) == (400, "The form is not UTF-8.")


def onward(browser: Browser, target: str) -> str:
    """Where the page to sign in leads somebody who has."""
    return browser.get(f"/base/login?next={urllib.parse.quote(target)}").location


def test_a_colon_behind_the_first_slash_is_no_schemes(house: House, browser: Browser) -> None:
    wanted = {
        "/base/authz#grants/contents:/team": "/base/authz#grants/contents%3A/team",
        "/base/lab/tree/RTC:12:30.ipynb": "/base/lab/tree/RTC%3A12%3A30.ipynb",
        "/base/tree?at=a:/b": "/base/tree?at=a%3A/b",
    }
    target, reached = next(iter(wanted.items()))
    assert reached == browser.sign_in("ada", next_url=target).location
    assert wanted == {target: onward(browser, target) for target in wanted}


def test_signing_in_leads_nowhere_else(house: House, browser: Browser) -> None:
    targets = (
        "//elsewhere.example:80/",
        "//:@elsewhere.example/base/",
        "/\t/elsewhere.example:80/",
        "/:///elsewhere.example/",
        "https:elsewhere.example",
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "///elsewhere.example",
        "https:///elsewhere.example",
        r"\\elsewhere.example",
        r"/\elsewhere.example",
        "javascript:alert(1)",
        "/elsewhere",
        # No address at all, and none that a header can hold.
        "//[::1",
        "/base/\x0bx",
    )
    for target in targets[:2]:
        assert "/base/" == browser.sign_in("ada", next_url=target).location
    assert dict.fromkeys(targets, "/base/") == {each: onward(browser, each) for each in targets}


def test_what_was_typed_is_shown_as_text_only(house: House, browser: Browser) -> None:
    answer = browser.sign_in('"><script>alert(1)</script>', next_url='/base/"><b>')
    assert "<script" not in answer.body
    assert "<b>" not in answer.body
    assert "&quot;&gt;&lt;script&gt;" in answer.body


def test_after_five_failures_one_has_to_wait_and_is_told_so(
    house: House, browser: Browser
) -> None:
    statuses = [browser.sign_in("ada", "wrong password").status for _ in range(5)]
    assert statuses == [401] * 5
    # The right password does not help meanwhile, or guessing would go on.
    answer = browser.sign_in("ada")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert answer.alert == "Too many failed attempts. Try again in 1 second."
    assert browser.login_cookie == ""
    assert len(house.records("login_failed")) == 5
    house.now += 1
    assert browser.sign_in("ada").status == 302


def test_somebody_else_need_not_wait(house: House, browser: Browser) -> None:
    for _ in range(6):
        browser.sign_in("nobody", "wrong password")
    assert browser.sign_in("ada").status == 302


def test_attempts_at_once_are_counted_at_once(house: House) -> None:
    statuses: list[int] = []

    def attempt(browser: Browser) -> None:
        statuses.append(browser.sign_in("ada", "wrong password").status)

    browsers = [house.browser() for _ in range(12)]
    for browser in browsers:
        browser.get("/base/login")
    threads = [threading.Thread(target=attempt, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 5 + [429] * 7


def test_the_session_is_kept_with_its_circumstances(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    (session,) = house.store.login_sessions("ada")
    assert (session.address, session.agent) == ("127.0.0.1", "a test")
    assert (session.created, session.expires) == (NOW, NOW + 14 * 24 * 3600)
    (record,) = house.records("login")
    assert (record["principal"], record["session"]) == ("user:ada", session.id)
    assert record["address"] == "127.0.0.1"


def test_no_record_holds_a_secret(house: House, browser: Browser) -> None:
    browser.sign_in("ada", "a wrong password")
    browser.sign_in("ada")
    kept = house.audit_file.read_text()
    assert "a wrong password" not in kept
    assert PASSWORD not in kept
    assert browser.cookies[browser.login_cookie] not in kept


def test_signing_in_again_replaces_the_session_of_the_browser(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    elsewhere = house.browser()
    elsewhere.sign_in("ada")
    browser.sign_in("bob", "another password")
    assert [s.person for s in house.store.login_sessions("bob")] == ["bob"]
    assert len(house.store.login_sessions("ada")) == 1
    assert (browser.me, elsewhere.me) == ("bob", "ada")


def test_a_person_who_is_disabled_while_the_password_is_checked_stays_out(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(hash_: str | None, password: object) -> bool:
        right = credentials.verify_password(hash_, password)
        house.store.set_disabled("ada", disabled=True)
        return right

    monkeypatch.setattr(password_module, "verify_password", verify)
    assert browser.sign_in("ada").status == 401
    assert house.store.login_sessions() == ()


def test_a_password_that_is_changed_while_it_is_checked_no_longer_holds(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(hash_: str | None, password: object) -> bool:
        right = credentials.verify_password(hash_, password)
        house.store.set_password_hash("ada", credentials.hash_password("a new password"))
        return right

    monkeypatch.setattr(password_module, "verify_password", verify)
    assert browser.sign_in("ada").status == 401


def test_an_old_hash_is_renewed_and_other_browsers_stay_signed_in(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = house.browser()
    elsewhere.sign_in("ada")
    before = house.store.password_hash("ada")
    monkeypatch.setattr(password_module, "needs_rehash", lambda _hash: True)
    assert browser.sign_in("ada").status == 302
    after = house.store.password_hash("ada")
    assert after is not None
    assert after != before
    assert credentials.verify_password(after, PASSWORD)
    assert elsewhere.me == "ada"


def test_a_store_out_of_reach_signs_nobody_in_and_counts_no_failure(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("the store is gone")

    browser.get("/base/login")
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "password_hash", fail)
        answers = [browser.sign_in("ada") for _ in range(7)]
    assert {answer.status for answer in answers} == {503}
    assert {answer.alert for answer in answers} == {
        "The server cannot reach its list of people. Try again in a moment."
    }
    assert browser.sign_in("ada").status == 302


def test_a_login_that_cannot_be_recorded_does_not_happen(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(house.point.audit, "write", fail)
    assert browser.sign_in("ada").status == 503
    assert browser.login_cookie == ""
    assert house.store.login_sessions() == ()
    # Nor is it recorded later.
    assert house.store.kept_acts(house.audit_file) == ()


def test_before_the_first_person_the_page_says_how_to_begin(empty_house: House) -> None:
    answer = empty_house.browser().get("/base/login")
    assert "open the set-up link" in answer.body


def test_the_form_can_be_used_with_a_password_manager_and_a_screen_reader(
    house: House, browser: Browser
) -> None:
    page = browser.get("/base/login").body
    for part in (
        '<html lang="en">',
        '<label for="username">',
        '<label for="password">',
        'autocomplete="username"',
        'autocomplete="current-password"',
        'name="viewport"',
        "prefers-color-scheme: dark",
    ):
        assert part in page
    assert "<script" not in page


def test_no_cache_keeps_the_page_and_no_frame_shows_it(house: House, browser: Browser) -> None:
    headers = browser.get("/base/login").headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_browser_with_a_dead_cookie_can_sign_in(house: House, browser: Browser) -> None:
    browser.cookies[f"username-127-0-0-1-{house.served.port}"] = "dead"
    browser.get("/base/login")
    browser.cookies[f"username-127-0-0-1-{house.served.port}"] = "dead"
    assert browser.sign_in("ada").status == 302
    assert browser.me == "ada"


def test_a_foreign_login_page_signs_nobody_in(house: House) -> None:
    nobody: Any = None
    assert house.served.provider.process_login_form(nobody) is None
