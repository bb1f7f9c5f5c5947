"""How long the store has been away, and whether that is too long to go on without it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Absence:
    """Counts from the moment at which the store was asked and did not answer.

    By a clock that only goes forward: setting the machine's clock back must not have the
    last revision answer for longer.

    Args:
        stale: seconds for which the last revision answers meanwhile.
        steady: seconds, from whenever.
    """

    def __init__(self, stale: float, steady: Callable[[], float] = time.monotonic) -> None:
        self._stale = stale
        self.steady = steady
        self._ends = math.inf

    def missed(self, since: float | None = None) -> None:
        """It was asked at `since`, by the same clock, or now, and has not answered."""
        begun = self.steady() if since is None else since
        self._ends = min(self._ends, begun + self._stale)

    def is_over(self) -> None:
        """It has answered."""
        self._ends = math.inf

    @property
    def is_noticed(self) -> bool:
        """Whether it did not answer when last asked."""
        return self._ends < math.inf

    @property
    def is_too_long(self) -> bool:
        """Whether nothing may be allowed any more."""
        return self._ends < math.inf and self.steady() >= self._ends
