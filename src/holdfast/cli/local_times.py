"""Times within sentences: machines write them in UTC, for they do not know who reads; people read them in the time of their own machine, as
tables show them."""

from __future__ import annotations

import re
from datetime import datetime

_UTC = re.compile(r"(?<![\w@./-])(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:Z| UTC|\+00:00)(?!\w|:\d)")


def in_local_time(text: str) -> str:
    """As exact as they were, to the second at most. What is to be typed stays: an address `DATASET@TIME`, and all between backticks."""
    parts = text.split("`")
    return "`".join(part if place % 2 else _UTC.sub(_local, part) for place, part in enumerate(parts))


def _local(found: re.Match[str]) -> str:
    day, minute, second = found[1], found[2], found[3]
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}{second or ''}+00:00").astimezone()
    except (ValueError, OverflowError):
        return found[0]
    return moment.strftime("%Y-%m-%d %H:%M:%S" if second else "%Y-%m-%d %H:%M")
