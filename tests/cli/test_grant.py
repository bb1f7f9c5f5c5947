from __future__ import annotations

import os
import pty
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from cli.conftest import PROGRAM

if TYPE_CHECKING:
    from cli.conftest import Desk

KEYS = {
    "uses_left",
    "id",
    "principal",
    "level",
    "resource",
    "starts",
    "ends",
    "granted_by",
    "note",
    "source",
}


def _grants(desk: Desk, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.ask("grants", "list", "--json", *args).json
    return found


def test_a_grant_says_its_id_and_how_to_take_it_back(desk: Desk) -> None:
    answer = desk.ask("grant", "user:eve", "viewer", "contents:/team/", "--note", "for the review")
    assert answer.code == 0
    (given,) = _grants(desk, "--principal", "user:eve")
    assert set(given) == KEYS
    assert given["resource"] == "contents:/team"
    assert given["note"] == "for the review"
    assert given["granted_by"].startswith("os:")
    assert f"jupyter authz revoke {given['id']}" in answer.out
    (record,) = desk.records()
    assert (record["kind"], record["grant"], record["grantee"]) == (
        "grant",
        given["id"],
        "user:eve",
    )
    assert desk.ask("revoke", given["id"]).code == 0
    assert desk.records()[1]["kind"] == "revoke"
    assert desk.ask("check", "user:eve", "open", "contents:/team").code == 1


def test_the_name_of_whoever_grants_is_not_from_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "mallory")
    desk.ask("grant", "user:eve", "viewer", "server:")
    assert "mallory" not in desk.audit_path.read_text("utf-8")
    assert _grants(desk, "--principal", "user:eve")[0]["granted_by"] != "os:mallory"


@pytest.mark.parametrize(
    ("when", "seconds"), [("90m", 5400), ("2h", 7200), ("3d", 259_200), ("1w", 604_800)]
)
def test_until_may_be_a_span(desk: Desk, when: str, seconds: int) -> None:
    now = time.time()
    desk.ask("grant", "user:eve", "viewer", "server:", "--until", when)
    (given,) = _grants(desk, "--principal", "user:eve")
    assert given["ends"] == pytest.approx(now + seconds, abs=60)


def test_until_a_date_counts_that_day(desk: Desk) -> None:
    (desk.folder / "config").mkdir(exist_ok=True)
    (desk.folder / "config" / "jupyter_server_config.py").write_text(
        'c.JupyterAuthorization.timezone = "Europe/Paris"\n', "utf-8"
    )
    desk.ask("grant", "user:eve", "viewer", "server:", "--until", "2100-01-31", "--from", "1h")
    (given,) = _grants(desk, "--principal", "user:eve")
    # 2100-02-01T00:00+01:00
    assert given["ends"] == 4_105_119_600.0
    assert "2100-02-01 00:00+01:00" in desk.ask("grants", "list").out


def test_list_tells_ended_grants_from_the_others(desk: Desk) -> None:
    with desk.store() as store:
        store.add_grant(
            principal="user:eve", level="viewer", resource="server:", now=1, ends=2, granted_by="x"
        )
    assert [row["principal"] for row in _grants(desk)] == ["user:ada", "user:bob"]
    assert [row["principal"] for row in _grants(desk, "--expired")] == ["user:eve"]
    assert [row["principal"] for row in _grants(desk, "--resource", "server:")] == ["user:bob"]


def test_list_shows_grants_of_policy_files(desk: Desk) -> None:
    desk.policy(
        grants_yaml='grants:\n  - {principal: user:eve, level: viewer, resource: "server:"}\n'
    )
    (given,) = _grants(desk, "--principal", "user:eve")
    assert given["source"] == f"{desk.policy_dir / 'grants.yaml'}:2"
    answer = desk.ask("revoke", "user:eve", "server:")
    assert answer.code == 2
    assert f"{desk.policy_dir / 'grants.yaml'}:2" in answer.err


def test_that_nobody_administers_any_more_is_noted(desk: Desk) -> None:
    said = "nobody in the store administers the server any more"
    given = desk.ask("grant", "user:ada", "admin", "server:")
    assert said not in given.err
    assert said not in desk.ask("users", "disable", "bob").err
    assert said in desk.ask("users", "disable", "ada").err
    assert said not in desk.ask("users", "enable", "ada").err
    assert said in desk.ask("revoke", "user:ada", "server:").err


def test_revoke_says_what_still_reaches_there(desk: Desk) -> None:
    desk.ask("grant", "group:team", "viewer", "server:")
    desk.ask("grant", "everyone", "viewer", "contents:/other")
    answer = desk.ask("revoke", "user:ada", "contents:/team")
    assert answer.code == 0
    assert "took back `editor` on `contents:/team` from `user:ada`" in answer.out
    assert "`user:ada` still reaches `contents:/team` through:" in answer.out
    assert "group:team" in answer.out
    assert "contents:/other" not in answer.out
    last = desk.ask("revoke", "user:bob", "viewer", "server:")
    assert "no other grant reaches `user:bob` on `server:`" in last.out


def test_several_that_match_are_listed_and_need_all(desk: Desk) -> None:
    desk.ask("grant", "user:ada", "viewer", "contents:/team")
    answer = desk.ask("revoke", "user:ada", "contents:/team")
    assert answer.code == 2
    assert "`--all`" in answer.err
    assert answer.out.count("g-") == 2
    assert len(_grants(desk, "--principal", "user:ada")) == 2
    assert desk.ask("revoke", "user:ada", "viewer", "contents:/team").code == 0
    desk.ask("grant", "user:ada", "viewer", "contents:/team")
    assert desk.ask("revoke", "user:ada", "contents:/team", "--all").code == 0
    assert _grants(desk, "--principal", "user:ada") == []


