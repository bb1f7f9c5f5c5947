from __future__ import annotations

import json

import pytest

from jupyter_authorized_server.cli.output import (
    MAX_SHOWN,
    note,
    printable,
    say,
    write_json,
    write_table,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 数", "Zoë 数"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("two\nlines", "two\\u000alines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        (7, "7"),
    ],
)
def test_what_could_drive_a_terminal_is_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * (MAX_SHOWN + 1)) == "x" * MAX_SHOWN + "…"
    assert printable("x" * MAX_SHOWN) == "x" * MAX_SHOWN


def test_answers_go_to_standard_output_and_notes_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("done\x07")
    note("careful\x07")
    assert tuple(capsys.readouterr()) == ("done\\u0007\n", "careful\\u0007\n")


def test_json_is_ascii_whatever_the_names_are(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": "数\ud800\x1b"}
    write_json(value)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == value


def test_a_table_that_is_not_for_a_terminal_is_aligned_and_uncut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_table(("name", "level"), [("数", None), ("[b]ada[/b]", "x" * 300)], empty="nobody")
    assert capsys.readouterr().out.splitlines() == [
        "NAME        LEVEL",
        "数",
        "[b]ada[/b]  " + "x" * 300,
    ]


def test_no_rows_are_said_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("name",), [], empty="there is nobody")
    assert tuple(capsys.readouterr()) == ("", "there is nobody\n")
