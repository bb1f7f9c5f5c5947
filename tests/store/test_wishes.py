"""What people ask for, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_authorized_server.store import WishState
from jupyter_authorized_server.store import wishes as asked

if TYPE_CHECKING:
    import pytest

    from jupyter_authorized_server.store import Store


def test_of_what_was_answered_the_latest_are_kept_and_what_waits_stays(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_KEPT", 2)

    def ask(person: str, now: int) -> str:
        return house.add_wish(person=person, level="editor", resource="server:", now=now).id

    other = ask("bob", 1)
    house.answer_wish(other, WishState.REFUSED, by="user:ada", now=2)
    waits = house.add_wish(person="ada", level="viewer", resource="server:", now=3).id
    made = []
    for now in range(4, 9):
        made.append(ask("ada", now))
        house.answer_wish(made[-1], WishState.WITHDRAWN, by="user:ada", now=now)
    made.append(ask("ada", 9))
    assert [other, waits, *made[-3:]] == [each.id for each in house.wishes()]
