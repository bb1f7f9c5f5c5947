"""The command as a whole: settings, errors, several at once."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import click
import pytest

from jupyter_authorized_server.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Desk


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _commands(f"{path} {name}".strip(), below)


COMMANDS = dict(_commands("", main))
READING = (
    "check",
    "explain",
    "users list",
    "users sessions",
    "groups list",
    "grants list",
    "tokens list",
    "policy validate",
    "policy show",
    "routes",
    "audit tail",
    "audit verify",
    "store check",
)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path or "authz")
def test_every_help_has_an_example(desk: Desk, path: str) -> None:
    answer = desk.ask(*path.split(), "--help")
    assert answer.code == 0
    assert f"Example: `jupyter authz {path}".rstrip() in " ".join(answer.out.split())


@pytest.mark.parametrize("path", READING)
def test_every_reading_verb_has_json(path: str) -> None:
    assert "--json" in {option for each in COMMANDS[path].params for option in each.opts}


def test_it_is_found_as_a_subcommand_of_jupyter(desk: Desk) -> None:
    answer = desk.run("--help")
    assert answer.code == 0
    assert answer.out.startswith("Usage: jupyter authz [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    "args",
    [(), ("nope",), ("users", "nope"), ("grant",), ("audit", "tail", "-nx"), ("--nope",)],
)
def test_wrong_usage_is_one_line_and_exits_2(desk: Desk, args: tuple[str, ...]) -> None:
    answer = desk.ask(*args)
    assert answer.code == 2
    if args:
        assert answer.err.startswith("error: ")
        assert "--help`" in answer.err


@pytest.mark.parametrize("path", ["", "policy", "store"])
def test_a_noun_that_cannot_be_alone_shows_its_help(desk: Desk, path: str) -> None:
    answer = desk.ask(*path.split())
    assert (2, "") == (answer.code, answer.out)
    assert answer.err.startswith(f"Usage: main {path}".rstrip())
    assert desk.ask(*path.split(), "--help").out == answer.err


@pytest.mark.parametrize(
    ("noun", "verb"),
    [
        *((each, "list") for each in ("users", "groups", "grants", "links", "tokens", "requests")),
        ("audit", "tail"),
    ],
)
def test_a_noun_alone_lists(desk: Desk, noun: str, verb: str) -> None:
    for options in ((), ("--json",)):
        answer = desk.ask(noun, *options)
        assert desk.ask(noun, verb, *options) == answer
        assert 0 == answer.code
    assert f"{noun} [OPTIONS] " in desk.ask(noun, "-h").out


def test_config_reads_another_file(desk: Desk) -> None:
    other = desk.folder / "other.py"
    store = desk.folder / "elsewhere" / "store.sqlite"
    other.write_text(
        f"c.JupyterAuthorization.store_url = 'sqlite:///{store}'\n"
        f"c.JupyterAuthorization.audit_file = '{store.parent}/audit.jsonl'\n",
        "utf-8",
    )
    assert desk.run("--config", str(other), "users", "add", "zoe", "--no-password").code == 0
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert [
        row["name"] for row in desk.ask("--config", str(other), "users", "list", "--json").json
    ] == ["zoe"]
    assert "zoe" not in desk.ask("users", "list").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c.JupyterAuthorization.timezone = 'Nowhere/None'", "is no time zone"),
        ("c.JupyterAuthorization.denied_status = 200", "denied_status"),
        ("this is no Python", "SyntaxError"),
        ("raise RuntimeError('boo')", "boo"),
        ("c.JupyterAuthorization.policy_dir = '/nowhere/at/all'", "is no folder"),
        ("c.JupyterAuthorization.store_url = 'mysql://u:secret@h/x'", "SQLite"),
    ],
)
def test_wrong_settings_exit_2_with_a_message(desk: Desk, text: str, said: str) -> None:
    file = desk.folder / "wrong.py"
    file.write_text(text, "utf-8")
    answer = desk.run("--config", str(file), "check", "user:ada", "read", "contents:/")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert "secret" not in answer.err


@pytest.mark.parametrize("name", ["nowhere.py", "a\0b", "x" * 100_000])
def test_a_missing_config_exits_2(desk: Desk, name: str) -> None:
    answer = desk.ask("--config", name, "users", "list")
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert len(answer.err) < 2500


def test_nothing_is_changed_where_it_cannot_be_recorded(desk: Desk) -> None:
    desk.audit_path.mkdir()
    before = desk.store_path.read_bytes()
    answer = desk.ask("grant", "user:eve", "admin", "server:")
    assert answer.code == 2
    assert "audit file" in answer.err
    assert desk.store_path.read_bytes() == before


def test_two_at_once_both_succeed(desk: Desk) -> None:
    running = [
        desk.start("grant", "user:eve", level, "contents:/team")
        for level in ("viewer", "runner", "editor")
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, b"")
    found = desk.ask("grants", "list", "--principal", "user:eve", "--json").json
    assert sorted(row["level"] for row in found) == ["editor", "runner", "viewer"]
    assert len(desk.records()) == 3


def test_two_that_begin_a_store_at_once_both_succeed(empty: Desk) -> None:
    running = [empty.start("users", "add", name, "--no-password") for name in ("ada", "bob")]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, b"")
    assert [row["name"] for row in empty.ask("users", "list", "--json").json] == ["ada", "bob"]


def test_a_change_while_another_reads_succeeds(desk: Desk) -> None:
    reader = sqlite3.connect(desk.store_path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM revision").fetchall()
    try:
        assert desk.run("grant", "user:eve", "viewer", "server:").code == 0
    finally:
        reader.close()


def test_a_name_that_the_encoding_lacks_is_escaped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask("users", "add", "zoё", "--no-password")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    monkeypatch.setenv("PYTHONUTF8", "0")
    answer = desk.run("users", "list")
    assert answer.code == 0
    assert r"zo\u0451" in answer.out
