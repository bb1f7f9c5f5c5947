from __future__ import annotations

import json
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from serving import Answer, Serving, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = {
    "rules.cedar": '@id("exam-is-read-only") forbid(principal, action == Jupyter::Action::"save",'
    ' resource in Jupyter::Folder::"/team/exam");'
    '@id("not-mia") forbid(principal == Jupyter::User::"mia",'
    ' action == Jupyter::Action::"rename", resource in Jupyter::Folder::"/team/kept");'
}
OLD = "2020-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("grants")
    for name in ("team/exam", "team/kept", "lone", "secret"):
        (folder / "root" / name).mkdir(parents=True)
    (folder / "root" / "team" / "a.ipynb").write_text("{}")
    (folder / "root" / "team" / "link").symlink_to(folder / "root" / "secret")
    people: dict[str, Any] = {
        "adam": "admin",
        "mia": [("manager", "contents:/team")],
        "max": [("manager", "contents:/team")],
        "ed": [("editor", "contents:/team")],
        "vera": [("viewer", "contents:/team")],
        "olga": None,
        "pia": None,
    }
    with serving(folder, people=people, policy=RULES) as running:
        yield running


def give(server: Serving, who: str, **body: Any) -> Answer:
    body = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team", **body}
    return server.request("POST", "/api/authz/grants", who, json_body=body)


def give_many(server: Serving, who: str, *grants: dict[str, Any], **headers: str) -> Answer:
    path = "/api/authz/grants/batch"
    return server.request("POST", path, who, json_body={"grants": grants}, headers=headers)


def take(server: Serving, who: str, id_: str, **headers: str) -> Answer:
    return server.request("DELETE", f"/api/authz/grants/{id_}", who, headers=headers)


def opens(server: Serving, who: str, path: str = "team/a.ipynb") -> bool:
    return 200 == server.request("GET", f"/api/contents/{path}?content=0", who).status


def test_what_a_manager_gives_holds_at_once_until_it_is_taken_back(server: Serving) -> None:
    assert not opens(server, "olga")
    given = give(server, "mia")
    assert 201 == given.status, given.text
    assert opens(server, "olga")
    record = next(r for r in server.audit if r.get("grant") == given.json["id"])
    assert ("user:mia", "user:olga", "viewer") == (
        record["principal"],
        record["grantee"],
        record["level"],
    )
    taken = take(server, "max", given.json["id"])
    assert 200 == taken.status, taken.text
    assert not opens(server, "olga")


def test_the_same_grant_twice_is_one(server: Serving) -> None:
    first, second = give(server, "mia"), give(server, "max")
    assert (201, 200) == (first.status, second.status)
    assert first.json == second.json
    take(server, "mia", first.json["id"])


def test_an_end_may_be_said_as_on_the_command_line(server: Serving) -> None:
    begun = time.time()
    given = give(server, "mia", ends="2h")
    assert 201 == given.status, given.text
    ends = datetime.fromisoformat(given.json["ends"]).timestamp()
    assert begun + 7200 <= ends <= time.time() + 7200
    path = f"/api/authz/grants/{given.json['id']}"
    # A day is over at its end, in the time of the site.
    last = server.request("PATCH", path, "mia", json_body={"ends": "2999-01-31"}).json["ends"]
    assert datetime(2999, 2, 1).astimezone() == datetime.fromisoformat(last)
    take(server, "mia", given.json["id"])


