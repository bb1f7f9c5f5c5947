from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.store import Wanted

if TYPE_CHECKING:
    from jupyter_authorized_server.policy.model import Grant
    from jupyter_authorized_server.store import Store


def give(store: Store, uses: int | None, level: str = "viewer") -> Grant:
    return store.add_grant(
        principal="user:ada", level=level, resource="contents:/a", now=1, granted_by="os:t",
        uses=uses,
    )  # fmt: skip


def test_a_grant_counts_as_often_as_was_said(house: Store) -> None:
    given = give(house, 2)
    assert house.counted() == {given.id: 2}
    assert [house.use_grant(given.id) for _ in range(3)] == [1, 0, None]
    assert house.state().grants == (given,)
    assert house.drop_used_up() == (given.id,)
    assert (house.state().grants, house.counted(), house.drop_used_up()) == ((), {}, ())


def test_one_that_counts_always_is_another_grant(house: Store) -> None:
    def once(uses: int | None) -> tuple[Grant, bool]:
        wanted = Wanted(principal="user:ada", level="viewer", resource="contents:/a", uses=uses)
        return house.add_grant_once(wanted, now=1, granted_by="os:t")

    counted, (always, is_new) = give(house, 1), once(None)
    assert (True, True) == (is_new, counted.id != always.id)
    assert (always, False) == once(None)
    assert once(1)[0].id not in {counted.id, always.id}


def test_of_those_that_count_a_number_of_times_only_what_is_new_is_told_again(
    house: Store,
) -> None:
    first = give(house, 1)
    now, found = house.counted_since(-1)
    assert (house.revision(), frozenset({first.id})) == (now, found)
    second, _ = give(house, 2), give(house, None)
    assert (now + 2, frozenset({second.id})) == house.counted_since(now)
    # What was never there, and what nothing is noted of any more, is asked for whole.
    assert (now + 2, frozenset({first.id, second.id})) == house.counted_since(now + 3)
    assert {first.id: 1} == house.counted([first.id, "g-none"])


def test_of_many_who_use_the_last_at_once_one_does(house: Store) -> None:
    given = give(house, 1)
    left: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: left.append(house.use_grant(given.id))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(left, key=str) == [0, None, None]


def test_a_grant_whose_file_was_gone_is_not_whole_again(house: Store) -> None:
    given = give(house, 2)
    house.use_grant(given.id)
    house.identify("r", {"/a": "1"})
    house.lose("r", ["/a"], 5)
    assert house.counted() == {}
    house.adopt(given.id, 6)
    assert house.counted() == {given.id: 1}


@pytest.mark.parametrize("uses", [0, -1, 100_001, True])
def test_it_is_a_number_of_times(house: Store, uses: int) -> None:
    with pytest.raises(InvalidName, match="1 to 100000"):
        give(house, uses)
    assert house.state().grants == ()


def test_nobody_manages_a_number_of_times(house: Store) -> None:
    with pytest.raises(InvalidName, match="cannot be given a number of times"):
        give(house, 3, "manager")
    given = give(house, 3, "editor")
    with pytest.raises(InvalidName, match="cannot be given a number of times"):
        house.change_grant(given, level="admin", ends=None, note="", now=2)
    assert house.state().grants == (given,)
