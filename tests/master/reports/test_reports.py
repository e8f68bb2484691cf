"""Reports of a running Master: what is on record, in tables, for who may see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from holdfast.core.ids import JobId
from holdfast.master.records.sizes import Size, add_size
from holdfast.model.jobs import Counters, Event, Job, Severity, State, Task
from holdfast.model.questions import Answer, Question
from holdfast.model.sampling import AskFolders, Folder, Folders
from tests.master.masters import ONE_TO_TWO, Running, with_master
from tests.master.monitor.test_monitor import office


def rows(report: dict[str, Any], title: str) -> list[list[Any]]:
    return next(table["rows"] for table in report["tables"] if table["title"] == title)


def a_run(running: Running, number: int, hours_ago: float, took_s: float = 60) -> Job:
    began = running.master.base.now() - timedelta(hours=hours_ago)
    counters = Counters(read_bytes=4_000, sent_bytes=1_000, stored_bytes=500)
    tasks = (
        Task(name="capture", state=State.SUCCEEDED, counters=Counters(read_bytes=4_000)),
        Task(
            name="store main",
            state=State.SUCCEEDED,
            receiver="vault",
            duration_s=10,
            counters=msgspec.structs.replace(counters, read_bytes=0),
        ),
    )
    return Job(
        id=JobId(f"{number:032x}"),
        node=running.nodes["files1"].identity.node,
        kind="run",
        rule="files1/documents",
        datasets=("files1/documents",),
        operations=("backup",),
        state=State.SUCCEEDED,
        created_at=began,
        started_at=began,
        ended_at=began + timedelta(seconds=took_s),
        tasks=tasks,
    )


async def reported(running: Running, *jobs: Job, events: tuple[Event, ...] = ()) -> None:
    node = running.nodes["files1"]
    number = node.received + 1
    await node.report(number, jobs=jobs, events=events)
    await node.until(lambda: node.received >= number)


@with_master
async def test_kept_and_broken_promises_are_told_with_their_misses(running: Running) -> None:
    await office(running)
    await reported(running, *(a_run(running, n, hours) for n, hours in enumerate((10, 9, 8, 3, 2, 1, 0.2), 1)))
    report = await running.get("/reports/rpo", since="1d")
    (promise,) = [row for row in rows(report, "Promises") if row[2] == "vault"]
    assert promise[:4] == ["files1/documents", "backup", "vault", 3600.0]
    assert 0.4 < promise[4] < 0.7
    (miss,) = [row for row in rows(report, "Misses") if row[2] == "vault"]
    assert 3.8 * 3600 < miss[5] < 4 * 3600
    assert "no run on record" in report["summary"]


@with_master
async def test_what_is_in_no_flow_is_found(running: Running) -> None:
    await office(running)
    more = ONE_TO_TWO.replace(
        "flows:\n", "  mail:\n    classification: {paths: [/var/mail]}\n    operations: {backup: {every: 1h}}\nflows:\n", 1
    )
    await running.apply(more)

    def shows(question: Question) -> Answer:
        assert isinstance(question, AskFolders)
        return Folders(path="/", folders=tuple(Folder(name=name, path=f"/{name}") for name in ("srv", "home", "usr")))

    running.nodes["files1"].answer = shows
    report = await running.get("/reports/coverage")
    assert {row[0] for row in rows(report, "Nodes that protect nothing of their own")} == {"vault", "dr"}
    assert rows(report, "Policies in no active flow") == [["mail"]]
    folders = rows(report, "Folders")
    assert [row for row in folders if row[0] == "files1"] == [["files1", "/home", "no"], ["files1", "/srv", "in part"]]
    assert "not known" in next(row for row in folders if row[0] == "dr")[2]


@with_master
async def test_capacity_is_forecast_and_too_little_history_said(running: Running) -> None:
    machines = await office(running)
    (main,) = machines["vault"].node.taken[-1].repositories
    now = running.master.base.now()

    def grow(session: Any) -> None:
        for day in range(30):
            stored = 1_000_000 + 10_000 * day
            size = Size(at=now - timedelta(days=30 - day), points=day, points_bytes=stored, unique_bytes=stored, stored_bytes=stored)
            add_size(session, main.id, size)

    running.master.base.database.run_now(grow)
    report = await running.get("/reports/capacity", since="60d")
    found = {row[0]: row for row in rows(report, "Repositories")}
    assert found["main"][4] == "linear"
    assert round(found["main"][5]) == 10_000
    assert round(found["main"][8], -3) == 1_600_000
    assert found["offsite"][4] == "too little history"
    assert found["offsite"][5:] == [None] * 11


@with_master
async def test_transfers_and_drills(running: Running) -> None:
    await office(running)
    failed = Event(
        code="drill-failed",
        severity=Severity.ERROR,
        message="a file differs",
        node=running.nodes["files1"].identity.node,
        time=running.master.base.now(),
    )
    await reported(running, a_run(running, 1, 3), a_run(running, 2, 2), events=(failed,))
    transfers = rows(await running.get("/reports/transfers"), "By mover")
    assert transfers == [["files1/documents", "vault", 2, 0, 8_000, 2_000, 1_000, 20.0, 100.0]]
    drills = await running.get("/reports/drills")
    assert drills["summary"] == "0 drills proved something, 1 did not; 0 are overdue."
    assert rows(drills, "Drills that proved nothing")[0][2] == "a file differs"


def of_two(job: Job, mine: State) -> Job:
    """The same run when another dataset of its machine was in it, which arrived whatever became of this one."""
    capture, store = job.tasks
    tasks = (
        capture,
        msgspec.structs.replace(store, state=mine, dataset="files1/documents"),
        msgspec.structs.replace(store, dataset="files1/mail", counters=Counters(sent_bytes=70_000, stored_bytes=60_000)),
        msgspec.structs.replace(store, dataset="files1/mail", receiver="dr"),
    )
    return msgspec.structs.replace(job, rule="2 datasets", datasets=("files1/documents", "files1/mail"), tasks=tasks)


@with_master
async def test_a_run_of_several_datasets_is_told_of_each_by_what_is_its_own(running: Running) -> None:
    """Of a run of two each had what either of them sent, and a promise was kept where the other dataset alone had arrived."""
    await office(running)
    kept, broken = a_run(running, 1, 9), a_run(running, 2, 2)
    await reported(running, of_two(kept, State.SUCCEEDED), of_two(broken, State.FAILED))
    transfers = rows(await running.get("/reports/transfers"), "By mover")
    assert [row[:7] for row in transfers] == [["files1/documents", "vault", 2, 1, 8_000, 2_000, 1_000]]
    report = await running.get("/reports/rpo", since="1d")
    (miss,) = [row for row in rows(report, "Misses") if row[2] == "vault"]
    assert miss[5] > 7 * 3600


@with_master
async def test_files_are_attachments_and_nonsense_is_refused(running: Running) -> None:
    for format_, kind in (("html", "text/html"), ("csv", "text/csv")):
        answer = await running.http.get("/api/v1/reports/drills/file", params={"format": format_})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "attachment" in answer.headers["content-disposition"]
    await running.get("/reports/gossip", status=400)
    await running.get("/reports/rpo", status=400, since="2099-01-01")
    await running.get("/reports/rpo", status=400, since="soon")
    assert (await running.anonymous.get("/api/v1/reports/rpo")).status_code == 401
