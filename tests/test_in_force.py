from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from stores import store_url

from jupyter_authorized_server import in_force
from jupyter_authorized_server.in_force import InForce, remember
from jupyter_authorized_server.policy.model import (
    ANONYMOUS,
    GUEST,
    Answer,
    Context,
    Decision,
    Determinant,
    Effect,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.snapshot import load_policy
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTEBOOK = Resource(type="contents", id="/team/a.ipynb")
ADA = Principal(name="user:ada", groups=())
KEY = ("a question",)
CONTEXT = Context(time=1_800_000_000.0, hour=12, weekday=3, door="test")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(store_url(tmp_path, "store.sqlite"))
    opened.add_person("ada", now=0)
    opened.add_person("bob", now=0)
    yield opened
    opened.close()


@pytest.fixture
def now(store: Store) -> InForce:
    return InForce.first(load_policy([]), store.state(), None)


def answered(answer: Answer = Answer.ALLOW, **more: Any) -> Decision:
    return Decision(
        answer=answer, principal="user:ada", action="open", resource="x", revision=1, **more
    )


def test_what_was_decided_answers_from_then_up_to_its_end_and_not_before(now: InForce) -> None:
    decision = answered(good_until=200)
    now.keep(KEY, decision, 100)
    assert [None, decision, decision, None] == [now.kept(KEY, at) for at in (99, 100, 199, 200)]
    assert now.kept(("another question",), 150) is None


def test_what_is_over_when_it_is_decided_is_not_kept(now: InForce) -> None:
    now.keep(KEY, answered(good_until=100), 100)
    now.keep(KEY, answered(Answer.DENY, good_until=0), 100)
    assert {} == now.decisions


def test_a_denial_by_a_rule_is_kept_and_one_that_could_not_be_judged_is_not(now: InForce) -> None:
    rule = Determinant(id="r", kind="rule", effect=Effect.FORBID, source="a.cedar:1")
    broken = Determinant(id="r", kind="error", effect=Effect.FORBID, source="a.cedar:1")
    now.keep(("broken",), answered(Answer.DENY, determining=(rule, broken)), 100)
    assert now.kept(("broken",), 100) is None
    denied = answered(Answer.DENY, determining=(rule,))
    now.keep(KEY, denied, 100)
    assert denied is now.kept(KEY, 100)


def test_a_full_cache_is_emptied_and_never_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_force, "CACHE_SIZE", 2)
    cache: dict[int, str] = {}
    for number in range(5):
        remember(cache, number, "x")
        assert len(cache) <= 2
        assert number in cache


def test_nothing_that_was_decided_before_answers_at_the_next_revision(
    now: InForce, store: Store
) -> None:
    now.keep(KEY, answered(), 100)
    now.principals[KEY] = ADA
    store.add_person("eve", now=0)
    after = now.after(now.policy, store.state(now.state))
    assert ({}, {}) == (after.decisions, after.principals)
    assert after.directory.knows("user:eve")
    assert not now.directory.knows("user:eve")


def test_whoever_is_disabled_is_so_from_the_next_revision_on(now: InForce, store: Store) -> None:
    store.set_disabled("bob", disabled=True)
    after = now.after(now.policy, store.state(now.state))
    assert (frozenset(), frozenset({"bob"})) == (now.disabled, after.disabled)
    store.set_disabled("bob", disabled=False)
    assert frozenset() == after.after(after.policy, store.state(after.state)).disabled


def test_who_is_in_a_group_is_read_anew_where_a_group_has_changed_and_else_not(
    now: InForce, store: Store
) -> None:
    store.add_grant(
        principal="user:ada", level="viewer", resource="contents:/team", now=0, granted_by="os:t"
    )
    same = now.after(now.policy, store.state(now.state))
    assert same.directory is now.directory
    store.add_group("team", now=0)
    store.add_member("team", "user:ada")
    after = same.after(same.policy, store.state(same.state))
    assert "team" in after.directory.groups_of("user:ada")


def test_nobody_who_has_not_signed_in_is_put_to_the_policy(now: InForce) -> None:
    decision = now.answer(Principal(name=ANONYMOUS), "open", NOTEBOOK, CONTEXT)
    assert (Answer.DENY, 0) == (decision.answer, decision.good_until)
    assert "sign in first" == decision.reason_user


def test_a_folder_is_not_even_for_whoever_looks_as_another_or_comes_by_a_link(
    now: InForce,
) -> None:
    assert now.is_even(ADA, "open", "/")
    other = Principal(name="user:ada", groups=(), viewer=Principal(name="user:bob"))
    guest = Principal(name=f"{GUEST}x", giver=Principal(name="user:bob"))
    assert not now.is_even(other, "open", "/")
    assert not now.is_even(guest, "open", "/")
