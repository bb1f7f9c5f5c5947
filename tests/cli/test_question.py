from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from cli.conftest import Desk

OFFICE_HOURS = """
@id("office-hours")
forbid(principal, action, resource) when { context.hour < 8 };
"""
ERRS = """
@id("broken")
forbid(principal, action, resource) when { 9223372036854775807 + context.weekday > 0 };
"""
FROM_OUTSIDE = """
@id("outside")
forbid(principal, action, resource)
when { context has address && !context.address.isInRange(ip("192.0.2.0/24")) };
"""
KEYS = {
    "answer",
    "principal",
    "groups",
    "action",
    "resource",
    "revision",
    "determining",
    "would_allow",
    "could_grant",
    "reason_user",
    "reason_admin",
}


@pytest.mark.parametrize("verb", ["check", "explain"])
def test_allow_exits_0_and_deny_exits_1(desk: Desk, verb: str) -> None:
    assert desk.ask(verb, "user:ada", "save", "contents:/team/a.ipynb").code == 0
    assert desk.ask(verb, "user:ada", "delete", "contents:/team/a.ipynb").code == 1
    assert desk.ask(verb, "user:eve", "open", "contents:/team/a.ipynb").code == 1
    assert desk.ask(verb, "anonymous", "open", "contents:/team/a.ipynb").code == 1


def test_a_real_process_answers_alike(desk: Desk) -> None:
    yes = desk.run("check", "user:ada", "save", "contents:/team/a.ipynb")
    assert (yes.code, yes.err) == (0, "")
    assert yes.out.startswith("allow: permitted by grant `g-")
    assert desk.run("check", "user:bob", "save", "contents:/team/a.ipynb").code == 1
    no = desk.run("check", "user:zoe", "save", "contents:/team/a.ipynb")
    assert (no.code, no.out) == (2, "")
    assert no.err.startswith("error: there is no `user:zoe`")


def test_check_says_the_reason_in_one_sentence(desk: Desk) -> None:
    answer = desk.ask("check", "user:bob", "write", "contents:/team/a.ipynb")
    assert len(answer.out.splitlines()) == 1
    assert answer.out.startswith("deny: no rule or grant permits `save` on")


def test_quiet_says_nothing(desk: Desk) -> None:
    answer = desk.ask("check", "-q", "--json", "user:bob", "write", "contents:/team/a.ipynb")
    assert (answer.code, answer.out, answer.err) == (1, "", "")


@pytest.mark.parametrize("verb", ["check", "explain"])
def test_the_decision_as_json_has_its_keys(desk: Desk, verb: str) -> None:
    found = desk.ask(verb, "user:ada", "save", "contents:/team/a.ipynb", "--json").json
    assert set(found) == KEYS
    assert found["answer"] == "allow"
    assert found["groups"] == ["team"]
    (determinant,) = found["determining"]
    assert determinant["inherited_from"] == "contents:/team"
    assert determinant["scope"] == "user:ada"
    assert determinant["source"] == "store"


def test_explain_shows_what_determined_it_and_what_would_allow_it(desk: Desk) -> None:
    yes = desk.ask("explain", "user:ada", "save", "contents:/team/a.ipynb").out
    assert "groups: group:team" in yes
    assert "contents:/team\n" in yes
    no = desk.ask("explain", "user:bob", "save", "contents:/team/a.ipynb").out
    assert "would allow: level `editor` on `contents:/team/a.ipynb` or above" in no
    assert "the person is told: You can view team/a.ipynb but not change it" in no
    assert "could give it" not in no


