"""Tokens with a scope, links, requests for access, and what tells pages of changes."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from serving import Answer, Serving, give_password, serving

from jupyter_authorized_server.store import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("sharing")
    for name in ("team/sub/deep", "team/other", "secret", "mine"):
        (folder / "root" / name).mkdir(parents=True)
    for name in ("team/a.txt", "team/sub/b.txt", "team/sub/deep/c.txt", "secret/d.txt"):
        (folder / "root" / name).write_text(name)
    people: dict[str, Any] = {
        "adam": "admin",
        "mia": [("manager", "contents:/team"), ("runner", "kernelspecs:python3")],
        "ed": [("editor", "contents:/team")],
        "vera": [("viewer", "contents:/team")],
        "olga": None,
        "pia": None,
    }
    (folder / "root" / "team" / "away").symlink_to(folder / "root" / "secret")
    for name in ("secret/out", "team/out"):
        (folder / "root" / name).symlink_to(folder)
    with serving(folder, people=people) as running:
        give_password(folder, "pia")
        yield running


def call(
    server: Serving, who: str, method: str, path: str, body: object = None, **headers: str
) -> Answer:
    return server.request(method, f"/api/authz/{path}", who, json_body=body, headers=headers)


def agent(server: Serving, owner: str, name: str, *scope: tuple[str, str], **more: Any) -> str:
    """Make a token with a scope; it is known to `request` by its name."""
    pairs = [{"level": level, "resource": on} for level, on in scope]
    made = call(server, owner, "POST", "tokens", {"name": name, "scope": pairs, **more})
    assert 201 == made.status, made.text
    server.tokens[name] = made.json["secret"]
    return str(made.json["id"])


def reads(server: Serving, who: str, path: str) -> int:
    return server.request("GET", f"/api/contents/{path}", who).status


def test_jupyters_own_answer_tells_what_one_may_do_with_one_file(server: Serving) -> None:
    every = ["read", "open", "write", "save", "delete", "share", "no such action"]
    asked = {
        "contents:/team/a.txt": every,
        "contents:/team/../team//a.txt": ["save"],
        "contents:/secret/d.txt": every,
        "contents:/team/away/d.txt": every,
        "contents:/team/out": every,
        "contents:/../a": every,
        "kernelspecs:python3": ["launch"],
        "contents": ["read"],
    }
    before = call(server, "adam", "GET", "audit?limit=1").json["items"]
    path = f"/api/me?permissions={quote(json.dumps(asked))}"
    told = {who: server.request("GET", path, who).json["permissions"] for who in ("ed", "mia")}
    for each in told.values():
        del each["updatable_fields"]
    nothing: dict[str, list[str]] = {name: [] for name in asked}
    some = ["read", "open", "write", "save"]
    mine = {"contents:/team/a.txt": some, "contents:/team/../team//a.txt": ["save"]}
    assert {**nothing, **mine} == told["ed"]
    mine["contents:/team/a.txt"] = [*some, "delete", "share"]
    assert {**nothing, **mine, "kernelspecs:python3": ["launch"]} == told["mia"]
    # To ask is not to do, so nothing is recorded.
    assert before == call(server, "adam", "GET", "audit?limit=1").json["items"]


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("check", "POST", {"requests": [{"action": "open", "resource": "contents:/{}"}]}),
        ("explain", "POST", {"action": "open", "resource": "contents:/{}"}),
        ("grants?resource=contents:/{}", "GET", None),
        ("links?resource=contents:/{}", "GET", None),
        ("requests?resource=contents:/{}", "GET", None),
        ("requests", "POST", {"level": "viewer", "resource": "contents:/{}"}),
    ],
)
def test_that_a_link_leads_nowhere_is_told_to_who_may_see_it_alone(
    server: Serving, path: str, method: str, body: object
) -> None:
    def told(who: str, name: str) -> tuple[int, str]:
        sent = json.loads(json.dumps(body).replace("{}", name))
        answer = call(server, who, method, path.replace("{}", name), sent)
        # Something may end meanwhile that a test before this one has given for a moment.
        text = re.sub('"revision": [0-9]+', '"revision": -', answer.text)
        return answer.status, text.replace(name, "-")

    for who in ("vera", "olga"):
        assert told(who, "secret/none") == told(who, "secret/out")
    assert "out of the contents root" in told("vera", "team/out")[1]


def test_an_agent_has_what_its_owner_has_within_its_scope(server: Serving) -> None:
    agent(server, "mia", "bot", ("viewer", "contents:/team/sub"))
    assert 200 == reads(server, "bot", "team/sub/b.txt")
    assert 404 == reads(server, "bot", "team/a.txt")
    body = {"type": "file", "format": "text", "content": "x"}
    path = "/api/contents/team/sub/b.txt"
    assert 403 == server.request("PUT", path, "bot", json_body=body).status
    assert 404 == server.request("DELETE", "/api/contents/team/a.txt", "bot").status
    me = call(server, "bot", "GET", "me?resource=contents:/team/sub").json
    assert ("bot", "user:mia") == (me["principal"]["token"], me["principal"]["owner"])
    assert "viewer" == me["resources"]["contents:/team/sub"]["level"]


def test_who_may_see_who_has_access_is_told_what_others_were_given(server: Serving) -> None:
    given = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team/a.txt"}
    grant = call(server, "mia", "POST", "grants", given).json
    query = "me?resource=contents:/team/a.txt&resource=contents:/team/sub"

    def shared(who: str) -> list[bool | None]:
        resources = call(server, who, "GET", query).json["resources"].values()
        return [each["shared"] for each in resources]

    assert [True, False] == shared("mia") == shared("ed")
    # Below an editor one is told nothing of others, and of what is not there no more.
    assert [None, None] == shared("vera")
    assert [None, None] == shared("pia")
    assert 200 == call(server, "mia", "DELETE", f"grants/{grant['id']}").status
    assert [False, False] == shared("mia")


def test_an_agent_s_listing_shows_the_way_to_its_scope_alone(server: Serving) -> None:
    agent(server, "adam", "scout", ("viewer", "contents:/team/sub/deep"))

    def names(path: str) -> list[str]:
        found = server.request("GET", f"/api/contents/{path}", "scout").json["content"]
        return sorted(each["name"] for each in found)

    assert ["team"] == names("")
    assert ["sub"] == names("team")
    assert ["deep"] == names("team/sub")
    assert ["c.txt"] == names("team/sub/deep")
    assert 404 == reads(server, "scout", "secret/d.txt")


def test_an_agent_does_not_widen_itself(server: Serving) -> None:
    agent(server, "adam", "wide", ("admin", "server:"))
    assert 403 == call(server, "wide", "POST", "tokens", {"name": "wider"}).status
    assert 403 == call(server, "wide", "POST", "people", {"name": "eve"}).status
    given = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team"}
    assert 403 == call(server, "wide", "POST", "grants", given).status
    assert 403 == call(server, "wide", "POST", "links/redeem", {"secret": "x"}).status
    asked = {"level": "viewer", "resource": "contents:/"}
    assert 403 == call(server, "wide", "POST", "requests", asked).status
    assert 403 == server.request("POST", "/api/shutdown", "wide").status
    assert 403 == server.request("GET", "/authz/password", "wide").status


def test_an_agent_knows_of_its_owner_no_more_than_its_scope_reaches(server: Serving) -> None:
    id_ = agent(server, "mia", "narrow", ("viewer", "contents:/team/sub"))
    assert 404 == reads(server, "narrow", "team/a.txt")
    assert 404 == reads(server, "mia", "team/gone.txt")
    found = call(server, "narrow", "GET", "audit").json["items"]
    assert {id_} == {each["token"] for each in found}
    assert {"contents:/team/a.txt"} == {each["resource"] for each in found}
    for path in ("tokens", f"tokens/{id_}", "logins", "views", "requests", "live"):
        answer = call(server, "narrow", "GET", path)
        assert (403, True) == (answer.status, "its owner's own" in answer.text), path
        assert 403 != call(server, "mia", "GET", path).status, path
    # Of its owner's grants it knows the one that reaches into its scope.
    grants = call(server, "narrow", "GET", "grants").json["items"]
    assert {"contents:/team"} == {each["resource"] for each in grants}
    assert 2 <= len(
        {each["resource"] for each in call(server, "mia", "GET", "grants").json["items"]}
    )


def test_a_token_makes_none_that_outlives_it(server: Serving) -> None:
    def made(who: str, **more: Any) -> Answer:
        return call(server, who, "POST", "tokens", {"name": f"t-{time.monotonic_ns()}", **more})

    ends = datetime.fromtimestamp(time.time() + 600, tz=timezone.utc).isoformat()
    later = datetime.fromtimestamp(time.time() + 601, tz=timezone.utc).isoformat()
    server.tokens["brief"] = made("mia", ends=ends).json["secret"]
    refused = made("brief")
    assert (403, True) == (refused.status, ends in refused.text)
    assert [403, 201] == [made("brief", ends=each).status for each in (later, ends)]


def test_an_agent_is_never_more_than_its_owner(server: Serving) -> None:
    agent(server, "vera", "proud", ("admin", "server:"))
    assert 200 == reads(server, "proud", "team/a.txt")
    body = {"type": "file", "format": "text", "content": "x"}
    answer = server.request("PUT", "/api/contents/team/a.txt", "proud", json_body=body)
    assert 403 == answer.status
    assert 404 == reads(server, "proud", "secret/d.txt")


def test_an_agent_that_is_revoked_or_over_is_nobody(server: Serving) -> None:
    id_ = agent(server, "mia", "gone", ("viewer", "contents:/team"))
    assert 200 == reads(server, "gone", "team/a.txt")
    assert 404 == call(server, "vera", "DELETE", f"tokens/{id_}").status
    assert 200 == call(server, "mia", "DELETE", f"tokens/{id_}").status
    assert 403 == reads(server, "gone", "team/a.txt")
    names = [each["name"] for each in call(server, "mia", "GET", "tokens").json["items"]]
    assert "gone" not in names
    assert server.tokens["mia"] not in call(server, "mia", "GET", "tokens").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a/b"}, 400),
        ({"name": ""}, 400),
        ({"name": "x", "scope": []}, 400),
        ({"name": "x", "scope": [{"level": "king", "resource": "contents:/"}]}, 400),
        ({"name": "x", "scope": [{"level": "viewer", "resource": "nothing"}]}, 400),
        ({"name": "x", "scope": [{"level": "viewer"}]}, 400),
        ({"name": "x", "ends": "2001-01-01T00:00:00Z"}, 400),
        # No calendar shows that moment in UTC, so it would look like no end.
        ({"name": "x", "ends": "9999-12-31T23:59:59-23:59"}, 400),
        ({"name": "test"}, 409),
    ],
)
def test_a_bad_token_is_refused(server: Serving, body: dict[str, Any], status: int) -> None:
    assert status == call(server, "vera", "POST", "tokens", body).status


def link(server: Serving, who: str = "mia", **more: Any) -> Answer:
    body = {"level": "viewer", "resource": "contents:/team/sub", **more}
    return call(server, who, "POST", "links", body)


def redeem(server: Serving, who: str, secret: str) -> Answer:
    return call(server, who, "POST", "links/redeem", {"secret": secret})


def forget(server: Serving, who: str) -> None:
    store = server.store()
    for grant in store.state().grants:
        if grant.principal == f"user:{who}":
            store.remove_grant(grant.id)
    store.close()


def test_a_link_gives_whoever_redeems_it_what_it_says(server: Serving) -> None:
    made = link(server, uses=1)
    assert 201 == made.status, made.text
    secret = made.json["secret"]
    assert made.json["url"].startswith("/authz/link?key=")
    assert 404 == reads(server, "olga", "team/sub/b.txt")
    taken = redeem(server, "olga", secret)
    assert (200, "viewer", "user:mia") == (
        taken.status,
        taken.json["level"],
        taken.json["granted_by"],
    )
    assert 200 == reads(server, "olga", "team/sub/b.txt")
    assert 404 == reads(server, "olga", "team/a.txt")
    # The same person again uses nothing up; the next one finds it used up.
    assert taken.json["id"] == redeem(server, "olga", secret).json["id"]
    assert 404 == redeem(server, "pia", secret).status
    forget(server, "olga")


def test_the_secret_of_a_link_is_kept_nowhere(server: Serving) -> None:
    secret = link(server).json["secret"]
    listed = call(server, "mia", "GET", "links").text
    assert secret not in listed
    server.request("GET", f"/authz/link?key={secret}", "olga")
    assert secret not in server.log
    assert secret not in (server.folder / "data" / "authorization" / "audit.jsonl").read_text()
    database = server.folder / "data" / "authorization"
    assert not any(secret.encode() in path.read_bytes() for path in database.iterdir())


def test_a_link_holds_only_while_its_maker_may_share_so_much(server: Serving) -> None:
    store = server.store()
    grant = store.add_grant(
        principal="user:ed",
        level="manager",
        resource="contents:/team/sub",
        now=time.time(),
        granted_by="user:adam",
    )
    made = link(server, "ed")
    # The server has not looked at what another process wrote, or it has by now.
    until = time.monotonic() + 60
    while made.status != 201 and time.monotonic() < until:
        time.sleep(0.1)
        made = link(server, "ed")
    store.remove_grant(grant.id)
    store.close()
    while call(server, "ed", "GET", "links").json["items"] and time.monotonic() < until:
        time.sleep(0.1)
    assert 404 == redeem(server, "pia", made.json["secret"]).status
    assert 404 == reads(server, "pia", "team/sub/b.txt")


def test_a_removed_or_wrong_or_ended_link_says_no_more_than_that(server: Serving) -> None:
    made = link(server).json
    assert 404 == call(server, "vera", "DELETE", f"links/{made['id']}").status
    assert 200 == call(server, "mia", "DELETE", f"links/{made['id']}").status
    # On a busy machine a moment is over before it is asked for.
    for seconds in (1, 5, 25):
        ends = time.time() + seconds
        made_briefly = link(server, ends=datetime.fromtimestamp(ends, tz=timezone.utc).isoformat())
        if 201 == made_briefly.status:
            break
    ended = made_briefly.json
    time.sleep(max(0, ends - time.time()) + 0.1)
    wrong = f"{made['id']}.{'x' * 43}"
    answers = [
        redeem(server, "pia", each) for each in (made["secret"], wrong, ended["secret"], "", "x.y")
    ]
    assert [404] * 5 == [each.status for each in answers]
    assert 1 == len({each.text for each in answers})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"uses": 0}, 400),
        ({"uses": -1}, 400),
        ({"uses": True}, 400),
        ({"ends": "2001-01-01T00:00:00Z"}, 400),
        ({"ends": "1970-01-01T00:00:00Z"}, 400),
        ({"ends": "2999-01-01T00:00:00Z"}, 400),
        ({"grant_ends": "2001-01-01T00:00:00Z"}, 400),
        ({"level": "admin"}, 403),
        ({"resource": "contents:/secret"}, 404),
        ({"resource": "contents:/team/none"}, 404),
    ],
)
def test_a_bad_link_is_refused(server: Serving, change: dict[str, Any], status: int) -> None:
    assert status == link(server, **change).status
    assert 403 == link(server, "ed").status


def test_of_many_who_redeem_the_last_use_at_once_one_gets_it(server: Serving) -> None:
    secret = link(server, uses=1).json["secret"]
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda who=who: statuses.append(redeem(server, who, secret).status)
        )
        for who in ("olga", "pia")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200, 404] == sorted(statuses)
    forget(server, "olga")
    forget(server, "pia")


def test_a_link_s_page_asks_before_anything_is_given(server: Serving) -> None:
    secret = link(server).json["secret"]
    page = server.request("GET", f"/authz/link?key={secret}", "pia")
    assert 200 == page.status
    assert "mia shares team/sub with you" in page.text
    assert 404 == reads(server, "pia", "team/sub/b.txt")
    assert 404 == server.request("GET", "/authz/link?key=x", "pia").status
    body = f"key={secret}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    taken = server.request("POST", "/authz/link", "pia", body=body, headers=form)
    assert 302 == taken.status
    assert "/tree/team/sub" == taken.headers["Location"]
    assert 200 == reads(server, "pia", "team/sub/b.txt")
    forget(server, "pia")
    # Whoever is not signed in is led to do so first, and back.
    answer = server.request("GET", f"/authz/link?key={secret}")
    assert 302 == answer.status
    assert re.search(r"login\?next=.*key", answer.headers["Location"])


def test_a_link_gives_nothing_to_who_has_not_signed_in(server: Serving) -> None:
    made = link(server, uses=1)
    secret = made.json["secret"]
    redeeming = {"secret": secret}
    tried: list[dict[str, str]] = [{}, {"Authorization": f"token {secret}"}]
    for headers in tried:
        path = "/api/authz/links/redeem"
        answer = server.request("POST", path, headers=headers, json_body=redeeming)
        assert 403 == answer.status
        page = server.request("GET", made.json["url"], headers=headers)
        assert 302 == page.status
        form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        body = f"key={secret}".encode()
        posted = server.request("POST", "/authz/link", body=body, headers=form)
        assert posted.status in {302, 403}
        path = f"/api/contents/team/sub/b.txt?key={secret}&token={secret}"
        assert 403 == server.request("GET", path, headers=headers).status
    shown = call(server, "mia", "GET", "links").json["items"]
    assert [0] == [each["used"] for each in shown if each["id"] == made.json["id"]]
    call(server, "mia", "DELETE", f"links/{made.json['id']}")


def test_a_request_is_approved_for_no_longer_than_the_manager_has_it(server: Serving) -> None:
    ends = "2999-01-01T00:00:00+00:00"
    body = {"principal": "user:olga", "level": "manager", "resource": "contents:/secret"}
    given = call(server, "adam", "POST", "grants", {**body, "ends": ends}).json["id"]
    body = {"principal": "user:pia", "level": "viewer", "resource": "contents:/secret"}
    seen = call(server, "adam", "POST", "grants", body).json["id"]
    path = f"requests/{wish(server, 'pia', 'editor', 'contents:/secret').json['id']}"
    answer = {"state": "approved"}
    assert 403 == call(server, "olga", "PATCH", path, answer).status
    assert "open" == call(server, "olga", "GET", path).json["state"]
    done = call(server, "olga", "PATCH", path, {**answer, "ends": ends})
    assert 200 == done.status, done.text
    for id_ in (given, seen, done.json["grant"]):
        assert 200 == call(server, "adam", "DELETE", f"grants/{id_}").status


def wish(server: Serving, who: str, level: str, resource: str = "contents:/team/sub") -> Answer:
    body = {"level": level, "resource": resource, "note": "please"}
    return call(server, who, "POST", "requests", body)


def test_who_asks_is_answered_with_a_level_and_an_end(server: Serving) -> None:
    asked = wish(server, "vera", "manager")
    assert (201, "open") == (asked.status, asked.json["state"])
    path = f"requests/{asked.json['id']}"
    assert [asked.json] == call(server, "mia", "GET", "requests?state=open").json["items"]
    assert [] == call(server, "ed", "GET", "requests").json["items"]
    assert 404 == call(server, "ed", "PATCH", path, {"state": "approved"}).status
    # Nobody answers their own.
    assert 403 == call(server, "vera", "PATCH", path, {"state": "approved"}).status
    answer = {"state": "approved", "level": "editor", "ends": "2999-01-01T00:00:00Z"}
    done = call(server, "mia", "PATCH", path, answer)
    assert (200, "approved") == (done.status, done.json["state"]), done.text
    grant = call(server, "vera", "GET", f"grants/{done.json['grant']}").json
    assert ("editor", "2999-01-01T00:00:00+00:00") == (grant["level"], grant["ends"])
    assert 412 == call(server, "mia", "PATCH", path, {"state": "refused"}).status
    assert 200 == call(server, "vera", "DELETE", f"grants/{done.json['grant']}").status


def test_a_request_can_be_refused_and_withdrawn(server: Serving) -> None:
    first = wish(server, "vera", "editor").json["id"]
    assert 409 == wish(server, "vera", "editor").status
    answer = {"state": "refused", "note": "ask me on Monday"}
    told = call(server, "mia", "PATCH", f"requests/{first}", answer)
    assert ("refused", "ask me on Monday", "user:mia") == (
        told.json["state"],
        told.json["answer"],
        told.json["decided_by"],
    )
    second = wish(server, "vera", "editor").json["id"]
    assert 404 == call(server, "mia", "PATCH", f"requests/{second}", {"state": "withdrawn"}).status
    withdrawn = call(server, "vera", "PATCH", f"requests/{second}", {"state": "withdrawn"})
    assert "withdrawn" == withdrawn.json["state"]


def test_what_one_may_not_see_cannot_be_asked_for(server: Serving) -> None:
    hidden, missing = (
        wish(server, "vera", "viewer", f"contents:/{name}") for name in ("secret", "none")
    )
    assert (404, hidden.text) == (hidden.status, missing.text)
    assert 409 == wish(server, "vera", "viewer").status
    assert 400 == wish(server, "vera", "king").status


@pytest.mark.parametrize(("who", "shown"), [("vera", "team/away"), ("adam", "secret")])
def test_a_link_tells_the_name_behind_it_to_who_may_see_that_alone(
    server: Serving, who: str, shown: str
) -> None:
    named = "contents:/team/away"
    asked = {"action": "open", "resource": named}
    explained = call(server, who, "POST", "explain", asked).json["resource"]
    body = {"name": "by-link", "scope": [{"level": "viewer", "resource": named}]}
    [reached] = call(server, who, "POST", "tokens", body).json["scope"]
    assert [f"contents:/{shown}"] * 2 == [explained, reached["resource"]]


def test_a_manager_approves_no_more_than_they_have(server: Serving) -> None:
    asked = wish(server, "vera", "admin").json["id"]
    assert 403 == call(server, "mia", "PATCH", f"requests/{asked}", {"state": "approved"}).status
    assert 200 == call(server, "vera", "PATCH", f"requests/{asked}", {"state": "withdrawn"}).status


def test_a_page_that_waits_is_told_of_a_change(server: Serving) -> None:
    now = call(server, "vera", "GET", "changes").json["revision"]
    told: list[int] = []

    def wait() -> None:
        revision = now
        while revision == now:
            revision = call(server, "vera", "GET", f"changes?after={now}").json["revision"]
        told.append(revision)

    waiting = threading.Thread(target=wait)
    waiting.start()
    given = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team"}
    grant = call(server, "mia", "POST", "grants", given).json["id"]
    waiting.join(120)
    assert told
    assert told[0] > now
    call(server, "mia", "DELETE", f"grants/{grant}")
    assert 400 == call(server, "vera", "GET", "changes?after=x").status


def test_a_page_that_waits_is_told_when_a_grant_ends(server: Serving) -> None:
    ends = time.time() + 4
    given = {"principal": "user:vera", "level": "editor", "resource": "contents:/team"}
    body = {**given, "ends": datetime.fromtimestamp(ends, tz=timezone.utc).isoformat()}
    grant = call(server, "mia", "POST", "grants", body).json["id"]
    now = call(server, "vera", "GET", "changes").json["revision"]
    while call(server, "vera", "GET", f"changes?after={now}").json["revision"] != now:
        # Another test's change; nothing changes when the grant ends.
        now = call(server, "vera", "GET", "changes").json["revision"]
    assert ends <= time.time() < ends + 20
    me = call(server, "vera", "GET", "me?resource=contents:/team").json
    assert not me["resources"]["contents:/team"]["actions"]["save"]["allowed"]
    call(server, "mia", "DELETE", f"grants/{grant}")


def test_the_policy_in_force_is_shown_to_administrators(server: Serving) -> None:
    found = call(server, "adam", "GET", "policy").json
    assert ("enforce", [], []) == (found["mode"], found["problems"], found["newer"])
    assert [] == found["gone"]
    assert "own-kernel" in [each["id"] for each in found["rules"]]
    assert 403 == call(server, "mia", "GET", "policy").status


def test_a_write_that_is_sent_again_happens_once(server: Serving) -> None:
    key = {"Idempotency-Key": "made-once"}
    body = {"level": "viewer", "resource": "contents:/team/sub", "note": "once"}
    answers: list[Answer] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(call(server, "mia", "POST", "links", body, **key))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [201] * 4 == [each.status for each in answers]
    assert 1 == len({each.json["secret"] for each in answers})
    assert 3 == sum(each.headers["Idempotency-Replayed"] == "true" for each in answers)
    made = call(server, "mia", "GET", "links").json["items"]
    assert 1 == sum(each["note"] == "once" for each in made)
    # Another request is another one, and so is another person's.
    assert 409 == call(server, "mia", "POST", "links", {**body, "note": "x"}, **key).status
    assert 201 == call(server, "adam", "POST", "links", body, **key).status
    assert (
        answers[0].json["secret"]
        != call(server, "adam", "POST", "links", body, **key).json["secret"]
    )
    assert 403 == call(server, "vera", "POST", "links", body, **key).status
    assert 400 == call(server, "mia", "POST", "links", body, **{"Idempotency-Key": ""}).status


def test_what_was_refused_is_tried_again(server: Serving) -> None:
    key = {"Idempotency-Key": "again"}
    change = {"add": ["user:olga"]}
    assert 404 == call(server, "adam", "PATCH", "groups/crew", change, **key).status
    assert 201 == call(server, "adam", "POST", "groups", {"name": "crew"}).status
    assert 200 == call(server, "adam", "PATCH", "groups/crew", change, **key).status


@pytest.mark.parametrize(
    ("noun", "made", "first", "second"),
    [
        ("people", {"name": "tom"}, {"display_name": "Tom"}, {"disabled": True}),
        ("groups", {"name": "choir"}, {"add": ["user:olga"]}, {"add": ["user:pia"]}),
    ],
)
def test_of_two_who_change_the_same_the_second_is_told(
    server: Serving, noun: str, made: Any, first: Any, second: Any
) -> None:
    assert 201 == call(server, "adam", "POST", noun, made).status
    path = f"{noun}/{made['name']}"
    known = {"If-Match": call(server, "adam", "GET", path).headers["ETag"]}
    changed = call(server, "adam", "PATCH", path, first, **known)
    assert 200 == changed.status, changed.text
    assert 412 == call(server, "adam", "PATCH", path, second, **known).status
    assert 412 == call(server, "adam", "DELETE", path, **known).status
    assert changed.json == call(server, "adam", "GET", path).json
    now = {"If-Match": changed.headers["ETag"]}
    assert 200 == call(server, "adam", "DELETE", path, **now).status


def test_of_two_who_answer_one_request_or_remove_one_link_the_second_is_told(
    server: Serving,
) -> None:
    asked = wish(server, "vera", "contributor").json["id"]
    known = {"If-Match": call(server, "mia", "GET", f"requests/{asked}").headers["ETag"]}
    stale = {"If-Match": '"0"'}
    answer = {"state": "refused"}
    assert 412 == call(server, "mia", "PATCH", f"requests/{asked}", answer, **stale).status
    assert 200 == call(server, "mia", "PATCH", f"requests/{asked}", answer, **known).status
    made = link(server)
    path = f"links/{made.json['id']}"
    assert 412 == call(server, "mia", "DELETE", path, **stale).status
    tag = {"If-Match": made.headers["ETag"]}
    assert 200 == call(server, "mia", "DELETE", path, **tag).status


def test_of_two_who_revoke_a_token_the_second_is_told(server: Serving) -> None:
    made = call(server, "mia", "POST", "tokens", {"name": "tagged"})
    server.tokens["tagged"] = made.json["secret"]
    path = f"tokens/{made.json['id']}"
    shown = call(server, "mia", "GET", path)
    assert made.headers["ETag"] == shown.headers["ETag"]
    assert "secret" not in shown.json
    # That it was used is no change.
    assert 200 == reads(server, "tagged", "team/a.txt")
    assert shown.headers["ETag"] == call(server, "adam", "GET", path).headers["ETag"]
    for who in ("ed", "pia"):
        assert 404 == call(server, who, "GET", path).status
        assert 404 == call(server, who, "DELETE", path).status
    assert 412 == call(server, "mia", "DELETE", path, **{"If-Match": '"0"'}).status
    assert 200 == reads(server, "tagged", "team/a.txt")
    known = {"If-Match": shown.headers["ETag"]}
    assert 200 == call(server, "mia", "DELETE", path, **known).status
    assert 404 == call(server, "mia", "GET", path).status


def test_a_link_gives_for_no_longer_than_its_maker_has_it(server: Serving) -> None:
    ends = "2999-01-01T00:00:00+00:00"
    given = call(
        server,
        "adam",
        "POST",
        "grants",
        {"principal": "user:olga", "level": "manager", "resource": "contents:/mine"},
    )
    made = link(server, "olga", resource="contents:/mine")
    assert 201 == made.status, made.text
    path = f"grants/{given.json['id']}"
    assert 200 == call(server, "adam", "PATCH", path, {"ends": ends}).status
    # Another is refused, and what the first one gives ends with what its maker has.
    assert 403 == link(server, "olga", resource="contents:/mine").status
    kept = link(server, "olga", resource="contents:/mine", grant_ends=ends)
    assert 201 == kept.status, kept.text
    taken = call(server, "ed", "POST", "links/redeem", {"secret": made.json["secret"]})
    assert ends == taken.json["ends"]
    call(server, "adam", "DELETE", path)
    call(server, "adam", "DELETE", f"grants/{taken.json['id']}")


def test_of_two_processes_that_give_the_same_at_once_one_is_told_that_it_is_new(
    server: Serving,
) -> None:
    with server.store() as store, ThreadPoolExecutor(1) as other:
        for turn in range(10):
            wanted = Wanted(
                principal="user:pia", level="viewer", resource="contents:/mine", ends=4e9 + turn
            )
            given = other.submit(
                store.add_grant_once, wanted, now=time.time(), granted_by="os:test"
            )
            ends = datetime.fromtimestamp(4e9 + turn, tz=timezone.utc).isoformat()
            body = {"principal": "user:pia", "level": "viewer", "resource": "contents:/mine"}
            answer = call(server, "adam", "POST", "grants", {**body, "ends": ends})
            grant, is_new = given.result()
            assert (200 if is_new else 201, grant.id) == (answer.status, answer.json["id"])
            told = [each for each in server.audit if each.get("grant") == grant.id]
            assert int(not is_new) == len(told)


def test_members_that_were_added_before_a_mistake_are_recorded(server: Serving) -> None:
    call(server, "adam", "POST", "groups", {"name": "half"})
    change = {"add": ["user:olga", "user:nobody"]}
    assert 404 == call(server, "adam", "PATCH", "groups/half", change).status
    assert ["user:olga"] == call(server, "adam", "GET", "groups/half").json["members"]
    told = [each for each in server.audit if each["kind"] == "group_joined"][-1:]
    assert [("group:half", "user:olga")] == [(each["group"], each["member"]) for each in told]
