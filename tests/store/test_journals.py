from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_authorized_server.store import Store


def test_the_last_place_is_kept_and_never_goes_back(store: Store) -> None:
    assert store.journal("here:/x") == (None, None)
    store.set_journal_head("here:/x", number=3, hash="c")
    store.set_journal_head("here:/x", number=2, hash="b")
    assert store.journal("here:/x") == (None, (3, "c"))
    store.set_journal_start("here:/x", number=1, hash="a")
    assert store.journal("here:/x") == ((1, "a"), (3, "c"))
    assert store.journal("there:/x") == (None, None)
    assert store.revision() == 0
