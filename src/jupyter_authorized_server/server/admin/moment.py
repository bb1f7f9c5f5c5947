"""Moments as the REST interface writes them: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime, timezone


def shown(seconds: float | None) -> str | None:
    """`seconds` since the epoch as `2027-01-31T18:00:00+00:00`; None for None."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
