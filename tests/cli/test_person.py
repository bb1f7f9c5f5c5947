from __future__ import annotations

import os
import pty
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from cli.conftest import PROGRAM

from jupyter_authorized_server.credentials import verify_password

if TYPE_CHECKING:
    from cli.conftest import Desk

GOOD = "correct horse"
USER_KEYS = {
    "name",
    "display_name",
    "has_password",
    "disabled",
    "service",
    "groups",
    "created",
    "source",
}


def test_list_shows_everybody_with_their_groups(desk: Desk) -> None:
    out = desk.ask("users", "list").out.splitlines()
    assert out[0].split()[:2] == ["NAME", "SHOWN"]
    assert [line.split()[0] for line in out[1:]] == ["ada", "bob", "eve"]
    found = desk.ask("users", "list", "--json").json
    assert [set(row) for row in found] == [USER_KEYS] * 3
    assert found[0]["groups"] == ["team"]


def test_list_shows_people_of_the_policy_files(desk: Desk) -> None:
    desk.policy(people_yaml="people:\n  zoe:\n    name: Zoe\n")
    found = {row["name"]: row for row in desk.ask("users", "list", "--json").json}
    assert found["zoe"]["source"] == f"{desk.policy_dir / 'people.yaml'}:2"


def test_an_empty_house_says_how_to_begin(empty: Desk) -> None:
    answer = empty.ask("users", "list")
    assert (answer.code, answer.out) == (0, "")
    assert "jupyter authz users add" in answer.err
    assert empty.ask("users", "list", "--json").json == []


def test_add_reads_the_password_from_standard_input(desk: Desk) -> None:
    answer = desk.run(
        "users", "add", "zoe", "--name", "Zoë Q", "--password-stdin", stdin=GOOD.encode() + b"\n"
    )
    assert answer.code == 0
    with desk.store() as store:
        assert verify_password(store.password_hash("zoe"), GOOD)
        assert [p.display_name for p in store.state().people if p.name == "zoe"] == ["Zoë Q"]
    (record,) = desk.records()
    assert record["kind"] == "user_added"
    assert record["principal"].startswith("os:")
    assert record["person"] == "user:zoe"
    assert GOOD not in desk.audit_path.read_text("utf-8") + answer.out + answer.err


def test_add_asks_twice_at_a_terminal_and_echoes_nothing(desk: Desk) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [PROGRAM, "users", "add", "zoe"],
        env=desk.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    for line in (b"short\n", GOOD.encode() + b"\n", b"another\n", *[GOOD.encode() + b"\n"] * 2):
        seen += _until(ours, b": ")
        os.write(ours, line)
    seen += _until(ours, b"added")
    assert child.wait(timeout=60) == 0
    os.close(ours)
    assert GOOD.encode() not in seen
    assert b"too short" in seen
    assert b"were not the same" in seen
    with desk.store() as store:
        assert verify_password(store.password_hash("zoe"), GOOD)


def _until(descriptor: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        try:
            read = os.read(descriptor, 4096)
        except OSError:
            break
        if not read:
            break
        seen += read
    time.sleep(0.1)
    return seen


def test_a_service_comes_with_tokens_alone_and_is_shown_as_one(desk: Desk) -> None:
    added = desk.ask("users", "add", "ci", "--service", "--level", "viewer")
    assert (0, True) == (added.code, "`user:ci`, a service" in added.out), added.err
    shown = {line.split()[0]: line for line in desk.ask("users", "list").out.splitlines()[1:]}
    assert ("service", False) == (shown["ci"].split()[1], "service" in shown["ada"])
    found = {each["name"]: each["service"] for each in desk.ask("users", "list", "--json").json}
    assert {"ada": False, "bob": False, "ci": True, "eve": False} == found
    assert [True, None] == [each.get("service") for each in desk.records()]
    for asked in (("password", "ci"), ("add", "other", "--service")):
        refused = desk.ask("users", *asked, "--password-stdin", stdin=GOOD + "\n")
        assert (2, True) == (refused.code, "a service" in refused.err)
    assert 0 == desk.ask("tokens", "add", "ci", "nightly").code
    assert 0 == desk.ask("check", "token:nightly", "open", "contents:/a.ipynb").code


def test_without_a_terminal_add_says_what_to_use(desk: Desk) -> None:
    answer = desk.ask("users", "add", "zoe")
    assert answer.code == 2
    assert "`--password-stdin`" in answer.err
    assert desk.records() == []


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"", "too short"),
        (b"short\n", "too short"),
        (b"x" * 1025, "too long"),
        (b"x" * 10_000_000, "too long"),
        ("é".encode() * 5_000, "too long"),
        (b"\xff" * 12, "not UTF-8"),
        (b"long enough\0", "NUL"),
    ],
)
def test_a_password_that_cannot_be_adds_nobody(desk: Desk, stdin: bytes, said: str) -> None:
    answer = desk.ask("users", "add", "zoe", "--password-stdin", stdin=stdin)
    assert answer.code == 2
    assert said in answer.err
    assert "zoe" not in desk.ask("users", "list").out


