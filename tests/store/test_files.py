from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import UnknownName

if TYPE_CHECKING:
    from jupyter_authorized_server.policy.model import Grant
    from jupyter_authorized_server.store import Store


def give(store: Store, path: str, principal: str = "user:ada") -> Grant:
    return store.add_grant(
        principal=principal, level="viewer", resource=f"contents:{path}", now=1, granted_by="os:t"
    )


def on(store: Store) -> list[str]:
    return sorted(each.resource.removeprefix("contents:") for each in store.state().grants)


def test_a_move_takes_the_grants_on_the_file_and_in_it_and_no_neighbours(house: Store) -> None:
    for path in ("/a", "/a/b.txt", "/ab", "/a%", "/A", "/", "/c/a"):
        give(house, path)
    house.identify("r", {"/a": "1", "/a/b.txt": "2", "/ab": "3"})
    move = house.begin_move("r", "/a", "/z/ä'", "1", 1)
    assert house.moves() == (move,)
    taken = house.end_move(move, done=True)
    assert sorted(each.resource for each in taken) == ["contents:/a", "contents:/a/b.txt"]
    assert on(house) == ["/", "/A", "/a%", "/ab", "/c/a", "/z/ä'", "/z/ä'/b.txt"]
    assert house.identities("r") == {"/z/ä'": "1", "/z/ä'/b.txt": "2", "/ab": "3"}
    assert house.moves() == ()


def test_a_move_that_did_not_happen_leaves_all_as_it_was(house: Store) -> None:
    give(house, "/a")
    before = house.state()
    move = house.begin_move("r", "/a", "/b", "1", 1)
    assert house.end_move(move, done=False) == ()
    assert (house.state(), house.moves()) == (before, ())


def test_a_deletion_takes_the_grants_with_it(house: Store) -> None:
    for path in ("/a", "/a/b", "/ab"):
        give(house, path)
    house.end_move(house.begin_move("r", "/a", None, "1", 1), done=True)
    assert on(house) == ["/ab"]


def test_a_grant_whose_file_is_gone_counts_no_longer_until_it_is_adopted(house: Store) -> None:
    given, other = give(house, "/a"), give(house, "/a/b", "everyone")
    house.identify("r", {"/a": "1"})
    assert house.lose("r", ["/a", "/a/b"], 5) == (given,)
    assert on(house) == ["/a/b"]
    (orphan,) = house.orphans()
    assert (orphan.grant, orphan.identity, orphan.lost) == (given, "1", 5)
    assert house.adopt(given.id, 6) == given
    assert (house.orphans(), on(house)) == ((), ["/a", "/a/b"])
    assert other in house.state().grants


def test_what_was_never_seen_is_not_lost(house: Store) -> None:
    give(house, "/a")
    house.identify("another root", {"/a": "1"})
    assert house.lose("r", ["/a"], 5) == ()
    assert on(house) == ["/a"]


def test_an_orphan_comes_back_where_its_file_is(house: Store) -> None:
    given = give(house, "/a", "group:team")
    house.identify("r", {"/a": "1"})
    house.lose("r", ["/a"], 5)
    (back,) = house.found_again({given.id: "/b"}, 6)
    assert (back.id, back.principal, back.resource) == (given.id, "group:team", "contents:/b")


def test_an_orphan_goes_with_its_principal_and_by_hand(house: Store) -> None:
    first, second = give(house, "/a"), give(house, "/a", "group:team")
    house.identify("r", {"/a": "1"})
    house.lose("r", ["/a"], 5)
    house.remove_person("ada")
    assert [each.grant.id for each in house.orphans()] == [second.id]
    assert house.remove_orphan(second.id).grant == second
    for gone in (first.id, second.id, "no id", ""):
        with pytest.raises(UnknownName, match="no orphan"):
            house.adopt(gone, 7)
        with pytest.raises(UnknownName, match="no orphan"):
            house.remove_orphan(gone)


def test_each_change_of_what_counts_is_counted_and_a_note_is_not(house: Store) -> None:
    give(house, "/a")
    before = house.revision()
    house.identify("r", {"/a": "1"})
    move = house.begin_move("r", "/a", "/b", "1", 1)
    assert house.revision() == before
    house.end_move(move, done=True)
    house.lose("r", ["/b"], 5)
    assert house.revision() == before + 2
