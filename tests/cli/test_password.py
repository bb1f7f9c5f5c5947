from __future__ import annotations

import io
import sys

import pytest

from jupyter_authorized_server.cli.password import ask_password
from jupyter_authorized_server.credentials import MAX_PASSWORD, verify_password
from jupyter_authorized_server.errors import InvalidName


def type_in(monkeypatch: pytest.MonkeyPatch, typed: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_end_is_not_part_of_the_password(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    type_in(monkeypatch, "a pässword of mine".encode() + end)
    assert verify_password(ask_password("ada", from_stdin=True), "a pässword of mine")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (b"", "password"),
        (b"\n", "password"),
        (b"\xff" * 20, "not UTF-8"),
        (b"x" * (MAX_PASSWORD + 1), str(MAX_PASSWORD)),
        (b"x" * 10_000_000, str(MAX_PASSWORD)),
        (b"x" + "é".encode() * 4_000_000, str(MAX_PASSWORD)),
    ],
    ids=["nothing", "a line end", "no text", "one too many", "ten megabytes", "cut in a letter"],
)
def test_what_can_be_no_password_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, typed: bytes, why: str
) -> None:
    type_in(monkeypatch, typed)
    with pytest.raises(InvalidName, match=why):
        ask_password("ada", from_stdin=True)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, b"a password of mine\n")
    with pytest.raises(InvalidName, match="--password-stdin"):
        ask_password("ada", from_stdin=False)
