from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.credentials import secret_matches, split_secret

if TYPE_CHECKING:
    from cli.conftest import Desk


def test_a_token_is_printed_once_alone_and_kept_hashed(desk: Desk) -> None:
    answer = desk.run("tokens", "add", "ada", "nightly", "--expires", "90d")
    assert answer.code == 0
    secret = answer.out.strip()
    id_ = split_secret(secret)
    assert id_ is not None
    with desk.store() as store:
        found = store.token(id_)
    assert found is not None
    assert secret_matches(secret, found[1])
    everything = desk.store_path.read_bytes() + desk.audit_path.read_bytes()
    assert secret.encode() not in everything
    assert secret not in answer.err
    shown = desk.ask("tokens", "list").out
    assert id_ in shown
    assert secret not in shown


def test_list_as_json_and_of_one_person(desk: Desk) -> None:
    desk.ask("tokens", "add", "user:ada", "one")
    desk.ask("tokens", "add", "bob", "two")
    (found,) = desk.ask("tokens", "list", "ada", "--json").json
    assert set(found) == {"id", "name", "person", "created", "expires", "last_used", "scope"}
    assert found["name"] == "one"
    assert len(desk.ask("tokens", "list", "--json").json) == 2


def test_a_scope_limits_a_token_and_is_shown(desk: Desk) -> None:
    args = ("--only", "viewer", "contents:/team/", "--only", "runner", "kernelspecs:python3")
    assert 0 == desk.ask("tokens", "add", "ada", "agent", *args).code
    (found,) = desk.ask("tokens", "list", "--json").json
    pairs = [["runner", "kernelspecs:python3"], ["viewer", "contents:/team"]]
    assert pairs == found["scope"]
    assert "viewer contents:/team" in desk.ask("tokens", "list").out
    assert ["runner kernelspecs:python3", "viewer contents:/team"] == desk.records()[0]["scope"]
    bad = desk.ask("tokens", "add", "ada", "other", "--only", "king", "contents:/team")
    assert (2, "") == (bad.code, bad.out)


def test_revoke_removes_it_and_records_it(desk: Desk) -> None:
    id_ = desk.ask("tokens", "add", "ada", "one").out.partition(".")[0]
    assert desk.ask("tokens", "revoke", id_).code == 0
    assert desk.ask("tokens", "revoke", id_).code == 2
    assert desk.ask("tokens", "list", "--json").json == []
    assert [(record["kind"], record["of"]) for record in desk.records()] == [
        ("token_added", id_),
        ("token_revoked", id_),
    ]


def test_revoke_takes_the_name_of_one_and_tells_the_ids_of_several(desk: Desk) -> None:
    ids = [desk.ask("tokens", "add", who, "ci").out.partition(".")[0] for who in ("ada", "bob")]
    several = desk.ask("tokens", "revoke", "ci")
    assert (2, "") == (several.code, several.out)
    assert all(
        f"`{each}` of `user:{who}`" in several.err
        for each, who in zip(ids, ("ada", "bob"), strict=True)
    )
    # An id comes before a name: nobody has another's token revoked by calling one so.
    desk.ask("tokens", "add", "eve", ids[0])
    assert "`user:ada` is revoked" in desk.ask("tokens", "revoke", ids[0]).out
    assert "`user:bob` is revoked" in desk.ask("tokens", "revoke", "ci").out
    assert ["eve"] == [each["person"] for each in desk.ask("tokens", "list", "--json").json]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("add", "zoe", "ci"), "there is no person `zoe`"),
        (("add", "ada", "a/b"), "slash"),
        (("add", "ada", "\udcff"), "U+DCFF"),
        (("add", "ada", "ci", "--expires", "2001-01-01"), "already past"),
        (("list", "zoe"), "there is no person `zoe`"),
        (("revoke", "\udcff"), "no token with that id"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_bad_input_changes_nothing(desk: Desk, args: tuple[str, ...], said: str) -> None:
    answer = desk.ask("tokens", *args)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert desk.records() == []


def test_a_whole_secret_given_for_an_id_is_not_repeated(desk: Desk) -> None:
    secret = desk.ask("tokens", "add", "ada", "one").out.strip()
    answer = desk.ask("tokens", "revoke", secret)
    assert answer.code == 2
    assert secret not in answer.err