def test_explain_names_who_could_give_what_is_missing(desk: Desk) -> None:
    for who, level, on in (
        ("ada", "manager", "contents:/team"),
        ("eve", "manager", "contents:/team/sub"),
        ("bob", "admin", "server:"),
    ):
        assert 0 == desk.ask("grant", f"user:{who}", level, on).code
    desk.ask("users", "add", "zoe", "--no-password")

    def could(*question: str) -> object:
        return desk.ask("explain", *question, "--json").json["could_grant"]

    assert ["user:ada", "user:bob"] == could("user:zoe", "save", "contents:/team/a.ipynb")
    assert ["user:ada", "user:bob", "user:eve"] == could("user:zoe", "open", "contents:/team/sub")
    assert ["user:bob"] == could("user:zoe", "start", "terminals:")
    assert ["user:bob"] == could("user:ada", "administer", "server:")
    assert [] == could("user:ada", "save", "contents:/team/a.ipynb")
    assert [] == could("anonymous", "open", "contents:/team/a.ipynb")
    said = desk.ask("explain", "user:zoe", "save", "contents:/team/a.ipynb").out
    assert "\ncould give it: user:ada, user:bob\n" in said
    # Where a rule forbids, no grant helps.
    desk.policy(no_cedar='@id("no") forbid(principal, action, resource);')
    assert [] == could("user:zoe", "save", "contents:/team/a.ipynb")


def test_explain_names_the_line_of_a_rule(desk: Desk) -> None:
    desk.policy(hours_cedar=OFFICE_HOURS)
    answer = desk.ask(
        "explain", "user:ada", "save", "contents:/team/a", "--at", "2030-01-01T03:00"
    )
    assert answer.code == 1
    assert f"{desk.policy_dir / 'hours.cedar'}:2" in answer.out


def test_at_moves_the_clock(desk: Desk) -> None:
    desk.policy(hours_cedar=OFFICE_HOURS)
    question = ("check", "user:ada", "save", "contents:/team/a", "--at")
    assert desk.ask(*question, "2030-01-01T09:00").code == 0
    assert desk.ask(*question, "2030-01-01T03:00").code == 1


def test_at_sees_a_grant_end(desk: Desk) -> None:
    desk.ask("grant", "user:eve", "viewer", "contents:/team", "--until", "2h")
    question = ("check", "user:eve", "open", "contents:/team")
    assert desk.ask(*question).code == 0
    assert desk.ask(*question, "--at", "3h").code == 1


def test_the_address_counts(desk: Desk) -> None:
    desk.policy(outside_cedar=FROM_OUTSIDE)
    question = ("check", "user:ada", "save", "contents:/team/a", "--address")
    assert desk.ask(*question, "192.0.2.7").code == 0
    assert desk.ask(*question, "198.51.100.7").code == 1
    assert "is no IP address" in desk.ask(*question, "nowhere").err


def test_somebody_disabled_is_denied_with_the_remedy(desk: Desk) -> None:
    desk.ask("users", "disable", "ada")
    answer = desk.ask("check", "user:ada", "save", "contents:/team/a")
    assert answer.code == 1
    assert "jupyter authz users enable ada" in answer.out


