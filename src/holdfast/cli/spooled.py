"""What waits in the spool of a source, as one line for each receiver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from holdfast.core.units import format_duration, format_size


def spooled_lines(following: Mapping[str, Any], moment: datetime) -> Iterator[str]:
    """Of one followed dataset, as the API gives it."""
    for each in following.get("spooled") or ():
        age_s = max(0.0, (moment - datetime.fromisoformat(each["since"])).total_seconds() // 1)
        how = f"{format_size(each['size_bytes'])}, the oldest {format_duration(age_s)} old"
        what = f"1 commit ({how}) waits" if each["runs"] == 1 else f"{each['runs']} commits ({how}) wait"
        slower = ", and it becomes more" if each.get("falls_behind") else ""
        yield f"{following['dataset']}: {what} in the spool for {each['receiver']}{slower}"
