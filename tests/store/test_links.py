"""Links, and what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import DuplicateName
from jupyter_authorized_server.store import links

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Store


def test_links_that_are_over_are_forgotten_and_nobody_has_more_than_so_many_that_hold(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST_HELD", 2)
    monkeypatch.setattr(links, "KEPT_OVER", 10.0)

    def made(id_: str, person: str, now: int) -> None:
        house.add_link(
            id_,
            "0" * 64,
            person=person,
            level="viewer",
            resource="server:",
            expires=now + 5,
            now=now,
        )

    made("a", "ada", 1)
    made("b", "ada", 2)
    with pytest.raises(DuplicateName, match="2 of your links hold"):
        made("c", "ada", 3)
    made("d", "bob", 3)
    # The first one is over, and then forgotten.
    made("e", "ada", 6)
    assert ["a", "b", "d", "e"] == [each.id for each in house.links()]
    made("f", "ada", 17)
    assert ["d", "e", "f"] == [each.id for each in house.links()]