def test_a_question_is_not_recorded(desk: Desk) -> None:
    desk.ask("check", "user:eve", "save", "contents:/team/a")
    assert not desk.audit_path.exists()


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (("user:ada", "frob", "contents:/"), "`frob` is no action on `contents`"),
        (("user:ada", "read", "blobs:/"), "`blobs:/` is no resource"),
        (("user:ada", "read", "contents:/../.."), "error: "),
        (("user:zoe", "read", "contents:/"), "there is no `user:zoe`"),
        (("ada", "read", "contents:/"), "'ada' is no principal; write `user:NAME`"),
        (("group:team", "read", "contents:/"), "does not ask for anything itself"),
        (("token:ci", "read", "contents:/"), "there is no token `ci`"),
        (("user:a/b", "read", "contents:/"), "contains a slash"),
        (("user:a\0b", "read", "contents:/"), "U+0000"),
        (("user:\udcff", "read", "contents:/"), "U+DCFF"),
        (("\udcff", "\udcff", "\udcff"), "is no principal"),
        (("user:ada", "\udcff", "contents:/"), "is no action"),
        (("user:ada", "read", "contents:/\udcff"), "error: "),
        (("user:ada", "read", "contents:/a\0"), "error: "),
        (("user:" + "x" * 10_000_000, "read", "contents:/"), "at most 128 are possible"),
        (("user:ada", "x" * 10_000_000, "contents:/"), "is no action"),
        (("user:ada", "read", "x" * 10_000_000), "is no resource"),
        (("user:ada", "read", "contents:/", "--at", "soon"), "`soon` is no time"),
        (("user:ada", "read", "contents:/", "--at", "9999-99-99"), "is no time"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_cannot_be_decided_exits_2_in_one_short_line(
    desk: Desk, question: tuple[str, ...], said: str
) -> None:
    answer = desk.ask("check", *question)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert len(answer.err) < 1000
    assert answer.err.isascii() or "…" in answer.err


def test_bytes_that_are_no_text_get_a_message(desk: Desk) -> None:
    answer = desk.run("check", b"user:\xff\xfe", b"read", b"contents:/")
    assert (answer.code, answer.out) == (2, "")
    assert "unseen character (U+DCFF)" in answer.err
    assert "Traceback" not in answer.err


def test_a_rule_that_errs_denies_and_exits_2(desk: Desk) -> None:
    desk.policy(errs_cedar=ERRS)
    answer = desk.ask("check", "user:ada", "save", "contents:/team/a")
    assert answer.code == 2
    assert "broken" in answer.out
    found = desk.ask("check", "user:ada", "save", "contents:/team/a", "--json").json
    assert found["answer"] == "deny"


def test_a_policy_that_does_not_load_exits_2_with_every_mistake(desk: Desk) -> None:
    desk.policy(a_cedar="permit(", b_cedar="forbid(\n\n" + "(" * 10_000)
    answer = desk.ask("check", "user:ada", "save", "contents:/team/a")
    assert (answer.code, answer.out) == (2, "")
    assert f"{desk.policy_dir / 'a.cedar'}:1" in answer.err
    assert str(desk.policy_dir / "b.cedar") in answer.err


def _truncate(desk: Desk) -> None:
    desk.store_path.write_bytes(desk.store_path.read_bytes()[:5000])


def _overwrite(desk: Desk) -> None:
    desk.store_path.write_bytes(b"not a database at all, but long enough to be one" * 100)


def _drain(desk: Desk) -> None:
    desk.store_path.write_bytes(b"")


def _age(desk: Desk) -> None:
    connection = sqlite3.connect(desk.store_path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_truncate, "restore it from a backup"),
        (_overwrite, "restore it from a backup"),
        (_drain, "is empty"),
        (_age, "newer version"),
    ],
)
@pytest.mark.parametrize(
    "args", [("check", "user:ada", "save", "contents:/"), ("users", "add", "x", "--no-password")]
)
def test_a_store_that_cannot_be_read_exits_2_and_keeps_it(
    desk: Desk, damage: object, said: str, args: tuple[str, ...]
) -> None:
    damage(desk)  # type: ignore[operator]  # why: one of the functions above
    before = desk.store_path.read_bytes()
    answer = desk.ask(*args)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert str(desk.store_path) in answer.err
    assert desk.store_path.read_bytes() == before
    assert desk.records() == []


def test_a_locked_store_is_said_to_be_locked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each lock is waited for so long; five seconds otherwise.
    monkeypatch.setitem(Store.open.__func__.__kwdefaults__, "busy_timeout", 0.2)  # type: ignore[attr-defined]  # why: of a class method
    connection = sqlite3.connect(desk.store_path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        answer = desk.ask("users", "add", "zoe", "--no-password")
    finally:
        connection.close()
    assert (answer.code, answer.out) == (2, "")
    assert "another process has it locked" in answer.err
    assert desk.ask("users", "add", "zoe", "--no-password").code == 0
