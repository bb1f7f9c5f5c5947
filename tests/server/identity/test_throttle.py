from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from jupyter_authorized_server.server.identity import throttle as module
from jupyter_authorized_server.server.identity.throttle import (
    FORGOTTEN,
    FREE_ADDRESS,
    FREE_PERSON,
    LONGEST,
    Throttle,
    network,
    wait_after,
)

if TYPE_CHECKING:
    import pytest

NOW = 1_000_000.0


def fail(throttle: Throttle, person: str, address: str, times: int, now: float = NOW) -> float:
    """Fail `times` times, waiting as told; returns the time of the last failure."""
    for _ in range(times):
        wait = throttle.start(person, address, now=now)
        if wait:
            now += wait
            assert throttle.start(person, address, now=now) == 0
    return now


def test_five_failures_cost_nothing_and_the_next_try_waits() -> None:
    throttle = Throttle()
    waits = [throttle.start("ada", "192.0.2.1", now=NOW) for _ in range(6)]
    assert waits == [0, 0, 0, 0, 0, 1]


def test_the_wait_doubles_with_each_failure_up_to_five_minutes() -> None:
    waits = [wait_after(n, FREE_PERSON) for n in range(16)]
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert wait_after(10**9, FREE_PERSON) == LONGEST


def test_asking_again_while_waiting_makes_the_wait_no_longer() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.start("ada", "192.0.2.1", now=NOW)
    waits = [throttle.start("ada", "192.0.2.1", now=NOW + 0.25) for _ in range(100)]
    assert waits == [0.75] * 100
    assert throttle.start("ada", "192.0.2.1", now=NOW + 1) == 0


def test_many_attempts_at_once_get_no_more_tries() -> None:
    # None of them has ended when the next one starts.
    throttle = Throttle()
    started = [throttle.start("ada", "192.0.2.1", now=NOW) == 0 for _ in range(50)]
    assert started.count(True) == FREE_PERSON


def test_a_success_forgets_the_failures_of_the_person() -> None:
    throttle = Throttle()
    now = fail(throttle, "ada", "192.0.2.1", 8)
    now += throttle.start("ada", "192.0.2.1", now=now)
    assert throttle.start("ada", "192.0.2.1", now=now) == 0
    throttle.succeed("ada", "192.0.2.1")
    waits = [throttle.start("ada", "192.0.2.1", now=now) for _ in range(6)]
    assert waits == [0, 0, 0, 0, 0, 1]


def test_a_success_keeps_the_failures_of_the_address() -> None:
    throttle = Throttle()
    for number in range(FREE_ADDRESS - 1):
        throttle.start(f"person{number}", "192.0.2.1", now=NOW)
    assert throttle.start("mallory", "192.0.2.1", now=NOW) == 0
    throttle.succeed("mallory", "192.0.2.1")
    assert throttle.start("ada", "192.0.2.1", now=NOW) == 0
    assert throttle.start("mallory", "192.0.2.1", now=NOW) == 1


def test_a_class_that_signs_in_rightly_from_one_address_is_not_slowed_down() -> None:
    throttle = Throttle()
    for number in range(10 * FREE_ADDRESS):
        assert throttle.start(f"pupil{number}", "192.0.2.1", now=NOW) == 0
        throttle.succeed(f"pupil{number}", "192.0.2.1")


def test_an_address_that_tries_many_names_waits_for_every_name() -> None:
    throttle = Throttle()
    for number in range(FREE_ADDRESS):
        assert throttle.start(f"person{number}", "192.0.2.1", now=NOW) == 0
    assert throttle.start("somebody else", "192.0.2.1", now=NOW) == 1
    assert throttle.start("somebody else", "192.0.2.2", now=NOW) == 0


def test_a_guesser_does_not_keep_the_person_out_from_another_address() -> None:
    throttle = Throttle()
    now = fail(throttle, "ada", "192.0.2.66", 30)
    assert throttle.start("ada", "192.0.2.66", now=now) == LONGEST
    assert throttle.start("ada", "192.0.2.1", now=now) == 0


@given(at=st.lists(st.floats(0, 3000), max_size=40))
def test_what_others_do_never_restarts_a_wait(at: list[float]) -> None:
    throttle = Throttle()
    fail(throttle, "ada", "192.0.2.66", 12, now=NOW - 5000)
    assert throttle.start("ada", "192.0.2.1", now=NOW) == 0  # a typing error of Ada's own
    for moment in sorted(at):
        throttle.start("ada", "192.0.2.66", now=NOW + moment)
    later = max([NOW + LONGEST, *(NOW + moment for moment in at)])
    assert throttle.start("ada", "192.0.2.1", now=later) == 0


def test_many_addresses_get_one_quick_guess_each_and_then_wait_long() -> None:
    throttle = Throttle()
    for number in range(200):
        throttle.start("ada", f"198.51.100.{number}", now=NOW)
    waits = {throttle.start("ada", f"198.51.100.{n}", now=NOW) for n in range(200)}
    assert waits == {LONGEST}


def test_a_network_of_ipv6_is_one_address() -> None:
    assert network("2001:db8:1:2:aaaa::1") == network("2001:db8:1:2:bbbb::2")
    assert network("2001:db8:1:2::1") != network("2001:db8:1:3::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") == "192.0.2.1"
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("") == ""
    assert network("no address") == "no address"


def test_failures_are_forgotten_after_an_hour_of_quiet() -> None:
    throttle = Throttle()
    now = fail(throttle, "ada", "192.0.2.1", 12)
    assert throttle.start("ada", "192.0.2.1", now=now + FORGOTTEN) == 0
    assert throttle.start("ada", "192.0.2.1", now=now + FORGOTTEN) == 0


def test_an_attempt_that_came_to_no_answer_does_not_count() -> None:
    throttle = Throttle()
    for _ in range(50):
        assert throttle.start("ada", "192.0.2.1", now=NOW) == 0
        throttle.withdraw("ada", "192.0.2.1")
    assert len(throttle) == 0


def test_memory_is_bounded_whatever_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    throttle = Throttle()
    for number in range(1000):
        throttle.start(f"{number}" * 10_000, f"203.0.{number % 256}.{number // 256}", now=NOW)
    assert len(throttle) == 3 * 50
    longest = max(len(text) for key in throttle._pairs._counts for text in key)
    assert longest == module._LONGEST_NAME
