"""Grants, groups, moves, uses, ends and restarts in any order: answered as specified.

In a file and in a PostgreSQL database.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import spec
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.errors import DuplicateName, InvalidName, LastKeeper, UnknownName
from jupyter_authorized_server.policy.model import AccessRequest, Context, Grant, Resource
from jupyter_authorized_server.policy.scope import ALWAYS, NEVER
from jupyter_authorized_server.policy.vocabulary import parse_resource
from jupyter_authorized_server.store import Store, Wanted

if TYPE_CHECKING:
    from postgresql import Database

PEOPLE = ("ada", "bob", "cat")
GROUPS = ("one", "two", "three")
PLACES = ("contents:/", "contents:/a", "contents:/a/b", "server:")
#: What a file or folder is renamed to; None is that it is deleted.
MOVES = (("/a", "/c"), ("/c", "/a"), ("/a/b", "/a/d"), ("/a/d", "/a/b"), ("/a/b", None))
ASKED = (
    ("open", Resource(type="contents", id="/c/b")),
    ("save", Resource(type="contents", id="/a/d")),
    ("open", Resource(type="contents", id="/a/b")),
    ("save", Resource(type="contents", id="/a")),
    ("share", Resource(type="contents", id="/a/b")),
    ("inspect", Resource(type="server")),
)
people = st.sampled_from(PEOPLE)
groups = st.sampled_from(GROUPS)
members = st.sampled_from([*(f"user:{n}" for n in PEOPLE), *(f"group:{n}" for n in GROUPS)])
levels = st.sampled_from(["viewer", "editor", "manager", "admin"])


def moved(resource: str, move: tuple[str, str | None]) -> str | None:
    """Where what stands on `resource` stands after a move; None where it is gone."""
    old, new = (f"contents:{path}" if path else None for path in move)
    if resource != old and not resource.startswith(f"{old}/"):
        return resource
    return None if new is None else new + resource[len(str(old)) :]


class Sharing(RuleBasedStateMachine):
    """What people do, and a clock that goes on and back."""

    #: Where the store is; None for a file of its own.
    database: Database | None = None

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._url = f"sqlite:///{Path(self._folder.name) / 'store.sqlite'}"
        if self.database is not None:
            self.database.empty()
            self._url = self.database.url
        self.now = 1000.0
        self.grants: dict[str, Grant] = {}
        self.inside: dict[str, set[str]] = {name: set() for name in GROUPS}
        self.disabled: set[str] = set()
        self.left: dict[str, int] = {}
        self.scopes: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}
        self._open()

    def _open(self) -> None:
        self.store = Store.open(self._url)

    def _start(self) -> None:
        self.point = DecisionPoint(
            self.store, policy_dir=None, audit=Audit(None), clock=lambda: self.now
        )

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @initialize()
    def people_and_groups(self) -> None:
        for name in PEOPLE:
            self.store.add_person(name, now=1)
        for name in GROUPS:
            self.store.add_group(name, now=1)
        self._start()
        # What moves and is used from the start on, or some runs would show nothing of it.
        self.make_a_token("ada", "editor", "contents:/a/b")
        self.give("user:bob", "viewer", "contents:/a/b", (None, None), 2)
        self.give("user:cat", "editor", "contents:/a", (10, 40), None)

    @rule(to=members | st.just("everyone"), level=levels, on=st.sampled_from(PLACES),
          span=st.tuples(st.none() | st.integers(-9, 30), st.none() | st.integers(31, 60)),
          uses=st.none() | st.integers(1, 2))  # fmt: skip
    def give(
        self,
        to: str,
        level: str,
        on: str,
        span: tuple[int | None, int | None],
        uses: int | None,
    ) -> None:
        if level in {"manager", "admin"}:
            uses = None
        starts, ends = (None if each is None else self.now + each for each in span)
        wanted = Wanted(
            principal=to, level=level, resource=on, starts=starts, ends=ends, uses=uses
        )
        given, is_new = self.store.add_grant_once(wanted, now=self.now, granted_by="os:test")
        assert is_new == (given.id not in self.grants)
        self.grants[given.id] = given
        if uses is not None:
            self.left[given.id] = uses

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        # By order of giving: ids are chance, and a run is to be the same when it is repeated.
        id_ = data.draw(st.sampled_from(list(self.grants)))
        self.store.remove_grant(id_)
        del self.grants[id_]
        self.left.pop(id_, None)

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(list(self.left)))
        before = self.left[id_]
        assert (before - 1 if before else None) == self.store.use_grant(id_)
        self.left[id_] = max(0, before - 1)

    @rule()
    def end_what_is_used_up(self) -> None:
        over = {id_ for id_, left in self.left.items() if not left}
        assert over == set(self.store.drop_used_up())
        for id_ in over:
            del self.grants[id_], self.left[id_]

    @rule(move=st.sampled_from(MOVES), done=st.booleans())
    def rename(self, move: tuple[str, str | None], done: bool) -> None:
        old, new = move
        begun = self.store.begin_move("root", old, new, "1:2", self.now)
        assert [begun] == list(self.store.moves())
        gone = self.store.end_move(begun, done=done)
        on_the_way = [
            each for each in self.grants.values() if moved(each.resource, move) != each.resource
        ]
        if not done:
            on_the_way = []
        assert {each.id for each in on_the_way} == {each.id for each in gone}
        for each in on_the_way:
            there = moved(each.resource, move)
            if there is None:
                del self.grants[each.id]
                self.left.pop(each.id, None)
            else:
                self.grants[each.id] = replace(each, resource=there)
        for id_, (owner, scope) in self.scopes.items() if done else ():
            found = [(level, moved(place, move)) for level, place in scope]
            left = tuple((level, place) for level, place in found if place is not None)
            self.scopes[id_] = (owner, left)
        kept = {each.id: (each.person, each.scope) for each in self.store.tokens()}
        assert self.scopes == kept

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), level=levels)
    def change(self, data: st.DataObject, level: str) -> None:
        known = self.grants[data.draw(st.sampled_from(list(self.grants)))]
        try:
            self.grants[known.id] = self.store.change_grant(
                known, level=level, ends=known.ends, note="", now=self.now
            )
        except LastKeeper:
            assert known.ends is None
        except InvalidName:
            assert known.id in self.left
            assert level in {"manager", "admin"}

    @rule(group=groups, member=members)
    def join(self, group: str, member: str) -> None:
        try:
            self.store.add_member(group, member)
        except (DuplicateName, InvalidName):
            return
        self.inside[group].add(member)

    @rule(group=groups, member=members)
    def leave(self, group: str, member: str) -> None:
        try:
            self.store.remove_member(group, member)
        except UnknownName:
            assert member not in self.inside[group]
        self.inside[group].discard(member)

    @rule(name=people, disabled=st.booleans())
    def disable(self, name: str, disabled: bool) -> None:
        self.store.set_disabled(name, disabled)
        (self.disabled.add if disabled else self.disabled.discard)(name)

    @rule(name=people, level=levels, on=st.sampled_from(PLACES))
    def make_a_token(self, name: str, level: str, on: str) -> None:
        id_ = f"t{len(self.scopes)}"
        scope = ((level, on),)
        self.store.add_token(id_, "0" * 64, id_, name, None, self.now, scope=scope)
        self.scopes[id_] = (name, scope)

    @rule(seconds=st.sampled_from([-40, -20, -1, 1, 20, 40]))
    def time_goes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.store.close()
        self._open()
        self._start()

    def _groups(self, principal: str) -> tuple[str, ...]:
        found: set[str] = set()
        grew = True
        while grew:
            keys = {principal, *(f"group:{name}" for name in found)}
            more = {name for name, inside in self.inside.items() if inside & keys}
            grew, found = bool(more - found), found | more
        return tuple(sorted(found))

    @invariant()
    def each_answer_is_that_of_the_specification(self) -> None:
        if not hasattr(self, "point"):
            return
        self.point.refresh()
        assert self.left == self.store.counted()
        tokens = [(name, id_, scope) for id_, (name, scope) in list(self.scopes.items())[-2:]]
        for name, token, scope in [*((name, None, None) for name in PEOPLE), *tokens]:
            try:
                who = self.point.principal(f"user:{name}", token=token)
            except UnknownName:
                assert name in self.disabled
                continue
            assert name not in self.disabled
            assert self._groups(who.name) == who.groups
            for action, on in ASKED:
                context = Context(time=self.now, hour=0, weekday=1, door="test")
                asked = AccessRequest(principal=who, action=action, resource=on, context=context)
                expected = spec.answer((), self.grants.values(), asked) == "allow"
                if scope is not None:
                    within = any(
                        spec.permits(
                            Grant(id="s", principal=who.name, level=level, resource=place), asked
                        )
                        for level, place in scope
                    )
                    free = (on.type, action) in ALWAYS
                    expected = expected and (within or free) and action not in NEVER
                found = self.point.decide(who, action, on, door="test", record=False)
                assert expected == found.allowed, (who, action, on, self.now)


#: Each try makes a store: to look for the shortest would take longer than a test may.
PHASES = (Phase.explicit, Phase.generate)


@pytest.mark.parametrize(("place", "tries"), [("file", 9), ("shared", 4)])
def test_whatever_is_done_in_any_order_each_answer_is_that_of_the_specification(
    request: pytest.FixtureRequest, place: str, tries: int
) -> None:
    database = request.getfixturevalue("database") if place == "shared" else None
    run_state_machine_as_test(
        type("There", (Sharing,), {"database": database}),
        settings=settings(
            max_examples=tries,
            stateful_step_count=20,
            deadline=None,
            database=None,
            phases=PHASES,
        ),
    )


def test_the_places_are_canonical() -> None:
    assert list(PLACES) == [parse_resource(place).name for place in PLACES]
