"""A password, asked for at the terminal or read from standard input; never an argument."""

from __future__ import annotations

import sys

import click

from ..credentials import MAX_PASSWORD, check_password_rules, hash_password
from ..errors import InvalidName
from .output import note


def ask_password(name: str, *, from_stdin: bool) -> str:
    """The hash of a new password for the person `name`.

    Raises:
        InvalidName: standard input holds none, or there is no terminal to ask at.
    """
    if from_stdin:
        return _hashed(_read())
    if not sys.stdin.isatty():
        msg = "there is no terminal to ask for the password at; use `--password-stdin`"
        raise InvalidName(msg)
    while True:
        first = click.prompt(f"Password for {name}", hide_input=True, err=True)
        try:
            check_password_rules(first)
        except InvalidName as error:
            note(str(error))
            continue
        if click.prompt("The same again", hide_input=True, err=True) == first:
            return _hashed(first)
        note("the two were not the same; try again")


def _hashed(password: str) -> str:
    check_password_rules(password)
    return hash_password(password)


def _read() -> str:
    # One byte more than the longest in UTF-8 and its line end, so that a longer one shows.
    read = sys.stdin.buffer.read(4 * MAX_PASSWORD + 3)
    try:
        text = read.decode()
    except UnicodeDecodeError:
        if len(read) > 4 * MAX_PASSWORD:
            return "x" * (MAX_PASSWORD + 1)  # a character may be cut: it is too long anyway
        msg = "the password on standard input is not UTF-8 text"
        raise InvalidName(msg) from None
    return text.removesuffix("\n").removesuffix("\r")
