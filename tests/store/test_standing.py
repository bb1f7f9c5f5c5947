from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Store


def stand(store: Store, *paths: str) -> None:
    for number, path in enumerate(paths):
        on = f"contents:{path}"
        store.add_link(
            f"l{number}", "0" * 64, person="ada", level="viewer", resource=on, expires=99, now=1
        )
        store.add_wish(person="bob", level="viewer", resource=on, now=1)
        scope = [("viewer", on)]
        store.add_token(f"t{number}", "0" * 64, f"t{number}", "ada", None, 1, scope=scope)


def on(store: Store) -> tuple[list[str], list[str], list[str]]:
    def short(names: list[str]) -> list[str]:
        return sorted(each.removeprefix("contents:") for each in names)

    return (
        short([each.resource for each in store.links()]),
        short([each.resource for each in store.wishes() if each.state == "open"]),
        short([place for each in store.tokens() for _, place in each.scope or ()]),
    )


def test_links_requests_and_scopes_go_where_their_file_goes(house: Store) -> None:
    stand(house, "/a", "/a/b.txt", "/ab", "/A")
    house.end_move(house.begin_move("r", "/a", "/z/ä'", "", 1), done=True)
    moved = ["/A", "/ab", "/z/ä'", "/z/ä'/b.txt"]
    assert on(house) == (moved, moved, moved)
    assert house.standing() == frozenset(moved)


def test_what_ends_with_its_file_leaves_a_token_that_reaches_nothing(house: Store) -> None:
    stand(house, "/a", "/a/b.txt", "/ab")
    house.end_move(house.begin_move("r", "/a", None, "", 1), done=True)
    assert on(house) == (["/ab"], ["/ab"], ["/ab"])
    assert [each.scope for each in house.tokens()] == [(), (), (("viewer", "contents:/ab"),)]
    assert [each.answer for each in house.wishes() if each.state != "open"] == [
        "its file is gone"
    ] * 2


def test_a_file_that_went_away_takes_what_stands_on_it_alone(house: Store) -> None:
    stand(house, "/a", "/a/b.txt")
    house.lose("r", ["/a"], 5)
    assert on(house) == (["/a/b.txt"], ["/a/b.txt"], ["/a/b.txt"])


def test_a_move_to_where_a_token_reaches_already_is_one_scope(house: Store) -> None:
    scope = [("viewer", "contents:/a"), ("viewer", "contents:/b"), ("editor", "contents:/a")]
    house.add_token("t", "0" * 64, "t", "ada", None, 1, scope=scope)
    house.end_move(house.begin_move("r", "/a", "/b", "", 1), done=True)
    (token,) = house.tokens()
    assert token.scope == (("editor", "contents:/b"), ("viewer", "contents:/b"))
