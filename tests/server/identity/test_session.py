from __future__ import annotations

from typing import Any

import pytest
from server.identity.house import PASSWORD, Browser, House

from jupyter_authorized_server.account import Account
from jupyter_authorized_server.errors import StoreUnavailable

NEW = "a new password"


def gone(*_: object, **__: object) -> None:
    raise StoreUnavailable("the store is gone")


def change(browser: Browser, old: str = PASSWORD, new: str = NEW, again: str | None = None) -> Any:
    fields = {"old_password": old, "password": new, "repeated": new if again is None else again}
    return browser.post("/base/authz/password", fields)


def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    kept = dict(browser.cookies)
    elsewhere = house.browser()
    elsewhere.sign_in("ada")
    answer = browser.get("/base/logout")
    assert (answer.status, browser.login_cookie) == (200, "")
    assert 'href="/base/login"' in answer.body
    browser.cookies = kept
    assert browser.me == ""
    assert elsewhere.me == "ada"
    (record,) = house.records("logout")
    assert (record["principal"], record["everywhere"]) == ("user:ada", False)


def test_an_image_in_a_document_signs_nobody_out(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    for headers in ({"Sec-Fetch-Dest": "image"}, {"Accept": "image/avif,image/webp,*/*;q=0.8"}):
        shown = browser.get("/base/logout", **headers)
        assert (shown.status, browser.me) == (403, "ada")
    # Also where the pages are shown in a frame of another one.
    left = browser.get("/base/logout", **{"Sec-Fetch-Dest": "iframe"})
    assert (left.status, browser.me) == (200, "")


def test_signing_out_by_post_needs_the_xsrf_field(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    assert browser.post("/base/logout", {}, xsrf=False).status == 403
    assert browser.me == "ada"
    assert browser.post("/base/logout", {}).status == 200
    assert browser.me == ""


def test_signing_out_everywhere_ends_all_sessions_of_the_person_only(
    house: House, browser: Browser
) -> None:
    browsers = [browser, house.browser(), house.browser()]
    for one in browsers:
        one.sign_in("ada")
    bob = house.browser()
    bob.sign_in("bob", "another password")
    # A link is not enough: only this browser's session ends by one.
    browsers[2].get("/base/logout?everywhere=1")
    assert [one.me for one in browsers] == ["ada", "ada", ""]
    browser.post("/base/logout", {"everywhere": "1"})
    assert [one.me for one in browsers] == ["", "", ""]
    assert bob.me == "bob"


def test_signing_out_without_being_signed_in_is_no_mistake(house: House, browser: Browser) -> None:
    assert browser.get("/base/logout").status == 200
    assert house.records("logout") == []


def test_a_token_cannot_end_a_browsers_session(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    header = f"token {house.add_token('ada').text}"
    assert house.browser().get("/base/logout", Authorization=header).status == 200
    assert browser.me == "ada"


def test_a_session_that_could_not_be_ended_is_said_to_go_on(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in("ada")
    monkeypatch.setattr(house.store, "end_login_session", gone)
    answer = browser.get("/base/logout")
    assert answer.status == 503
    assert "could not end" in answer.alert
    assert browser.login_cookie == ""


def test_a_session_ended_by_an_administrator_ends(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    assert browser.me == "ada"
    (session,) = house.store.login_sessions("ada")
    house.store.end_login_session(session.id)
    house.refresh()
    assert browser.me == ""


def test_a_changed_password_ends_every_session_and_signs_this_browser_in_anew(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    before = dict(browser.cookies)
    elsewhere = house.browser()
    elsewhere.sign_in("ada")
    answer = change(browser)
    assert answer.status == 200
    assert "Password changed" in answer.body
    assert (browser.me, elsewhere.me) == ("ada", "")
    elsewhere.cookies = before
    assert elsewhere.me == ""
    assert len(house.store.login_sessions("ada")) == 1
    assert house.browser().sign_in("ada").status == 401
    assert house.browser().sign_in("ada", NEW).status == 302
    (record,) = house.records("password_set")
    assert record["principal"] == "user:ada"


def test_the_old_password_is_asked_for_and_guessing_it_is_slowed_down(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    answers = [change(browser, old="a wrong one") for _ in range(6)]
    assert [answer.status for answer in answers] == [403] * 5 + [429]
    assert answers[0].alert == "The old password is wrong."
    assert change(browser).status == 429
    assert browser.me == "ada"
    assert len(house.records("login_failed")) == 5


@pytest.mark.parametrize(
    ("new", "again", "alert"),
    [
        ("short", "short", "The password is too short; use at least 8 characters."),
        ("x" * 1025, "x" * 1025, "The password is too long; use at most 1024 characters."),
        (NEW, "a newer password", "The two passwords differ; type the same one twice."),
        ("nul\0nul\0nul", "nul\0nul\0nul", None),
    ],
    ids=["short", "long", "different", "nul"],
)
def test_a_new_password_that_breaks_a_rule_changes_nothing(
    house: House, browser: Browser, new: str, again: str, alert: str | None
) -> None:
    browser.sign_in("ada")
    answer = change(browser, new=new, again=again)
    assert answer.status == 400
    if alert is not None:
        assert answer.alert == alert
    assert house.browser().sign_in("ada").status == 302
    assert browser.me == "ada"


def test_whoever_is_not_signed_in_is_sent_to_do_so(house: House, browser: Browser) -> None:
    answer = browser.get("/base/authz/password")
    assert answer.status == 302
    assert answer.location.startswith("/base/login?next=")
    assert change(browser).status == 403


def test_a_token_cannot_change_a_password(house: House, browser: Browser) -> None:
    header = f"token {house.add_token('ada').text}"
    assert browser.get("/base/authz/password", Authorization=header).status == 403
    body = f"old_password={PASSWORD}&password={NEW}&repeated={NEW}".replace(" ", "+").encode()
    headers = {"Authorization": header, "Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.send("POST", "/base/authz/password", body, headers)
    assert answer.status == 403
    assert house.browser().sign_in("ada").status == 302


def test_changing_a_password_needs_the_xsrf_field(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    fields = {"old_password": PASSWORD, "password": NEW, "repeated": NEW}
    assert browser.post("/base/authz/password", fields, xsrf=False).status == 403
    assert house.browser().sign_in("ada").status == 302


def test_an_unrecordable_change_does_not_happen(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space left on device")

    browser.sign_in("ada")
    with monkeypatch.context() as patch:
        patch.setattr(house.point.audit, "write", fail)
        assert change(browser).status == 503
    assert house.browser().sign_in("ada").status == 302


def test_a_new_password_and_its_record_are_one_change(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting() -> set[Any]:
        return {each.record["kind"] for each in house.store.kept_acts(house.audit_file)}

    browser.sign_in("ada")
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "set_password_hash", gone)
        assert change(browser).status == 503
    # Neither; and whoever tried it is signed in still.
    assert ("ada", False) == (browser.me, "password_set" in waiting())
    with monkeypatch.context() as patch:
        patch.setattr(Account, "settle", lambda *_, **__: None)  # As where somebody kills it then.
        assert change(browser).status == 200
    assert ([], True) == (house.records("password_set"), "password_set" in waiting())
    assert house.browser().sign_in("ada", NEW).status == 302


def test_any_character_of_a_password_counts_as_it_was_typed(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    odd = "\t två  ord\u200b \x07 "
    assert change(browser, new=odd).status == 200
    assert house.browser().sign_in("ada", odd.strip()).status == 401
    assert house.browser().sign_in("ada", odd).status == 302
