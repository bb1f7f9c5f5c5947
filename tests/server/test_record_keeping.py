"""A running server's records: the store is told their end, old ones go, a clock may be set."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.account import PATIENCE
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.chain import newest
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.record_keeping import RecordKeeping
from jupyter_authorized_server.server.store_watch import StoreWatch
from jupyter_authorized_server.server.wiring import Wiring
from jupyter_authorized_server.store import KeptAct, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

NOW = 1_800_000_000.0
DAY = 86_400.0


class Clock:
    """One that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.now = NOW
        self.passed = 0.0

    def __call__(self) -> float:
        return self.now

    def steady(self) -> float:
        return self.passed

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        self.passed += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wired(tmp_path: Path, clock: Clock) -> Iterator[Wiring]:
    with Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        audit = Audit(tmp_path / "audit.jsonl", clock=clock)
        point = DecisionPoint(
            store, policy_dir=None, audit=audit, clock=clock, steady=clock.steady
        )
        yield Wiring(config=JupyterAuthorization(audit_days=30), point=point)
        audit.close()


def look(watch: Callable[[], RecordKeeping | StoreWatch], *between: Callable[[], object]) -> None:
    """Look once, and after each thing that happens."""

    async def looks() -> None:
        looking = watch()
        looking.callback.stop()
        turn: Callable[[], Awaitable[None]] = looking.look
        await turn()
        for each in between:
            each()
            await turn()

    asyncio.run(looks())


def kept(wired: Wiring) -> list[object]:
    assert wired.point.audit.path is not None
    found = [record for _, record in newest(wired.point.audit.path)]
    return [each["kind"] for each in reversed(found) if each["kind"] != "audit_pruned"]


def test_the_store_is_told_where_the_records_end_and_where_they_begin(
    wired: Wiring, clock: Clock
) -> None:
    point, path = wired.point, wired.point.audit.path
    assert path is not None
    point.audit.event("old", actor="user:ada")

    def later() -> None:
        clock.go_on(31 * DAY)
        point.audit.event("new", actor="user:ada")

    # Once more, for the record of what was dropped.
    look(lambda: RecordKeeping(wired, clock, clock.steady), later, lambda: None)
    assert ["new"] == kept(wired)
    start, head = point.store.journal(path)
    found = point.store.verify_journal(path)
    assert start is not None
    assert head is not None
    assert (None, 2, 1, 3) == (found.problem, found.records, start.number, head.number)


def cut(path: Path, *, behind: int) -> None:
    """Keep only the first records."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:behind]))


def problems(caplog: pytest.LogCaptureFixture) -> int:
    return sum("tampered with" in each for each in caplog.messages)


def test_a_running_server_says_so_when_records_are_cut_off_and_does_not_cover_it(
    wired: Wiring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    audit, path = wired.point.audit, wired.point.audit.path
    assert path is not None
    for _ in range(4):
        audit.event("login", actor="user:ada")

    def cut_off() -> None:
        cut(path, behind=2)
        for _ in range(4):
            audit.event("logout", actor="user:ada")

    def later() -> None:
        clock.go_on(31 * DAY)
        audit.event("logout", actor="user:ada")

    looks = [cut_off, later, lambda: None]
    look(lambda: RecordKeeping(wired, clock, clock.steady), *looks)
    assert problems(caplog) == 2
    assert "record 4 is not the one" in str(wired.point.store.verify_journal(path).problem)
    # One record says so, and none is dropped for its age: they show what was done.
    every = [record for _, record in newest(path)]
    assert (1, 8) == (sum(each["kind"] == "audit_broken" for each in every), len(every))


def test_a_server_that_starts_finds_out_what_was_cut_off_meanwhile(
    wired: Wiring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = wired.point.audit.path
    assert path is not None
    wired.point.audit.event("login", actor="user:ada")
    look(lambda: RecordKeeping(wired, clock, clock.steady))
    assert problems(caplog) == 0
    cut(path, behind=0)
    look(lambda: RecordKeeping(wired, clock, clock.steady))
    assert problems(caplog) == 1


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY])
def test_a_clock_that_is_set_wrong_for_a_while_costs_no_record(
    wired: Wiring, clock: Clock, jump: float
) -> None:
    def wrong() -> None:
        wired.point.audit.event("before", actor="user:ada")
        clock.go_on(DAY)
        clock.now += jump
        wired.point.audit.event("while", actor="user:ada")

    def right() -> None:
        clock.go_on(DAY / 2)
        clock.now -= jump
        wired.point.audit.event("after", actor="user:ada")

    def a_day_later() -> None:
        clock.go_on(DAY)

    look(lambda: RecordKeeping(wired, clock, clock.steady), wrong, right)
    assert ["before", "while", "after"] == kept(wired)
    look(lambda: RecordKeeping(wired, clock, clock.steady), wrong, right, a_day_later)
    # What was written by the wrong clock may go by it; what was written by the right one stays.
    assert {"before", "after"} <= set(kept(wired))


def test_a_running_server_notices_that_the_clock_was_set_back(wired: Wiring, clock: Clock) -> None:
    told: list[int] = []
    wired.point.on_change(told.append)
    before = wired.point.revision

    def back() -> None:
        clock.now -= 60

    look(lambda: StoreWatch(wired), lambda: clock.go_on(60), back, lambda: None)
    assert [before + 1] == told


def test_a_change_that_nobody_recorded_is_recorded_by_the_server_that_looks_after_the_file(
    wired: Wiring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    audit, path = wired.point.audit, wired.point.audit.path
    assert path is not None
    made = audit.made("grant", actor="os:gone", fields={"grant": "g-1"})
    kept = KeptAct(id=str(made["id"]), behind=0, record=made)
    wired.point.store.keep_acts(path, [kept])
    look(
        lambda: RecordKeeping(wired, clock, clock.steady),
        lambda: clock.go_on(PATIENCE - 1),
        lambda: clock.go_on(1),
        lambda: clock.go_on(1),
    )
    told = [(record["id"], record["principal"]) for _, record in newest(path)]
    assert ([(made["id"], "os:gone")], 1) == (told, caplog.text.count("recorded late"))
    assert () == wired.point.store.kept_acts(path)


def test_a_store_that_is_away_is_said_once_each_time(
    wired: Wiring, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, away = tmp_path / "store.sqlite", tmp_path / "away.sqlite"
    again = (lambda: here.rename(away), lambda: None, lambda: away.rename(here))
    look(lambda: RecordKeeping(wired, clock, clock.steady), *again, *again)
    assert 2 == caplog.text.count("is not looked after")
