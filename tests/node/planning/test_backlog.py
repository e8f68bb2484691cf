"""What a receiver still lacks: the newest capture there is for it, and the finished runs it has not acknowledged."""

from __future__ import annotations

import msgspec

from holdfast.core.clock import utc
from holdfast.core.errors import ErrorFacts
from holdfast.model.change import Amount
from holdfast.model.jobs import State
from holdfast.node.planning.outcomes import acknowledged_rows
from holdfast.node.records.journal import ProtectionRow
from holdfast.node.workers.messages import Acknowledged, PointsMade
from holdfast.testing.node_rules import DOCUMENTS, MIRROR, STORE, source_rules, store_rules
from tests.node.planning.test_scheduler import AWAY, World

NOW_NS = 1_000
BACKUP = ProtectionRow(dataset=DOCUMENTS, operation="backup", action=STORE, since_ns=1)
DAILY = ProtectionRow(dataset=DOCUMENTS, operation="daily", action=STORE, since_ns=1)


def _told(
    rows: dict[str, ProtectionRow], at_ns: int, *operations: str, error: ErrorFacts | None = None, catching_up: bool = False
) -> dict[str, ProtectionRow]:
    news = Acknowledged(dataset=DOCUMENTS, delivery="x", action=STORE, operations=operations, captured_at_ns=at_ns, error=error)
    changed = acknowledged_rows({row.key: row for row in rows.values()}, news, NOW_NS, catching_up=catching_up)
    return {**rows, **{row.operation: row for row in changed}}


def _backlog(row: ProtectionRow) -> tuple[int | None, int]:
    return row.newest_ns, row.behind


def test_every_finished_run_that_is_not_acknowledged_counts_once() -> None:
    rows = _told({"backup": BACKUP}, 10, "backup")
    assert _backlog(rows["backup"]) == (10, 0)
    rows = _told(rows, 20, "backup", error=AWAY)
    rows = _told(rows, 20, "backup", error=AWAY, catching_up=True)
    rows = _told(rows, 30, "backup", error=AWAY)
    assert _backlog(rows["backup"]) == (30, 2)
    assert rows["backup"].captured_ns == 10
    assert _backlog(_told(rows, 30, "backup", catching_up=True)["backup"]) == (30, 0)


def test_the_size_of_a_backlog_adds_up_and_goes_with_it() -> None:
    def told(row: ProtectionRow, at_ns: int, error: ErrorFacts | None, amount: Amount | None = None) -> ProtectionRow:
        news = Acknowledged(
            dataset=DOCUMENTS, delivery="x", action=STORE, operations=("backup",), captured_at_ns=at_ns, error=error, amount=amount
        )
        (changed,) = acknowledged_rows({row.key: row}, news, NOW_NS, catching_up=False)
        return changed

    row = told(BACKUP, 10, AWAY, Amount(3, 600))
    row = told(row, 20, AWAY, Amount(1, 200))
    assert row.owed == Amount(4, 800)
    # Another attempt at what is known adds nothing.
    assert told(row, 20, AWAY).owed == Amount(4, 800)
    assert told(row, 10, None).owed == Amount(2, 400)
    assert told(row, 20, None).owed is None
    # Of one run it is not known: so it is not of all.
    assert told(row, 30, AWAY).owed is None


def test_times_of_a_clock_that_was_set_back_hide_nothing() -> None:
    """Against a point of 2030 nothing would be newer or overdue until then. What is a little ahead, of a source that waits for its clock,
    was not captured later than it came."""
    ahead_ns = 4 * 365 * 86_400 * 10**9
    rows = {"backup": msgspec.structs.replace(BACKUP, captured_ns=ahead_ns, newest_ns=ahead_ns)}
    assert _backlog(_told(rows, 10, "backup", error=AWAY)["backup"]) == (10, 1)
    done = _told(rows, 10, "backup")["backup"]
    assert (done.captured_ns, done.newest_ns) == (10, 10)
    done = _told({"backup": BACKUP}, NOW_NS + 5, "backup")["backup"]
    assert (done.captured_ns, done.newest_ns, done.behind) == (NOW_NS, NOW_NS + 5, 0)


def test_a_run_without_a_commit_is_no_backlog() -> None:
    rows = _told({"backup": BACKUP}, 0, "backup", error=AWAY)
    assert _backlog(rows["backup"]) == (None, 0)
    assert rows["backup"].missed == 1


def test_a_cascade_that_takes_the_oldest_first_works_its_backlog_off() -> None:
    rows = {"backup": BACKUP}
    for at_ns in (10, 20, 30):
        rows = _told(rows, at_ns, "backup", error=AWAY)
    behind = []
    for at_ns in (10, 20, 30):
        rows = _told(rows, at_ns, "backup")
        behind.append(rows["backup"].behind)
    assert behind == [2, 1, 0]


def test_what_another_operation_brought_is_no_backlog_but_stays_missed() -> None:
    rows = _told({"backup": BACKUP, "daily": DAILY}, 10, "backup", "daily")
    rows = _told(rows, 20, "daily", error=AWAY)
    assert _backlog(rows["daily"]) == (20, 1)
    rows = _told(rows, 30, "backup")
    assert _backlog(rows["daily"]) == (10, 0)
    assert (rows["daily"].missed, rows["daily"].captured_ns) == (1, 10)


def test_a_failed_run_that_is_tried_again_keeps_its_backlog(world: World) -> None:
    world.begin(source_rules())
    run = world.runs()[0]
    waiting = world.protection()
    assert (waiting.job, waiting.state, waiting.newest_at) == (run.job.id, State.QUEUED, None)
    at = world.clock.now_ns()
    world.finish(run, AWAY)
    behind = world.protection()
    assert (behind.newest_at, behind.behind_runs, behind.last_at) == (utc(at), 1, None)
    mirror = world.protection("replicate")
    assert (mirror.newest_at, mirror.behind_runs, mirror.last_at) == (utc(at), 0, utc(at))
    assert (behind.action_id, mirror.action_id, behind.job) == (STORE, MIRROR, None)


def test_points_that_arrive_are_the_backlog_of_the_cascade(world: World) -> None:
    world.begin(store_rules())
    world.finish(world.cascades()[0])
    for at_ns in (10, 20):
        world.scheduler.points_made(PointsMade(repository="main", dataset=DOCUMENTS, operations=("backup",), captured_at_ns=at_ns))
    world.scheduler.tick()
    waiting = world.protection()
    assert (waiting.newest_at, waiting.behind_runs) == (utc(20), 2)
    assert waiting.job == world.cascades()[1].job.id
