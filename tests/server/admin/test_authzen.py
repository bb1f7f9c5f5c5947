"""AuthZEN 1.0 of a real server: who may ask, and what it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from serving import Answer, Serving, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ADA: dict[str, Any] = {
    "subject": {"type": "user", "id": "ada"},
    "action": {"name": "save"},
    "resource": {"type": "contents", "id": "/team/a.ipynb"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    people: dict[str, Any] = {"adam": "admin", "ada": [("editor", "contents:/team")]}
    with serving(tmp_path_factory.mktemp("authzen"), people=people) as running:
        yield running


def ask(server: Serving, body: object, *, many: bool = False, who: str = "adam") -> Answer:
    return server.request(
        "POST",
        f"/access/v1/evaluation{'s' if many else ''}",
        who,
        json_body=body,
        headers={"Content-Type": "application/json", "X-Request-ID": "r-1"},
    )


def test_an_evaluation_is_the_decision_and_deny_is_200(server: Serving) -> None:
    allowed = ask(server, ADA)
    assert (allowed.status, allowed.json["decision"]) == (200, True)
    assert allowed.headers["X-Request-ID"] == "r-1"
    denied = ask(server, {**ADA, "action": {"name": "delete"}, "more": 1})
    assert (denied.status, denied.json["decision"]) == (200, False)
    assert denied.json["context"]["reason_user"]["en"]


@pytest.mark.parametrize(
    "part",
    [
        {"subject": {"type": "user", "id": "nobody"}},
        {"subject": {"type": "robot", "id": "ada"}},
        {"subject": {"type": "anonymous", "id": "x"}},
        {"subject": {"type": "group", "id": "ada"}},
        {"action": {"name": "fly"}},
        {"resource": {"type": "moon", "id": "1"}},
        {"resource": {"type": "contents", "id": "/../etc/passwd"}},
        {"subject": {"type": "user", "id": "nobody", "properties": {"name": "ada"}}},
    ],
)
def test_what_does_not_exist_is_denied(server: Serving, part: dict[str, Any]) -> None:
    answer = ask(server, {**ADA, **part})
    assert (answer.status, answer.json["decision"]) == (200, False)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**ADA, "subject": "ada"},
        {**ADA, "action": {}},
        {**ADA, "resource": {"type": "contents"}},
        {**ADA, "context": []},
        [],
    ],
)
def test_what_is_no_evaluation_is_a_bad_request(server: Serving, body: object) -> None:
    assert ask(server, body).status == 400
    if isinstance(body, dict):
        assert ask(server, {"evaluations": [body]}, many=True).status == 400


def test_a_body_that_is_not_said_to_be_json_is_a_bad_request(server: Serving) -> None:
    answer = server.request("POST", "/access/v1/evaluation", "adam", json_body=ADA)
    assert answer.status == 400


def test_evaluations_share_defaults_and_stop_where_asked(server: Serving) -> None:
    items = [{}, {"action": {"name": "delete"}}, {"action": {"name": "open"}}]
    answers = {}
    for semantic in ("execute_all", "deny_on_first_deny", "permit_on_first_permit"):
        body = {**ADA, "evaluations": items, "options": {"evaluations_semantic": semantic}}
        found = ask(server, body, many=True).json["evaluations"]
        answers[semantic] = [each["decision"] for each in found]
    assert answers == {
        "execute_all": [True, False, True],
        "deny_on_first_deny": [True, False],
        "permit_on_first_permit": [True],
    }
    assert ask(server, ADA, many=True).json["decision"] is True
    wrong = {**ADA, "evaluations": items, "options": {"evaluations_semantic": "guess"}}
    assert ask(server, wrong, many=True).status == 400


def search(server: Serving, what: str, body: object, who: str = "adam") -> Answer:
    headers = {"Content-Type": "application/json"}
    path = f"/access/v1/search/{what}"
    return server.request("POST", path, who, json_body=body, headers=headers)


def without(part: str, key: str = "id") -> dict[str, Any]:
    return {**ADA, part: {name: value for name, value in ADA[part].items() if name != key}}


def test_a_search_finds_what_the_evaluations_allow(server: Serving) -> None:
    people = search(server, "subject", without("subject")).json
    assert people["results"] == [{"type": "user", "id": each} for each in ("ada", "adam")]
    for each in people["results"]:
        assert ask(server, {**ADA, "subject": each}).json["decision"] is True
    places = search(server, "resource", without("resource")).json["results"]
    assert {"type": "contents", "id": "/team"} in places
    assert {"type": "contents", "id": "/"} not in places
    for each in places:
        assert ask(server, {**ADA, "resource": each}).json["decision"] is True
    found = search(server, "action", {**ADA, "action": "any"}).json
    assert found["page"] == {"next_token": ""}
    names = {each["name"] for each in found["results"]}
    assert {"open", "save"} <= names
    assert not names & {"delete", "share"}
    for name in ("open", "save", "share"):
        answer = ask(server, {**ADA, "action": {"name": name}})
        assert answer.json["decision"] is (name in names)


def test_a_search_for_tokens_finds_those_that_reach_there(server: Serving) -> None:
    body = {"name": "bot", "scope": [{"level": "viewer", "resource": "contents:/team"}]}
    bot = server.request("POST", "/api/authz/tokens", "ada", json_body=body).json["id"]
    asked = {**ADA, "subject": {"type": "token"}}

    def found(action: str) -> set[str]:
        answer = search(server, "subject", {**asked, "action": {"name": action}}).json
        return {each["id"] for each in answer["results"]}

    assert bot in found("open")
    assert bot not in found("save")
    # The person's own token reaches all that she may.
    assert server.tokens["ada"].partition(".")[0] in found("save")


def test_the_pages_of_a_search_join_to_the_whole(server: Serving) -> None:
    whole = search(server, "action", ADA).json["results"]
    joined: list[Any] = []
    token = ""
    while True:
        body = {**ADA, "page": {"limit": 3, "token": token}}
        page = search(server, "action", body).json
        assert len(page["results"]) <= 3
        joined += page["results"]
        token = page["page"]["next_token"]
        if not token:
            break
    assert joined == whole
    # JSON knows one kind of number: a whole one may be written with a point.
    assert search(server, "action", {**ADA, "page": {"limit": 1.0}}).json["results"] == whole[:1]
    for limit in (1.5, 1e400):
        assert search(server, "action", {**ADA, "page": {"limit": limit}}).status == 400
    assert search(server, "action", {**ADA, "page": {"token": "%"}}).status == 400
    assert search(server, "action", {**ADA, "page": {"limit": 0}}).status == 400


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("subject", {"subject": {"type": "robot"}}),
        ("subject", {"subject": {"type": "group"}}),
        ("subject", {"subject": {"type": "anonymous"}}),
        ("subject", {"action": {"name": "fly"}}),
        ("subject", {"resource": {"type": "contents", "id": "/../etc"}}),
        ("resource", {"resource": {"type": "moon"}}),
        ("resource", {"subject": {"type": "user", "id": "nobody"}}),
        ("resource", {"subject": {"type": "anonymous", "id": ""}}),
        ("action", {"subject": {"type": "user", "id": "nobody"}}),
        ("action", {"resource": {"type": "moon", "id": "1"}}),
    ],
)
def test_a_search_among_what_does_not_exist_finds_nothing(
    server: Serving, what: str, part: dict[str, Any]
) -> None:
    answer = search(server, what, {**ADA, **part})
    assert (answer.status, answer.json["results"]) == (200, [])


@pytest.mark.parametrize("what", ["subject", "resource", "action"])
def test_a_search_is_for_whoever_may_evaluate_and_says_what_it_lacks(
    server: Serving, what: str
) -> None:
    assert search(server, what, ADA, who="ada").status == 403
    assert search(server, what, {"subject": {"type": "user"}}).status == 400
    assert search(server, what, []).status == 400
    path = f"/access/v1/search/{what}"
    assert server.request("POST", path, "adam", json_body=ADA).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", path) for path in ("evaluation", "evaluations", "search/subject")),
        ("GET", "/.well-known/authzen-configuration"),
    ],
)
def test_who_is_not_known_is_told_that_and_how_to_say_who_asks(
    server: Serving, method: str, path: str
) -> None:
    path = path if path.startswith("/") else f"/access/v1/{path}"
    body = ADA if method == "POST" else None
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "token wrong"}):
        headers = {"Accept": "application/json", "X-Request-ID": "r-1", **sent}
        answer = server.request(method, path, json_body=body, headers=headers)
        assert (answer.status, answer.headers.get("WWW-Authenticate")) == (401, "Bearer")
        assert answer.headers["X-Request-ID"] == "r-1"
        assert set(answer.json) == {"message", "reason", "decision_id"}
    # Elsewhere it is 403, as Jupyter has it.
    assert server.request("GET", "/api/contents").status == 403


def test_only_who_may_have_decisions_explained_may_ask(server: Serving) -> None:
    assert ask(server, ADA, who="ada").status == 403
    assert ask(server, {"evaluations": [ADA]}, many=True, who="ada").status == 403


def test_the_metadata_names_what_there_is(server: Serving) -> None:
    found = server.request("GET", "/.well-known/authzen-configuration", "ada").json
    base = server.url.rstrip("/")
    assert found == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }


def kept(text: str) -> float:
    name = "jupyter_authorization_cached_decisions_total"
    [value] = re.findall(rf"^{name} (.+)$", text, re.MULTILINE)
    return float(value)


def test_the_metrics_tell_of_decisions_to_who_may_monitor(server: Serving) -> None:
    ask(server, ADA)
    text = server.request("GET", "/metrics", "adam").text
    assert 'jupyter_authorization_decisions_total{outcome="allowed"}' in text
    for name in ("revision", "policy_age_seconds", "policy_refused", "open_sockets", "shadow"):
        assert f"\njupyter_authorization_{name} " in text
    assert "\njupyter_authorization_decision_seconds_count " in text
    assert "\njupyter_authorization_revoked_sockets_total 0.0" in text
    assert kept(text) < kept(server.request("GET", "/metrics", "adam").text)
    assert server.request("GET", "/metrics", "ada").status == 403
