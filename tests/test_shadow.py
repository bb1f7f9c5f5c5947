from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from stores import store_url

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.policy.model import ANONYMOUS, Resource
from jupyter_authorized_server.policy.vocabulary import parse_resource
from jupyter_authorized_server.shadow import RECORD_EVERY
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TERMINALS = Resource(type="terminals")
NOTEBOOK = parse_resource("contents:/a.ipynb")


class House:
    def __init__(self, tmp_path: Path) -> None:
        self.now = 1_800_000_000.0
        self.store = Store.open(store_url(tmp_path, "store.sqlite"))
        self.store.add_person("bob", now=1)
        self.store.add_person("eve", now=1)
        self.store.add_grant(
            principal="user:bob", level="viewer", resource="server:", now=1, granted_by="os:x"
        )
        self.file = tmp_path / "audit.jsonl"
        rules = tmp_path / "policy"
        rules.mkdir(mode=0o755)
        (rules / "broken.cedar").write_text(
            'permit(principal, action == Jupyter::Action::"delete", resource)'
            " when { 9223372036854775807 + context.weekday > 0 };"
        )
        self.point = DecisionPoint(
            self.store,
            policy_dir=rules,
            audit=Audit(self.file),
            clock=lambda: self.now,
            shadow=True,
        )

    def allows(self, who: str, action: str, on: Resource = NOTEBOOK, **options: Any) -> bool:
        principal = self.point.principal(who)
        return self.point.decide(principal, action, on, **{"door": "http", **options}).allowed

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def test_what_would_be_refused_happens_and_is_recorded_as_the_denial_it_is(house: House) -> None:
    assert house.allows("user:bob", "save")
    (record,) = house.records()
    assert (record["decision"], record["shadow"], record["action"]) == ("deny", True, "save")
    assert record["reason"].startswith("no rule or grant permits")


def test_what_is_allowed_is_not_recorded(house: House) -> None:
    assert house.allows("user:bob", "open")
    assert house.records() == []


def test_the_same_thing_is_recorded_once_a_minute(house: House) -> None:
    for _ in range(3):
        assert house.allows("user:bob", "save")
    assert len(house.records()) == 1
    house.now += RECORD_EVERY
    assert house.allows("user:bob", "save")
    assert len(house.records()) == 2


def test_a_message_to_a_kernel_is_recorded_and_a_look_at_a_right_is_not(house: House) -> None:
    kernel = Resource(type="kernels", id="k")
    assert house.allows("user:eve", "run", kernel, door="channel", record=False)
    assert house.allows("user:eve", "save", record=False)
    assert [record["action"] for record in house.records()] == ["run"]


def test_a_rule_that_fails_refuses_nothing_in_shadow(house: House) -> None:
    assert house.allows("user:bob", "delete")
    assert house.records()[0]["determining"][0].endswith("broken.cedar:1)")


@pytest.mark.parametrize(
    ("who", "action", "on"),
    [
        (ANONYMOUS, "open", "contents:/a.ipynb"),
        ("user:bob", "share", "contents:/a.ipynb"),
        ("user:bob", "administer", "server:"),
        ("user:bob", "no such action", "contents:/a.ipynb"),
    ],
)
def test_what_would_outlive_the_trial_stays_denied(
    house: House, who: str, action: str, on: str
) -> None:
    assert not house.allows(who, action, parse_resource(on))


def test_a_denial_while_deciding_broke_stays_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("jupyter_authorized_server.in_force.decide", broken)
    assert not house.allows("user:bob", "save")


def test_whoever_looks_around_as_another_changes_nothing_in_shadow_mode_either(
    house: House,
) -> None:
    looks = house.point.principal("user:bob", viewer=house.point.principal("user:eve"))
    for action, on in (("save", NOTEBOOK), ("delete", NOTEBOOK), ("type", TERMINALS)):
        assert house.allows("user:bob", action, on)
        assert not house.point.decide(looks, action, on, door="http").allowed
