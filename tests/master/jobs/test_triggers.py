"""Triggers in stages, and their jobs: watched to the end, also of nodes that are silent or forget."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.model.jobs import Progress, State
from holdfast.model.maintenance import Check
from holdfast.model.questions import AskCancel, AskJobs, AskMaintenance, AskTrigger
from tests.master.machines import NODES, asked, finished, office
from tests.master.masters import Running, running_master, with_master


@with_master
async def test_sources_first_then_cascades(running: Running) -> None:
    machines = await office(running)
    machines["files1"].ends = None
    started = await running.post("/flows/office/trigger", {"policy": "", "operation": "", "accept": True})
    trigger = started["trigger"]
    files1, vault = machines["files1"], machines["vault"]
    await files1.node.until(lambda: bool(files1.jobs))
    assert not vault.jobs
    assert files1.node.asked
    assert asked(files1, AskTrigger)[0].accept
    await files1.node.tell_progress(Progress(job=next(iter(files1.jobs)), phase="sending", done_bytes=9))
    await files1.end_all(State.SUCCEEDED)
    view = await finished(running, trigger)
    assert view["state"] == "succeeded"
    assert len(view["jobs"]) == 2
    assert asked(vault, AskTrigger)[0].cascades
    assert not asked(machines["dr"], AskTrigger)
    assert set(view) == {"id", "flow", "state", "done", "jobs", "progress", "problems"}


@with_master
async def test_a_failed_or_warned_job_shows_in_the_state(running: Running) -> None:
    machines = await office(running)
    for ends, state in ((State.WARNINGS, "warnings"), (State.FAILED, "failed"), (State.CANCELLED, "failed")):
        machines["files1"].ends = ends
        started = await running.post("/flows/office/trigger", {})
        assert (await finished(running, started["trigger"]))["state"] == state


@with_master
async def test_an_offline_node_is_a_problem_and_the_others_go_on(running: Running) -> None:
    machines = await office(running, "files1", "dr")
    started = await running.post("/flows/office/trigger", {})
    view = await finished(running, started["trigger"])
    assert view["state"] == "failed"
    assert [(p["node"], p["error"]["code"]) for p in view["problems"]] == [("vault", "not-reachable")]
    assert len(machines["files1"].jobs) == 1


@with_master
async def test_a_job_the_node_forgot_ends_unknown(running: Running) -> None:
    machines = await office(running)
    files1 = machines["files1"]
    files1.ends = None
    started = await running.post("/flows/office/trigger", {"operation": "replicate"})
    await files1.node.until(lambda: bool(asked(files1, AskJobs)))
    files1.jobs.clear()
    running.clock.offset_s = 10
    while not (view := await running.get(f"/triggers/{started['trigger']}", wait_s=0.02))["done"]:
        running.master.base.news.tell()
    assert view["state"] == "failed"
    assert [job["state"] for job in view["jobs"]] == ["unknown"]


@with_master
async def test_a_selection_narrows_and_nothing_is_an_error(running: Running) -> None:
    machines = await office(running)
    view = await finished(running, (await running.post("/flows/office/trigger", {"operation": "replicate"}))["trigger"])
    assert view["state"] == "succeeded"
    assert asked(machines["files1"], AskTrigger)[0].operations == ("replicate",)
    assert not machines["vault"].jobs
    await running.post("/flows/office/trigger", {"policy": "other"}, status=404)
    await running.post("/flows/other/trigger", {}, status=404)
    await running.get("/triggers/nothing", status=404)


def test_a_trigger_outlives_the_master(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as first:
            machines = await office(first)
            machines["files1"].ends = None
            trigger = (await first.post("/flows/office/trigger", {}))["trigger"]
            await first.nodes["files1"].until(lambda: bool(asked(machines["files1"], AskJobs)))
            nodes = first.nodes
        async with running_master(tmp_path, tmp_path / "master") as second:
            second.nodes = nodes
            await second.connect(*NODES)
            await machines["files1"].end_all(State.SUCCEEDED)
            view = await finished(second, trigger)
            assert view["state"] == "succeeded"
            assert len(asked(machines["files1"], AskTrigger)) == 1
            assert len(machines["vault"].jobs) == 1

    asyncio.run(main())


@with_master
async def test_the_jobs_of_a_check_and_of_a_flow_are_known_before_they_are_reported(running: Running) -> None:
    machines = await office(running)
    for machine in machines.values():
        machine.ends = None
    checked = await running.post("/repositories/main/check", {"read_data": False})
    (job,) = (await running.get(f"/triggers/{checked['trigger']}"))["jobs"]
    assert (await running.get(f"/jobs/{job['id']}"))["id"] == job["id"]
    ran = await running.post("/flows/office/trigger", {})
    while not (jobs := (await running.get(f"/triggers/{ran['trigger']}", wait_s=5))["jobs"]):
        pass
    assert (await running.get(f"/jobs/{jobs[0]['id']}"))["state"] == "running"
    assert (await running.get("/jobs", trigger=ran["trigger"]))["jobs"]


@with_master
async def test_checks_and_cancels_go_to_the_node(running: Running) -> None:
    machines = await office(running)
    started = await running.post("/repositories/main/check", {"read_data": True})
    assert (await finished(running, started["trigger"]))["state"] == "succeeded"
    (ask,) = asked(machines["vault"], AskMaintenance)
    assert ask.task == Check(read_data=True)
    job = next(iter(machines["vault"].jobs))
    assert (await running.post(f"/jobs/{job}/cancel"))["id"] == job
    assert asked(machines["vault"], AskCancel) == [AskCancel(job=job)]
    assert [(each["id"], each["node_name"]) for each in (await running.post(f"/jobs/{job}/retry"))["jobs"]] == [("e" * 32, "vault")]
    await running.post("/repositories/nothing/check", {"read_data": False}, status=404)
