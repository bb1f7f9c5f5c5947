"""The records over HTTP: one's own for everybody, all for administrators."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from serving import Serving, serving

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.store.journals import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    people = {"adam": "admin", "edi": "editor", "vera": "viewer"}
    with serving(tmp_path_factory.mktemp("records"), people=people) as running:
        (running.root / "a.txt").write_text("a")
        for who in ("edi", "vera"):
            body = {"type": "file", "format": "text", "content": who}
            running.request("PUT", "/api/contents/a.txt", who, json_body=body)
            running.request("GET", "/api/contents/a.txt", who)
        yield running


PATH = "/api/authz/audit"


def asked(server: Serving, who: str, query: str = "") -> list[dict[str, Any]]:
    answer = server.request("GET", f"/api/authz/audit?{query}", who)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def outline(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["principal"], each["action"], each["decision"]) for each in found]


def test_permitted_writes_and_denials_are_recorded_and_reads_are_not(server: Serving) -> None:
    found = outline(asked(server, "adam", "action=save"))
    assert found == [("user:vera", "save", "deny"), ("user:edi", "save", "allow")]


def test_a_person_sees_their_own_part_without_the_reasons_of_administrators(
    server: Serving,
) -> None:
    found = asked(server, "edi", "action=save")
    assert outline(found) == [("user:edi", "save", "allow")]
    assert {"reason", "determining", "previous", "number"} & set(found[0]) == set()
    assert asked(server, "edi", "person=vera") == []
    [refused] = asked(server, "vera", "action=save")
    assert asked(server, "vera", f"id={refused['id']}") == [refused]
    # What somebody passes on may be a part of it.
    assert asked(server, "vera", f"q={refused['id'][:12]}") == [refused]
    assert asked(server, "edi", f"id={refused['id']}") == []
    assert {"reason", "determining"} <= set(asked(server, "adam", "action=save")[0])
    assert server.request("GET", "/api/authz/audit").status == 403


def test_who_has_a_name_after_somebody_sees_none_of_theirs_whatever_the_clock_says(
    server: Serving,
) -> None:
    def comes(now: float) -> None:
        secret = new_secret()
        with server.store() as store:
            store.add_person("newt", now=now)
            store.add_token(secret.id, secret.hash, "test", "newt", None, time.time())
        server.tokens["newt"] = secret.text
        end = time.monotonic() + 60
        while server.request("GET", "/api/authz/me", "newt").status != 200:
            assert time.monotonic() < end
            time.sleep(0.05)

    cursors = [str(server.request("GET", f"{PATH}?limit=1", "adam").json["next"])]
    for came, path in ((time.time(), "a.txt"), (1.0, "b.txt")):
        # The clock had been set back when the second one came.
        comes(came)
        assert [] == asked(server, "newt")
        for _ in range(2):
            assert 404 == server.request("GET", f"/api/contents/{path}", "newt").status
        denied = [f"contents:/{path}"] * 2
        assert denied == [each["resource"] for each in asked(server, "newt")]
        # Made up, or given to somebody else, a cursor would lead behind the removal.
        for cursor in (*cursors, *(each.partition(".")[0] for each in cursors)):
            answer = server.request("GET", f"{PATH}?after={cursor}", "newt")
            assert (400, True) == (answer.status, "no cursor" in answer.text), cursor
        page = server.request("GET", f"{PATH}?limit=1", "newt").json
        assert denied[:1] == [
            each["resource"] for each in asked(server, "newt", f"after={page['next']}")
        ]
        cursors.append(page["next"])
        assert 200 == server.request("DELETE", "/api/authz/people/newt", "adam").status


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("outcome=deny&action=save", ["user:vera"]),
        ("outcome=allow&action=save", ["user:edi"]),
        ("outcome=shadow", []),
        ("person=edi&action=save", ["user:edi"]),
        ("person=user:edi&action=save", ["user:edi"]),
        ("action=save&kind=decision", ["user:vera", "user:edi"]),
        ("action=delete", []),
        ("q=VERA", ["user:vera"]),
        ("since=2999-01-01T00:00:00Z", []),
        ("action=save&limit=1", ["user:vera"]),
    ],
)
def test_filters(server: Serving, query: str, who: list[str]) -> None:
    assert [each["principal"] for each in asked(server, "adam", query)] == who


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=-1",
        "after=9",
        "after=%C3%A4.%C3%A4",
        "since=now",
        "outcome=maybe",
        "limit=x",
    ],
)
def test_what_is_no_filter_is_a_bad_request(server: Serving, query: str) -> None:
    assert server.request("GET", f"/api/authz/audit?{query}", "adam").status == 400


def test_pages_follow_each_other_to_the_end(server: Serving) -> None:
    path = "/api/authz/audit?action=save&limit=1"
    first = server.request("GET", path, "adam").json
    second = server.request("GET", f"{path}&after={first['next']}", "adam").json
    found = outline(first["items"] + second["items"])
    assert found == outline(asked(server, "adam", "action=save"))
    assert second["next"] is None


def test_only_administrators_verify_and_a_forged_record_is_found(server: Serving) -> None:
    assert server.request("GET", "/api/authz/audit/verify", "edi").status == 403
    assert server.request("GET", "/api/authz/audit/verify", "adam").json["whole"]
    path = server.folder / "data" / "authorization" / "audit.jsonl"
    end = time.monotonic() + 60
    with server.store() as store:
        while (head := store.journal(path)[1]) is None and time.monotonic() < end:
            time.sleep(0.05)
    assert head is not None
    whole = path.read_bytes()
    try:
        path.write_bytes(whole.replace(b"user:edi", b"user:eve"))
        answer = server.request("GET", "/api/authz/audit/verify", "adam").json
        assert not answer["whole"]
        assert "not as it was written" in answer["problem"]
        # The store has it as it was.
        with server.store() as store:
            assert store.verify_records(name_of(path)).problem is None
    finally:
        path.write_bytes(whole)
    assert json.loads(whole.splitlines()[0])["number"] == 1


def test_administrators_read_the_records_of_other_servers_that_share_the_store(
    server: Serving, tmp_path: Path
) -> None:
    there = tmp_path / "audit.jsonl"
    other = Audit(there)
    for number in range(3):
        other.event("login", actor=f"user:edi{number}")
    other.close()
    with server.store() as store:
        assert store.keep_journal(there) is None
    name = name_of(there)
    assert name in server.request("GET", PATH, "adam").json["servers"]
    assert "servers" not in server.request("GET", PATH, "edi").json
    query = f"{PATH}?{urlencode({'server': name, 'limit': 2})}"
    first = server.request("GET", query, "adam").json
    second = server.request("GET", f"{query}&after={first['next']}", "adam").json
    found = [each["principal"] for each in first["items"] + second["items"]]
    assert ["user:edi2", "user:edi1", "user:edi0"] == found
    # What leads on in one list leads nowhere in another.
    assert 400 == server.request("GET", f"{PATH}?after={first['next']}", "adam").status
    # Not one's own either: there a person of that name may be another.
    assert 403 == server.request("GET", query, "edi").status
    assert 404 == server.request("GET", f"{PATH}?server=elsewhere", "adam").status


def test_the_records_of_one_request_belong_together_and_no_client_chooses_how(
    server: Serving,
) -> None:
    given = {"principal": "user:vera", "level": "viewer", "resource": "contents:/a.txt"}
    forged = {"X-Request-Id": "forged"}
    answer = server.request("POST", "/api/authz/grants", "adam", json_body=given, headers=forged)
    assert answer.status in {200, 201}, answer.text
    decided, made = [
        each["request_id"]
        for each in server.audit
        if each.get("action") == "share" or each.get("grantee") == "user:vera"
    ]
    assert decided == made != "forged"
    assert decided not in {
        each["request_id"] for each in server.audit if each.get("action") == "save"
    }
