"""What somebody may do may change while it is asked; the rest is in `test_grant`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from stores import store_url

from jupyter_authorized_server import acts
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import Outdated
from jupyter_authorized_server.policy.model import Principal
from jupyter_authorized_server.server.admin.asker import GIVING, Asker, Refused
from jupyter_authorized_server.server.admin.people import _Directory
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_authorized_server.policy.model import Resource


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_url(tmp_path, "store.sqlite")) as made:
        for name in ("mia", "olga"):
            made.add_person(name, now=1)
        yield made


@dataclass
class Asked:
    """A request that gives a level, with all that it stands on."""

    point: DecisionPoint
    settings: dict[str, Any] = field(default_factory=lambda: {GIVING: asyncio.Lock()})
    judged: list[int] = field(default_factory=list)

    principal = Principal(name="user:mia")
    address = None

    def _require_recorded(self, is_so: bool) -> None:  # why: as it is called
        assert is_so

    async def change(self, act: Callable[[Store], Any], tell: Any) -> Any:
        return await Asker.change(self, act, tell)  # type: ignore[arg-type]  # why: all that it asks


def given(store: Store, *meanwhile: Callable[[], object], always: bool = False) -> Asked:
    """Give while `meanwhile` happens, once after each judgement."""
    asked = Asked(DecisionPoint(store, policy_dir=None, audit=Audit(None)))
    to_come = list(meanwhile)

    async def judge() -> int:
        asked.judged.append(asked.point.revision)
        if to_come:
            await asyncio.to_thread(to_come[0] if always else to_come.pop(0))
        if "gone" in asked.point.directory.people:
            raise Refused("not any more")
        return asked.point.revision

    def act(to: Store, revision: int) -> int:
        to.add_grant(
            principal="user:olga", level="viewer", resource="contents:/", now=1, granted_by="x"
        )
        return revision

    asyncio.run(Asker.change_as_judged(asked, judge, act, lambda _: []))  # type: ignore[arg-type]  # why: as above
    return asked


@pytest.mark.parametrize("changes", [0, 1, 4])
def test_it_is_judged_again_where_something_changed_meanwhile(store: Store, changes: int) -> None:
    many = [lambda n=n: store.add_group(f"g{n}", now=1) for n in range(changes)]
    asked = given(store, *many)
    # What counts in the end was judged at one revision, that of before the change.
    assert len(asked.judged) == changes + 1
    assert asked.judged[-1] == store.revision() - 1
    assert len(store.state().grants) == 1


def test_where_it_never_rests_nothing_is_given(store: Store) -> None:
    with pytest.raises(Outdated, match="send it again"):
        given(store, store.count_policy_change, always=True)
    assert store.state().grants == ()


def test_what_may_not_be_given_any_more_is_refused(store: Store) -> None:
    with pytest.raises(Refused, match="not any more"):
        given(store, lambda: store.add_person("gone", now=1))
    assert store.state().grants == ()


@dataclass
class Administering(Asked):
    """A change of people, just before which somebody takes away the right to it."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    asked: int = 0

    def require(self, action: str, _on: Resource) -> None:
        assert action == "administer"
        self.asked += 1
        if "gone" in self.point.directory.people:
            raise Refused("not any more")

    async def change(self, act: Callable[[Store], Any], tell: Any) -> Any:
        while self.meanwhile:
            await asyncio.to_thread(self.meanwhile.pop())
        return await super().change(act, tell)

    async def change_as_judged(self, judge: Any, act: Any, tell: Any) -> Any:
        return await Asker.change_as_judged(self, judge, act, tell)  # type: ignore[arg-type]  # why: as above


def add_somebody(store: Store, *meanwhile: Callable[[], object]) -> Administering:
    """Add a person while all that happens, after it was judged that one may."""
    point = DecisionPoint(store, policy_dir=None, audit=Audit(None))
    asked = Administering(point, meanwhile=list(meanwhile))
    keep = _Directory.keep(
        asked,  # type: ignore[arg-type]  # why: all that it asks
        lambda to: to.add_person("new", now=1),
        acts.person_added,
    )
    asyncio.run(keep)
    return asked


def test_people_are_changed_by_who_still_administers_the_server(store: Store) -> None:
    assert add_somebody(store).asked == 1
    store.remove_person("new")
    assert add_somebody(store, lambda: store.add_group("crew", now=1)).asked == 2
    store.remove_person("new")
    with pytest.raises(Refused, match="not any more"):
        add_somebody(store, lambda: store.add_person("gone", now=1))
    assert "new" not in {each.name for each in store.state().people}
