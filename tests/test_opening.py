from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.errors import ConfigurationError, PolicyError, StoreError
from jupyter_authorized_server.opening import open_decision_point
from jupyter_authorized_server.policy.vocabulary import parse_resource
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def configured(folder: Path, **more: Any) -> JupyterAuthorization:
    (folder / "policy").mkdir(exist_ok=True)
    return JupyterAuthorization(
        store_url=f"sqlite:///{folder / 'store.sqlite'}",
        audit_file=str(folder / "audit.jsonl"),
        policy_dir=str(folder / "policy"),
        **more,
    )


def test_what_is_configured_is_what_decides(tmp_path: Path) -> None:
    told: list[Any] = []
    config = configured(
        tmp_path,
        home="home/{user}",
        mode="shadow",
        stale_seconds=0,
        timezone="Asia/Kathmandu",
    )
    rule = '@id("late") permit(principal, action, resource) when { context.time < 0 };'
    (tmp_path / "policy" / "a.cedar").write_text(rule, encoding="utf-8")
    point = open_decision_point(config, told.append)
    try:
        assert "late" in [each.id for each in point.policy.rules]
        assert "/home/ada" == (point.homes.of("user:ada") if point.homes else None)
        assert point.shadow is not None
        point.absence.missed()
        assert point.absence.is_too_long
        point.audit.note("tried", actor="os:test")
        # The event comes after the disk.
        point.audit.close()
        assert ["tried"] == [each["kind"] for each in told]
        assert '"tried"' in (tmp_path / "audit.jsonl").read_text(encoding="utf-8")
    finally:
        point.audit.close()
        point.store.close()


def test_a_server_that_enforces_lifts_nothing(tmp_path: Path) -> None:
    point = open_decision_point(configured(tmp_path))
    try:
        assert point.shadow is None
        ada = point.principal("user:ada", must_exist=False)
        resource = parse_resource("contents:/a")
        assert not point.decide(ada, "open", resource, door="test").allowed
    finally:
        point.audit.close()
        point.store.close()


@pytest.mark.parametrize(
    ("broken", "error"),
    [("policy", PolicyError), ("audit", ConfigurationError)],
)
def test_a_store_that_nobody_asks_is_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, error: type[Exception]
) -> None:
    config = configured(tmp_path)
    if broken == "policy":
        (tmp_path / "policy" / "a.cedar").write_text("permit(", encoding="utf-8")
    else:
        (tmp_path / "audit.jsonl").mkdir()
    closed: list[Store] = []
    close = Store.close

    def closing(self: Store) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(Store, "close", closing)
    with pytest.raises(error):
        open_decision_point(config)
    assert 1 == len(closed)


def test_without_a_store_there_is_no_decision_point(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is no store" * 100)
    with pytest.raises(StoreError):
        open_decision_point(configured(tmp_path))
    assert not (tmp_path / "audit.jsonl").exists()
