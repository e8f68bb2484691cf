"""Keep rules: the same choice as the real `restic forget`, on the same snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.document import KeepRules
from holdfast.model.points import Point
from holdfast.model.retention import kept, zone_of
from holdfast.repository._format.snapshot import Snapshot, encode_snapshot
from holdfast.repository._format.text import zoned_time_text
from holdfast.repository.packs.storage import Storage
from holdfast.repository.repository import unlock
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


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland")
# Around the ends of summer and winter time, of years that begin in the ISO week of the year before, and of a leap day; long ago, because
# restic asks the machine's clock what lies in the future.
_EDGES = tuple(
    datetime(*day, tzinfo=UTC) for day in ((2020, 2, 29), (2019, 12, 30), (2022, 3, 27), (2022, 10, 30), (2021, 1, 1), (2023, 5, 31))
)


@dataclass(frozen=True)
class Group:
    """The points of one operation of one dataset: seconds before or after an edge, in one zone."""

    zone: str
    times: tuple[datetime, ...]


_moments = st.builds(
    lambda edge, seconds, ns: edge + timedelta(seconds=seconds, microseconds=ns),
    st.sampled_from(_EDGES),
    st.one_of(st.integers(-7_200, 7_200), st.integers(-86_400 * 3, 86_400 * 3), st.integers(-86_400 * 400, 86_400)),
    st.integers(0, 999_999),
)
_groups = st.builds(
    lambda zone, times: Group(zone, tuple(sorted(times))), st.sampled_from(ZONES), st.sets(_moments, min_size=1, max_size=10)
)
_counts = st.one_of(st.just(0), st.integers(1, 6))
_rules = st.builds(
    KeepRules,
    last=_counts,
    hourly=_counts,
    daily=_counts,
    weekly=_counts,
    monthly=_counts,
    yearly=_counts,
    within_s=st.one_of(st.just(0.0), st.integers(1, 72).map(lambda hours: hours * 3600.0), st.integers(1, 500).map(lambda d: d * 86_400.0)),
).filter(lambda rules: not rules.is_empty())


def _arguments(rule: KeepRules) -> list[str]:
    counts = {f"--keep-{name}": getattr(rule, name) for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")}
    arguments = [word for option, count in counts.items() if count for word in (option, str(count))]
    days, hours = divmod(int(rule.within_s // 3600), 24)
    return arguments + (["--keep-within", f"{days}d{hours}h"] if rule.within_s else [])


class Oracle:
    """One repository of snapshots, a tag for each group, so that one call of restic judges them all."""

    def __init__(self, folder: Path) -> None:
        self._scene = RepositoryScene(folder)
        self._scene.create()
        backend = LocalBackend(self._scene.place)
        self._storage = Storage(backend, unlock(backend, PASSWORD)[0], self._scene.clock, SeededEntropy("retention"))
        self.points: dict[str, list[Point]] = {}

    def write(self, groups: Sequence[Group]) -> None:
        for group in groups:
            tag = f"group{len(self.points)}"
            self.points[tag] = [self._write(tag, number, group.zone, time) for number, time in enumerate(group.times)]

    def _write(self, tag: str, number: int, zone: str, time: datetime) -> Point:
        text = zoned_time_text(ns_of(time), zone_of(zone))
        snapshot = Snapshot(time=text, tree="0" * 64, paths=("/a",), hostname="h", tags=(tag,))
        snapshot_id = self._storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot)).hex()
        return _point(time, number, zone=zone, snapshot=snapshot_id)

    def judge(self, rule: KeepRules) -> dict[str, tuple[list[str], set[str]]]:
        """By tag, what restic keeps (newest first) and removes."""
        found = self._scene.restic.json("forget", "--dry-run", "--no-lock", "--group-by", "tags", *_arguments(rule))
        return {group["tags"][0]: ([row["id"] for row in group["keep"]], {row["id"] for row in group["remove"] or ()}) for group in found}


@pytest.mark.skipif(not StockRestic.is_here(), reason="needs the real restic")
@seed(4)
@settings(max_examples=3, suppress_health_check=list(HealthCheck), database=None, phases=(Phase.generate,))
@given(groups=st.lists(_groups, min_size=30, max_size=40), rules=st.lists(_rules, min_size=6, max_size=6))
def test_equal_to_restic_forget(tmp_path_factory: pytest.TempPathFactory, groups: list[Group], rules: list[KeepRules]) -> None:
    oracle = Oracle(tmp_path_factory.mktemp("oracle"))
    oracle.write(groups)
    # Newer versions of restic keep the oldest of all for a rule whose count is not used up, and so do we; 0.14 lets it go.
    oracle.write([Group("UTC", (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)))])
    keeps_oldest = len(oracle.judge(KeepRules(monthly=2))[f"group{len(groups)}"][0]) == 2
    for rule in rules:
        judged = oracle.judge(rule)
        for tag, points in oracle.points.items():
            ours = kept(points, rule, NOW)
            theirs, gone = judged[tag]
            for_age = {p.snapshot for p, why in ours.keep if all(reason.startswith("oldest") for reason in why)} - set(theirs)
            assert not for_age or not keeps_oldest
            assert [point.snapshot for point, _ in ours.keep if point.snapshot not in for_age] == theirs, (rule, points)
            assert {point.snapshot for point in ours.remove} | for_age == gone, (rule, points)


def test_empty_rules_keep_all() -> None:
    points = [_point(NOW - timedelta(days=day)) for day in range(5)]
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
