"""What the decision point has done, for the server's own `/metrics`.

Nothing is counted twice: the numbers are read where they are kept when somebody asks.
Who may ask is the policy's business, as for all of `/metrics`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from .wiring import Wiring

_PREFIX = "jupyter_authorization_"


class Meter(Collector):
    """The numbers of the server that was wired last in this process."""

    def __init__(self) -> None:
        self.wired: Wiring | None = None

    def describe(self) -> list[Metric]:
        """Nothing before it is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every number, as it is now."""
        if self.wired is None:
            return
        point = self.wired.point
        tally = point.tally
        decisions = CounterMetricFamily(
            f"{_PREFIX}decisions", "Answers of the decision point", labels=["outcome"]
        )
        for outcome in ("allowed", "denied", "lifted"):
            decisions.add_metric([outcome], getattr(tally, outcome))
        yield decisions
        yield SummaryMetricFamily(
            f"{_PREFIX}decision_seconds",
            "Time to work out an answer that was not in the cache",
            count_value=tally.asked,
            sum_value=tally.seconds,
        )
        yield CounterMetricFamily(
            f"{_PREFIX}cached_decisions", "Answers that were in the cache", value=tally.kept
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}revision", "Revision of the policy that answers", value=point.revision
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}policy_age_seconds",
            "Time since the policy files in force were read",
            value=max(0.0, time.time() - point.policy_since),
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}policy_refused",
            "1 while the policy files do not load, so that older ones are in force",
            value=float(point.problem is not None),
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}shadow", "1 while nothing is enforced", value=float(bool(point.shadow))
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}store_away",
            "1 while the store cannot be read",
            value=float(point.absence.is_noticed),
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}open_sockets",
            "Sockets that are open and asked about at each change",
            value=len(self.wired.live.open_doors()),
        )
        yield CounterMetricFamily(
            f"{_PREFIX}revoked_sockets",
            "Sockets whose right or login ended while they were open",
            value=self.wired.live.revoked,
        )


_METER = Meter()


def measure(wired: Wiring) -> None:
    """Have `/metrics` tell of this server."""
    if _METER.wired is None:
        REGISTRY.register(_METER)
    _METER.wired = wired
