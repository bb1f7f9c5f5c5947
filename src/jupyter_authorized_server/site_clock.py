"""The hour and the weekday that rules read, in the time zone of the site."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zoneinfo


class SiteClock:
    """Tells them for a moment; within a minute from memory.

    Args:
        timezone: None is the machine's.
    """

    def __init__(self, timezone: zoneinfo.ZoneInfo | None) -> None:
        self._timezone = timezone
        self._known: tuple[float, int, int] = (-math.inf, 0, 1)

    def __call__(self, now: float) -> tuple[int, int]:
        """The hour, 0 to 23, and the weekday, 1 (Monday) to 7, at `now`."""
        until, hour, weekday = self._known
        if not until - 60 <= now < until:
            local = dt.datetime.fromtimestamp(now, tz=self._timezone)
            hour, weekday = local.hour, local.isoweekday()
            self._known = ((now // 60 + 1) * 60, hour, weekday)
        return hour, weekday
