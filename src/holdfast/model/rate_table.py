"""A mover's window: when it may send, and how fast. Pure: the rate at a moment, and the moment at which it becomes another.

A line is a window as of schedules (`model.windows`) with a rate; what no line holds has the rate of `otherwise`. Where several lines, or
several tables, hold a moment, the strictest counts, so the order in which they are written means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import msgspec

from holdfast.core.units import format_size
from holdfast.model.spans import Span, parse_zone, spans
from holdfast.model.windows import parse_window

CLOSED = 0
_HORIZON_DAYS = 400
"""What does not change within this time does not change: every window that can open at all opens within a year."""


class RateLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`rate_bytes_s`: None = as fast as it goes, 0 = closed."""

    window: str
    rate_bytes_s: int | None = None


class RateTable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`zone` is an IANA name. `otherwise_bytes_s` as the rate of a line: closed, where nothing is said."""

    lines: tuple[RateLine, ...] = ()
    otherwise_bytes_s: int | None = CLOSED
    zone: str = "UTC"


Tables = tuple[RateTable, ...]


@dataclass(frozen=True)
class RateNow:
    """What tables say at one moment. `until`: they may say something else from then on (UTC); None = they never do."""

    rate_bytes_s: int | None
    until: datetime | None

    @property
    def is_closed(self) -> bool:
        return self.rate_bytes_s == CLOSED


def rate_at(tables: Tables, moment: datetime, limit_bytes_s: int | None = None) -> RateNow:
    """The strictest of all tables and the mover's `limit` at a moment. Raises `UsageError` for a window or zone that is not understood."""
    if not tables:
        return RateNow(limit_bytes_s, None)
    found = [_of_table(table, moment) for table in tables]
    rate = strictest((limit_bytes_s, *(each.rate_bytes_s for each in found)))
    return RateNow(rate, min((each.until for each in found if each.until is not None), default=None))


def opens_at(tables: Tables, moment: datetime) -> datetime | None:
    """The first moment at or after `moment` at which none of the tables is closed; None = not within a year."""
    limit = moment + timedelta(days=_HORIZON_DAYS)
    at: datetime | None = moment
    while at is not None and at < limit:
        now = rate_at(tables, at)
        if not now.is_closed:
            return at
        at = now.until
    return None


def validate_tables(tables: Tables) -> None:
    """Raises `UsageError` for a window or zone that is not understood."""
    for table in tables:
        parse_zone(table.zone)
        for line in table.lines:
            parse_window(line.window)


def strictest(rates: Iterable[int | None]) -> int | None:
    """The lowest; None = no limit at all."""
    return min((rate for rate in rates if rate is not None), default=None)


def in_words(table: RateTable) -> str:
    """`mon-fri 08:00-18:00 at most 5 MB/s, sat,sun full, otherwise closed (Europe/Berlin)`."""
    lines = (f"{line.window} {_rate_in_words(line.rate_bytes_s)}" for line in table.lines)
    return ", ".join((*lines, f"otherwise {_rate_in_words(table.otherwise_bytes_s)}")) + f" ({table.zone})"


def times_in_words(tables: Tables, limit_bytes_s: int | None) -> str:
    """What several say together; empty when nothing holds it back."""
    limit = () if limit_bytes_s is None else (_rate_in_words(limit_bytes_s),)
    return "; ".join((*limit, *map(in_words, tables)))


def _rate_in_words(rate_bytes_s: int | None) -> str:
    if rate_bytes_s is None:
        return "full"
    return "closed" if rate_bytes_s == CLOSED else f"at most {format_size(rate_bytes_s)}/s"


def _of_table(table: RateTable, moment: datetime) -> RateNow:
    rate = _rate(table, moment)
    if all(line.rate_bytes_s == table.otherwise_bytes_s for line in table.lines):
        return RateNow(rate, None)
    day = moment.astimezone(UTC).date()
    for offset in range(_HORIZON_DAYS):
        for edge in _edges(table, day + timedelta(days=offset)):
            if edge > moment and _rate(table, edge) != rate:
                return RateNow(rate, edge)
    return RateNow(rate, None)


def _rate(table: RateTable, moment: datetime) -> int | None:
    held = [rate for span, rate in _near(table, moment.astimezone(UTC).date()) if span.start <= moment < span.end]
    return strictest(held) if held else table.otherwise_bytes_s


@lru_cache(maxsize=1024)
def _edges(table: RateTable, day: date) -> tuple[datetime, ...]:
    """Where something begins or ends on a day (UTC)."""
    # What ends with the day before touches this one by its end only.
    near = (*_near(table, day - timedelta(days=1)), *_near(table, day))
    found = {edge for span, _ in near for edge in (span.start, span.end)}
    return tuple(sorted(edge for edge in found if edge.date() == day))


@lru_cache(maxsize=1024)
def _near(table: RateTable, day: date) -> tuple[tuple[Span, int | None], ...]:
    """The spans of all lines that touch a day (UTC). Nodes ask again and again for the same day."""
    begin = datetime.combine(day, time(), tzinfo=UTC)
    end, zone = begin + timedelta(days=1), parse_zone(table.zone)
    return tuple(
        (span, line.rate_bytes_s)
        for line in table.lines
        for span in spans(parse_window(line.window), begin, zone, horizon_days=2)
        if span.start < end
    )
