from __future__ import annotations

import threading

import pytest

from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.server.identity.note import Notes


def test_a_note_waits_for_the_store_and_nobody_for_the_note() -> None:
    notes, free, written = Notes(), threading.Event(), list[tuple[str, float]]()

    def touch(id_: str, now: float) -> None:
        free.wait(60)
        written.append((id_, now))

    notes.add(touch, "a", 1)
    for now in (1, 2, 3):
        notes.add(touch, "b", now)
    assert [] == written
    free.set()
    notes.wait()
    # While the first was being written, of the same id only the last one is kept.
    assert [("a", 1), ("b", 3)] == written
    notes.add(touch, "c", 4)
    notes.wait()
    assert ("c", 4) == written[-1]


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), RuntimeError("broken")])
def test_after_a_note_that_fails_the_next_ones_are_written(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    notes, written = Notes(), list[str]()

    def touch(id_: str, now: float) -> None:
        if now == 1:
            raise error
        written.append(id_)

    notes.add(touch, "a", 1)
    notes.wait()
    notes.add(touch, "b", 2)
    notes.wait()
    assert ["b"] == written
    assert "the last use of `a` could not be written down" in caplog.text
