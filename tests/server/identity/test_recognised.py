from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from server.identity.house import NOW, PASSWORD, Browser, House, house_at
from tornado.web import create_signed_value

from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.server.identity import holder as holder_module
from jupyter_authorized_server.server.wiring import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOCKET = "/base/api/events/subscribe"


def test_api_me_answers_with_the_groups_and_the_display_name(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    assert browser.get("/base/api/me").json == {
        "identity": {
            "username": "ada",
            "name": "Ada L.",
            "display_name": "Ada L.",
            "initials": None,
            "avatar_url": None,
            "color": None,
            "groups": ["team"],
        },
        "permissions": {"updatable_fields": []},
    }


def test_nobody_can_rename_themselves(house: House, browser: Browser) -> None:
    browser.sign_in("bob", "another password")
    for fields in ('{"name": "ada"}', '{"display_name": "Ada L."}', '{"color": "red"}', '["x"]'):
        answer = browser.send(
            "PATCH",
            "/base/api/me",
            fields.encode(),
            {"X-XSRFToken": browser.cookies["_xsrf"], "Content-Type": "application/json"},
        )
        assert answer.status == 403, fields
        assert "nothing was changed" in answer.json["message"]
    assert browser.get("/base/api/me").json["identity"]["display_name"] == "bob"


def test_a_cookie_that_was_altered_in_any_place_names_nobody(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    name = browser.login_cookie
    value = browser.cookies[name]
    for place in range(1, len(value), 7):
        altered = value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]
        browser.cookies[name] = altered
        assert browser.me == "", place


@pytest.mark.parametrize(
    "value",
    ["", "x", "|||", "2|1:0|", "é", "\xff\xfe", "2|" * 20_000, "2|1:0|10:9999999999|1:x|4:abcd|x"],
    ids=lambda value: f"{value[:8]!a}:{len(value)}",
)
def test_a_malformed_cookie_names_nobody(house: House, browser: Browser, value: str) -> None:
    name = f"username-127-0-0-1-{house.served.port}"
    answer = browser.get("/base/api/me", Cookie=f"{name}={value}")
    assert answer.status == 403


@pytest.mark.parametrize(
    "value",
    [b'{"username": "ada"}', b"ada", b"\xff\xfe", b"", b"0123456789ab.", b"x" * 10_000],
    ids=lambda value: f"{value[:12]!r}",
)
def test_a_cookie_signed_for_something_else_names_nobody(
    house: House, browser: Browser, value: bytes
) -> None:
    name = f"username-127-0-0-1-{house.served.port}"
    secret = house.served.app.web_app.settings["cookie_secret"]
    cookie = create_signed_value(secret, name, value).decode()
    assert browser.get("/base/api/me", Cookie=f"{name}={cookie}").status == 403


def test_a_cookie_with_the_right_id_and_a_wrong_secret_names_nobody(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    (session,) = house.store.login_sessions("ada")
    other = new_secret().text
    forged = session.id + other[len(session.id) :]
    secret = house.served.app.web_app.settings["cookie_secret"]
    browser.cookies[browser.login_cookie] = create_signed_value(
        secret, browser.login_cookie, forged
    ).decode()
    assert browser.me == ""


def test_a_cookie_that_names_nobody_is_cleared_and_a_missing_one_sets_none(
    house: House, browser: Browser
) -> None:
    name = f"username-127-0-0-1-{house.served.port}"
    cleared = browser.get("/base/api/me", Cookie=f"{name}=x").headers.get_all("Set-Cookie", [])
    assert any(line.startswith(f'{name}="";') for line in cleared)
    assert not browser.get("/base/api/me").headers.get_all("Set-Cookie", [])


def test_recognising_somebody_sets_no_cookie(house: House, browser: Browser) -> None:
    token = house.add_token("ada").text
    answer = browser.get("/base/api/me", Authorization=f"token {token}")
    assert answer.json["identity"]["username"] == "ada"
    assert browser.login_cookie == ""


@pytest.mark.parametrize("scheme", ["token", "Token", "bearer", "BEARER"])
def test_a_token_names_its_person(house: House, browser: Browser, scheme: str) -> None:
    token = house.add_token("ada").text
    answer = browser.get("/base/api/me", Authorization=f"{scheme}  {token}")
    assert answer.json["identity"]["groups"] == ["team"]


def refused(house: House, browser: Browser, header: str) -> bool:
    return browser.get("/base/api/me", Authorization=header).status == 403


def test_a_token_that_is_no_token_names_nobody(house: House, browser: Browser) -> None:
    good = house.add_token("ada").text
    for text in (
        "",
        "x",
        good[:-1],
        good + "x",
        good.upper(),
        f"{good} {good}",
        f"{good},{good}",
        new_secret().text,
        "a-token-of-the-server",
        "\xff\xfe",
        "é" * 50,
        "x" * 60_000,
        PASSWORD,
        "' OR 1=1 --",
    ):
        assert refused(house, browser, f"token {text}"), text[:20]


def test_a_header_of_ten_megabytes_is_refused_and_the_server_goes_on(
    house: House, browser: Browser
) -> None:
    try:
        status = browser.get("/base/api/me", Authorization="token " + "x" * 10_000_000).status
    except OSError:
        status = 0  # the server hung up while it was being sent
    assert status != 200
    browser.sign_in("ada")
    assert browser.me == "ada"


def test_a_bad_token_is_not_made_good_by_a_cookie(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    for header in ("token", "token ", "bearer x", f"Bearer {new_secret().text}", "token\tx"):
        assert refused(house, browser, header), header
    # And the cookie is not lost over it.
    assert browser.me == "ada"


def test_another_scheme_says_nothing_and_the_cookie_decides(
    house: House, browser: Browser
) -> None:
    token = house.add_token("bob").text
    assert refused(house, browser, f"Basic {token}")
    browser.sign_in("ada")
    answer = browser.get("/base/api/me", Authorization="Basic YTpi")
    assert answer.json["identity"]["username"] == "ada"


def test_a_token_goes_before_the_cookie(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    token = house.add_token("bob").text
    answer = browser.get("/base/api/me", Authorization=f"token {token}")
    assert answer.json["identity"]["username"] == "bob"


def test_a_token_ends_at_its_time(house: House, browser: Browser) -> None:
    token = house.add_token("ada", expires=NOW + 10).text
    assert not refused(house, browser, f"token {token}")
    house.now = NOW + 10
    assert refused(house, browser, f"token {token}")


def remove(house: House) -> None:
    house.store.remove_person("ada")


def disable(house: House) -> None:
    house.store.set_disabled("ada", disabled=True)


def take_away(house: House) -> None:
    for token in house.store.tokens("ada"):
        house.store.remove_token(token.id)
    house.store.end_login_sessions("ada")


@pytest.mark.parametrize("change", [remove, disable, take_away])
def test_what_is_taken_away_elsewhere_holds_here_after_the_next_look(
    house: House, browser: Browser, change: Callable[[House], None]
) -> None:
    header = f"token {house.add_token('ada').text}"
    browser.sign_in("ada")
    assert not refused(house, browser, header)
    assert browser.me == "ada"
    change(house)
    house.refresh()
    assert refused(house, browser, header)
    assert browser.me == ""


def test_a_token_spares_scripts_the_xsrf_field(house: House, browser: Browser) -> None:
    token = house.add_token("ada").text
    model = b'{"type": "file", "format": "text", "content": "x"}'
    headers = {"Authorization": f"token {token}"}
    assert browser.send("PUT", "/base/api/contents/a.txt", model, headers).status in {200, 201}
    browser.sign_in("ada")
    assert browser.send("PUT", "/base/api/contents/a.txt", model).status == 403


def test_a_token_in_the_address_counts_in_a_handshake_only(house: House, browser: Browser) -> None:
    token = house.add_token("ada").text
    assert browser.get(f"/base/api/me?token={token}").status == 403
    assert browser.handshake(f"{SOCKET}?token={token}").status == 101
    assert browser.handshake(SOCKET, Authorization=f"token {token}").status == 101
    assert browser.handshake(SOCKET).status == 403
    assert browser.handshake(f"{SOCKET}?token={new_secret().text}").status == 403
    assert browser.handshake(f"{SOCKET}?token=%ff%fe").status == 403


def test_a_handshake_with_a_bad_token_is_not_made_good_by_a_cookie(
    house: House, browser: Browser
) -> None:
    browser.sign_in("ada")
    assert browser.handshake(SOCKET).status == 101
    assert browser.handshake(f"{SOCKET}?token=").status == 101
    assert browser.handshake(f"{SOCKET}?token=x").status == 403
    # An upgrade that is none does not open the other way.
    token = house.add_token("bob").text
    assert browser.get(f"/base/api/me?token={token}").json["identity"]["username"] == "ada"


def test_a_bad_cookie_in_a_handshake_is_refused_and_not_an_error(
    house: House, browser: Browser
) -> None:
    name = f"username-127-0-0-1-{house.served.port}"
    answer = browser.handshake(SOCKET, Cookie=f"{name}=x")
    assert answer.status == 403
    assert not any(line.startswith(name) for line in answer.headers.get_all("Set-Cookie", []))


def test_a_session_ends_at_its_time(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    house.now = NOW + 14 * 24 * 3600 - 1
    assert browser.me == "ada"
    house.now += 1
    assert browser.me == ""


def counted(house: House, patch: pytest.MonkeyPatch, *names: str) -> list[str]:
    calls: list[str] = []
    for name in names:
        real = getattr(house.store, name)

        def call(*given: Any, _name: str = name, _real: Any = real, **named: Any) -> Any:
            calls.append(_name)
            return _real(*given, **named)

        patch.setattr(house.store, name, call)
    return calls


def test_a_request_asks_the_store_only_after_a_change(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = house.add_token("ada")
    browser.sign_in("ada")
    calls = counted(house, monkeypatch, "token", "login_session")
    for _ in range(3):
        assert browser.me == "ada"
        assert not refused(house, browser, f"token {token.text}")
    # Who holds the token, and what it reaches.
    assert calls == ["login_session", "token", "token"]
    house.store.add_group("another", now=NOW)
    house.refresh()
    assert browser.me == "ada"
    assert calls == ["login_session", "token", "token", "login_session"]


def noted(house: House) -> None:
    """Wait for what is written down beside the requests."""
    holders = house.served.provider._holders
    assert holders is not None
    holders.notes.wait()


def test_use_is_noted_at_most_once_a_minute(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = house.add_token("ada")
    browser.sign_in("ada")
    revision = house.store.revision()
    calls = counted(house, monkeypatch, "touch_token", "touch_login_session")
    for second in (1, 30, 59, 60, 61, 119, 120):
        house.now = NOW + second
        assert browser.me == "ada"
        assert not refused(house, browser, f"token {token.text}")
        noted(house)
    assert calls.count("touch_login_session") == 2  # at 60 and 120
    assert calls.count("touch_token") == 2  # at 1 and 61
    assert house.store.login_sessions("ada")[0].last_seen == NOW + 120
    assert house.store.tokens("ada")[0].last_used == NOW + 61
    assert house.store.revision() == revision


def fail(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable("the store is gone")


def test_that_use_cannot_be_noted_refuses_nobody(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in("ada")
    monkeypatch.setattr(house.store, "touch_login_session", fail)
    house.now += 100
    assert browser.me == "ada"
    noted(house)
    assert browser.me == "ada"


def test_without_the_store_nobody_is_recognised_and_no_cookie_is_lost(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in("ada")
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "login_session", fail)
        assert browser.me == ""
    assert browser.me == "ada"


def test_a_server_that_is_not_wired_recognises_nobody(house: House, browser: Browser) -> None:
    browser.sign_in("ada")
    settings = house.served.app.web_app.settings
    wired = settings.pop(KEY)
    assert browser.me == ""
    settings[KEY] = wired
    assert browser.me == "ada"


def test_another_store_knows_nobody_of_this_one(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    browser.sign_in("ada")
    settings = house.served.app.web_app.settings
    wired = settings[KEY]
    (tmp_path / "other").mkdir()
    with house_at(house.served, tmp_path / "other") as other:
        assert browser.me == ""
        assert other.browser().sign_in("ada").status == 302
    settings[KEY] = wired


def test_memory_of_sessions_and_tokens_is_bounded(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_module, "MOST", 5)
    tokens = [house.add_token("ada").text for _ in range(12)]
    for token in tokens:
        assert not refused(house, browser, f"token {token}")
    holders = house.served.provider._holders
    assert holders is not None
    assert len(holders) <= 5


def test_the_server_has_no_token_of_its_own(house: House, browser: Browser) -> None:
    app = house.served.app
    provider = house.served.provider
    assert (provider.token, provider.token_generated, provider.need_token) == ("", False, False)
    assert app.web_app.settings["token"] == ""
    provider.token = "set-while-running"
    assert provider.token == ""
    assert "token" not in app.display_url
    assert refused(house, browser, "token a-token-of-the-server")


def test_no_page_holds_the_token_of_the_environment(house: House, browser: Browser) -> None:
    before = [browser.get("/base/login"), browser.get("/base/nothing-here")]
    browser.sign_in("ada")
    after = [
        browser.get("/base/nothing-here"),
        browser.get("/base/logout"),
        browser.post("/base/login", {}, xsrf=False),
        browser.get("/base/authz/password"),
    ]
    assert [answer.status for answer in before + after] == [200, 404, 404, 200, 403, 302]
    for answer in before + after:
        assert "a-token-of-the-server" not in answer.body
