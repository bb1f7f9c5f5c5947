from __future__ import annotations

import pytest

from jupyter_authorized_server.absence import Absence


class Steady:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def steady() -> Steady:
    return Steady()


def test_a_store_that_has_answered_is_neither_missed_nor_away_too_long(steady: Steady) -> None:
    absence = Absence(0, steady)
    assert (False, False) == (absence.is_noticed, absence.is_too_long)


def test_the_last_revision_answers_up_to_the_end_and_not_at_it(steady: Steady) -> None:
    absence = Absence(30, steady)
    absence.missed()
    assert (True, False) == (absence.is_noticed, absence.is_too_long)
    steady.now += 29.9
    assert not absence.is_too_long
    steady.now = 130.0
    assert absence.is_too_long


def test_it_counts_from_the_first_time_that_it_was_missed(steady: Steady) -> None:
    absence = Absence(30, steady)
    absence.missed()
    steady.now = 129.0
    absence.missed()
    assert not absence.is_too_long
    steady.now = 130.0
    assert absence.is_too_long


def test_it_counts_from_the_question_and_not_from_when_it_was_given_up(steady: Steady) -> None:
    absence = Absence(30, steady)
    absence.missed()
    absence.missed(since=80.0)
    steady.now = 110.0
    assert absence.is_too_long


def test_an_answer_ends_it_and_the_next_miss_begins_anew(steady: Steady) -> None:
    absence = Absence(30, steady)
    absence.missed()
    steady.now = 200.0
    absence.is_over()
    assert (False, False) == (absence.is_noticed, absence.is_too_long)
    absence.missed()
    assert (True, False) == (absence.is_noticed, absence.is_too_long)


def test_where_nothing_may_be_stale_it_is_too_long_at_once(steady: Steady) -> None:
    absence = Absence(0, steady)
    absence.missed()
    assert absence.is_too_long
