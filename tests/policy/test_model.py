from __future__ import annotations

import re

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy.model import (
    Answer,
    Decision,
    Principal,
    Resource,
    parse_name,
    parse_principal,
)


@pytest.mark.parametrize(
    "name", ["ada", "Ada", "ada lovelace", "é", "名前", "no", "a:b", "x" * 128]
)
def test_a_name_stays_as_it_is(name: str) -> None:
    assert parse_name(name, "user name") == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        ("a/b", "a slash"),
        ("a\0b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\u202eb", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("\udc80", "U+DC80"),
        (" a", "white space"),
        ("a\u00a0", "white space"),
        ("e\u0301", "normal form C"),
        ("x" * 129, "129 characters long; at most 128"),
        ("x" * 10_000_000, "at most 128"),
        (None, "is text, not NoneType"),
        (b"a", "is text, not bytes"),
    ],
)
def test_a_name_that_could_pass_for_another_is_refused(name: object, message: str) -> None:
    with pytest.raises(InvalidName) as caught:
        parse_name(name, "user name")
    told = str(caught.value)
    assert message in told
    assert len(told) < 200
    # What is wrong with a long one can be told without it, and what is no text has none.
    if isinstance(name, str) and name and len(name) <= 128:
        assert repr(name) in told
        assert re.search("; (leave|type)", told)


@pytest.mark.parametrize("text", ["user:ada", "group:team", "token:ci", "everyone", "anonymous"])
def test_a_written_principal_is_read(text: str) -> None:
    assert parse_principal(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "user:",
        "team:x",
        "User:ada",
        "group:everyone",
        "group:anonymous",
        "user:a/b",
        "",
        "everyone ",
        None,
        3,
        ["user:ada"],
        "x" * 10_000_000,
    ],
)
def test_what_is_no_principal_is_refused(text: object) -> None:
    with pytest.raises(InvalidName) as caught:
        parse_principal(text)
    assert len(str(caught.value)) < 250


def test_a_principal_is_reached_by_name_group_and_everyone() -> None:
    ada = Principal(name="user:ada", groups=("red", "team"))
    assert ada.keys == ("user:ada", "group:red", "group:team", "everyone")
    assert Principal(name="anonymous", groups=("red",)).keys == ("anonymous",)


@pytest.mark.parametrize(
    ("resource", "chain"),
    [
        (
            Resource(type="contents", id="/a/b"),
            ("contents:/a/b", "contents:/a", "contents:/", "server:"),
        ),
        (Resource(type="contents", id="/"), ("contents:/", "server:")),
        (
            Resource(type="kernels", id="k", within=("/a/b", "/a", "/")),
            ("kernels:k", "contents:/a/b", "contents:/a", "contents:/", "kernels:", "server:"),
        ),
        (Resource(type="kernels"), ("kernels:", "server:")),
        (Resource(type="server"), ("server:",)),
    ],
)
def test_a_chain_is_all_a_grant_may_stand_on(resource: Resource, chain: tuple[str, ...]) -> None:
    assert resource.chain == chain


def test_a_decision_is_no_bool() -> None:
    found = Decision(
        answer=Answer.DENY, principal="user:ada", action="open", resource="server:", revision=1
    )
    assert not found.allowed
    with pytest.raises(TypeError, match=r"ask `\.allowed`"):
        bool(found)
