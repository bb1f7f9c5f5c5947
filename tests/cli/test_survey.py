from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.conftest import Desk


def test_who_can_shows_everybody_and_through_what(desk: Desk) -> None:
    desk.ask("grant", "group:team", "contributor", "contents:/lab")
    found = desk.ask("who-can", "save", "contents:/lab/a.ipynb", "--json")
    assert (0, ["user:ada"]) == (found.code, [each["principal"] for each in found.json])
    assert ["group:team"] == [each["scope"] for each in found.json[0]["through"]]
    assert "user:ada" in desk.ask("who-can", "write", "contents:/lab/a.ipynb").out
    assert 1 == desk.ask("who-can", "save", "contents:/else").code
    assert 2 == desk.ask("who-can", "fly", "contents:/else").code


def test_what_can_shows_the_places(desk: Desk) -> None:
    assert ["contents:/team"] == desk.ask("what-can", "user:ada", "save", "--json").json
    assert "contents:/team" in desk.ask("what-can", "user:ada").out
    assert 1 == desk.ask("what-can", "user:ada", "delete").code
    assert 2 == desk.ask("what-can", "user:nobody").code
    mistyped = desk.ask("what-can", "user:ada", "sav")
    assert (2, True) == (mistyped.code, "`sav` is no action; the actions are" in mistyped.err)
