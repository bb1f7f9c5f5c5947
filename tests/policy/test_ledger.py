from __future__ import annotations

import contextlib
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_authorized_server.policy.ledger import Ledger, reading_many, set_aside
from jupyter_authorized_server.policy.model import Grant

serials = st.integers(1, 600)


def grant(serial: int, level: str = "viewer") -> Grant:
    return Grant(id=f"g-{serial}", principal="user:ada", level=level, resource="server:")


def ledger(held: dict[int, Grant]) -> Ledger:
    return Ledger(sorted(held.items()))


@settings(max_examples=60, deadline=None, database=None)
@given(
    st.sets(serials),
    st.dictionaries(serials, st.sampled_from(["viewer", "editor", None])),
)
def test_what_follows_is_what_would_be_read_anew(
    first: set[int], levels: dict[int, str | None]
) -> None:
    held = {serial: grant(serial) for serial in first}
    changed = {
        serial: None if level is None else grant(serial, level) for serial, level in levels.items()
    }
    before = ledger(held)
    expected = {**held, **changed}
    now = ledger({serial: each for serial, each in expected.items() if each is not None})
    found = before.after(changed)
    assert now == found
    assert list(now.rows()) == list(found.rows())
    assert ledger(held) == before
    differing = {serial for serial in expected if held.get(serial) != expected[serial]}
    for other in (now, found):
        changes = {serial: (was, is_) for serial, was, is_ in other.changes(before)}
        assert {s: (held.get(s), expected[s]) for s in differing} == changes


def test_what_did_not_change_is_shared_and_not_looked_at() -> None:
    before = ledger({serial: grant(serial) for serial in range(1, 2000)})
    after = before.after({1000: None})
    assert 1 == sum(block is not before._blocks[number] for number, block in after._blocks.items())
    assert 1998 == len(after)
    assert f"<Ledger of {len(after)} grants>" == repr(after)
    assert hash(before) != hash(after)
    assert before != object()


@pytest.mark.parametrize("was_on", [True, False])
def test_while_many_are_read_the_collector_waits_and_goes_on_as_before(was_on: bool) -> None:
    if not was_on:
        gc.disable()
    try:
        with reading_many():
            assert not gc.isenabled()
        with contextlib.suppress(KeyError), reading_many():
            raise KeyError
        assert was_on == gc.isenabled()
    finally:
        gc.enable()


def test_only_many_grants_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[None] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(None))
    for number, expected in ((9_999, 0), (10_000, 1)):
        set_aside(number)
        assert expected == len(frozen)


@settings(max_examples=60, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.none() | st.integers(1, 6), st.booleans()),
        max_size=12,
    )
)
def test_a_grant_is_found_by_its_id_whatever_was_changed_since(
    steps: list[tuple[str, int | None, bool]],
) -> None:
    def called(name: str) -> Grant:
        return Grant(id=name, principal="user:ada", level="viewer", resource="server:")

    found, held = Ledger(), dict[int, str]()
    for name, serial, is_asked in steps:
        # It is put in, put at another number, in the place of another one, or taken out.
        changed: dict[int, Grant | None] = dict.fromkeys(n for n in held if held[n] == name)
        if serial is not None:
            changed[serial] = called(name)
        held = {n: each for n, each in held.items() if n not in changed}
        if serial is not None:
            held[serial] = name
        found = found.after(changed)
        if is_asked:
            assert ["a"] * ("a" in held.values()) == [g.id for g in [found.grant("a")] if g]
    for name in "abcd":
        got = found.grant(name)
        assert (name in held.values()) == (got is not None)
        assert got is None or got.id == name


def test_ids_are_numbered_anew_after_many_changes() -> None:
    found = ledger({1: grant(1)})
    assert found.grant("g-1") is not None
    for serial in range(2, 1200):
        found = found.after({serial: grant(serial), serial - 1: None})
    assert len(found._newer) <= 512
    assert found.grant("g-1198") is None
    assert found.grant("g-1199") == grant(1199)
