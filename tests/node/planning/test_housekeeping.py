"""What repositories get by themselves: a prune a week, again soon when it failed, and not at once for a new one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.model.document import PruneTimes
from holdfast.model.jobs import State
from holdfast.model.maintenance import Prune, Scrub
from holdfast.model.rules import RepositoryRule, Rules
from holdfast.node.planning.housekeeping import AGAIN_NS, EVERY_NS, Housekeeping
from holdfast.node.records.job_book import JobBook
from holdfast.node.records.journal import Journal
from holdfast.node.workers.messages import RunMaintenance
from holdfast.testing.node_rules import store_rules
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

WEEK_S = EVERY_NS[Prune] / 1e9
MAIN = RepositoryRule(id=RepositoryId("c" * 32), name="main", location="/srv/main", scrub_ratio=0)
SCRUBBED = RepositoryRule(id=RepositoryId("c" * 32), name="main", location="/srv/main", scrub_ratio=0.1)


def rules_with(*repositories: RepositoryRule) -> Rules:
    return msgspec.structs.replace(store_rules(), repositories=repositories)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.restart()

    def restart(self) -> None:
        self.journal = Journal(self.folder / "node.db", clock=self.clock)
        self.book = JobBook(self.journal, NodeId("a" * 32), clock=self.clock, entropy=SeededEntropy("desk"))
        self.keeping = Housekeeping(self.book, self.journal, clock=self.clock)
        self.keeping.set_rules(rules_with(MAIN))

    def planned(self) -> list[RunMaintenance]:
        self.keeping.plan()
        return [live.request for live in self.book.live if isinstance(live.request, RunMaintenance)]

    def end(self, state: State) -> None:
        (live,) = self.book.live
        ended = self.book.end(live.job, state, None)
        self.book.update(ended)
        self.keeping.ended(ended, live.request)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def test_once_a_week_over_restarts(desk: Desk) -> None:
    assert desk.planned() == []
    desk.clock.advance(WEEK_S - 1)
    desk.journal.close()
    desk.restart()
    assert desk.planned() == []
    wake = desk.keeping.next_wake()
    assert wake is not None
    desk.clock.advance(1)
    assert wake.timestamp() == desk.clock.now_ns() / 1e9
    (request,) = desk.planned()
    assert (request.task, request.job.kind, request.job.rule, request.job.cause) == (Prune(), "prune", "main", "schedule")
    assert len(desk.planned()) == 1, "it waits already"
    assert desk.keeping.next_wake() is None
    desk.end(State.SUCCEEDED)
    assert desk.planned() == []
    desk.clock.advance(WEEK_S)
    assert len(desk.planned()) == 1


def test_one_that_failed_comes_again_soon(desk: Desk) -> None:
    desk.clock.advance(WEEK_S)
    desk.planned()
    desk.end(State.FAILED)
    assert desk.planned() == []
    desk.clock.advance(AGAIN_NS / 1e9)
    assert len(desk.planned()) == 1


def test_a_scrub_a_day_of_the_part_that_the_rules_say(desk: Desk) -> None:
    desk.keeping.set_rules(rules_with(SCRUBBED))
    assert desk.planned() == []
    for _ in range(3):
        desk.clock.advance(86_400)
        assert [request.task for request in desk.planned()] == [Scrub(ratio=0.1)]
        assert [request.task for request in desk.planned()] == [Scrub(ratio=0.1)]
        desk.end(State.SUCCEEDED)
        assert desk.planned() == []


def test_a_scrub_that_found_damage_has_done_its_work(desk: Desk) -> None:
    desk.keeping.set_rules(rules_with(SCRUBBED))
    desk.clock.advance(86_400)
    desk.planned()
    (live,) = desk.book.live
    ended = desk.book.end(live.job, State.FAILED, RepositoryDamaged("the scrub of main found damage").facts())
    desk.book.update(ended)
    desk.keeping.ended(ended, live.request)
    desk.clock.advance(AGAIN_NS / 1e9)
    assert desk.planned() == []
    desk.clock.advance(86_400)
    assert len(desk.planned()) == 1


def test_no_prune_where_the_rules_say_off(desk: Desk) -> None:
    desk.keeping.set_rules(rules_with(msgspec.structs.replace(MAIN, prune=PruneTimes(off=True))))
    desk.clock.advance(10 * WEEK_S)
    assert desk.planned() == []
    assert desk.keeping.next_wake() is None


def test_a_prune_begins_in_its_window_each_week(desk: Desk) -> None:
    """The first of January 2026 is a Thursday; in Berlin it is an hour later than in UTC."""
    times = PruneTimes(windows=("sun 02:00-06:00",), zone="Europe/Berlin")
    desk.keeping.set_rules(rules_with(msgspec.structs.replace(MAIN, prune=times)))
    begun = []
    for _ in range(3):
        wake = desk.keeping.next_wake()
        assert wake is not None
        desk.clock.set_wall(wake - timedelta(seconds=1))
        assert desk.planned() == []
        # It begins at the very end of the window, as where the node was busy with something else before.
        desk.clock.set_wall(wake + timedelta(hours=3, minutes=59))
        assert len(desk.planned()) == 1
        begun.append(wake)
        desk.clock.advance(1_800)
        desk.end(State.SUCCEEDED)
    assert [f"{each:%a %d %H:%M}" for each in begun] == ["Sun 11 01:00", "Sun 18 01:00", "Sun 25 01:00"]


def test_one_that_failed_comes_again_soon_if_its_window_is_open_then(desk: Desk) -> None:
    desk.keeping.set_rules(rules_with(msgspec.structs.replace(MAIN, prune=PruneTimes(windows=("sun 02:00-06:00",)))))
    desk.clock.set_wall(datetime(2026, 1, 11, 2, 30, tzinfo=UTC))
    assert len(desk.planned()) == 1
    desk.end(State.FAILED)
    assert desk.planned() == []
    assert desk.keeping.next_wake() == datetime(2026, 1, 11, 4, 30, tzinfo=UTC)
    desk.clock.set_wall(datetime(2026, 1, 11, 5, 0, tzinfo=UTC))
    assert len(desk.planned()) == 1
    desk.end(State.FAILED)
    assert desk.keeping.next_wake() == datetime(2026, 1, 18, 2, 0, tzinfo=UTC)


def test_a_node_that_was_off_in_the_window_waits_for_the_next_one(desk: Desk) -> None:
    desk.keeping.set_rules(rules_with(msgspec.structs.replace(MAIN, prune=PruneTimes(windows=("sun 02:00-06:00",)))))
    desk.clock.set_wall(datetime(2026, 1, 11, 7, 0, tzinfo=UTC))
    assert desk.planned() == []
    assert desk.keeping.next_wake() == datetime(2026, 1, 18, 2, 0, tzinfo=UTC)


def test_a_clock_that_was_years_ahead_keeps_no_prune_waiting(desk: Desk) -> None:
    desk.clock.set_wall(datetime(2031, 1, 1, tzinfo=UTC))
    desk.keeping.set_rules(rules_with(MAIN, msgspec.structs.replace(MAIN, id=RepositoryId("d" * 32))))
    desk.clock.advance(WEEK_S)
    assert len(desk.planned()) == 2
    desk.clock.set_wall(datetime(2026, 1, 1, tzinfo=UTC))
    for live in desk.book.live:
        desk.book.update(desk.book.end(live.job, State.SUCCEEDED, None))
    assert desk.planned() == []
    desk.clock.advance(WEEK_S)
    assert len(desk.planned()) == 2
