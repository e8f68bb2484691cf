"""Moments that stay longer than the rules say, because what came after them looked like the destruction of their dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from holdfast.core.ids import DatasetId


class MomentHold(NamedTuple):
    """Every moment captured at or after `from_ns` stays until `until_ns`."""

    from_ns: int
    until_ns: int


class MomentHolds:
    """Of one open repository; for any thread."""

    def __init__(self) -> None:
        self._holds: Mapping[DatasetId, MomentHold] = {}

    def __bool__(self) -> bool:
        return bool(self._holds)

    def set(self, holds: Mapping[DatasetId, MomentHold]) -> None:
        """From now on these alone."""
        self._holds = dict(holds)

    def window_s(self, dataset: DatasetId, usual_s: float, now_ns: int) -> float:
        """How far back moments are kept, where `usual_s` is what the rules say."""
        hold = self._holds.get(dataset)
        if hold is None or now_ns >= hold.until_ns:
            return usual_s
        return max(usual_s, (now_ns - hold.from_ns) / 1e9)
