"""Moments as the REST interface reads and writes them: ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ... import mistakes
from ...errors import InvalidName


def shown(seconds: float | None) -> str | None:
    """`seconds` since the epoch as `2027-01-31T18:00:00+00:00`; None for None."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def read(text: str | None) -> float | None:
    """A moment with its distance from UTC as seconds since the epoch; None for None.

    Raises:
        InvalidName: none, or none that says where.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise InvalidName(mistakes.no_moment(text[:60]))
