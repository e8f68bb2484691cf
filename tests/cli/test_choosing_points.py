"""Points are named one by one, or chosen by what they are like."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.cli.choosing_points import Like, chosen, points_meant
from holdfast.core.errors import UsageError

ROWS = [
    {"id": "c", "operation": "backup", "time": "2026-03-01T00:00:00Z"},
    {"id": "a", "operation": "backup", "time": "2026-01-01T00:00:00.5Z"},
    {"id": "b", "operation": "monthly", "time": "2026-02-01T00:00:00Z"},
    {"id": "a", "operation": "backup", "time": "2026-01-01T00:00:00.5Z"},
]


@pytest.mark.parametrize(
    ("operation", "before", "ids"),
    [
        ("", None, ["a", "b", "c"]),
        ("backup", None, ["a", "c"]),
        ("", datetime(2026, 3, 1, tzinfo=UTC), ["a", "b"]),
        ("monthly", datetime(2026, 2, 1, tzinfo=UTC), []),
    ],
)
def test_each_is_chosen_once_and_the_oldest_first(operation: str, before: datetime | None, ids: list[str]) -> None:
    assert chosen(ROWS, operation, before) == ids


@pytest.mark.parametrize(("named", "like"), [([], Like()), (None, Like()), (["abcd"], Like(tag="x"))])
def test_either_names_or_what_they_are_like(tmp_path: Path, named: list[str] | None, like: Like) -> None:
    with pytest.raises(UsageError, match="which points"):
        points_meant(tmp_path, named, like, "")
    assert points_meant(tmp_path, ["abcd", "ef01"], Like(), "") == ["abcd", "ef01"]
