"""Durations, sizes, rates and times."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.core.units import (
    format_duration,
    format_size,
    format_utc,
    parse_duration_s,
    parse_rate_bytes_s,
    parse_size_bytes,
    parse_time,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3600), ("30d", 2_592_000), ("1d12h", 129_600), ("7y", 220_752_000), ("250ms", 0.25)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "5 minutes", "-1h", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("4KiB", 4096), ("50MB", 50_000_000), ("1.5GiB", 1_610_612_736), ("10k", 10_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


def test_rates() -> None:
    assert parse_rate_bytes_s("50MB/s") == 50_000_000
    for wrong in ("50MB", "0MB/s", "fast"):
        with pytest.raises(UsageError):
            parse_rate_bytes_s(wrong)


def test_times() -> None:
    assert parse_time("2h ago", NOW) == NOW - timedelta(hours=2)
    assert parse_time("2026-11-22T14:05:00+02:00", NOW) == datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
    assert parse_time("2026-11-22 14:05", NOW, ZoneInfo("Europe/Berlin")) == datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
    local = datetime(2026, 7, 1, 12).astimezone()
    assert parse_time("2026-07-01T12:00", NOW, None) == local
    with pytest.raises(UsageError):
        parse_time("yesterday-ish", NOW)


def test_formats() -> None:
    assert [format_size(n) for n in (0, 1023, 1024, 1_610_612_736)] == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB"]
    assert [format_duration(n) for n in (0.4, 12, 200, 18_000, 187_200)] == ["0.4s", "12s", "3m20s", "5h", "2d4h"]
    assert format_utc(NOW) == "2026-11-22T12:00:00Z"


@given(st.text(max_size=20))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (parse_duration_s, parse_size_bytes, parse_rate_bytes_s):
        with contextlib.suppress(UsageError):
            assert parse(text) >= 0