def test_a_grant_can_be_taken_back_while_the_policy_is_broken(desk: Desk) -> None:
    desk.policy(a_cedar="permit(")
    answer = desk.ask("revoke", "user:ada", "contents:/team")
    assert answer.code == 0
    assert "policy files are left out, for they hold 1 mistake" in answer.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("grant", "user:zoe", "viewer", "server:"), "there is no person `zoe`"),
        (("grant", "group:zoe", "viewer", "server:"), "there is no group `zoe`"),
        (("grant", "anonymous", "viewer", "server:"), "nothing can be granted"),
        (("grant", "token:ci", "viewer", "server:"), "a token has no more than its owner"),
        (("grant", "user:eve", "boss", "server:"), "`boss` is no level"),
        (("grant", "user:eve", "viewer", "blobs:"), "is no resource"),
        (("grant", "user:eve", "viewer", "server:x"), "there is one server"),
        (("grant", "user:eve", "viewer", "contents:/\udcff"), "error: "),
        (("grant", "user:eve", "viewer", "contents:/" + "x" * 10_000_000), "error: "),
        (("grant", "user:eve", "viewer", "server:", "--until", "2001-01-01"), "already past"),
        (("grant", "user:eve", "viewer", "server:", "--until", "soon"), "is no time"),
        (("grant", "user:eve", "viewer", "server:", "--until", "1h", "--from", "2h"), "not after"),
        (("grant", "user:eve", "viewer", "server:", "--note", "\x1b[2J"), "U+001B"),
        (("grant", "user:eve", "viewer", "server:", "--note", "x" * 10_000_000), "at most 1024"),
        (("revoke", "g-000000000000"), "no grant has the id"),
        (("revoke", "\udcff"), "no grant has the id"),
        (("revoke", "x" * 10_000_000), "no grant has the id"),
        (("revoke", "user:eve", "server:"), "has no grant of its own"),
        (("revoke", "user:ada", "admin", "contents:/team"), "has no grant of `admin`"),
        (("revoke", "a", "b", "c", "d"), "name a grant's id"),
        (("revoke",), "Missing argument"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_bad_input_changes_nothing(desk: Desk, args: tuple[str, ...], said: str) -> None:
    before = _grants(desk)
    answer = desk.ask(*args)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err) < 1500
    assert _grants(desk) == before
    assert desk.records() == []


def test_orphans_are_shown_adopted_and_taken_back(desk: Desk) -> None:
    assert "no orphans" in desk.ask("grants", "--orphans").err
    desk.ask("grant", "user:eve", "viewer", "contents:/gone")
    (given,) = _grants(desk, "--principal", "user:eve")
    with desk.store() as store:
        store.identify("r", {"/gone": "1"})
        store.lose("r", ["/gone"], time.time())
    assert _grants(desk, "--principal", "user:eve") == []
    assert given["id"] in desk.ask("grants", "--orphans").out
    (orphan,) = desk.ask("grants", "--orphans", "--json").json
    assert [given["id"], True] == [orphan["id"], orphan["lost"] <= time.time()]
    assert desk.ask("grants", "adopt", given["id"]).code == 0
    assert _grants(desk, "--principal", "user:eve") == [given]
    with desk.store() as store:
        store.identify("r", {"/gone": "1"})
        store.lose("r", ["/gone"], time.time())
    assert desk.ask("revoke", given["id"]).code == 0
    assert "no orphans" in desk.ask("grants", "--orphans").err
    assert "no orphan" in desk.ask("grants", "adopt", given["id"]).err
    assert [each["kind"] for each in desk.records()] == ["grant", "grant", "revoke"]


def test_everyone_is_meant_or_not_given_anything_on_a_terminal(desk: Desk) -> None:
    words = [PROGRAM, "grant", "everyone", "viewer", "contents:/pub"]
    asked = ("--principal", "everyone")
    before = len(_grants(desk, *asked))
    for typed, code, many in (("n\n", 130, 0), ("y\n", 0, 1), (None, 0, 2)):
        extra = ["--yes"] if typed is None else []
        main, terminal = pty.openpty()
        os.write(main, (typed or "").encode())
        done = subprocess.run(
            [*words, *extra],
            env=desk.environment,
            stdin=terminal,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(main)
        os.close(terminal)
        assert (code, before + many) == (done.returncode, len(_grants(desk, *asked)))
        assert (b"everyone who can sign in" in done.stderr) == (typed is not None)


def test_how_often_a_grant_counts_is_said_listed_and_recorded(desk: Desk) -> None:
    answer = desk.ask("grant", "user:eve", "viewer", "contents:/x", "--uses", "3")
    assert "`user:eve`, 3 times: g-" in answer.out
    (given,) = _grants(desk, "--resource", "contents:/x")
    assert 3 == given["uses_left"]
    assert {None} == {each["uses_left"] for each in _grants(desk) if each != given}
    assert [3] == [each["uses"] for each in desk.records()]
    shown = desk.ask("grants", "list").out.splitlines()
    assert ["3"] == [line.split()[4] for line in shown if given["id"] in line]
