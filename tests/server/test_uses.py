"""Grants that count a number of times: when one that is used up ends."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from stores import store_url

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.policy.vocabulary import parse_resource
from jupyter_authorized_server.server import uses
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_authorized_server.policy.model import Decision


@pytest.fixture
def point(tmp_path: Path) -> Iterator[DecisionPoint]:
    with Store.open(store_url(tmp_path, "store.sqlite")) as store:
        store.add_person("olga", now=1)
        store.add_grant(
            principal="user:olga",
            level="viewer",
            resource="contents:/a",
            granted_by="os:test",
            now=1,
            uses=2,
        )
        audit = Audit(tmp_path / "audit.jsonl")
        yield DecisionPoint(store, policy_dir=None, audit=audit)
        audit.close()


@pytest.fixture
def asked(point: DecisionPoint) -> Decision:
    return point.decide(
        point.principal("user:olga"), "open", parse_resource("contents:/a"), door="http"
    )


def test_one_that_is_used_up_stays_for_who_is_on_their_way_and_then_ends_recorded(
    point: DecisionPoint, asked: Decision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "GRACE", 0.05)
    counting = uses.Uses(point)
    [grant] = point.snapshot.grants_on(["contents:/a"])

    async def used() -> None:
        assert [True, True, False, False] == [counting.spend([asked]) for _ in range(4)]
        assert [grant] == [*point.snapshot.grants_on(["contents:/a"])]
        await asyncio.sleep(0.2)

    asyncio.run(used())
    assert [] == [*point.snapshot.grants_on(["contents:/a"])]
    told = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [("grant_used_up", grant.id)] == [(each["kind"], each["grant"]) for each in told]


def test_one_that_another_server_uses_up_and_ends_lets_nobody_in_who_was_judged_before(
    point: DecisionPoint,
) -> None:
    counting = uses.Uses(point)
    given = point.store.add_grant(
        principal="user:olga",
        level="viewer",
        resource="contents:/b",
        granted_by="os:test",
        now=1,
        uses=1,
    )
    point.refresh()
    olga = point.principal("user:olga")
    judged = point.decide(olga, "open", parse_resource("contents:/b"), door="http")
    assert judged.allowed
    assert 0 == point.store.use_grant(given.id)
    assert (given.id,) == point.store.drop_used_up()
    # This one has not looked since.
    assert not counting.spend([judged])


def test_one_that_was_used_up_before_the_server_started_ends_when_somebody_asks(
    point: DecisionPoint, asked: Decision
) -> None:
    [grant] = point.snapshot.grants_on(["contents:/a"])
    assert [1, 0] == [point.store.use_grant(grant.id) for _ in range(2)]
    counting = uses.Uses(point)
    # The second one was decided before the first one was refused.
    assert [False, False] == [counting.spend([asked]) for _ in range(2)]
    assert [] == [*point.snapshot.grants_on(["contents:/a"])]
