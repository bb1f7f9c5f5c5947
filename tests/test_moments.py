from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.moments import parse_moment, show_moment

PARIS = ZoneInfo("Europe/Paris")
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0m", 0), ("90m", 5400), ("2h", 7200), ("3d", 259_200), ("1w", 604_800)],
)
def test_a_span_is_counted_from_now(text: str, seconds: int) -> None:
    assert parse_moment(text, now=NOW, zone=PARIS) == NOW + seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31", 1_801_350_000),
        ("2027-01-31T18:00", 1_801_414_800),
        ("2027-01-31T18:00+00:00", 1_801_418_400),
        ("2027-01-31T18:00Z", 1_801_418_400),
    ],
)
def test_a_date_or_time_without_a_zone_is_the_sites(text: str, expected: int) -> None:
    assert parse_moment(text, now=NOW, zone=PARIS) == expected


def test_an_end_that_is_a_date_takes_in_that_day() -> None:
    day = parse_moment("2027-01-31", now=NOW, zone=PARIS)
    assert parse_moment("2027-01-31", now=NOW, zone=PARIS, last=True) == day + 86_400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "until friday",
        "fri",
        "Fridays",
        "2h ",
        "-2h",
        "2H",
        "1234567d",
        "٣d",
        "2027-02-30",
        "9999-12-31T99:00",
        "\ud800",
        "\x1b[2J",
        "2027-01-31\n",
    ],
)
def test_what_is_no_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidName, match=r"is no time; write `2027-01-31`") as caught:
        parse_moment(text, now=NOW, zone=PARIS)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "day", "before"),
    [
        ("today", "2027-01-15", "2027-01-15"),
        ("tomorrow", "2027-01-16", "2027-01-16"),
        ("yesterday", "2027-01-14", "2027-01-14"),
        ("friday", "2027-01-15", "2027-01-15"),
        ("Saturday", "2027-01-16", "2027-01-09"),
        ("thursday", "2027-01-21", "2027-01-14"),
    ],
)
def test_a_day_is_the_next_or_the_last_one_so_called(text: str, day: str, before: str) -> None:
    for expected, past in ((day, False), (before, True)):
        for last in (False, True):
            found = parse_moment(text, now=NOW, zone=PARIS, last=last, past=past)
            assert parse_moment(expected, now=NOW, zone=PARIS, last=last) == found


def test_a_span_counts_back_where_it_is_asked_about_what_has_been() -> None:
    assert NOW - 7200 == parse_moment("2h", now=NOW, zone=PARIS, past=True)
    with pytest.raises(InvalidName, match="`1w` before now"):
        parse_moment("2 hours", now=NOW, zone=PARIS, past=True)


def test_the_day_after_the_last_one_is_refused() -> None:
    with pytest.raises(InvalidName, match="is no time"):
        parse_moment("9999-12-31", now=NOW, zone=PARIS, last=True)


def test_a_long_text_is_cut_in_the_refusal() -> None:
    with pytest.raises(InvalidName) as caught:
        parse_moment("x" * 10_000_000, now=NOW, zone=PARIS)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (1_801_414_800.0, "2027-01-31 18:00+01:00"), (1e300, "second 1e+300")],
)
def test_a_moment_is_shown_in_the_sites_time(seconds: float | None, shown: str) -> None:
    assert show_moment(seconds, PARIS) == shown
