from __future__ import annotations

import pytest

from jupyter_authorized_server.errors import DuplicateName, InvalidName
from jupyter_authorized_server.server.admin.replay import KEPT, MOST, MOST_EACH, Replays


def test_a_request_is_known_by_who_sends_it_where_to_and_its_key() -> None:
    replays = Replays()
    first = replays.sent(("user:ada", "/links"), "k", b"x", now=0)
    assert first is replays.sent(("user:ada", "/links"), "k", b"x", now=1)
    for asked, key in ((("user:bob", "/links"), "k"), (("user:ada", "/tokens"), "k")):
        assert first is not replays.sent(asked, key, b"x", now=1)
    with pytest.raises(DuplicateName):
        replays.sent(("user:ada", "/links"), "k", b"other", now=1)
    assert first is not replays.sent(("user:ada", "/links"), "k", b"other", now=KEPT + 1)


def test_of_a_long_request_nothing_is_kept() -> None:
    replays = Replays()
    sent = replays.sent(("user:ada", "/links"), "k", b"x" * 10_000_000, now=0)
    assert len(sent.digest) == 32
    assert sent is replays.sent(("user:ada", "/links"), "k", b"x" * 10_000_000, now=0)


def test_nobody_has_another_s_forgotten() -> None:
    replays = Replays()
    first = replays.sent(("user:ada", "/links"), "k", b"x", now=0)
    own = replays.sent(("user:eve", "/links"), "first", b"x", now=1)
    for number in range(2 * MOST):
        replays.sent(("user:eve", f"/requests/{number % 3}"), f"k{number}", b"x", now=2)
    assert first is replays.sent(("user:ada", "/links"), "k", b"x", now=3)
    assert own is not replays.sent(("user:eve", "/links"), "first", b"x", now=3)
    # Nor do many people together fill the memory.
    for number in range(2 * MOST):
        replays.sent((f"user:{number}", "/links"), "k", b"x", now=4)
    assert len(replays._sent) <= MOST + 1


def test_of_one_s_own_the_oldest_is_forgotten_first() -> None:
    replays = Replays()
    kept = [replays.sent(("user:ada", "/"), f"{n}", b"x", now=0) for n in range(MOST_EACH)]
    assert kept[0] is replays.sent(("user:ada", "/"), "0", b"x", now=0)
    replays.sent(("user:ada", "/"), "one more", b"x", now=0)
    assert kept[1] is replays.sent(("user:ada", "/"), "1", b"x", now=0)
    assert kept[0] is not replays.sent(("user:ada", "/"), "0", b"x", now=0)


@pytest.mark.parametrize("key", ["", "a" * 129, "\n", "\u00e4"])
def test_what_can_be_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidName, match="printable ASCII"):
        Replays().sent(("user:ada", "/"), key, b"", now=0)