def many(**change: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Three grants that a manager of the team may give, the last one with a change."""
    first = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team/a.ipynb"}
    last = {**first, "level": "runner", "ends": "2999-01-01T00:00:00+00:00", **change}
    return first, {**first, "principal": "user:pia"}, last


def test_many_are_given_at_once_each_as_by_itself(server: Serving) -> None:
    key = {"Idempotency-Key": "many"}
    given, again = (give_many(server, "mia", *many(), **key) for _ in range(2))
    assert (201, "true") == (given.status, again.headers["Idempotency-Replayed"]), given.text
    assert given.json == again.json
    assert opens(server, "olga")
    assert opens(server, "pia")
    ids = [each["id"] for each in given.json["items"]]
    records = [each for each in server.audit if each.get("grant") in ids]
    assert ids == [each["grant"] for each in records]
    assert {"user:mia"} == {each["principal"] for each in records}
    assert 1 == len({each["request_id"] for each in records})
    # What is said already is answered as it is, and what is said twice is one grant.
    same = give_many(server, "max", *many(), *many())
    assert (200, ids * 2) == (same.status, [each["id"] for each in same.json["items"]])
    assert len(records) == sum(each.get("grant") in ids for each in server.audit)
    for id_ in ids:
        assert 200 == take(server, "mia", id_).status
    assert not opens(server, "olga")


@pytest.mark.parametrize(
    ("who", "change", "status", "says"),
    [
        ("mia", {"level": "admin"}, 403, "Number 3: only an administrator"),
        ("mia", {"resource": "contents:/lone"}, 404, ""),
        ("mia", {"resource": "contents:/team/../lone"}, 404, ""),
        ("mia", {"resource": "contents:/team/link"}, 404, ""),
        ("mia", {"resource": "server:"}, 404, ""),
        (
            "adam",
            {"resource": "contents:/team/exam", "level": "editor"},
            403,
            "Number 3: nobody can give more",
        ),
        ("mia", {"principal": "everyone"}, 409, "Number 3: this lets everyone"),
        ("ed", {}, 403, ""),
        ("vera", {}, 403, ""),
        ("olga", {}, 404, ""),
        (None, {}, 403, ""),
    ],
)
def test_where_one_of_many_may_not_be_given_none_is(
    server: Serving, who: str, change: dict[str, Any], status: int, says: str
) -> None:
    with server.store() as store:
        before = store.revision()
        answer = give_many(server, who, *many(**change))
        assert status == answer.status, answer.text
        assert says in answer.text
        assert before == store.revision()


def test_many_are_at_least_one_and_not_too_many(server: Serving) -> None:
    for number in (0, 201):
        assert 400 == give_many(server, "adam", *many()[:1] * number).status
    given = give_many(server, "adam", *many()[:1] * 200)
    assert (201, 200) == (given.status, len(given.json["items"]))
    take(server, "adam", given.json["items"][0]["id"])


@pytest.mark.parametrize(
    ("who", "status"), [("ed", 403), ("vera", 403), ("olga", 404), (None, 403)]
)
def test_only_a_manager_gives(server: Serving, who: str, status: int) -> None:
    assert status == give(server, who).status
    assert not opens(server, "pia")


def test_nobody_gives_more_than_they_have(server: Serving) -> None:
    given = give(server, "mia", level="admin")
    assert 403 == given.status, given.text
    assert "Only an administrator" in given.json["message"]
    # A rule takes renaming from her, so she cannot hand on what includes it.
    given = give(server, "mia", level="contributor", resource="contents:/team/kept")
    assert 403 == given.status, given.text
    assert "not rename or move it" in given.json["message"]
    given = give(server, "mia", level="editor", resource="contents:/team/kept")
    assert 201 == given.status, given.text
    take(server, "mia", given.json["id"])


def test_nobody_gives_for_longer_than_they_have(server: Serving) -> None:
    friday, later = "2999-01-04T00:00:00+00:00", "2999-01-06T00:00:00+00:00"
    lone: dict[str, Any] = {"resource": "contents:/lone"}
    until = give(server, "adam", principal="user:pia", level="manager", ends=friday, **lone)
    refused = give(server, "pia", **lone)
    assert 403 == refused.status
    assert friday in refused.json["reason"]
    assert 403 == give(server, "pia", ends=later, **lone).status
    # Before she tries, she is told how long each level can last; whoever has no end, is not.
    query = "/api/authz/levels?resource=contents:/lone"
    told = {who: server.request("GET", query, who).json["items"] for who in ("pia", "adam")}
    assert [friday] * 5 + [None] == [each["until"] for each in told["pia"]]
    assert [None] * 6 == [each["until"] for each in told["adam"]]
    # Neither to herself.
    assert 403 == give(server, "pia", principal="user:pia", level="manager", **lone).status
    given = give(server, "pia", ends=friday, **lone)
    assert 201 == given.status, given.text
    path = f"/api/authz/grants/{given.json['id']}"
    for ends in (later, None):
        assert 403 == server.request("PATCH", path, "pia", json_body={"ends": ends}).status
    # What has no end she may shorten, and write a note to.
    forever = give(server, "adam", level="editor", **lone)
    its = f"/api/authz/grants/{forever.json['id']}"
    assert 200 == server.request("PATCH", its, "pia", json_body={"note": "x"}).status
    assert 403 == server.request("PATCH", its, "pia", json_body={"level": "contributor"}).status
    assert 200 == server.request("PATCH", its, "pia", json_body={"ends": friday}).status
    assert 403 == server.request("PATCH", its, "pia", json_body={"ends": None}).status
    # A second grant that lasts longer lets her give for longer.
    second = give(server, "adam", principal="user:pia", level="manager", ends=later, **lone)
    assert 200 == server.request("PATCH", path, "pia", json_body={"ends": later}).status
    for each in (until, given, forever, second):
        assert 200 == take(server, "adam", each.json["id"]).status


def test_the_rules_are_a_ceiling_for_administrators_too(server: Serving) -> None:
    given = give(server, "adam", level="editor", resource="contents:/team/exam")
    assert 403 == given.status, given.text
    told = server.request(
        "GET", "/api/authz/levels?resource=contents:/team/exam&principal=user:olga", "adam"
    ).json["items"]
    assert ["viewer", "runner"] == [each["level"] for each in told if each["allowed"]]


def test_what_lies_beyond_the_share_cannot_be_given(server: Serving) -> None:
    for resource in ("contents:/", "contents:/secret", "contents:/team/../secret", "server:"):
        assert give(server, "mia", resource=resource).status in {403, 404}, resource
    # A link is the folder behind it.
    assert 404 == give(server, "mia", resource="contents:/team/link").status


def test_a_grant_to_everyone_is_asked_for_twice(server: Serving) -> None:
    given = give(server, "mia", principal="everyone")
    assert 409 == given.status, given.text
    assert not opens(server, "pia")
    given = give(server, "mia", principal="everyone", confirm=True)
    assert 201 == given.status
    assert opens(server, "pia")
    take(server, "mia", given.json["id"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"principal": "user:nobody"}, 404),
        ({"principal": "group:nobody"}, 404),
        ({"principal": "anonymous"}, 404),
        ({"principal": "token:x"}, 404),
        ({"principal": "nobody"}, 400),
        ({"principal": ""}, 400),
        ({"level": "king"}, 400),
        ({"level": 5}, 400),
        ({"ends": OLD}, 400),
        ({"ends": "2999-02-30"}, 400),
        ({"ends": "9" * 400}, 400),
        ({"starts": "2999-01-02T00:00:00Z", "ends": "2999-01-01T00:00:00Z"}, 400),
        ({"resource": "contents:/team/none.ipynb"}, 404),
        ({"resource": "contents:/team/a\x00b"}, 404),
        ({"resource": "kernels:none"}, 404),
        ({"resource": "nothing"}, 400),
        ({"resource": 1}, 400),
        ({"note": "a\nb"}, 400),
        ({"note": "x" * 2000}, 400),
        ({"more": 1}, 400),
        ({"confirm": "yes"}, 400),
    ],
)
def test_a_bad_grant_is_refused_with_the_reason(
    server: Serving, change: dict[str, Any], status: int
) -> None:
    before = server.request("GET", "/api/authz/grants?limit=1000", "adam").json
    # By itself, and as one of many, of which none is given then.
    right = {"principal": "user:olga", "level": "viewer", "resource": "contents:/team"}
    for answer in (
        give(server, "adam", **change),
        give_many(server, "adam", {**right, "note": "one of many"}, {**right, **change}),
    ):
        assert status == answer.status, answer.text
        assert answer.json["reason"]
    assert before == server.request("GET", "/api/authz/grants?limit=1000", "adam").json


def test_a_token_that_a_rule_speaks_of_makes_none_of_which_it_does_not(server: Serving) -> None:
    def make(who: str) -> Answer:
        name = f"made-{time.monotonic_ns()}"
        return server.request("POST", "/api/authz/tokens", who, json_body={"name": name})

    def saves() -> bool:
        asked = {"requests": [{"action": "save", "resource": "contents:/team/a.ipynb"}]}
        answer = server.request("POST", "/api/authz/check", "narrow", json_body=asked)
        return bool(answer.json["decisions"][0]["allowed"])

    made = make("mia")
    assert 201 == made.status, made.text
    server.tokens["narrow"] = made.json["secret"]
    try:
        assert (201, True) == (make("narrow").status, saves())
        rule = f'forbid(principal == Jupyter::Token::"{made.json["id"]}", '
        rule += 'action == Jupyter::Action::"save", resource);'
        (server.folder / "policy" / "narrow.cedar").write_text(rule)
        end = time.monotonic() + 60
        while saves() and time.monotonic() < end:
            time.sleep(0.1)
        assert not saves()
        refused = make("narrow")
        assert (403, True) == (refused.status, "speaks of this token" in refused.text)
        assert 201 == make("mia").status
    finally:
        # Other tests take these for the people there are.
        del server.tokens["narrow"]


def test_a_link_gives_nothing_once_a_rule_keeps_a_part_of_it_from_its_maker(
    server: Serving,
) -> None:
    body = {"level": "viewer", "resource": "contents:/team"}
    made = server.request("POST", "/api/authz/links", "max", json_body=body)
    assert 201 == made.status, made.text
    rule = 'forbid(principal == Jupyter::User::"max", action == Jupyter::Action::"list", '
    rule += 'resource in Jupyter::Folder::"/team/kept");'

    def until(*, seen: bool) -> None:
        end = time.monotonic() + 60
        while seen != (200 == server.request("GET", "/api/contents/team/kept", "max").status):
            assert time.monotonic() < end
            time.sleep(0.1)

    until(seen=True)
    (server.folder / "policy" / "max.cedar").write_text(rule)
    until(seen=False)
    taken = {"secret": made.json["secret"]}
    answer = server.request("POST", "/api/authz/links/redeem", "olga", json_body=taken)
    assert (404, False) == (answer.status, opens(server, "olga"))
    (server.folder / "policy" / "max.cedar").unlink()
    # Other tests take max for who he was.
    until(seen=True)


def test_of_two_who_edit_one_grant_the_second_is_told(server: Serving) -> None:
    given = give(server, "mia")
    path = f"/api/authz/grants/{given.json['id']}"
    known = {"If-Match": server.request("GET", path, "max").headers["ETag"]}
    assert given.headers["ETag"] == known["If-Match"]
    first = server.request("PATCH", path, "mia", json_body={"level": "editor"}, headers=known)
    assert 200 == first.status, first.text
    second = server.request("PATCH", path, "max", json_body={"level": "runner"}, headers=known)
    assert 412 == second.status
    assert 412 == take(server, "max", given.json["id"], **known).status
    assert "editor" == server.request("GET", path, "max").json["level"]
    now = {"If-Match": first.headers["ETag"]}
    assert 200 == take(server, "max", given.json["id"], **now).status
    assert 404 == take(server, "max", given.json["id"], **now).status


def test_a_grant_s_end_can_be_moved_and_it_ends(server: Serving) -> None:
    given = give(server, "mia")
    end = datetime.fromtimestamp(time.time() + 3, tz=timezone.utc).isoformat()
    path = f"/api/authz/grants/{given.json['id']}"
    assert 200 == server.request("PATCH", path, "mia", json_body={"ends": end}).status
    until = time.monotonic() + 60
    while opens(server, "olga"):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_whoever_was_given_something_can_leave_it_and_nobody_else(server: Serving) -> None:
    given = give(server, "mia")
    assert 404 == take(server, "pia", given.json["id"]).status
    assert 403 == take(server, "ed", given.json["id"]).status
    # Who does not see a grant cannot tell it from one that there is not.
    for who in ("vera", "pia"):
        for method, body in (("GET", None), ("PATCH", {"level": "editor"}), ("DELETE", None)):
            there, nowhere = (
                server.request(method, f"/api/authz/grants/{id_}", who, json_body=body)
                for id_ in (given.json["id"], "g-000000000000")
            )
            assert (404, nowhere.json) == (there.status, there.json), (who, method)
    # It is theirs to leave, not to change.
    path, more = f"/api/authz/grants/{given.json['id']}", {"ends": None}
    for who in ("ed", "olga"):
        assert 403 == server.request("PATCH", path, who, json_body=more).status
    refused = next(each for each in reversed(server.audit) if each.get("decision") == "deny")
    assert ("user:olga", "share", "contents:/team") == (
        refused["principal"],
        refused["action"],
        refused["resource"],
    )
    assert 200 == take(server, "olga", given.json["id"]).status


def test_taking_back_says_what_remains(server: Serving) -> None:
    first = give(server, "mia")
    second = give(server, "mia", resource="contents:/team/a.ipynb", level="runner")
    taken = take(server, "mia", second.json["id"]).json
    assert [first.json["id"]] == [each["id"] for each in taken["remaining"]]
    assert [] == take(server, "mia", first.json["id"]).json["remaining"]


def of(server: Serving, principal: str) -> str:
    found = server.request("GET", f"/api/authz/grants?principal={principal}", "adam").json
    return str(found["items"][0]["id"])


def test_the_last_administrator_cannot_leave_be_lowered_or_be_removed(server: Serving) -> None:
    id_ = of(server, "user:adam")
    end = {"ends": "2999-01-01T00:00:00Z"}
    assert 409 == take(server, "adam", id_).status
    for body in ({"level": "manager"}, end):
        path = f"/api/authz/grants/{id_}"
        assert 409 == server.request("PATCH", path, "adam", json_body=body).status
    assert 409 == server.request("DELETE", "/api/authz/people/adam", "adam").status
    path = "/api/authz/people/adam"
    assert 409 == server.request("PATCH", path, "adam", json_body={"disabled": True}).status
    assert server.request("GET", "/api/authz/me", "adam").json["abilities"]["administer"]


def test_who_can_is_what_each_is_answered(server: Serving) -> None:
    for action in ("open", "save", "delete", "share"):
        path = f"/api/authz/who-can?action={action}&resource=contents:/team/a.ipynb"
        items = server.request("GET", path, "mia").json["items"]
        found = [each["principal"] for each in items]
        assert found == [f"user:{each['display_name']}" for each in items]
        everybody = sorted(f"user:{name}" for name in server.tokens)
        asked = [
            {"principal": each, "action": action, "resource": "contents:/team/a.ipynb"}
            for each in everybody
        ]
        answers = server.request("POST", "/api/authz/check", "mia", json_body={"requests": asked})
        pairs = zip(everybody, answers.json["decisions"], strict=True)
        assert [name for name, answer in pairs if answer["allowed"]] == found
    assert 403 == server.request("GET", path, "vera").status
    assert 404 == server.request("GET", path, "olga").status
    assert 400 == server.request("GET", "/api/authz/who-can?action=open", "mia").status


def test_what_can_names_the_places(server: Serving) -> None:
    def places(who: str, query: str) -> list[str]:
        answer = server.request("GET", f"/api/authz/what-can?{query}", who)
        assert 200 == answer.status, answer.text
        return [each["resource"] for each in answer.json["items"]]

    assert ["contents:/team"] == places("vera", "action=download")
    assert [] == places("vera", "action=save")
    assert ["contents:/team"] == places("adam", "principal=user:ed&action=checkpoint")
    assert "contents:/" in places("adam", "action=delete")
    path = "/api/authz/what-can?principal=user:mia&action=open"
    assert 403 == server.request("GET", path, "vera").status


def test_names_are_for_whoever_shares_something(server: Serving) -> None:
    def names(who: str) -> list[str]:
        return [
            each["name"]
            for each in server.request("GET", "/api/authz/people?q=M", who).json["items"]
        ]

    assert ["adam", "max", "mia"] == names("mia")
    assert "created" not in server.request("GET", "/api/authz/people", "mia").json["items"][0]
    assert 403 == server.request("GET", "/api/authz/people", "vera").status
    assert 403 == server.request("GET", "/api/authz/groups", "olga").status
    for method in ("GET", "PATCH", "DELETE"):
        body = {"display_name": "x"}
        assert (
            403 == server.request(method, "/api/authz/people/vera", "mia", json_body=body).status
        )


def test_an_administrator_keeps_people_and_groups(server: Serving) -> None:
    def ask(method: str, path: str, body: object = None) -> Answer:
        return server.request(method, f"/api/authz/{path}", "adam", json_body=body)

    assert 201 == ask("POST", "people", {"name": "zoe", "display_name": "<b>Zoë</b>"}).status
    assert 409 == ask("POST", "people", {"name": "zoe"}).status
    assert 400 == ask("POST", "people", {"name": "a/b"}).status
    assert ask("POST", "people", {"name": "ci", "service": True}).json["service"]
    found = ask("GET", "people").json["items"]
    assert ["ci"] == [each["name"] for each in found if each["service"]]
    assert 200 == ask("DELETE", "people/ci").status
    assert 201 == ask("POST", "groups", {"name": "lab"}).status
    assert 201 == ask("POST", "groups", {"name": "inner"}).status
    added = ask("PATCH", "groups/lab", {"add": ["user:zoe", "group:inner"]})
    assert ["group:inner", "user:zoe"] == added.json["members"]
    assert 400 == ask("PATCH", "groups/inner", {"add": ["group:lab"]}).status
    assert ["lab"] == ask("GET", "people/zoe").json["groups"]
    assert 404 == ask("PATCH", "groups/lab", {"remove": ["user:vera"]}).status
    assert ask("PATCH", "people/zoe", {"disabled": True}).json["disabled"]
    assert 200 == ask("DELETE", "groups/lab").status
    assert 200 == ask("DELETE", "people/zoe").status
    assert 404 == ask("GET", "people/zoe").status
    # As by the commands, and each by itself.
    joined = ["group_joined"] * 2
    assert [
        "user_added", "group_added", *joined, "user_disabled", "group_removed", "user_removed"
    ] == [
        each["kind"]
        for each in server.audit
        if each.get("person") == "user:zoe" or each.get("group") == "group:lab"
    ]  # fmt: skip
    # What was done before the part that was refused is recorded.
    assert 409 == ask("PATCH", "people/adam", {"display_name": "adam", "disabled": True}).status
    assert ["user_renamed"] == [
        each["kind"] for each in server.audit if each.get("person") == "user:adam"
    ]


@pytest.mark.parametrize("who", ["adam", "mia", "max", "olga", "pia"])
def test_the_list_of_grants_holds_those_that_each_question_alone_shows(
    server: Serving, who: str
) -> None:
    more = [
        give(server, "adam", principal="user:max", level="editor", resource="contents:/lone"),
        give(server, "adam", principal="user:olga", level="manager", resource="kernelspecs:"),
        give(server, "adam", principal="user:mia", resource="contents:/lone"),
    ]
    assert [201] * 3 == [each.status for each in more], [each.text for each in more]
    with server.store() as store:
        # One that has ended is in no list.
        held = [each for each in store.state().grants if (each.ends or math.inf) > time.time()]
    ids = [each.id for each in held]
    listed = server.request("GET", "/api/authz/grants?limit=1000", who).json["items"]
    alone = [i for i in ids if server.request("GET", f"/api/authz/grants/{i}", who).status == 200]
    assert sorted(alone) == sorted(each["id"] for each in listed if each["source"] == "store")
    for each in more:
        assert 200 == take(server, "adam", each.json["id"]).status


def test_of_many_requests_at_once_as_many_get_through_as_were_given(server: Serving) -> None:
    """Who comes too late does not take it from who is on their way."""
    given = give(server, "mia", uses=3)
    asked = ["/files/team/a.ipynb"] * 12
    with ThreadPoolExecutor(len(asked)) as several:
        found = [*several.map(lambda path: server.request("GET", path, "olga").status, asked)]
    assert {200: 3, 403: 9} == Counter(found)
    assert 200 == take(server, "mia", given.json["id"]).status


def test_a_grant_counts_a_number_of_times(server: Serving) -> None:
    given = give(server, "mia", level="editor", uses=3)
    assert (201, 3) == (given.status, given.json["uses_left"]), given.text
    path = "/api/contents/team/a.ipynb"
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (server.root / "team" / "a.ipynb").write_text(json.dumps(notebook))
    # A look at what is there is no use; reading, changing, and what fails, are.
    assert [200, 200] == [
        server.request("GET", f"{path}?content=0", "olga").status for _ in range(2)
    ]
    # So is what takes no notice of that word.
    assert 200 == server.request("GET", "/files/team/a.ipynb?content=0", "olga").status
    body = {"type": "notebook", "format": "json", "content": notebook}
    assert 200 == server.request("PUT", path, "olga", json_body=body).status
    one = f"/api/authz/grants/{given.json['id']}"
    assert 1 == server.request("GET", one, "mia").json["uses_left"]
    assert 200 == server.request("GET", path, "olga").status
    refused = server.request("PUT", path, "olga", json_body=body)
    assert (403, True) == (refused.status, "used up" in refused.json["message"]), refused.text
    assert 0 == server.request("GET", one, "mia").json["uses_left"]
    told = [each for each in server.audit if each.get("grant") == given.json["id"]]
    assert [("grant", 3)] == [(each["kind"], each.get("uses")) for each in told]
    assert 200 == take(server, "mia", given.json["id"]).status
    assert 400 == give(server, "max", level="manager", uses=3).status
    assert 400 == give(server, "mia", uses=0).status
