from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from typing import TYPE_CHECKING, Any

import pytest
from stores import store_url

from jupyter_authorized_server import in_force
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import (
    ConfigurationError,
    PolicyError,
    StoreError,
    StoreUnavailable,
    UnknownName,
)
from jupyter_authorized_server.opening import open_decision_point
from jupyter_authorized_server.policy.model import ANONYMOUS, Resource
from jupyter_authorized_server.policy.vocabulary import parse_resource
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_800_000_000.0
NOTEBOOK = parse_resource("contents:/team/a.ipynb")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(store_url(tmp_path, "store.sqlite"))
    opened.add_person("ada", now=NOW)
    opened.add_person("bob", now=NOW)
    opened.add_group("team", now=NOW)
    opened.add_member("team", "user:ada")
    yield opened
    opened.close()


def make(store: Store, tmp_path: Path, clock: Clock, **options: Any) -> DecisionPoint:
    audit = Audit(tmp_path / "audit.jsonl", clock=clock)
    return DecisionPoint(
        store,
        policy_dir=options.pop("policy_dir", None),
        audit=audit,
        clock=clock,
        steady=options.pop("steady", clock),
        **options,
    )


def grant(store: Store, principal: str, level: str, resource: str, **options: Any) -> str:
    return store.add_grant(
        principal=principal,
        level=level,
        resource=resource,
        now=NOW,
        granted_by="os:test",
        **options,
    ).id


def asks(point: DecisionPoint, name: str, action: str, resource: Resource = NOTEBOOK) -> bool:
    return point.decide(point.principal(name), action, resource, door="test").allowed


