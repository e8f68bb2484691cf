"""Which movers of a followed dataset are closed by their windows, and when one has opened. Pure; moments are given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from holdfast.model.rate_table import Tables, opens_at, rate_at


class Openings:
    """`windows`: of each continuous delivery, by its id; `keeping` those whose moments are kept while they are closed. Look before
    asking."""

    def __init__(self, windows: Mapping[str, Tables], keeping: frozenset[str] = frozenset()) -> None:
        self._keeping = keeping
        self._windows = {delivery: tables for delivery, tables in windows.items() if tables}
        self._all = frozenset(windows)
        self._looked: datetime | None = None
        self._until: datetime | None = None
        self.closed: frozenset[str] = frozenset()

    @property
    def are_all_closed(self) -> bool:
        """Whether there is nobody to whom anything may be sent now."""
        return bool(self.closed) and self.closed == self._all

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing has to be captured now: all are closed, and nobody misses what is between."""
        return self.are_all_closed and not self._keeping

    @property
    def left_out(self) -> frozenset[str]:
        """Those that take no part in a run: closed, and content with the newest state when they open."""
        return self.closed - self._keeping

    def look(self, moment: datetime) -> bool:
        """Whether a delivery has opened since the last look. Costs nothing until a window begins or ends."""
        if self._looked is not None and self._looked <= moment and (self._until is None or moment < self._until):
            return False
        told = {delivery: rate_at(tables, moment) for delivery, tables in self._windows.items()}
        before, self.closed = self.closed, frozenset(delivery for delivery, now in told.items() if now.is_closed)
        self._looked = moment
        self._until = min((now.until for now in told.values() if now.until is not None), default=None)
        return bool(before - self.closed)

    def opens_at(self, delivery: str, moment: datetime) -> datetime | None:
        """When a closed one opens; None = it is open, or does not open within a year."""
        return opens_at(self._windows[delivery], moment) if delivery in self.closed else None

    def first_opening(self, moment: datetime) -> datetime | None:
        """When the first opens again, where all are closed."""
        if not self.are_all_closed:
            return None
        found = [opens for delivery in self.closed if (opens := self.opens_at(delivery, moment)) is not None]
        return min(found, default=None)
