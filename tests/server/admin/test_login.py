"""Where one is signed in: seen by oneself, ended by oneself or an administrator."""

from __future__ import annotations

import json
import urllib.request
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from serving import PASSWORD, Serving, give_password, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


class Browser:
    """Keeps cookies; sends the one against forged requests back."""

    def __init__(self, server: Serving, who: str) -> None:
        self.url = server.url
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.opener.addheaders = [("User-Agent", "a browser <b>of the tests</b>")]
        self.ask("GET", "login")
        form = {"username": who, "password": PASSWORD, "_xsrf": self.cookie("_xsrf")}
        assert 200 == self.ask("POST", "login", urlencode(form).encode())[0]

    def cookie(self, name: str) -> str:
        return next((each.value or "" for each in self.jar if each.name == name), "")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        headers = {"X-XSRFToken": self.cookie("_xsrf")}
        asked = urllib.request.Request(  # noqa: S310  # why: a server of the test
            self.url + path, body, headers, method=method
        )
        try:
            with self.opener.open(asked, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return status, json.loads(text) if path.startswith("api/") else text

    def logins(self) -> list[dict[str, Any]]:
        status, found = self.ask("GET", "api/authz/logins")
        assert 200 == status
        items: list[dict[str, Any]] = found["items"]
        return items


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    people: dict[str, Any] = {
        "adam": "admin",
        "vera": "viewer",
        "rune": "runner",
        "tom": "viewer",
        "olga": None,
    }
    folder = tmp_path_factory.mktemp("logins")
    with serving(folder, people=people) as running:
        for who in people:
            give_password(folder, who)
        yield running


def test_one_sees_where_one_is_signed_in_and_ends_that_elsewhere(server: Serving) -> None:
    here, there = Browser(server, "vera"), Browser(server, "vera")
    found = here.logins()
    assert [False, True] == [each["current"] for each in found]
    assert {"127.0.0.1"} == {each["address"] for each in found}
    assert {"a browser <b>of the tests</b>"} == {each["agent"] for each in found}
    assert [True, False] == [each["current"] for each in there.logins()]
    secrets = [each.value or "" for each in here.jar if each.name != "_xsrf"]
    assert secrets
    assert not [each for each in secrets if each in json.dumps(found)]
    assert 200 == here.ask("DELETE", f"api/authz/logins/{found[0]['id']}")[0]
    assert 403 == there.ask("GET", "api/authz/logins")[0]
    assert [True] == [each["current"] for each in here.logins()]
    ended = [each for each in server.audit if each["kind"] == "sessions_ended"]
    assert ["user:vera"] == [
        each["principal"] for each in ended if found[0]["id"] == each["session"]
    ]


def test_nobody_sees_or_ends_another_s_but_an_administrator_ends_any(server: Serving) -> None:
    rune = Browser(server, "rune")
    [mine] = rune.logins()
    other = Browser(server, "olga")
    assert mine["id"] not in {each["id"] for each in other.logins()}
    path = f"api/authz/logins/{mine['id']}"
    missing = other.ask("DELETE", "api/authz/logins/0123456789abcdef")
    refused = other.ask("DELETE", path)
    assert (404, missing[1]["message"]) == (refused[0], refused[1]["message"])
    assert [mine["id"]] == [each["id"] for each in rune.logins()]
    assert 200 == server.request("DELETE", f"/{path}", "adam").status
    assert 403 == rune.ask("GET", "api/authz/logins")[0]


def test_a_token_s_holder_is_signed_in_nowhere_and_one_with_a_scope_ends_nothing(
    server: Serving,
) -> None:
    tom = Browser(server, "tom")
    [mine, *_] = tom.logins()
    seen = server.request("GET", "/api/authz/logins", "tom").json["items"]
    assert not [each for each in seen if each["current"]]
    scope = [{"level": "viewer", "resource": "server:"}]
    body = {"name": "agent", "scope": scope}
    made = server.request("POST", "/api/authz/tokens", "tom", json_body=body)
    server.tokens["agent"] = made.json["secret"]
    path = f"/api/authz/logins/{mine['id']}"
    assert 403 == server.request("DELETE", path, "agent").status
    assert mine["id"] in {each["id"] for each in tom.logins()}
