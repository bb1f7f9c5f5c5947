from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.errors import InvalidName, StoreError
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from pathlib import Path

HASH = "0" * 64


def filled(store: Store) -> None:
    store.add_grant(
        principal="group:team", level="viewer", resource="server:", now=1, granted_by="user:ada"
    )
    store.add_grant(
        principal="everyone", level="viewer", resource="contents:/é", now=1, granted_by="user:ada"
    )
    store.add_token("t1", HASH, "ci", "ada", None, 1)
    store.add_login_session("s1", HASH, "ada", 50, "", "", 1)


def test_what_was_exported_is_there_after_the_import(house: Store, tmp_path: Path) -> None:
    filled(house)
    lines = [json.loads(json.dumps(line)) for line in house.export_rows()]
    assert sum(house.row_counts()) == len(lines) - 1
    with Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        assert other.import_rows(lines) == len(lines) - 1
        assert other.state() == house.state()
        assert other.tokens() == house.tokens()
        # What comes next has a place behind what was put in.
        other.add_grant(
            principal="user:bob", level="viewer", resource="server:", now=1, granted_by="user:x"
        )
        assert other.revision() == house.revision() + 1


def test_an_export_that_was_cut_off_anywhere_is_refused(house: Store, tmp_path: Path) -> None:
    filled(house)
    lines = list(house.export_rows())
    with Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        for end in range(len(lines)):
            with pytest.raises(InvalidName):
                other.import_rows(lines[:end])
        assert (0, ()) == (other.revision(), other.state().people)
        assert len(lines) - 1 == other.import_rows(lines)


def test_an_import_goes_into_an_empty_store_only(house: Store) -> None:
    before = house.state()
    with pytest.raises(StoreError, match="not empty"):
        house.import_rows(list(house.export_rows()))
    assert house.state() == before


def crowd(head: dict[str, Any], people: int, grants: int) -> list[dict[str, Any]]:
    """The lines of an export with so many people, and so many grants to them."""
    counted = {"id": 1, "number": 7, "people": 7, "grants": 7, "noted": 0}
    persons = (
        {"name": f"p{n}", "display_name": "", "disabled": False, "created": 1.0}
        for n in range(people)
    )
    given = (
        {
            "id": f"g-{n}",
            "person": f"p{n % people}",
            "level": "viewer",
            "resource": f"contents:/d{n % 97}/f{n}",
            "granted_by": "os:x",
            "note": "",
            "created": 1.0,
            # Not each line names the same columns.
            **({"ends": 9.0} if n % 1000 == 0 else {}),
        }
        for n in range(grants)
    )
    return [
        head,
        *[{"table": "people", "row": row} for row in persons],
        *[{"table": "grants", "row": row} for row in given],
        {"table": "revision", "row": counted},
    ]


def test_thousands_of_grants_at_once_are_all_there_or_none(store: Store) -> None:
    lines = crowd(next(iter(store.export_rows())), 50, 5000)
    nobody: dict[str, Any] = {
        "id": "g-x",
        "person": "nobody",
        "level": "viewer",
        "resource": "server:",
    }
    nobody |= {"granted_by": "", "note": "", "created": 1.0}
    for wrong in ({"table": "grants", "row": nobody}, {"table": "grants", "row": {"x": 1}}):
        with pytest.raises((InvalidName, StoreError)):
            store.import_rows([*lines[:-1], wrong, lines[-1]])
        assert 0 == store.revision()
        assert ((), ()) == (store.state().people, store.state().grants)
    assert len(lines) - 1 == store.import_rows(lines)
    state = store.state()
    assert (50, 5000) == (len(state.people), len(state.grants))
    # In the order they were given in.
    assert [f"g-{n}" for n in range(5000)] == [each.id for each in state.grants]
    assert 5 == sum(each.ends is not None for each in state.grants)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"store": "0"}],
        [{"table": "people", "row": {}}],
        [{"store": None}, {"table": "nothing", "row": {}}],
        [{"store": None}, {"table": "people", "row": {"name; DROP TABLE people": 1}}],
        [{"store": None}, {"table": "people", "row": []}],
        [{"store": None}, {"table": "revision", "row": {"id": 1, "number": 2**70}}],
        [{"store": None}],
    ],
)
def test_what_is_no_whole_export_is_refused_and_changes_nothing(
    store: Store, lines: list[dict[str, object]]
) -> None:
    head = next(iter(store.export_rows()))
    mended = [head if line == {"store": None} else line for line in lines]
    with pytest.raises(InvalidName):
        store.import_rows(mended)
    assert store.revision() == 0
    assert store.state().people == ()
