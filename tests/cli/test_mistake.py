from __future__ import annotations

import pytest

from jupyter_authorized_server.cli.mistake import DOES_NOT_LOAD, telling
from jupyter_authorized_server.errors import InvalidName, Mistake, PolicyError


def broken(*messages: str) -> PolicyError:
    return PolicyError([Mistake(source="a.cedar", line=3, message=each) for each in messages])


def test_every_mistake_is_told_with_its_place_and_the_code_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @telling
    def command() -> int:
        raise broken("one is wrong", "another\x1b is")

    assert command() == DOES_NOT_LOAD
    out, err = capsys.readouterr()
    assert out == ""
    told = err.splitlines()
    assert len(told) == 3
    assert told[0].startswith("a.cedar:3:")
    assert "\\u001b" in told[1]
    assert "2 mistakes" in told[2]


def test_a_command_that_works_keeps_its_own_code() -> None:
    @telling
    def command(code: int) -> int:
        return code

    assert command(1) == 1


def test_what_is_no_mistake_in_a_policy_is_not_swallowed() -> None:
    @telling
    def command() -> int:
        raise InvalidName("no")

    with pytest.raises(InvalidName):
        command()