def test_a_password_is_never_an_argument(desk: Desk) -> None:
    assert desk.ask("users", "add", "zoe", "--password", GOOD).code == 2
    assert desk.ask("users", "password", "ada", GOOD).code == 2


def test_add_grants_a_level_at_once(desk: Desk) -> None:
    answer = desk.ask(
        "users", "add", "zoe", "--no-password", "--level", "viewer", "--on", "contents:/team"
    )
    assert answer.code == 0
    assert desk.ask("check", "user:zoe", "open", "contents:/team/a").code == 0
    assert [record["kind"] for record in desk.records()] == ["user_added", "grant"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("ada",), "exists already"),
        (("a/b",), "slash"),
        (("a\0",), "U+0000"),
        (("\udcff",), "U+DCFF"),
        (("x" * 10_000_000,), "at most 128"),
        (("",), "empty"),
        (("zoe", "--level", "boss"), "`boss` is no level"),
        (("zoe", "--level", "viewer", "--on", "nowhere"), "is no resource"),
        (("zoe", "--on", "server:"), "needs a `--level`"),
        (("zoe", "--name", "a\nb"), "U+000A"),
        (("zoe", "--password-stdin"), "exclude each other"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_input_adds_nobody(desk: Desk, args: tuple[str, ...], said: str) -> None:
    before = desk.store_path.read_bytes()
    answer = desk.ask("users", "add", "--no-password", *args)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err) < 1000
    assert desk.store_path.read_bytes() == before
    assert desk.records() == []


def test_remove_takes_grants_along_and_says_which(desk: Desk) -> None:
    answer = desk.ask("users", "remove", "ada")
    assert answer.code == 0
    assert "g-" in answer.out
    assert [row["name"] for row in desk.ask("users", "list", "--json").json] == ["bob", "eve"]
    (record,) = desk.records()
    assert record["kind"] == "user_removed"
    assert len(record["grants"]) == 1


@pytest.mark.parametrize("verb", ["remove", "disable", "enable", "password"])
def test_somebody_unknown_is_named(desk: Desk, verb: str) -> None:
    answer = desk.ask("users", verb, "zoe")
    assert answer.code == 2
    assert "`zoe`" in answer.err
    assert desk.records() == []


def test_a_new_password_ends_login_sessions(desk: Desk) -> None:
    _sign_in(desk, "ada", "s1")
    assert desk.ask("users", "password", "ada", "--password-stdin", stdin=GOOD).code == 0
    with desk.store() as store:
        assert store.login_sessions("ada") == ()
    assert [record["kind"] for record in desk.records()] == ["password_set"]


def test_disable_and_enable(desk: Desk) -> None:
    desk.ask("users", "disable", "ada")
    assert desk.ask("users", "list", "--json").json[0]["disabled"] is True
    desk.ask("users", "enable", "user:ada")
    assert desk.ask("users", "list", "--json").json[0]["disabled"] is False
    assert [record["kind"] for record in desk.records()] == ["user_disabled", "user_enabled"]


def _sign_in(desk: Desk, person: str, id_: str, agent: str = "") -> None:
    with desk.store() as store:
        store.add_login_session(
            id_, "h" * 64, person, time.time() + 1000, "192.0.2.1", agent, time.time()
        )


def test_sessions_are_shown_escaped_and_ended(desk: Desk) -> None:
    _sign_in(desk, "ada", "s1", "\x1b[2J[bold]evil")
    _sign_in(desk, "ada", "s2")
    _sign_in(desk, "bob", "s3")
    shown = desk.ask("users", "sessions").out
    assert "\x1b" not in shown
    assert "[bold]evil" in shown
    assert {row["id"] for row in desk.ask("users", "sessions", "ada", "--json").json} == {
        "s1",
        "s2",
    }
    assert desk.ask("users", "sessions", "--end", "s1").code == 0
    assert desk.ask("users", "sessions", "--end", "s1").code == 2
    assert "1 login session ended" in desk.ask("users", "sessions", "--end-all", "ada").out
    assert [row["id"] for row in desk.ask("users", "sessions", "--json").json] == ["s3"]
    assert desk.ask("users", "sessions", "ada", "--end", "s3").code == 2
    assert desk.ask("users", "sessions", "zoe").code == 2


@pytest.mark.parametrize("name", ["b c", "$(reboot)", "it's", "-x"])
def test_the_command_that_undoes_it_can_be_copied_whatever_a_name_holds(
    desk: Desk, name: str
) -> None:
    assert 0 == desk.ask("users", "add", "--no-password", "--", name).code
    told = desk.ask("users", "disable", "--", name).out
    undo = told.partition("`jupyter authz ")[2].rpartition("` lets")[0]
    assert 0 == desk.ask(*shlex.split(undo)).code
    assert ["user_disabled", "user_enabled"] == [each["kind"] for each in desk.records()][-2:]
