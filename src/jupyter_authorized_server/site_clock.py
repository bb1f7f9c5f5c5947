"""The hour and the weekday that rules read, in the site's time zone; and a clock set back."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Callable

#: Seconds that a clock may lag behind before it counts as set back: no clock runs evenly.
_UNEVEN = 0.5


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


class SetBack:
    """Tells, now and then, whether a clock was set back since it was last told.

    Args:
        clock: seconds since the epoch.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._ahead = clock() - steady()

    def __call__(self) -> bool:
        """Whether it was."""
        ahead = self._clock() - self._steady()
        # Many small steps are one large one.
        if ahead > self._ahead - _UNEVEN:
            self._ahead = max(self._ahead, ahead)
            return False
        self._ahead = ahead
        return True
