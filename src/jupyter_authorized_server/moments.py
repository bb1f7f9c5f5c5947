"""Moments as people write and read them, on a command line and in requests."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from . import mistakes
from .errors import InvalidName

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_moment(
    text: str, *, now: float, zone: ZoneInfo | None, last: bool = False, past: bool = False
) -> float:
    """`text` as seconds since the epoch.

    Args:
        text: a date, a date and time (ISO 8601), a day such as `friday`, or a span such as
            `2h`.
        now: seconds since the epoch.
        zone: of what names no time zone; None is the machine's.
        last: a date or day means its end rather than its beginning, as the end of a grant
            in a policy file does.
        past: a span counts back from now, and a day is the last one so called, since it
            is asked about what has been.

    Raises:
        InvalidName: none of these, or no moment that a calendar has.
    """
    span = _SPAN.fullmatch(text)
    if span:
        seconds = int(span[1]) * _SECONDS[span[2]]
        return now - seconds if past else now + seconds
    try:
        day = _day(text, now, zone, past=past)
        if day is not None:
            day += timedelta(days=int(last))
            return _placed(datetime.combine(day, time()), zone).timestamp()
        return _placed(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)), zone).timestamp()
    except (ValueError, OverflowError, OSError):
        shown = ascii(text[:60])[1:-1]
        raise InvalidName(mistakes.no_moment(shown, "before" if past else "from")) from None


def _day(text: str, now: float, zone: ZoneInfo | None, *, past: bool) -> date | None:
    """The day that `text` names, today among them; None where it is no day.

    Raises:
        ValueError: it is written as a date and is none.
    """
    if _DATE.fullmatch(text):
        return date.fromisoformat(text)
    today = datetime.fromtimestamp(now, tz=zone).date()
    named = {"today": 0, "tomorrow": 1, "yesterday": -1}.get(text.lower())
    if text.lower() in _DAYS:
        named = (_DAYS.index(text.lower()) - today.weekday()) % 7
        named -= 7 * (past and named > 0)
    return None if named is None else today + timedelta(days=named)


def show_moment(seconds: float | None, zone: ZoneInfo | None) -> str:
    """`seconds` since the epoch in the site's time; nothing for None."""
    if seconds is None:
        return ""
    try:
        moment = datetime.fromtimestamp(seconds, tz=zone)
        return _placed(moment, zone).isoformat(sep=" ", timespec="minutes")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _placed(moment: datetime, zone: ZoneInfo | None) -> datetime:
    if moment.tzinfo is not None:
        return moment
    return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
