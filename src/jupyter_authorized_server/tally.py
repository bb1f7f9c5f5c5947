"""How many answers there were; plain numbers, so that counting costs next to nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """The answers of one decision point since it was made.

    Args:
        allowed: answers that allow, those of shadow mode apart.
        denied: answers that deny.
        lifted: denials that shadow mode let through.
        asked: answers that were worked out, not taken from the cache.
        seconds: that they took together.
    """

    allowed: int = 0
    denied: int = 0
    lifted: int = 0
    asked: int = 0
    seconds: float = 0.0

    @property
    def kept(self) -> int:
        """Answers that were taken from the cache."""
        return self.allowed + self.denied + self.lifted - self.asked

    def took(self, seconds: float) -> None:
        """Count an answer that was worked out."""
        self.asked += 1
        self.seconds += seconds
