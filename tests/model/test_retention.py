"""Keep rules: the same choice as the real `restic forget`, on the same snapshots."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.document import KeepRules
from holdfast.model.points import Point
from holdfast.model.retention import kept
from holdfast.repository._format.snapshot import Snapshot, encode_snapshot
from holdfast.repository._format.text import time_text
from holdfast.repository.facts import ns_of
from holdfast.repository.repository import unlock
from holdfast.repository.storage import Storage
from holdfast.testing.repository_scene import PASSWORD, RepositoryScene
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.virtual_clock import SeededEntropy

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _point(time: datetime, number: int = 0, **more: object) -> Point:
    point = Point(
        id=PointId(f"{number:032x}"),
        dataset="d",
        dataset_id=DatasetId("d" * 32),
        operation="backup",
        repository="r",
        time=time,
        files=0,
        bytes=0,
    )
    return replace(point, **more)


def _times(seed: int) -> list[datetime]:
    """Crowded around day, month and year ends, and over minutes, hours, months."""
    generator = random.Random(seed)
    spans = [timedelta(minutes=7), timedelta(hours=5), timedelta(days=2), timedelta(days=40), timedelta(days=300)]
    return sorted({NOW - timedelta(seconds=1) - generator.random() * generator.choice(spans) for _ in range(32)})


RULES = [
    KeepRules(last=1),
    KeepRules(last=5),
    KeepRules(hourly=4),
    KeepRules(daily=3),
    KeepRules(weekly=6),
    KeepRules(monthly=12),
    KeepRules(yearly=2),
    KeepRules(within_s=86_400 * 3),
    KeepRules(within_s=3600 * 2),
    KeepRules(hourly=24, daily=7, weekly=4, monthly=12, yearly=7),
    KeepRules(last=2, within_s=86_400, monthly=3),
]


def _arguments(rule: KeepRules) -> list[str]:
    counts = {f"--keep-{name}": getattr(rule, name) for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")}
    arguments = [word for option, count in counts.items() if count for word in (option, str(count))]
    return arguments + (["--keep-within", f"{int(rule.within_s // 3600)}h"] if rule.within_s else [])


@pytest.mark.skipif(not StockRestic.is_here(), reason="needs the real restic")
def test_equal_to_restic_forget(tmp_path: Path) -> None:
    scene = RepositoryScene(tmp_path)
    scene.create()
    backend = LocalBackend(scene.place)
    storage = Storage(backend, unlock(backend, PASSWORD)[0], scene.clock, SeededEntropy("retention"))
    points = []
    for number, time in enumerate(_times(7)):
        snapshot = Snapshot(time=time_text(ns_of(time)), tree="0" * 64, paths=("/a",), hostname="h")
        snapshot_id = storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot)).hex()
        points.append(_point(time, number, snapshot=snapshot_id))
    for rule in RULES:
        (group,) = scene.restic.json("forget", "--dry-run", "--no-lock", *_arguments(rule))
        ours = kept(points, rule, NOW)
        assert [point.snapshot for point, _ in ours.keep] == [row["id"] for row in group["keep"]], rule
        assert {point.snapshot for point in ours.remove} == {row["id"] for row in group["remove"] or ()}, rule


def test_empty_rules_keep_all() -> None:
    points = [_point(time) for time in _times(1)]
    assert kept(points, KeepRules(), NOW).remove == ()
    assert kept([], KeepRules(last=1), NOW).keep == ()


def test_a_locked_point_stays_and_counts() -> None:
    points = [_point(NOW - timedelta(days=day), day, locked_until=NOW + timedelta(days=1) if day in (0, 5) else None) for day in range(8)]
    result = kept(points, KeepRules(last=2), NOW)
    assert [(point.id[-1], reasons) for point, reasons in result.keep] == [("0", ("last", "locked")), ("1", ("last",)), ("5", ("locked",))]
    expired = [replace(point, locked_until=NOW) for point in points]
    assert len(kept(expired, KeepRules(last=2), NOW).keep) == 2


def test_days_are_cut_in_the_datasets_zone() -> None:
    times = [datetime(2026, 3, 1, hour, 30, tzinfo=UTC) for hour in (22, 23)]
    assert len(kept([_point(t) for t in times], KeepRules(daily=5), NOW).keep) == 2
    utc = [_point(t) for t in (*times, datetime(2026, 2, 1, tzinfo=UTC))]
    berlin = [replace(point, zone="Europe/Berlin") for point in utc]
    assert len(kept(utc, KeepRules(daily=5), NOW).keep) == 2
    assert len(kept(berlin, KeepRules(daily=5), NOW).keep) == 3
    assert len(kept([replace(point, zone="No/Where") for point in utc], KeepRules(daily=5), NOW).keep) == 2


def test_within_counts_from_the_newest_that_is_not_in_the_future() -> None:
    points = [
        _point(NOW + timedelta(days=30)),
        _point(NOW - timedelta(hours=1)),
        _point(NOW - timedelta(hours=2)),
        _point(NOW - timedelta(days=2)),
    ]
    assert len(kept(points, KeepRules(within_s=86_400), NOW).keep) == 3
    assert len(kept(points, KeepRules(within_s=1e18), NOW).keep) == 4
