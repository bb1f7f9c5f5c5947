from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from serving import Answer, Serving, serving

from jupyter_authorized_server.server.admin.handler import AdminHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = {
    "rules.cedar": '@id("nobody-saves-final") forbid(principal, action == Jupyter::Action::"save",'
    ' resource in Jupyter::Folder::"/team/final");'
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("admin")
    (folder / "root" / "team" / "final").mkdir(parents=True)
    (folder / "root" / "team" / "a.ipynb").write_text("{}")
    (folder / "root" / "secret").mkdir()
    (folder / "root" / "secret" / "b.txt").write_text("b")
    people: dict[str, Any] = {
        "adam": "admin",
        "mia": [("manager", "contents:/team")],
        "rune": [
            ("runner", "contents:/team"),
            ("editor", "contents:/team/final"),
            ("runner", "kernelspecs:python3"),
        ],
        "vera": [("viewer", "contents:/team")],
        "olga": None,
    }
    with serving(folder, people=people, policy=RULES) as running:
        yield running


def me(server: Serving, who: str, *resources: str) -> dict[str, Any]:
    query = "&".join(f"resource={quote(each, safe='')}" for each in resources)
    answer = server.request("GET", f"/api/authz/me?{query}", who)
    assert 200 == answer.status, answer.text
    found: dict[str, Any] = answer.json
    return found


def ask(server: Serving, who: str | None, path: str, body: object) -> Answer:
    return server.request("POST", f"/api/authz/{path}", who, json_body=body)


def test_me_says_who_asks_and_what_they_may_do(server: Serving) -> None:
    found = me(server, "vera", "contents:/team/a.ipynb")
    assert "user:vera" == found["principal"]["name"]
    assert "test" == found["principal"]["token"]
    assert not found["abilities"]["administer"]
    about = found["resources"]["contents:/team/a.ipynb"]
    assert "viewer" == about["level"]
    assert {"allowed": True} == about["actions"]["open"]
    assert {
        "allowed": False,
        "reason": "You can view team/a.ipynb but not change it.",
    } == about["actions"]["save"]


def test_me_tells_the_level_and_each_action_of_a_manager(server: Serving) -> None:
    found = me(server, "mia", "contents:/team", "contents:/team/final")["resources"]
    assert "manager" == found["contents:/team"]["level"]
    # The rule takes `save` away, so the level is that of who can do no more than run.
    assert "runner" == found["contents:/team/final"]["level"]
    assert found["contents:/team/final"]["actions"]["share"]["allowed"]
    # Of files an administrator can do the same, and is still called one.
    found = me(server, "adam", "contents:/team", "contents:/team/final", "events:")["resources"]
    assert ["admin", "runner", "admin"] == [each["level"] for each in found.values()]


def test_me_tells_whoever_may_start_a_kernel_whether_it_would_run_what_they_type(
    server: Serving,
) -> None:
    team, final = "contents:/team", "contents:/team/final"
    found = me(server, "rune", team, final)["resources"]
    reason = "You can start a kernel here, but not run in it what you type."
    assert {"run": {"allowed": False, "reason": reason}} == found[team]["own_kernel"]
    assert {"run": {"allowed": True}} == found[final]["own_kernel"]
    # Who may start none is told that alone.
    assert "own_kernel" not in me(server, "vera", team)["resources"][team]


def test_me_tells_whoever_was_given_no_kind_of_kernel_that_none_starts(server: Serving) -> None:
    notebook = "contents:/team/a.ipynb"
    about = me(server, "mia", notebook)["resources"][notebook]
    reason = (
        "No kind of kernel is given to you here; "
        "an administrator gives one, as `runner` on `kernelspecs:`."
    )
    assert {"allowed": False, "reason": reason} == about["actions"]["launch"]
    assert ("manager", True) == (about["level"], "own_kernel" not in about)
    body = {"path": "team/a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    assert 403 == server.request("POST", "/api/sessions", "mia", json_body=body).status
    assert me(server, "rune", notebook)["resources"][notebook]["actions"]["launch"]["allowed"]


def test_me_answers_alike_about_what_is_hidden_and_what_is_not_there(server: Serving) -> None:
    found = me(server, "vera", "contents:/secret/b.txt", "contents:/secret/none.txt")["resources"]
    assert found["contents:/secret/b.txt"] == found["contents:/secret/none.txt"]
    assert None is found["contents:/secret/b.txt"]["level"]


@pytest.mark.parametrize(
    "text",
    ["contents:/../x", "nothing", "contents:", "server:x", "kernels:\u202e", "contents:/a\\b"],
)
def test_me_answers_a_resource_that_cannot_be_with_nothing_allowed(
    server: Serving, text: str
) -> None:
    about = me(server, "vera", text)["resources"][text]
    assert not any(each["allowed"] for each in about["actions"].values())


def test_me_refuses_more_resources_than_it_answers(server: Serving) -> None:
    many = "&".join(f"resource=kernels:{number}" for number in range(501))
    assert 400 == server.request("GET", f"/api/authz/me?{many}", "vera").status


def test_nobody_is_answered_unnamed(server: Serving) -> None:
    for path in ("me", "grants"):
        assert 403 == server.request("GET", f"/api/authz/{path}").status
    assert 403 == ask(server, None, "check", {"requests": []}).status


def test_a_batch_is_answered_in_order(server: Serving) -> None:
    asked = [
        {"action": action, "resource": "contents:/team/a.ipynb"}
        for action in ("open", "save", "write", "read")
    ]
    found = ask(server, "vera", "check", {"requests": asked}).json["decisions"]
    assert [True, False, False, True] == [each["allowed"] for each in found]
    assert "You can view team/a.ipynb but not change it." == found[1]["reason"]


def test_about_others_only_who_may_review_is_answered(server: Serving) -> None:
    asked = {
        "requests": [
            {"principal": "user:vera", "action": "open", "resource": "contents:/team/a.ipynb"}
        ]
    }
    assert [True] == [d["allowed"] for d in ask(server, "mia", "check", asked).json["decisions"]]
    assert [True] == [d["allowed"] for d in ask(server, "adam", "check", asked).json["decisions"]]
    # Vera asks about herself, and Olga, who sees nothing there, about Vera.
    assert 200 == ask(server, "vera", "check", asked).status
    assert 404 == ask(server, "olga", "check", asked).status
    asked["requests"][0]["principal"] = "user:mia"
    assert 403 == ask(server, "vera", "check", asked).status


def test_one_question_about_others_among_many_refuses_the_batch(server: Serving) -> None:
    mine = {"action": "open", "resource": "contents:/team/a.ipynb"}
    others = {"principal": "user:mia", "action": "open", "resource": "contents:/team/a.ipynb"}
    assert 403 == ask(server, "vera", "check", {"requests": [mine, others]}).status


def test_explaining_names_rules_to_those_who_share_only(server: Serving) -> None:
    asked = {"action": "save", "resource": "contents:/team/final/x"}
    told = ask(server, "vera", "explain", asked).json
    assert ("deny", "editor", "", [], []) == (
        told["answer"],
        told["needs"],
        told["reason_admin"],
        told["would_allow"],
        told["determining"],
    )
    assert "nobody-saves-final" not in json.dumps(told)
    told = ask(server, "mia", "explain", asked).json
    assert ["nobody-saves-final"] == [each["id"] for each in told["determining"]]
    asked["principal"] = "user:vera"
    assert "user:vera" == ask(server, "mia", "explain", asked).json["principal"]
    assert 404 == ask(server, "olga", "explain", asked).status


def test_who_could_give_what_is_missing_is_told_to_those_who_share_only(server: Serving) -> None:
    asked = {"principal": "user:vera", "action": "save", "resource": "contents:/team/a.txt"}
    assert ["user:adam", "user:mia"] == ask(server, "mia", "explain", asked).json["could_grant"]
    assert [] == ask(server, "vera", "explain", asked).json["could_grant"]


OF_ANOTHER = {"principal": "user:vera", "action": "open", "resource": "contents:/none"}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"requests": {}},
        {"requests": [1]},
        {"requests": [{}]},
        {"requests": [{"action": "open"}]},
        {"requests": [{"action": 1, "resource": "server:"}]},
        {"requests": [{"action": "fly", "resource": "server:"}]},
        {"requests": [{"action": "open", "resource": "nothing:x"}]},
        {"requests": [{"action": "open", "resource": "contents:/a", "more": 1}]},
        {"requests": [{"principal": {"a": 1}, "action": "open", "resource": "contents:/a"}]},
        {"requests": [{"principal": "group:x", "action": "use", "resource": "server:"}]},
        {"requests": [{"action": "use", "resource": "server:"}] * 1001},
    ],
)
def test_a_bad_question_is_told_so(server: Serving, body: object) -> None:
    answer = ask(server, "adam", "check", body)
    assert 400 == answer.status, answer.text
    assert answer.json["message"] == answer.json["reason"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("check", {"requests": [], "more": "x" * 2**20}, 413),
        ("people", {"name": "x" * 2**20}, 413),
        ("check", {"requests": [OF_ANOTHER] * 1001}, 400),
        ("grants/batch", {"grants": [{"resource": "contents:/none"}] * 201}, 400),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_looked_at(
    server: Serving, path: str, body: object, status: int
) -> None:
    # Somebody with no right: what they may not know of would be 404, had it been looked for.
    answer = ask(server, "olga", path, body)
    assert status == answer.status
    assert "ask in several requests" in answer.json["message"]


def test_asking_about_somebody_unknown_is_404_and_no_error(server: Serving) -> None:
    asked = {"principal": "user:nobody", "action": "use", "resource": "server:"}
    assert 404 == ask(server, "adam", "explain", asked).status


def grants(server: Serving, who: str, query: str = "") -> list[dict[str, Any]]:
    answer = server.request("GET", f"/api/authz/grants?{query}", who)
    assert 200 == answer.status, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_the_list_of_grants_shows_what_one_may_review(server: Serving) -> None:
    def seen(who: str) -> list[str]:
        return [each["principal"] for each in grants(server, who)]

    in_team = ["user:mia", "user:rune", "user:vera", "user:rune"]
    assert [*in_team, "user:rune", "user:adam"] == seen("adam")
    assert in_team == seen("mia")
    assert ["user:vera"] == seen("vera")
    assert [] == seen("olga")


def test_the_list_of_a_resource_tells_what_is_inherited(server: Serving) -> None:
    found = grants(server, "adam", "resource=contents:/team/a.ipynb&inherited=1")
    assert [
        ("user:mia", "contents:/team"),
        ("user:rune", "contents:/team"),
        ("user:vera", "contents:/team"),
        ("user:adam", "server:"),
    ] == [(each["principal"], each["inherited_from"]) for each in found]
    assert [] == grants(server, "adam", "resource=contents:/team/a.ipynb")


def test_pages_of_a_list_join_to_the_whole(server: Serving) -> None:
    whole = grants(server, "adam")
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = server.request("GET", f"/api/authz/grants?limit=1&after={after}", "adam").json
        found += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    assert whole == found


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=e30",
        "limit=-1",
        "limit=x",
        "level=king",
        "ends_before=soon",
        "principal=x",
    ],
)
def test_a_bad_query_is_told_so(server: Serving, query: str) -> None:
    answer = server.request("GET", f"/api/authz/grants?{query}", "adam")
    assert 400 == answer.status, answer.text


def test_others_have_their_turn_while_many_questions_are_answered() -> None:
    async def asked() -> tuple[list[int], int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        found = await AdminHandler.each(None, range(1000), lambda n: n)  # type: ignore[arg-type]  # why: asks nothing of it
        task.cancel()
        return found, turns

    found, turns = asyncio.run(asked())
    assert list(range(1000)) == found
    assert turns >= 40


def test_no_other_method_is_answered(server: Serving) -> None:
    assert 405 == server.request("DELETE", "/api/authz/me", "adam").status
