"""How a repository will grow, from how it grew: a straight line by least squares, with the span that its scatter allows. Pure.

The span is the 95 % prediction interval of simple linear regression (Draper and Smith, Applied Regression Analysis, 3rd ed., 3.1) with the
quantile of Student's t from Hill's expansion; more than 30 samples come near 1.96.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import msgspec

LEAST_SAMPLES = 7
LEAST_DAYS = 7.0
_DAY_S = 86_400.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes. `low` to `high` holds with 95 % what will be stored, if it goes on as it did."""

    expected: float
    low: float
    high: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`bytes_a_day`, plus or minus `uncertain_bytes_a_day` (95 %)."""

    bytes_a_day: float
    uncertain_bytes_a_day: float
    mean_day: float
    mean_bytes: float
    spread: float
    deviation: float
    samples: int

    def at(self, day: float) -> Forecast:
        expected = self.mean_bytes + self.bytes_a_day * (day - self.mean_day)
        width = _t95(self.samples - 2) * self.deviation * math.sqrt(1 + 1 / self.samples + (day - self.mean_day) ** 2 / self.spread)
        return Forecast(expected=max(0.0, expected), low=max(0.0, expected - width), high=max(0.0, expected + width))


def line_through(samples: Sequence[tuple[datetime, float]]) -> Line | None:
    """Days count from the first sample. None: fewer than `LEAST_SAMPLES`, or within less than `LEAST_DAYS`."""
    if len(samples) < LEAST_SAMPLES or (samples[-1][0] - samples[0][0]).total_seconds() < LEAST_DAYS * _DAY_S:
        return None
    days = [(at - samples[0][0]).total_seconds() / _DAY_S for at, _ in samples]
    values = [value for _, value in samples]
    count = len(samples)
    mean_day, mean = math.fsum(days) / count, math.fsum(values) / count
    spread = math.fsum((day - mean_day) ** 2 for day in days)
    slope = math.fsum((day - mean_day) * (value - mean) for day, value in zip(days, values, strict=True)) / spread
    rest = math.fsum((value - mean - slope * (day - mean_day)) ** 2 for day, value in zip(days, values, strict=True))
    deviation = math.sqrt(rest / (count - 2))
    return Line(
        bytes_a_day=slope,
        uncertain_bytes_a_day=_t95(count - 2) * deviation / math.sqrt(spread),
        mean_day=mean_day,
        mean_bytes=mean,
        spread=spread,
        deviation=deviation,
        samples=count,
    )


def _t95(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, to four digits from 5 degrees of freedom on (Abramowitz and Stegun 26.7.5)."""
    x = 1.959963984540054
    n = float(freedom)
    g1 = (x**3 + x) / 4
    g2 = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    g3 = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    g4 = (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92_160
    return x + g1 / n + g2 / n**2 + g3 / n**3 + g4 / n**4
