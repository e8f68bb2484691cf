"""The strip of days, and pages of jobs: from the Master's records, by dataset, in the days of a time zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from holdfast.core.ids import JobId, NodeId
from holdfast.core.units import format_utc
from holdfast.master.showing.days import day_bounds, state_of_day
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.schedule import parse_zone
from holdfast.testing.simulated_node import SimulatedNode
from tests.master.masters import Running, with_master
from tests.master.monitor.test_monitor import office, tell

LABEL = "files1/documents"


def job(number: int, at: datetime, state: State = State.SUCCEEDED, **more: Any) -> Job:
    return Job(**{"kind": "run", "rule": LABEL, "node": NodeId(""), **more}, id=JobId(f"{number:032x}"), state=state, created_at=at)


async def report(node: SimulatedNode, number: int, jobs: Iterable[Job] = (), events: Iterable[Event] = ()) -> None:
    await node.report(number, tuple(jobs), tuple(events))
    await node.until(lambda: node.received >= number)


async def strip(running: Running, count: int = 7, zone: str = "UTC") -> list[dict[str, Any]]:
    found = await running.get("/status/days", days=count, zone=zone)
    (only,) = found["datasets"]
    assert (only["dataset"], len(only["days"]), found["zone"]) == (LABEL, count, zone)
    return list(only["days"])


@pytest.mark.parametrize(
    ("counts", "facts", "state"),
    [
        ({State.SUCCEEDED: 3}, {}, "ok"),
        ({State.SUCCEEDED: 3, State.WARNINGS: 1}, {}, "warning"),
        ({State.SUCCEEDED: 3, State.FAILED: 1}, {}, "warning"),
        ({State.FAILED: 1}, {}, "failed"),
        ({State.UNKNOWN: 1}, {"missed": True}, "failed"),
        ({State.SUCCEEDED: 3}, {"missed": True}, "gap"),
        ({}, {"promised": True}, "gap"),
        ({State.RUNNING: 1}, {}, "none"),
        ({}, {}, "none"),
    ],
)
def test_a_day_is_judged_by_what_became_of_its_jobs(counts: dict[State, int], facts: dict[str, bool], state: str) -> None:
    assert state_of_day(counts, **{"missed": False, "promised": False, **facts}) == state


def test_days_begin_where_the_zone_says_and_may_be_short() -> None:
    berlin = parse_zone("Europe/Berlin")
    bounds = day_bounds(datetime(2026, 3, 29, 12, tzinfo=UTC), 2, berlin)
    assert bounds == (datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


@with_master
async def test_every_day_of_a_dataset_is_told(running: Running) -> None:
    machines = await office(running)
    node, now = machines["files1"].node, running.master.base.now()
    ago = [now - timedelta(days=days) for days in range(7)]
    jobs = [job(1, ago[5]), job(2, ago[4], State.FAILED), job(3, ago[3], State.FAILED), job(4, ago[3])]
    several = job(5, ago[2], rule="4 datasets", datasets=(LABEL, "files1/mail"))
    missed = Event(
        code="points-missed",
        severity=Severity.WARNING,
        message="2 points were missed",
        node=NodeId(""),
        time=ago[2],
        facts={"dataset": node.taken[-1].datasets[0].id},
    )
    span = {"since": format_utc(ago[5]), "until": format_utc(ago[5] + timedelta(minutes=1)), "dataset": LABEL}
    unseen = Event(code="gap", severity=Severity.WARNING, message="m", node=NodeId(""), time=ago[4], facts=span)
    odd = Event(code="gap", severity=Severity.WARNING, message="m", node=NodeId(""), time=ago[0], facts={"dataset": LABEL, "since": "?"})
    await report(node, 1, [*jobs, several], [missed, unseen, odd])
    days = await strip(running)
    assert [day["state"] for day in days] == ["none", "gap", "failed", "warning", "gap", "gap", "gap"]
    assert [(day["runs"], day["failed"]) for day in days[1:4]] == [(1, 0), (1, 1), (2, 1)]
    assert days[-1]["date"] == now.date().isoformat()
    tell(machines["files1"], backup={"overdue": True})
    await running.get("/status")
    assert (await strip(running))[-1]["state"] == "overdue"
    await running.get("/status/days", zone="Mars/Base", status=400)
    await running.get("/status/days", days=91, status=400)


@with_master
async def test_a_job_that_goes_on_is_counted_as_it_stands(running: Running) -> None:
    machines = await office(running)
    node, now = machines["files1"].node, running.master.base.now()
    await report(node, 1, [job(1, now, State.RUNNING)])
    assert (await strip(running, 1))[0]["state"] == "none"
    await report(node, 2, [job(1, now, State.WARNINGS)])
    assert [(day["state"], day["runs"]) for day in await strip(running, 1)] == [("warning", 1)]


@with_master
async def test_jobs_are_filtered_and_paged(running: Running) -> None:
    machines = await office(running)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    mine = [job(n, start + timedelta(seconds=n // 2), State.FAILED if n % 5 == 0 else State.SUCCEEDED) for n in range(1, 31)]
    mine[3] = msgspec.structs.replace(mine[3], rule="5 datasets", datasets=(LABEL, "files1/mail"), trigger="t" * 32)
    await report(machines["files1"].node, 1, mine)
    await report(machines["vault"].node, 1, [job(99, start, kind="cascade", rule=f"{LABEL} -> dr", datasets=(LABEL,))])
    expected = [each.id for each in sorted(mine, key=lambda each: (-each.created_at.timestamp(), each.id))]
    seen: list[str] = []
    answer: dict[str, Any] = {"more": True, "jobs": []}
    while answer["more"]:
        before = {"before": seen[-1]} if seen else {}
        answer = await running.get("/jobs", limit=7, node="files1", **before)
        seen += [found["id"] for found in answer["jobs"]]
    assert seen == expected
    assert len((await running.get("/jobs", rule=LABEL))["jobs"]) == 31
    assert [found["kind"] for found in (await running.get("/jobs", rule=f"{LABEL} -> dr"))["jobs"]] == ["cascade"]
    assert [found["id"] for found in (await running.get("/jobs", rule="files1/mail"))["jobs"]] == [mine[3].id]
    assert [found["id"] for found in (await running.get("/jobs", trigger="t" * 32))["jobs"]] == [mine[3].id]
    failed = await running.get("/jobs", state="failed", rule=LABEL, limit=4)
    assert ({found["state"] for found in failed["jobs"]}, failed["more"]) == ({"failed"}, True)
    assert len((await running.get("/jobs", flow="office", limit=100))["jobs"]) == 31
    unknown = await running.get("/jobs", flow="ofice", status=404)
    assert (unknown["error"]["message"], unknown["error"]["hint"]) == ("there is no flow 'ofice'", "did you mean `office`?")
    await running.get("/jobs", before="f" * 32, status=404)
    await running.get("/jobs", state="sideways", status=400)
    assert (await running.get(f"/jobs/{mine[0].id}"))["progress"] is None
