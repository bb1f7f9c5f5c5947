"""Looking around as another person: what both may read, told, recorded, and nothing changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from serving import Answer, Serving, give_password, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = {
    "rules.cedar": '@id("adam-is-kept-out") forbid(principal == Jupyter::User::"adam", action,'
    ' resource in Jupyter::Folder::"/private");'
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("views")
    for name in ("team", "private", "secret"):
        (folder / "root" / name).mkdir(parents=True)
        (folder / "root" / name / "a.txt").write_text(name)
    people: dict[str, Any] = {
        "adam": "admin",
        "amy": "admin",
        "mia": "manager",
        "vera": [("editor", "contents:/team"), ("viewer", "contents:/private")],
        "olga": None,
    }
    with serving(folder, people=people, policy=RULES) as running:
        give_password(folder, "adam")
        yield running


def begin(server: Serving, who: str = "adam", principal: str = "user:vera", **more: Any) -> Answer:
    body = {"principal": principal, **more}
    return server.request("POST", "/api/authz/views", who, json_body=body)


@pytest.fixture
def view(server: Serving) -> Iterator[str]:
    answer = begin(server, note="she says she sees nothing")
    assert 201 == answer.status, answer.text
    yield answer.json["id"]
    server.request("DELETE", f"/api/authz/views/{answer.json['id']}", "adam")


def look(
    server: Serving, view: str, path: str, method: str = "GET", who: str = "adam", **more: Any
) -> Answer:
    return server.request(method, path, who, headers={"X-Jupyter-View-As": view}, **more)


def names(answer: Answer) -> list[str]:
    return sorted(each["name"] for each in answer.json["content"])


def test_a_view_shows_what_the_other_sees(server: Serving, view: str) -> None:
    assert ["private", "secret", "team"] == names(server.request("GET", "/api/contents", "amy"))
    assert ["team"] == names(look(server, view, "/api/contents"))
    assert "team" == look(server, view, "/api/contents/team/a.txt").json["content"]
    assert 404 == look(server, view, "/api/contents/secret/a.txt").status
    assert 404 == look(server, view, "/files/secret/a.txt").status
    assert "vera" == look(server, view, "/api/me").json["identity"]["username"]
    me = look(server, view, "/api/authz/me?resource=contents:/team/a.txt").json
    assert ("user:vera", "user:adam") == (me["principal"]["name"], me["principal"]["viewer"])
    assert not me["abilities"]["administer"]
    assert "viewer" == me["resources"]["contents:/team/a.txt"]["level"]


def test_a_view_shows_nothing_that_the_viewer_may_not_see(server: Serving, view: str) -> None:
    assert 200 == server.request("GET", "/api/contents/private/a.txt", "vera").status
    assert 404 == look(server, view, "/api/contents/private/a.txt").status
    assert 404 == look(server, view, "/files/private/a.txt").status
    assert 404 == look(server, view, "/api/contents/private/a.txt/checkpoints").status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/contents/team/a.txt", {"type": "file", "format": "text", "content": "x"}),
        ("POST", "/api/contents/team", {"type": "file"}),
        ("PATCH", "/api/contents/team/a.txt", {"path": "team/b.txt"}),
        ("DELETE", "/api/contents/team/a.txt", None),
        ("POST", "/api/contents/team/a.txt/checkpoints", None),
        ("POST", "/api/kernels", {}),
        ("POST", "/api/sessions", {"path": "team/a.ipynb", "type": "notebook", "name": "a"}),
        ("POST", "/api/authz/tokens", {"name": "hers"}),
        ("POST", "/api/authz/requests", {"level": "manager", "resource": "contents:/team"}),
        ("POST", "/api/authz/links/redeem", {"secret": "x"}),
        ("POST", "/authz/password", None),
        ("POST", "/api/shutdown", None),
        ("PATCH", "/api/me", {"display_name": "x"}),
    ],
)
def test_a_view_changes_nothing(
    server: Serving, view: str, method: str, path: str, body: object
) -> None:
    answer = look(server, view, path, method, json_body=body)
    assert 403 == answer.status, answer.text
    assert "team" == (server.root / "team" / "a.txt").read_text()


def test_a_view_opens_no_socket(server: Serving, view: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/api/events/subscribe",
            header=[f"Authorization: token {server.tokens['adam']}", f"X-Jupyter-View-As: {view}"],
        )
    assert 403 == refused.value.status_code


def test_a_view_answers_questions(server: Serving, view: str) -> None:
    asked = {"requests": [{"action": "save", "resource": "contents:/team/a.txt"}]}
    answer = look(server, view, "/api/authz/check", "POST", json_body=asked)
    assert [False] == [each["allowed"] for each in answer.json["decisions"]]


@pytest.mark.parametrize("who", ["mia", "vera", "olga"])
def test_whoever_has_not_the_right_views_nobody(server: Serving, view: str, who: str) -> None:
    assert 403 == begin(server, who, "user:adam").status
    # Nor with the view of somebody who has it.
    assert 403 == look(server, view, "/api/contents", who=who).status
    assert 404 == server.request("DELETE", f"/api/authz/views/{view}", who).status


def test_another_administrator_s_view_is_not_one_s_own(server: Serving, view: str) -> None:
    assert 403 == look(server, view, "/api/contents", who="amy").status
    assert 404 == server.request("DELETE", f"/api/authz/views/{view}", "amy").status


def test_a_view_ends_with_the_right_to_it(server: Serving) -> None:
    with server.store() as store:
        store.add_person("ivo", now=time.time())
        given = store.add_grant(
            principal="user:amy", level="viewer", resource="contents:/team",
            now=time.time(), granted_by="os:test",
        )  # fmt: skip
        own = next(g for g in store.state().grants if g.principal == "user:amy" and g != given)
    view = begin(server, "amy").json["id"]
    assert 200 == look(server, view, "/api/contents/team/a.txt", who="amy").status
    gone = server.request("DELETE", f"/api/authz/grants/{own.id}", "adam")
    assert 200 == gone.status, gone.text
    assert 403 == look(server, view, "/api/contents/team/a.txt", who="amy").status
    # It can be ended, and whoever it is shown to is themselves again.
    assert 200 == server.request("DELETE", f"/api/authz/views/{view}", "amy").status
    assert 200 == server.request("GET", "/api/contents/team/a.txt", "amy").status
    with server.store() as store:
        store.add_grant(
            principal="user:amy", level="admin", resource="server:",
            now=time.time(), granted_by="os:test",
        )  # fmt: skip
    until = time.monotonic() + 60
    while server.request("GET", "/api/authz/policy", "amy").status != 200:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_the_other_person_is_told(server: Serving, view: str) -> None:
    seen = server.request("GET", "/api/authz/me", "vera").json["viewed_by"]
    assert ["user:adam"] == [each["viewer"] for each in seen]
    assert [] == server.request("GET", "/api/authz/me", "olga").json["viewed_by"]
    told = server.request("GET", "/api/authz/views", "vera").json["items"]
    mine = [each for each in told if not each["over"]]
    assert [("user:adam", None)] == [(each["viewer"], each["id"]) for each in mine]
    assert view not in server.request("GET", "/api/authz/views", "vera").text
    assert [] == server.request("GET", "/api/authz/views", "olga").json["items"]
    records = server.request("GET", "/api/authz/audit?kind=view_began", "vera").json["items"]
    assert ("user:adam", "user:vera") == (records[0]["principal"], records[0]["viewed"])
    assert [] == server.request("GET", "/api/authz/audit?kind=view_began", "olga").json["items"]


def test_what_is_refused_in_a_view_is_recorded_of_whoever_looks(
    server: Serving, view: str
) -> None:
    look(server, view, "/api/authz/policy")
    record = [each for each in server.audit if "/api/authz/policy" in each.get("request", "")][-1]
    assert ("user:vera", "user:adam") == (record["principal"], record["viewer"])
    look(server, view, "/api/contents/team/a.txt", "DELETE")
    assert "user:adam" == server.audit[-1]["principal"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"principal": "user:adam"}, 400),
        ({"principal": "group:team"}, 400),
        ({"principal": "everyone"}, 400),
        ({"principal": "user:nobody"}, 404),
        ({"principal": "user:vera", "ends": "2001-01-01T00:00:00Z"}, 400),
        ({"principal": "user:vera", "ends": "2999-01-01T00:00:00Z"}, 400),
        ({}, 400),
    ],
)
def test_a_bad_view_is_refused(server: Serving, body: dict[str, Any], status: int) -> None:
    answer = server.request("POST", "/api/authz/views", "adam", json_body=body)
    assert status == answer.status, answer.text


@pytest.mark.parametrize("view", ["", "x", "current", "../x"])
def test_a_view_that_is_none_shows_nothing_and_not_oneself(server: Serving, view: str) -> None:
    assert 403 == look(server, view, "/api/contents").status


def test_a_browser_looks_around_with_a_cookie_until_it_ends_the_view(server: Serving) -> None:
    made = begin(server, browser=True)
    cookie = made.headers["Set-Cookie"].partition(";")[0]
    assert "HttpOnly" in made.headers["Set-Cookie"]
    seen = server.request("GET", "/api/contents", "adam", headers={"Cookie": cookie})
    assert ["team"] == names(seen)
    ended = server.request(
        "DELETE", "/api/authz/views/current", "adam", headers={"Cookie": cookie}
    )
    assert 200 == ended.status, ended.text
    assert '=""' in ended.headers["Set-Cookie"]
    # A page that did not notice is told once, and does not act as somebody else.
    late = server.request("GET", "/api/contents", "adam", headers={"Cookie": cookie})
    assert (403, True) == (late.status, '=""' in late.headers["Set-Cookie"])


def test_nobody_has_many_views_at_once(server: Serving) -> None:
    views = [begin(server) for _ in range(4)]
    assert [201] * 4 == [each.status for each in views]
    assert 409 == begin(server).status
    for each in views:
        server.request("DELETE", f"/api/authz/views/{each.json['id']}", "adam")
