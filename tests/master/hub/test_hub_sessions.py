"""Reports, questions and clocks over a node's session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from holdfast.core.errors import NotReachable, ProtocolError, UsageError
from holdfast.core.ids import JobId
from holdfast.master.records.tables import Table
from holdfast.model.jobs import Event, Job, Progress, Severity, State
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import Answer, AskJobs, AskStatus, Done, Jobs, Question
from holdfast.testing.faulty_disk import FaultyDisk, full_from, no_faults
from tests.master.masters import ONE_TO_TWO, Running, with_master

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _job(running: Running, number: int, state: State, node: str = "files1") -> Job:
    identity = running.nodes[node].identity.node
    return Job(id=JobId(f"{number:032x}"), node=identity, kind="run", rule="files1/documents", state=state, created_at=MOMENT)


def _event(running: Running, message: str) -> Event:
    identity = running.nodes["files1"].identity.node
    return Event(code="low-disk", severity=Severity.WARNING, message=message, node=identity, time=MOMENT)


@with_master
async def test_reports_are_kept_once_however_often_they_come(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    done, event = _job(running, 1, State.SUCCEEDED), _event(running, "low")
    await node.report(7, (done,), (event,))
    await node.until(lambda: node.received == 7)
    await node.disconnect()
    node.received = 0
    await node.connect(running.hub_address)
    await node.report(7, (done,), (event,))
    await node.report(8, (_job(running, 2, State.RUNNING),), (_event(running, "lower"),))
    await node.until(lambda: node.received == 8)
    jobs = (await running.get("/jobs"))["jobs"]
    assert sorted((job["id"][-1], job["state"], job["node_name"]) for job in jobs) == [
        ("1", "succeeded", "files1"),
        ("2", "running", "files1"),
    ]
    assert {event["message"] for event in (await running.get("/logs"))["events"]} == {"low", "lower"}
    assert len((await running.get("/logs"))["events"]) == 2


@contextmanager
def records_disk(running: Running) -> Iterator[Callable[[bool], None]]:
    """The disk of the Master's records, to be filled and emptied. A PostgreSQL server says what it says of a full disk, by triggers."""
    database = running.master.base.database
    if database._engine.dialect.name == "sqlite":
        with FaultyDisk(running.home) as disk:
            database._engine.dispose()

            def fill_file(full: bool) -> None:
                disk.plan = full_from(0) if full else no_faults

            yield fill_file
            database._engine.dispose()
        return
    tables = [table.name for table in Table.metadata.sorted_tables]
    refuse = "BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END"
    database.run_now(lambda s: s.execute(text(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${refuse}$$")))

    def fill_server(full: bool) -> None:
        made = "CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION refuse()"
        order = made if full else "DROP TRIGGER no_room ON {}"
        database.run_now(lambda s: [s.execute(text(order.format(table))) for table in tables])

    yield fill_server


@with_master
async def test_a_master_whose_disk_is_full_takes_nothing_and_ends_nothing(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    with records_disk(running) as fill:
        await running.apply(ONE_TO_TWO)
        fill(True)
        refused = await running.http.put("/api/v1/environment", json={"text": "environment: office\n", "accept_removals": True})
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "no-space")
        assert len((await running.get("/nodes"))["nodes"]) == 1
        await node.report(7, (_job(running, 1, State.SUCCEEDED),))
        await node.ended()
        assert (node.received, node.farewell and node.farewell.code) == (0, "no-space")
        await node.disconnect()
        with pytest.raises(NotReachable):
            await node.connect(running.hub_address)
        fill(False)
        await node.connect(running.hub_address)
        await node.report(7, (_job(running, 1, State.SUCCEEDED),))
        await node.until(lambda: node.received == 7)
        assert (await running.get(f"/jobs/{1:032x}"))["state"] == "succeeded"
        assert (await running.get("/environment"))["text"] == ONE_TO_TWO


@with_master
async def test_an_ended_job_never_runs_again(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    await node.report(1, (_job(running, 1, State.FAILED),))
    await node.report(2, (_job(running, 1, State.RUNNING),))
    await node.until(lambda: node.received == 2)
    assert (await running.get(f"/jobs/{1:032x}"))["state"] == "failed"


@with_master
async def test_a_node_reports_for_itself_only(running: Running) -> None:
    await running.connect("files1", "vault")
    vault = running.nodes["vault"]
    await running.nodes["files1"].report(1, (_job(running, 1, State.SUCCEEDED),))
    await running.nodes["files1"].until(lambda: running.nodes["files1"].received == 1)
    await vault.report(1, (_job(running, 1, State.FAILED, node="files1"), _job(running, 2, State.FAILED, node="files1")))
    await vault.until(lambda: vault.received == 1)
    jobs = {job["id"][-1]: (job["node_name"], job["state"]) for job in (await running.get("/jobs"))["jobs"]}
    assert jobs == {"1": ("files1", "succeeded"), "2": ("vault", "failed")}


@with_master
async def test_jobs_are_found_by_prefix_node_and_limit(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    await node.report(1, tuple(_job(running, number, State.SUCCEEDED) for number in range(1, 4)))
    await node.until(lambda: node.received == 1)
    assert len((await running.get("/jobs", limit=2))["jobs"]) == 2
    assert len((await running.get("/jobs", node="files1"))["jobs"]) == 3
    await running.get("/jobs", node="nobody", status=404)
    await running.get("/jobs/0000", status=404)
    assert (await running.get(f"/jobs/{2:032x}"))["id"] == f"{2:032x}"


@with_master
async def test_questions_reach_the_node_and_its_refusal_comes_back(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]

    def answer(question: Question) -> Answer:
        if isinstance(question, AskJobs):
            return Jobs(jobs=())
        if isinstance(question, AskStatus):
            return Done()
        raise UsageError("not here", hint="elsewhere")

    node.answer = answer
    hub, identity = running.master.hub, node.identity.node
    assert await hub.ask(identity, AskJobs()) == Jobs(jobs=())
    with pytest.raises(ProtocolError):
        await hub.ask_for(identity, AskStatus(), NodeStatus)
    node.answer = lambda question: NodeStatus(node="files1", generation=0)
    assert (await hub.ask_for(identity, AskStatus(), NodeStatus)).node == "files1"


@with_master
async def test_an_offline_node_is_not_reachable(running: Running) -> None:
    node = await running.join("files1")
    with pytest.raises(NotReachable):
        await running.master.hub.ask(node.identity.node, AskStatus())


@with_master
async def test_progress_is_shown_until_the_job_ends(running: Running) -> None:
    await running.connect("files1")
    node, job = running.nodes["files1"], JobId(f"{1:032x}")
    await node.tell_progress(Progress(job=job, phase="sending", done_bytes=5))
    await node.report(1, (_job(running, 1, State.RUNNING),))
    await node.until(lambda: node.received == 1)
    shown = running.master.hub.progress(node.identity.node, job)
    assert shown is not None
    assert shown.done_bytes == 5
    await running.connect("files2")
    await running.nodes["files2"].tell_progress(Progress(job=job, phase="sending", done_bytes=7))
    await running.nodes["files2"].report(1, ())
    await running.nodes["files2"].until(lambda: running.nodes["files2"].received == 1)
    assert sorted(figure.done_bytes for figure in running.master.hub.moving().values()) == [5, 7]
    assert (await running.get(f"/jobs/{job}"))["progress"]["done_bytes"] == 5
    await running.nodes["files2"].report(2, (_job(running, 1, State.SUCCEEDED, node="files2"),))
    await running.nodes["files2"].until(lambda: running.nodes["files2"].received == 2)
    assert (await running.get(f"/jobs/{job}"))["progress"]["done_bytes"] == 5, "that was the job of the other"
    await node.report(2, (_job(running, 1, State.SUCCEEDED),))
    await node.until(lambda: node.received == 2)
    assert running.master.hub.progress(node.identity.node, job) is None


@with_master
async def test_clock_offset_and_address_are_known(running: Running) -> None:
    node = await running.join("files1")
    node.time_ns = running.clock.now_ns() + 90_000_000_000
    await running.connect("files1")
    (view,) = (await running.get("/nodes"))["nodes"]
    assert 85_000 < view["clock_offset_ms"] < 95_000
    assert (view["state"], view["address"], view["version"]) == ("online", "files1.test:7442", "simulated")


@with_master
async def test_a_newer_session_takes_the_place_of_the_older(running: Running) -> None:
    first = await running.join("files1")
    await first.connect(running.hub_address)
    second = type(first)(identity=first.identity, address=first.address)
    running.nodes["again"] = second
    await second.connect(running.hub_address)
    await first.ended()
    assert running.master.hub.online() == {first.identity.node}
    second.answer = lambda question: NodeStatus(node="second", generation=0)
    assert (await running.master.hub.ask_for(first.identity.node, AskStatus(), NodeStatus)).node == "second"


@with_master
async def test_nodes_of_other_versions_are_let_in_shown_and_upgraded_in_turn(running: Running) -> None:
    older, newer, far = [await running.join(name) for name in ("older", "newer", "far")]
    older.newest, older.version = 0, "0.0.9"
    newer.protocol, newer.newest = 2, 9
    far.protocol = far.newest = 9
    await older.connect(running.hub_address)
    await newer.connect(running.hub_address)
    assert (older.spoken, newer.spoken) == (1, 2)
    with pytest.raises(NotReachable, match="protocol 9") as refused:
        await far.connect(running.hub_address)
    assert "upgrade the Master first" in refused.value.hint
    older.answer = lambda _: NodeStatus(node="older", generation=0)
    assert await running.master.hub.ask_for(older.identity.node, AskStatus(), NodeStatus) == NodeStatus(node="older", generation=0)
    order = await running.get("/nodes/upgrades")
    assert [(each["name"], each["standing"]) for each in order["nodes"] if each["name"] in ("older", "far")] == [
        ("older", "older"),
        ("far", "unknown"),
    ]
