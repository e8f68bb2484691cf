"""Points are named one by one, or chosen by what they are like."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.cli import choosing_points
from holdfast.cli.choosing_points import Like, chosen, points_meant
from holdfast.core.errors import UsageError

ROWS = [
    {"id": "c", "operation": "backup", "time": "2026-03-01T00:00:00Z"},
    {"id": "a", "operation": "backup", "time": "2026-01-01T00:00:00.5Z"},
    {"id": "b", "operation": "monthly", "time": "2026-02-01T00:00:00Z"},
    {"id": "a", "operation": "backup", "time": "2026-01-01T00:00:00.5Z"},
]

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("operation", "before", "since", "ids"),
    [
        ("", None, None, "caba"),
        ("backup", None, None, "caa"),
        ("", MARCH, None, "aba"),
        ("", None, MARCH, "c"),
        ("", MARCH, datetime(2026, 2, 1, tzinfo=UTC), "b"),
        ("monthly", datetime(2026, 2, 1, tzinfo=UTC), None, ""),
    ],
)
def test_all_that_is_given_holds(operation: str, before: datetime | None, since: datetime | None, ids: str) -> None:
    assert "".join(row["id"] for row in chosen(ROWS, operation, before, since)) == ids


def test_each_is_meant_once_and_the_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing_points, "points_listed", lambda *_: {"points": ROWS})
    assert points_meant(tmp_path, None, Like(before="2026-03-01T00:00:00Z"), "") == ["a", "b"]


@pytest.mark.parametrize(("named", "like"), [([], Like()), (None, Like()), (["abcd"], Like(tag="x"))])
def test_either_names_or_what_they_are_like(tmp_path: Path, named: list[str] | None, like: Like) -> None:
    with pytest.raises(UsageError, match="which points"):
        points_meant(tmp_path, named, like, "")
    assert points_meant(tmp_path, ["abcd", "ef01"], Like(), "") == ["abcd", "ef01"]
