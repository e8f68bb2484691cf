"""Drills by themselves: soon after they were asked for, once in each span, over restarts, and again when nothing came of one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId, NodeId
from holdfast.model.document import DrillPlan
from holdfast.model.jobs import Finding, Severity, State
from holdfast.model.maintenance import Drill, Report, Step
from holdfast.model.rules import Receive, Rules, StoreAction
from holdfast.node.planning.drill_schedule import AGAIN_NS, DOUBTED_AGAIN_NS, FIRST_NS, DrillSchedule
from holdfast.node.records.job_book import JobBook
from holdfast.node.records.journal import Journal
from holdfast.node.workers.messages import RunMaintenance
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIN, store_rules
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

WEEK_S = 7 * 86_400.0
TRIED = Report(steps=(Step(code="files-proven", message="files"),))


def rules(plan: DrillPlan | None) -> Rules:
    action = StoreAction(id=ActionId("b" * 32), repository=MAIN, operations=(), drill=plan)
    receive = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(action,))
    return msgspec.structs.replace(store_rules(), receives=(receive,))


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.restart(DrillPlan(every_s=WEEK_S))

    def restart(self, plan: DrillPlan | None) -> None:
        self.journal = Journal(self.folder / "node.db", clock=self.clock)
        self.book = JobBook(self.journal, NodeId("a" * 32), clock=self.clock, entropy=SeededEntropy("desk"))
        self.schedule = DrillSchedule(self.book, self.journal, clock=self.clock)
        self.schedule.set_rules(rules(plan))

    def planned(self) -> list[Drill]:
        self.schedule.plan()
        return [r.task for live in self.book.live if isinstance(r := live.request, RunMaintenance) and isinstance(r.task, Drill)]

    def end(self, state: State, *codes: str, report: Report | None = TRIED) -> None:
        (live,) = self.book.live
        findings = tuple(Finding(code=code, severity=Severity.ERROR, message="") for code in codes)
        ended = msgspec.structs.replace(self.book.end(live.job, state, None), findings=findings, report=report)
        self.book.update(ended)
        self.schedule.ended(ended, live.request)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def test_the_first_comes_soon_and_then_one_each_span_over_restarts(desk: Desk) -> None:
    assert desk.planned() == []
    desk.clock.advance(FIRST_NS / 1e9)
    (task,) = desk.planned()
    assert (task.dataset, task.any_point) == (DOCUMENTS, True)
    assert len(desk.planned()) == 1
    desk.end(State.SUCCEEDED)
    desk.journal.close()
    desk.restart(DrillPlan(every_s=WEEK_S))
    desk.clock.advance(WEEK_S - 1)
    assert desk.planned() == []
    desk.clock.advance(1)
    assert len(desk.planned()) == 1


@pytest.mark.parametrize(
    ("state", "codes", "report", "again_ns"),
    [
        (State.FAILED, (), None, AGAIN_NS),
        (State.SUCCEEDED, ("drill-nothing",), None, AGAIN_NS),
        (State.WARNINGS, ("check-failed",), TRIED, DOUBTED_AGAIN_NS),
        (State.FAILED, ("drill-differs",), TRIED, DOUBTED_AGAIN_NS),
        (State.WARNINGS, ("drill-shrunk",), TRIED, int(WEEK_S * 1e9)),
    ],
)
def test_one_that_proved_nothing_comes_again_sooner(
    desk: Desk, state: State, codes: tuple[str, ...], report: Report | None, again_ns: int
) -> None:
    desk.clock.advance(FIRST_NS / 1e9)
    desk.planned()
    desk.end(state, *codes, report=report)
    assert desk.schedule.next_wake() is not None
    desk.clock.advance(again_ns / 1e9 - 1)
    assert desk.planned() == []
    desk.clock.advance(1)
    assert len(desk.planned()) == 1


def test_a_denser_plan_counts_from_now_on_and_none_ends_them(desk: Desk) -> None:
    desk.clock.advance(FIRST_NS / 1e9)
    desk.planned()
    desk.end(State.SUCCEEDED)
    desk.schedule.set_rules(rules(DrillPlan(every_s=3_600.0)))
    desk.clock.advance(3_600.0)
    assert len(desk.planned()) == 1
    desk.end(State.SUCCEEDED)
    desk.schedule.set_rules(rules(None))
    desk.clock.advance(WEEK_S)
    assert desk.planned() == []
    assert desk.schedule.next_wake() is None


def test_a_clock_that_was_years_ahead_keeps_none_waiting(desk: Desk) -> None:
    desk.clock.set_wall(datetime(2031, 1, 1, tzinfo=UTC))
    assert len(desk.planned()) == 1
    desk.end(State.SUCCEEDED)
    desk.clock.set_wall(datetime(2026, 1, 1, tzinfo=UTC))
    assert desk.planned() == []
    desk.clock.advance(WEEK_S)
    assert len(desk.planned()) == 1
