from __future__ import annotations

import math

import pytest

from jupyter_authorized_server.policy.document import Document
from jupyter_authorized_server.policy.engine import CheckedPolicy, Snapshot
from jupyter_authorized_server.policy.model import Grant

NO_RULES = CheckedPolicy(rules=(), document=Document())


def grant(principal: str, *, starts: float | None = None, ends: float | None = None) -> Grant:
    return Grant(
        id=f"g-{principal}-{starts}-{ends}",
        principal=principal,
        level="viewer",
        resource="contents:/team",
        starts=starts,
        ends=ends,
    )


@pytest.mark.parametrize("looked", [False, True])
def test_a_view_tells_when_the_next_of_its_grants_begins_or_ends(looked: bool) -> None:
    grants = (
        grant("user:ada", ends=50),
        grant("group:red", starts=20, ends=40),
        grant("everyone"),
        grant("user:bob", ends=11),
    )
    view = Snapshot(NO_RULES, grants, 1).view("user:ada", ("red",))
    if looked:
        view.look()
    turns = [view.turn(now) for now in (0, 19.9, 20, 40, 49, 50)]
    assert [20, 20, 40, 50, 50, math.inf] == turns
