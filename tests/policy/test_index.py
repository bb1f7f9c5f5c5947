from __future__ import annotations

import math

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy.index import Index, Row, counts
from jupyter_authorized_server.policy.model import Grant
from jupyter_authorized_server.policy.vocabulary import LEVEL


def grant(
    id_: str, to: str = "user:ada", level: str = "viewer", on: str = "/a", **more: float
) -> Grant:
    return Grant(id=id_, principal=to, level=level, resource=f"contents:{on}", **more)  # type: ignore[arg-type]  # why: starts and ends alone


def ids(index: Index, who: str = "user:ada") -> dict[str, list[str]]:
    return {
        resource: [row.grant.id for row in rows] for resource, rows in index.given_to(who).items()
    }


FIRST, SECOND, THIRD = grant("g-1"), grant("g-2"), grant("g-3", on="/b")
INDEX = Index([(1, FIRST), (2, SECOND), (5, THIRD)])
BOTH = {"contents:/a": ["g-1", "g-2"], "contents:/b": ["g-3"]}


def test_grants_are_found_by_whom_they_name_and_by_what_they_stand_on() -> None:
    assert BOTH == ids(INDEX)
    assert {} == ids(INDEX, "user:bob")
    assert INDEX.held_by("user:bob") is None
    assert ["g-1", "g-2"] == [each.id for each in INDEX.on("contents:/a")]
    assert [] == list(INDEX.on("contents:/"))
    assert frozenset({"user:ada"}) == INDEX.principals()
    assert frozenset({"contents:/a", "contents:/b"}) == INDEX.resources()


@pytest.mark.parametrize("looked_at", [True, False])
def test_the_next_index_has_the_change_and_the_one_before_has_it_not(looked_at: bool) -> None:
    index = Index([(1, FIRST), (2, SECOND), (5, THIRD)])
    if looked_at:
        ids(index)
    between = grant("g-x")
    to_bob = grant("g-2", to="user:bob", on="/c")
    after = index.after([(2, SECOND, to_bob), (4, None, between), (5, THIRD, None)])
    assert {"contents:/a": ["g-1", "g-x"]} == ids(after)
    assert {"contents:/c": ["g-2"]} == ids(after, "user:bob")
    assert ["g-1", "g-x"] == [each.id for each in after.on("contents:/a")]
    assert frozenset({"contents:/a", "contents:/c"}) == after.resources()
    assert BOTH == ids(index)
    assert {} == ids(index, "user:bob")
    # A grant that comes before others stands before them.
    first = after.after([(0, None, grant("g-0"))])
    assert ["g-0", "g-1", "g-x"] == ids(first)["contents:/a"]


@pytest.mark.parametrize("looked_at", [True, False])
def test_who_has_nothing_any_more_is_nobody_here(looked_at: bool) -> None:
    index = Index([(1, FIRST)])
    if looked_at:
        ids(index)
    after = index.after([(1, FIRST, None)])
    assert after.held_by("user:ada") is None
    assert (frozenset(), frozenset()) == (after.principals(), after.resources())


def test_the_order_of_resources_follows_what_comes_and_goes() -> None:
    index = Index([(1, grant("g-1", on="/b")), (2, grant("g-2", on="/d"))])
    assert ["contents:/b", "contents:/d"] == list(index.in_order())
    here, there = grant("g-3", on="/a"), grant("g-4", on="/c")
    after = index.after([(3, None, here), (4, None, there), (1, grant("g-1", on="/b"), None)])
    assert ["contents:/a", "contents:/c", "contents:/d"] == list(after.in_order())
    assert ["contents:/b", "contents:/d"] == list(index.in_order())
    # Another grant on what has one already, or the first of two that goes, moves nothing.
    more = after.after([(5, None, grant("g-5", on="/a"))]).after([(3, here, None)])
    assert ["contents:/a", "contents:/c", "contents:/d"] == list(more.in_order())
    many = [(n, None, grant(f"g-{n}", on=f"/x/{n:03}")) for n in range(10, 110)]
    assert sorted(more.after(many).resources()) == list(more.after(many).in_order())


def test_a_grant_counts_from_its_start_up_to_its_end() -> None:
    limited = grant("g-1", starts=10, ends=20)
    assert [False, True, True, False] == [counts(limited, at) for at in (9.9, 10, 19.9, 20)]
    assert counts(grant("g-2"), -math.inf)
    row = Row(limited)
    assert (10, 20) == (row.starts, row.ends)
    assert (-math.inf, math.inf) == (Row(grant("g-2")).starts, Row(grant("g-2")).ends)


@pytest.mark.parametrize("looked_at", [True, False])
def test_what_is_given_is_of_the_level_or_more_and_counts_now(looked_at: bool) -> None:
    index = Index(
        [
            (1, grant("g-1", on="/viewed")),
            (2, grant("g-2", level="editor", on="/edited")),
            (3, grant("g-3", level="admin", on="/later", starts=10)),
            (4, grant("g-4", level="editor", on="/over", ends=5)),
        ]
    )
    held = index.held_by("user:ada")
    assert held is not None
    if looked_at:
        held.table()
    editor = int(LEVEL["editor"])
    every = {f"contents:/{name}" for name in ("viewed", "edited", "later", "over")}
    assert (every, {"contents:/edited"}) == held.places(editor, 5)
    assert {"contents:/edited", "contents:/later"} == held.places(editor, 10)[1]
    assert {"contents:/viewed", "contents:/edited"} == held.places(int(LEVEL["viewer"]), 5)[1]
    assert [5, 10, math.inf] == [held.turn(at) for at in (0, 5, 10)]
    assert 4 == len(set(held.resources()))


def test_a_reason_above_says_where_it_comes_from_and_one_here_does_not() -> None:
    row = Row(grant("g-1", ends=7))
    assert ("", "contents:/a") == (row.here().inherited_from, row.above().inherited_from)
    assert ("g-1", "user:ada", 7) == (row.here().id, row.here().scope, row.here().ends)


def test_a_grant_of_no_level_is_refused_with_the_remedy_whenever_it_comes() -> None:
    wrong = grant("g-9", level="emperor")
    with pytest.raises(InvalidName, match=r"`g-9` has the level `emperor`.*revoke it"):
        Index([(1, wrong)])
    with pytest.raises(InvalidName, match="revoke it"):
        INDEX.after([(1, FIRST, wrong)])
    assert BOTH == ids(INDEX)
