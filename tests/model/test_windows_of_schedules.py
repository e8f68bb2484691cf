"""Windows: what they contain, and what is none."""

from __future__ import annotations

from datetime import datetime

import pytest

from holdfast.core.errors import UsageError
from holdfast.model.open_times import is_open
from holdfast.model.windows import parse_window

# 2026-11-01 is a Sunday.
CASES = [
    ("22:00-06:00", "2026-11-03T22:00", True),
    ("22:00-06:00", "2026-11-03T05:59", True),
    ("22:00-06:00", "2026-11-03T06:00", False),
    ("08:00-18:00", "2026-11-03T17:59", True),
    ("08:00-18:00", "2026-11-03T18:00", False),
    ("mon-fri 20:00-06:00", "2026-11-06T23:00", True),
    ("mon-fri 20:00-06:00", "2026-11-07T05:00", True),
    ("mon-fri 20:00-06:00", "2026-11-07T20:00", False),
    ("fri-mon", "2026-11-01T12:00", True),
    ("fri-mon", "2026-11-03T12:00", False),
    ("sat,sun", "2026-11-01T23:59", True),
    ("first sat 01:00-05:00", "2026-11-07T01:00", True),
    ("first sat 01:00-05:00", "2026-11-14T01:00", False),
    ("first,last sat", "2026-11-28T12:00", True),
    ("last", "2026-11-24T00:00", True),
    ("last", "2026-11-23T23:59", False),
    ("day 1,15,last 00:00-24:00", "2026-11-30T23:59", True),
    ("day 1,15,last 00:00-24:00", "2026-11-29T12:00", False),
    ("Day 31", "2026-11-30T12:00", False),
    ("day last 22:00-02:00", "2026-12-01T01:00", True),
]


@pytest.mark.parametrize(("text", "moment", "inside"), CASES)
def test_what_a_window_holds(text: str, moment: str, inside: bool) -> None:
    assert is_open((text,), (), "UTC", datetime.fromisoformat(f"{moment}+00:00")) is inside


@pytest.mark.parametrize(
    "text", ["", "at night", "25:00-26:00", "10:00-10:00", "mon tue 1:00", "day 32", "day 0", "day", "mon-xyz", "first 3"]
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_window(text)
    assert refused.value.hint
