from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.credentials import secret_matches, split_secret

if TYPE_CHECKING:
    from cli.conftest import Desk


def test_a_link_is_printed_once_alone_and_kept_hashed(desk: Desk) -> None:
    answer = desk.ask("links", "add", "ada", "viewer", "contents:/team/", "--uses", "3")
    assert 0 == answer.code, answer.err
    secret = answer.out.strip()
    # Ada is an editor there.
    assert "note: `user:ada` may not give that now" in answer.err
    with desk.store() as store:
        found = store.link(split_secret(secret))
    assert found is not None
    assert secret_matches(secret, found[1])
    assert ("contents:/team", 3) == (found[0].resource, found[0].uses)
    assert secret not in desk.ask("links", "list").out + str(desk.records())
    (shown,) = desk.ask("links", "list", "--json").json
    assert (found[0].id, "ada", 0) == (shown["id"], shown["person"], shown["used"])
    assert [] == desk.ask("links", "list", "--expired", "--json").json
    assert 0 == desk.ask("links", "remove", found[0].id).code
    assert [] == desk.ask("links", "list", "--json").json
    assert [("link_added", "user:ada"), ("link_removed", "user:ada")] == [
        (each["kind"], each["person"]) for each in desk.records()
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("add", "zoe", "viewer", "contents:/team"), "there is no person `zoe`"),
        (("add", "ada", "king", "contents:/team"), "no level"),
        (("add", "ada", "viewer", "nowhere"), "no resource"),
        (("add", "ada", "viewer", "contents:/team", "--uses", "0"), "1 to 100000"),
        (("add", "ada", "viewer", "contents:/team", "--until", "2001-01-01"), "already past"),
        (("remove", "\udcff"), "no link with that id; `jupyter authz links list`"),
    ],
    ids=ascii,
)
def test_bad_input_changes_nothing(desk: Desk, args: tuple[str, ...], said: str) -> None:
    answer = desk.ask("links", *args)
    assert (2, "") == (answer.code, answer.out)
    assert said in answer.err
    assert [] == desk.records()
