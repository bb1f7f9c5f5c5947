from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from jupyter_server.log import _scrub_uri
from server.identity.house import NOW, PASSWORD, Answer, Browser, House

from jupyter_authorized_server.server.identity import setup_url

BASE = "http://127.0.0.1:8888/base/"


def link(house: House) -> str:
    url = setup_url(house.point, BASE, now=house.now)
    assert url is not None
    return url.removeprefix("http://127.0.0.1:8888")


def complete(browser: Browser, path: str, **fields: str) -> Answer:
    return browser.post(
        "/base/authz/setup",
        {
            "token": path.partition("token=")[2],
            "username": "ada",
            "display_name": "Ada L.",
            "password": PASSWORD,
            "repeated": PASSWORD,
            **fields,
        },
    )


def test_the_link_makes_the_first_administrator_and_signs_them_in(empty_house: House) -> None:
    browser = empty_house.browser()
    path = link(empty_house)
    page = browser.get(path)
    assert page.status == 200
    assert 'autocomplete="new-password"' in page.body
    answer = complete(browser, path)
    assert (answer.status, answer.location) == (302, "/base/")
    assert browser.get("/base/api/me").json["identity"]["display_name"] == "Ada L."
    (grant,) = empty_house.store.state().grants
    assert (grant.principal, grant.level, grant.resource) == ("user:ada", "admin", "server:")
    assert [r["principal"] for r in empty_house.records("setup")] == ["user:ada"]
    assert len(empty_house.records("login")) == 1


def test_whoever_cannot_be_signed_in_yet_is_made_all_the_same(
    empty_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    path, browser = link(empty_house), empty_house.browser()
    with monkeypatch.context() as patch:
        patch.setattr(empty_house.point.audit, "write", fail)
        answer = complete(browser, path)
    assert (302, "/base/", "") == (answer.status, answer.location, browser.me)
    (waiting,) = empty_house.store.kept_acts(empty_house.audit_file)
    assert "setup" == waiting.record["kind"]
    assert 302 == browser.sign_in("ada").status


def test_the_link_works_once(empty_house: House) -> None:
    path = link(empty_house)
    complete(empty_house.browser(), path)
    other = empty_house.browser()
    for answer in (other.get(path), complete(other, path, username="eve")):
        assert answer.status == 404
        assert "restart the server" in answer.alert
    assert [person.name for person in empty_house.store.state().people] == ["ada"]


def test_of_two_who_complete_at_once_one_wins(empty_house: House) -> None:
    path = link(empty_house)
    answers: list[tuple[int, str]] = []

    def go(browser: Browser, name: str) -> None:
        answers.append((complete(browser, path, username=name).status, name))

    browsers = [empty_house.browser() for _ in range(4)]
    for browser in browsers:
        browser.get(path)
    threads = [
        threading.Thread(target=go, args=(browser, f"person{n}"))
        for n, browser in enumerate(browsers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [302, 404, 404, 404]
    (winner,) = (name for status, name in answers if status == 302)
    assert [person.name for person in empty_house.store.state().people] == [winner]


def test_the_link_holds_for_a_day(empty_house: House) -> None:
    path = link(empty_house)
    empty_house.now = NOW + 24 * 3600 - 1
    assert empty_house.browser().get(path).status == 200
    empty_house.now = NOW + 24 * 3600
    assert empty_house.browser().get(path).status == 404
    assert complete(empty_house.browser(), path).status == 404
    assert empty_house.store.state().people == ()


def test_a_new_link_takes_the_place_of_the_last_one(empty_house: House) -> None:
    first, second = link(empty_house), link(empty_house)
    assert empty_house.browser().get(first).status == 404
    assert empty_house.browser().get(second).status == 200


@pytest.mark.parametrize(
    "token",
    ["", "x", f"0123456789ab.{'x' * 43}", "%ff%fe", "x" * 10_000],
    ids=lambda t: f"{t[:5]}:{len(t)}",
)
def test_a_wrong_link_opens_nothing(empty_house: House, token: str) -> None:
    link(empty_house)
    browser = empty_house.browser()
    assert browser.get(f"/base/authz/setup?token={token}").status in {400, 404}
    assert complete(browser, f"token={token}").status == 404
    assert empty_house.store.state().people == ()


def test_there_is_no_link_once_there_is_a_person(house: House) -> None:
    assert setup_url(house.point, BASE) is None
    assert house.store.setup_link() is None


def test_a_link_made_before_the_first_person_was_added_opens_nothing_after(
    empty_house: House,
) -> None:
    path = link(empty_house)
    empty_house.add_person("bob")
    assert complete(empty_house.browser(), path).status == 404


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("username", "a/b", "slash"),
        ("username", "", "empty"),
        ("username", " ada", "white space"),
        ("username", "a\u202eda", "unseen character"),
        ("username", "a" * 129, "129 characters"),
        ("display_name", "x\u202ey", "U+202E"),
        ("password", "short", "too short"),
        ("repeated", "something else", "differ"),
    ],
)
def test_a_bad_field_is_named_and_can_be_mended(
    empty_house: House, field: str, value: str, word: str
) -> None:
    browser = empty_house.browser()
    path = link(empty_house)
    answer = complete(browser, path, **{field: value})
    assert answer.status == 400
    assert word in answer.alert
    assert PASSWORD not in answer.body
    assert empty_house.store.state().people == ()
    assert complete(browser, path).status == 302


def test_setting_up_needs_the_xsrf_field(empty_house: House) -> None:
    path = link(empty_house)
    browser = empty_house.browser()
    browser.get(path)
    fields = {"token": path.partition("token=")[2], "username": "ada", "password": PASSWORD}
    assert browser.post("/base/authz/setup", fields, xsrf=False).status == 403
    assert empty_house.store.state().people == ()


def test_the_secret_of_the_link_reaches_no_log_record_or_other_site(
    empty_house: House, caplog: pytest.LogCaptureFixture
) -> None:
    path = link(empty_house)
    secret = path.partition("token=")[2]
    assert secret not in _scrub_uri(path)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "tornado.application"):
        browser = empty_house.browser()
        page = browser.get(path)
        headers = {"Referer": f"http://127.0.0.1{path}"}
        browser.get("/base/nothing-here", **headers)
        complete(browser, path, username="a/b")
        complete(browser, path)
        browser.get(path)
    assert "/base/authz/setup" in caplog.text
    assert secret not in caplog.text
    assert secret not in empty_house.audit_file.read_text()
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_the_store_keeps_no_secret(empty_house: House) -> None:
    secret = link(empty_house).partition("token=")[2]
    found: Any = empty_house.store.setup_link()
    assert found is not None
    assert secret not in found[0]
