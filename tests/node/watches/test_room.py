"""A repository that gets full is told once, stands while it is so, and is over with room to spare; also across a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from holdfast.core.ids import NodeId, RepositoryId
from holdfast.host.disk import room_bytes
from holdfast.model.jobs import Event
from holdfast.model.room import GIB
from holdfast.model.rules import RepositoryRule, Rules
from holdfast.node.owned.repositories import Repositories
from holdfast.node.owned.room_book import RoomBook, room_findings
from holdfast.node.watches.room import RoomWatch
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_repository_that_gets_full_is_told_with_its_end_and_remembered(tmp_path: Path) -> None:
    clock, home = VirtualClock(AT), tmp_path / "home"
    rule = RepositoryRule(id=RepositoryId("c" * 32), name="main", location=str(tmp_path / "store"))
    bucket = RepositoryRule(id=RepositoryId("d" * 32), name="far", location="s3://bucket/far?endpoint=https://127.0.0.1:9")
    rules = Rules(environment="e" * 32, environment_name="office", node=NodeId("a" * 32), node_name="vault", generation=1, created_at=AT)
    repositories = Repositories(home, clock=clock, entropy=SeededEntropy("room"))
    assert repositories.configure((rule,)) == ()
    free = [30 * GIB]
    told: list[Event] = []

    def start() -> RoomWatch:
        repositories.rooms = RoomBook(home, clock=clock, measure=lambda _place: (free[0], 100 * GIB))
        return RoomWatch(repositories, lambda: rules, told.append, clock=clock)

    def findings() -> list[str]:
        return [finding.message for finding in room_findings(repositories.statuses(), clock_now)]

    clock_now, watch = AT, start()
    watch.look()
    assert (told, findings()) == ([], [])
    free[0] = 9 * GIB
    assert findings() == ["repository main is nearly full: 9.0 GiB of 100.0 GiB are free"]
    watch.look()
    watch = start()
    free[0] = 11 * GIB
    watch.look()
    assert len(findings()) == 1, "a little more room is not enough"
    free[0] = GIB // 2
    watch.look()
    free[0] = 50 * GIB
    watch.look()
    watch.look()
    assert findings() == []
    assert [(event.code, event.severity.value) for event in told] == [
        ("repository-nearly-full", "warning"),
        ("repository-nearly-full", "error"),
        ("repository-has-room", "info"),
    ]
    assert repositories.rooms.judge(bucket) is None
    repositories.close()
    free_bytes, total_bytes = room_bytes(tmp_path)
    assert 0 < free_bytes <= total_bytes
