"""Durations, sizes, rates and times as people write them.

Durations: `90s 5m 1h 30d 2w 7y`, also joined (`1d12h`); a year is 365 days. Sizes: `4096 4KiB 50MB 1.5GiB`
(KiB = 1024, kB or KB = 1000). Rates: a size with `/s`. Times: ISO 8601 (no zone = the given zone) or `2h ago`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from holdfast.core.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTP]?)(i?)[bB]?")
# Longer numbers are no measure of anything, and some are too large for any.
_LONGEST = 100
_EXPONENT = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def parse_duration_s(text: str) -> float:
    """Seconds; raises `UsageError` on anything else."""
    compact = text.replace(" ", "")
    parts = _DURATION_PART.findall(compact) if len(text) <= _LONGEST else []
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise UsageError(f"not a duration: {text[:_LONGEST]!r}", hint="write it like 90s, 5m, 1h, 30d, 2w or 7y")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def parse_size_bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST:
        raise UsageError(f"not a size: {text[:_LONGEST]!r}", hint="write it like 4096, 4KiB, 50MB or 1.5GiB")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _EXPONENT[prefix])


def parse_rate_bytes_s(text: str) -> int:
    """Bytes a second, at least 1."""
    if not text.strip().endswith("/s"):
        raise UsageError(f"not a rate: {text!r}", hint="write it like 50MB/s")
    rate = parse_size_bytes(text.strip()[:-2])
    if rate < 1:
        raise UsageError(f"a rate of {text!r} would never finish", hint="leave `limit` out for no limit")
    return rate


def parse_time(text: str, now: datetime, zone: tzinfo | None = UTC) -> datetime:
    """An aware UTC datetime from ISO 8601 or `<duration> ago` or `now`. `zone` None = this machine's, also for what has none."""
    stripped = text.strip()
    if stripped == "now":
        return now
    try:
        if stripped.endswith(" ago"):
            return now - timedelta(seconds=parse_duration_s(stripped[: -len(" ago")]))
        moment = datetime.fromisoformat(stripped)
        # `astimezone` takes a moment without a zone for local time, by the daylight saving of that day.
        return (moment if moment.tzinfo or zone is None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        # Also what lies before the year 1.
        raise UsageError(f"not a time: {text[:_LONGEST]!r}", hint="write ISO 8601 like 2026-11-22T14:05:00Z, or '2h ago'") from None


def parse_since(text: str, now: datetime) -> datetime:
    """Where a span begins that ends now: an age such as `30d`, or a time as `parse_time` takes it. Raises `UsageError`."""
    try:
        return now - timedelta(seconds=parse_duration_s(text))
    except (UsageError, OverflowError):
        return parse_time(text, now)


def format_duration(seconds: float) -> str:
    """Short and readable: `0.4s`, `12s`, `3m20s`, `5h`, `2d4h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    left, parts = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def format_size(size_bytes: int | float) -> str:
    """Binary units with one decimal, as restic prints them: `1.2 GiB`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} PiB"


def format_utc(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
