"""Homes on a real server: made at the first visit, and nobody else's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = {
    "ada": None,
    "bob": "contributor",
    "vera": [("viewer", "contents:/home"), ("viewer", "contents:/shared")],
    "adam": "admin",
}
TEXT = {"type": "file", "format": "text", "content": "mine"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Serving]:
    folder = tmp_path_factory.mktemp("homes")
    (folder / "root" / "shared").mkdir(parents=True)
    (folder / "root" / "elsewhere").mkdir()
    (folder / "root" / "home").mkdir()
    (folder / "root" / "home" / "mal").symlink_to(folder / "root" / "elsewhere")
    config = 'c.JupyterAuthorization.home = "home/{user}"'
    with serving.serving(folder, people={**PEOPLE, "mal": None}, config=config) as running:
        made = running.request("PUT", "/api/contents/home/ada/a.txt", "ada", json_body=TEXT)
        assert made.status == 201
        yield running


def names(server: serving.Serving, who: str, path: str) -> list[str] | int:
    found = server.request("GET", f"/api/contents/{path}", who)
    return (
        found.status if found.status != 200 else sorted(e["name"] for e in found.json["content"])
    )


def test_a_home_is_made_when_its_owner_first_comes(server: serving.Serving) -> None:
    assert names(server, "ada", "home/ada") == ["a.txt"]
    assert (server.root / "home" / "ada" / "a.txt").read_text() == "mine"
    made = [each for each in server.audit if each["kind"] == "service"]
    assert {("server", "contents:/home/ada")} <= {(e["principal"], e["resource"]) for e in made}


def test_the_root_shows_the_home_and_what_is_shared(server: serving.Serving) -> None:
    assert names(server, "ada", "") == ["home"]
    assert names(server, "ada", "home") == ["ada"]
    assert names(server, "vera", "") == ["home", "shared"]


def test_nobody_else_sees_it_whatever_they_were_given_above(server: serving.Serving) -> None:
    for who in ("bob", "vera"):
        shown = names(server, who, "home")
        # `mal` is a link to a folder that `bob` may see.
        assert isinstance(shown, list)
        assert [name for name in shown if name != "mal"] == [who]
        missing = server.request("GET", "/api/contents/home/no/a.txt", who)
        for path in ("home/ada", "home/ada/a.txt"):
            found = server.request("GET", f"/api/contents/{path}", who)
            assert (found.status, found.body) == (missing.status, missing.body)
        assert server.request("GET", "/files/home/ada/a.txt", who).status == 404


def test_whoever_may_move_what_is_around_homes_does_not_move_them(
    server: serving.Serving,
) -> None:
    moved = server.request("PATCH", "/api/contents/home", "bob", json_body={"path": "shared/h"})
    assert moved.status == 403
    assert (server.root / "home" / "ada").is_dir()


def test_nobody_makes_the_home_of_another(server: serving.Serving) -> None:
    made = server.request("PUT", "/api/contents/home/zoe", "bob", json_body={"type": "directory"})
    assert (made.status, (server.root / "home" / "zoe").exists()) == (404, False)


def test_a_link_in_the_place_of_a_home_gives_its_owner_nothing(server: serving.Serving) -> None:
    assert names(server, "mal", "home/mal") == 404
    assert "leads to `/elsewhere`" in server.log


def test_an_administrator_sees_it(server: serving.Serving) -> None:
    assert names(server, "adam", "home/ada") == ["a.txt"]