def records(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


def test_a_grant_to_a_group_on_a_folder_reaches_its_members(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    grant(store, "group:team", "editor", "contents:/team")
    point = make(store, tmp_path, clock)
    assert asks(point, "user:ada", "save")
    assert not asks(point, "user:ada", "delete")
    assert not asks(point, "user:bob", "open")


def test_a_change_counts_from_the_next_refresh_on(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    point = make(store, tmp_path, clock)
    heard: list[int] = []
    point.on_change(heard.append)
    assert not asks(point, "user:bob", "open")
    id_ = grant(store, "user:bob", "viewer", "contents:/team")
    assert point.refresh()
    assert asks(point, "user:bob", "open")
    store.remove_grant(id_)
    assert point.refresh()
    assert not asks(point, "user:bob", "open")
    assert not point.refresh()
    assert [store.revision() - 1, store.revision()] == heard


def test_a_change_is_told_to_everybody_also_where_one_of_them_fails(
    store: Store, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("broken")

    point = make(store, tmp_path, clock)
    heard: list[int] = []
    point.on_change(fail)
    point.on_change(heard.append)
    grant(store, "user:bob", "viewer", "contents:/team")
    assert point.refresh()
    assert [point.revision] == heard
    assert asks(point, "user:bob", "open")
    [said] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "not all of the server has heard of it" in said.message


def test_a_kept_decision_ends_with_the_grant_it_rests_on(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    grant(store, "user:bob", "viewer", "contents:/team", ends=NOW + 60)
    point = make(store, tmp_path, clock)
    assert asks(point, "user:bob", "open")
    clock.now = NOW + 59.9
    assert asks(point, "user:bob", "open")
    clock.now = NOW + 60
    assert not asks(point, "user:bob", "open")


def test_a_kept_denial_ends_when_a_grant_begins(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    grant(store, "user:bob", "viewer", "contents:/team", starts=NOW + 60)
    point = make(store, tmp_path, clock)
    assert not asks(point, "user:bob", "open")
    clock.now = NOW + 60
    assert asks(point, "user:bob", "open")


def test_a_clock_that_is_set_back_has_answers_end_that_were_found_later(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    grant(store, "user:bob", "viewer", "contents:/team", starts=NOW + 100, ends=NOW + 200)
    point = make(store, tmp_path, clock)
    found = []
    for after in (150, 50, 250, 150, 50, 150):
        clock.now = NOW + after
        found.append(asks(point, "user:bob", "open"))
    assert [True, False, False, True, False, True] == found


@pytest.mark.parametrize("steps", [[1.0], [0.2, 0.2, 0.2]])
def test_a_clock_that_is_set_back_counts_as_a_change(
    store: Store, tmp_path: Path, clock: Clock, steps: list[float]
) -> None:
    steady = Clock()
    point = make(store, tmp_path, clock, steady=steady)
    told: list[int] = []
    point.on_change(told.append)
    before = point.revision
    # Forward, evenly, and by as much as clocks differ, is none.
    for on, back in ((60, 0), (0, 0), (0.25, 0.1)):
        clock.now += on + 3600 * (back == 0) - back
        steady.now += on
        point.look_at_the_clock()
    assert ([], before) == (told, point.revision)
    # In one step or in many small ones.
    for step in steps:
        clock.now -= step
        point.look_at_the_clock()
    assert [before + 1] == told
    point.look_at_the_clock()
    assert before + 1 == point.revision


def test_a_rule_that_reads_the_hour_is_asked_anew(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "office.cedar").write_text(
        '@id("office") permit(principal, action, resource) when { context.hour < 18 };'
    )
    zone = zoneinfo.ZoneInfo("Europe/Paris")
    clock.now = dt.datetime(2026, 11, 25, 17, 59, 30, tzinfo=zone).timestamp()
    point = make(store, tmp_path, clock, policy_dir=folder, timezone=zone)
    assert asks(point, "user:bob", "open")
    clock.now += 31
    assert not asks(point, "user:bob", "open")


def test_a_rule_that_reads_the_address_is_asked_for_each_address(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "near.cedar").write_text(
        '@id("near") permit(principal, action, resource) '
        "when { context has address && context.address.isLoopback() };"
    )
    point = make(store, tmp_path, clock, policy_dir=folder)
    bob = point.principal("user:bob")

    def allowed(address: str | None) -> bool:
        return point.decide(bob, "open", NOTEBOOK, door="http", address=address).allowed

    assert [True, False, True, False] == [
        allowed(address) for address in ("127.0.0.1", "10.0.0.1", "127.0.0.1", None)
    ]
    assert not allowed("no address")


def test_a_denial_is_recorded_and_bears_the_records_id(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    point = make(store, tmp_path, clock)
    bob = point.principal("user:bob")
    decision = point.decide(bob, "open", NOTEBOOK, door="http", address="::1", request="GET /x")
    assert [decision.id] == [record["id"] for record in records(tmp_path)]
    unrecorded = point.decide(bob, "open", NOTEBOOK, door="cli", record=False)
    assert "" == unrecorded.id
    assert 1 == len(records(tmp_path))


def test_each_denial_is_a_record_of_its_own(store: Store, tmp_path: Path, clock: Clock) -> None:
    point = make(store, tmp_path, clock)
    assert not asks(point, "user:bob", "open")
    assert not asks(point, "user:bob", "open")
    assert 2 == len({record["id"] for record in records(tmp_path)})


def test_nobody_signed_in_is_denied_whatever_the_policy_says(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "all.cedar").write_text('@id("all") permit(principal, action, resource);')
    point = make(store, tmp_path, clock, policy_dir=folder)
    assert asks(point, "user:bob", "delete")
    assert not asks(point, ANONYMOUS, "open")


def test_somebody_unknown_or_disabled_is_no_principal(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    point = make(store, tmp_path, clock)
    with pytest.raises(UnknownName, match="user:eve"):
        point.principal("user:eve")
    assert "user:eve" == point.principal("user:eve", must_exist=False).name
    assert "user:bob" == point.principal("user:bob").name
    store.set_disabled("bob", True)
    point.refresh()
    with pytest.raises(UnknownName, match="disabled"):
        point.principal("user:bob", must_exist=False)


def test_whatever_breaks_while_deciding_denies(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(store, "user:bob", "admin", "server:")
    point = make(store, tmp_path, clock)

    def broken(*_: object) -> None:
        msg = "out of order"
        raise RuntimeError(msg)

    monkeypatch.setattr(in_force, "decide", broken)
    decision = point.decide(point.principal("user:bob"), "open", NOTEBOOK, door="http")
    assert not decision.allowed
    assert "error" == decision.determining[0].kind
    monkeypatch.undo()
    # And the failure is not kept.
    assert asks(point, "user:bob", "open")


@pytest.mark.parametrize("action", ["dance", "", "\ud800", "read"])
def test_an_unknown_action_denies(store: Store, tmp_path: Path, clock: Clock, action: str) -> None:
    grant(store, "user:bob", "admin", "server:")
    point = make(store, tmp_path, clock)
    assert not asks(point, "user:bob", action)
    assert not asks(point, "user:bob", "open", Resource(type="planets", id="mars"))


def test_a_full_disk_does_not_turn_a_denial_into_something_else(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = make(store, tmp_path, clock)

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(point.audit, "decision", full)
    decision = point.decide(point.principal("user:bob"), "open", NOTEBOOK, door="http")
    assert not decision.allowed


def test_a_store_that_cannot_be_read_leaves_the_last_revision_in_force(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(store, "user:bob", "viewer", "contents:/team")
    point = make(store, tmp_path, clock)

    def gone(*_: object) -> int:
        msg = "gone"
        raise StoreError(msg)

    monkeypatch.setattr(store, "revision", gone)
    with pytest.raises(StoreError):
        point.refresh()
    assert asks(point, "user:bob", "open")
    assert not asks(point, "user:bob", "save")


def test_the_cache_is_bounded(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(store, "user:bob", "viewer", "contents:/")
    monkeypatch.setattr(in_force, "CACHE_SIZE", 10)
    point = make(store, tmp_path, clock)
    for number in range(100):
        assert asks(point, "user:bob", "open", parse_resource(f"contents:/{number}"))
        point.principal(f"user:x{number}", must_exist=False)
    assert len(point._in_force.decisions) <= 10
    assert len(point._in_force.principals) <= 10


def test_people_and_grants_of_the_policy_files_count(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "people.yaml").write_text(
        "people: {carol: {name: Carol}}\n"
        "groups: {team: {members: [user:carol]}}\n"
        "grants:\n"
        "  - {principal: group:team, level: viewer, resource: 'contents:/team'}\n"
    )
    (folder / "notes.txt").write_text("not read")
    point = make(store, tmp_path, clock, policy_dir=folder)
    assert asks(point, "user:carol", "open")
    assert asks(point, "user:ada", "open")
    assert not asks(point, "user:bob", "open")


class TestOpening:
    def config(self, tmp_path: Path, **options: str) -> JupyterAuthorization:
        return JupyterAuthorization(
            store_url=f"sqlite:///{tmp_path / 'own.sqlite'}",
            audit_file=str(tmp_path / "audit.jsonl"),
            **options,
        )

    def test_makes_a_store_where_there_is_none(self, tmp_path: Path) -> None:
        point = open_decision_point(self.config(tmp_path))
        assert 0 == len(point.state.people)
        assert (tmp_path / "own.sqlite").exists()
        point.store.close()

    def test_fails_on_a_policy_that_does_not_load(self, tmp_path: Path) -> None:
        (tmp_path / "policy").mkdir()
        (tmp_path / "policy" / "a.cedar").write_text("permit(")
        with pytest.raises(PolicyError, match=r"a\.cedar:1:"):
            open_decision_point(self.config(tmp_path, policy_dir=str(tmp_path / "policy")))

    def test_fails_on_an_audit_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "audit.jsonl").mkdir()
        with pytest.raises(ConfigurationError, match="audit"):
            open_decision_point(self.config(tmp_path))


class TestWhileTheStoreIsAway:
    """It goes on for a stated time with the last revision, and then denies."""

    def gone(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> int:
            msg = "the store is gone"
            raise StoreUnavailable(msg)

        monkeypatch.setattr(store, "revision", broken)

    def test_answers_stay_for_a_while_and_then_are_denials(
        self, store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant(store, "user:bob", "viewer", "contents:/team")
        point = make(store, tmp_path, clock, stale=60)
        assert asks(point, "user:bob", "open")
        self.gone(store, monkeypatch)
        for seconds in (30, 29):
            with pytest.raises(StoreError):
                point.refresh()
            clock.now += seconds
            assert asks(point, "user:bob", "open")
        clock.now += 1
        assert not asks(point, "user:bob", "open")
        assert point.absence.is_noticed

    def test_setting_the_clock_back_does_not_have_it_answer_for_longer(
        self, store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant(store, "user:bob", "viewer", "contents:/team")
        steady = Clock()
        point = make(store, tmp_path, clock, stale=60, steady=steady)
        self.gone(store, monkeypatch)
        with pytest.raises(StoreError):
            point.refresh()
        for passed, allowed in ((59, True), (1, False)):
            steady.now += passed
            clock.now -= 3600
            point.look_at_the_clock()
            assert allowed == asks(point, "user:bob", "open")

    def test_all_is_as_before_once_it_is_back(
        self, store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant(store, "user:bob", "viewer", "contents:/team")
        point = make(store, tmp_path, clock, stale=60)
        self.gone(store, monkeypatch)
        with pytest.raises(StoreError):
            point.refresh()
        clock.now += 60
        assert not asks(point, "user:bob", "open")
        monkeypatch.undo()
        assert not point.refresh()
        assert asks(point, "user:bob", "open")
        assert not point.absence.is_noticed


def test_a_rule_on_tokens_takes_from_programs_and_gives_them_nothing(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    rules = tmp_path / "policy"
    rules.mkdir(mode=0o755)
    (rules / "tokens.cedar").write_text(
        'forbid(principal is Jupyter::Token, action == Jupyter::Action::"delete", resource);\n'
        'forbid(principal == Jupyter::Token::"t1", action, '
        'resource == Jupyter::File::"/team/a.ipynb");\n'
        'permit(principal == Jupyter::Token::"t1", action, resource);'
    )
    grant(store, "user:ada", "manager", "contents:/team")
    for id_ in ("t1", "t2"):
        store.add_token(id_, "0" * 64, id_, "ada", NOW + 60, NOW)
    point = make(store, tmp_path, clock, policy_dir=rules)
    other = parse_resource("contents:/team/b.ipynb")
    asked = [
        (who, action, on)
        for who in ("user:ada", "token:t1", "token:t2")
        for action, on in (("open", NOTEBOOK), ("open", other), ("delete", other))
    ]
    assert [asks(point, *each) for each in asked] == [
        *(True, True, True),
        *(False, True, False),
        *(True, True, False),
    ]
    # What its owner may not do, no permit for the token allows.
    assert not asks(point, "token:t1", "administer", Resource(type="server"))
    # A listing must ask about each name, and a view shows a program no such folder.
    program = point.principal("token:t1")
    assert not point.is_even(program, "open", "/team")
    assert point.is_even(point.principal("user:ada"), "open", "/team")
    assert not point.cover(program, "open", "/team").some
    clock.now += 61
    with pytest.raises(UnknownName, match="no token"):
        point.principal("token:t1")
