"""A clock that is set: said once in the log, shown while it stands, and the Master is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.jobs import Severity
from holdfast.model.points import Point
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned.repositories import Repositories
from holdfast.node.watches.doubted_time import TimeWatch, alarm_findings, time_findings
from holdfast.node.workers.messages import EventNews, FromWorker, MasterTime, TimeDoubted
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_clock_that_is_set_is_told_and_the_master_asked(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    repositories = Repositories(tmp_path / "home", clock=clock, entropy=SeededEntropy("watch"))
    rule = RepositoryRule(id=RepositoryId("c" * 32), name="main", location=str(tmp_path / "store"))
    assert repositories.configure((rule,)) == ()
    told: list[FromWorker] = []
    watch = TimeWatch(repositories, told.append, lambda: NodeId("a" * 32), clock=clock)
    watch.look()
    assert told == []
    clock.set_wall(START + timedelta(days=900))
    watch.look()
    assert told == [TimeDoubted()]
    assert time_findings(repositories) == ()
    clock.advance(700)
    watch.look()
    clock.advance(700)
    watch.look()
    events = [news.event for news in told if isinstance(news, EventNews)]
    assert [event.code for event in events] == ["expiry-suspended"]
    assert [finding.code for finding in time_findings(repositories)] == ["expiry-suspended"]
    watch.hear(MasterTime(time_ns=int(START.timestamp()) * 10**9, boottime_ns=clock.boottime_ns()))
    assert time_findings(repositories)
    watch.hear(MasterTime(time_ns=clock.now_ns() - 10**9, boottime_ns=clock.boottime_ns() - 10**9))
    assert time_findings(repositories) == ()
    events = [news.event for news in told if isinstance(news, EventNews)]
    assert [event.code for event in events] == ["expiry-suspended", "expiry-resumed"]
    repositories.close()


def test_points_that_another_program_removed_are_told_and_locked_ones_stand(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    repositories = Repositories(tmp_path / "home", clock=clock, entropy=SeededEntropy("watch"))
    rule = RepositoryRule(id=RepositoryId("c" * 32), name="main", location=str(tmp_path / "store"))
    assert repositories.configure((rule,)) == ()
    told: list[FromWorker] = []
    watch = TimeWatch(repositories, told.append, lambda: NodeId("a" * 32), clock=clock)
    vanished = repositories.get(rule.id).vanished
    plain = [_point(number) for number in range(7)]
    locked = replace(_point(9), locked_until=START + timedelta(days=1))
    vanished.note([*plain, locked], START, unseen=False)
    vanished.note([_point(8)], START, unseen=True)
    watch.look()
    watch.look()
    events = [news.event for news in told if isinstance(news, EventNews)]
    assert [(event.code, event.severity) for event in events] == [
        ("locked-point-vanished", Severity.ERROR),
        ("points-vanished", Severity.WARNING),
        ("points-vanished", Severity.INFO),
    ]
    assert f"1 point ({locked.id[:8]} of files1/documents)" in events[0].message
    assert "7 points (" in events[1].message
    assert "and 2 more" in events[1].message
    (finding,) = alarm_findings(repositories)
    assert (finding.code, finding.severity) == ("locked-point-vanished", Severity.ERROR)
    vanished.found([locked.id])
    assert alarm_findings(repositories) == ()
    repositories.close()


def _point(number: int) -> Point:
    return Point(
        id=PointId(f"{number}" * 32),
        dataset="files1/documents",
        dataset_id=DatasetId("d" * 32),
        operation="backup",
        repository="main",
        time=START + timedelta(hours=number),
        files=1,
        bytes=1,
    )
