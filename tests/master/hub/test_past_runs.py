"""A machine that took another's place knows nothing of what that one did: the Master does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from holdfast.core.ids import JobId
from holdfast.model.jobs import Job, State, Task
from holdfast.model.node_status import NodeStatus
from tests.master.machines import Machine
from tests.master.masters import Running, with_master
from tests.master.monitor.test_monitor import good, office


def _begins_anew(machine: Machine) -> None:
    """As a node with an empty journal says it: nothing of what is promised was kept yet."""
    rules = machine.node.taken[-1]
    never = {"state": State.UNKNOWN, "last_at": None, "newest_at": None}
    protections = tuple(msgspec.structs.replace(each, action=each.action or "store main", **never) for each in good(rules))
    machine.status = NodeStatus(node=rules.node_name, generation=1, protections=protections)


def _job(machine: Machine, number: int, hours_ago: float, state: State, running: Running) -> Job:
    at = running.master.base.now() - timedelta(hours=hours_ago)
    task = Task(name="store main", state=state, receiver="vault")
    return Job(
        id=JobId(f"{number:032x}"),
        node=machine.node.identity.node,
        kind="run",
        rule="files1/documents",
        state=state,
        created_at=at,
        started_at=at,
        ended_at=at,
        operations=("backup",),
        tasks=(Task(name="capture", state=State.SUCCEEDED), task),
        datasets=("files1/documents",),
    )


async def _backup(running: Running) -> dict[str, Any]:
    found = (await running.get("/status"))["protections"]
    return next(each for each in found if each["operation"] == "backup" and each["action"] == "store main" and each["receiver"] == "vault")


@with_master
async def test_the_last_good_of_the_machine_before_is_not_forgotten(running: Running) -> None:
    machine = (await office(running))["files1"]
    good_job, failed = _job(machine, 1, 3, State.SUCCEEDED, running), _job(machine, 2, 2, State.FAILED, running)
    await machine.node.report(1, jobs=(good_job, failed))
    _begins_anew(machine)
    assert (await _backup(running)).get("last_at") is None, "the same machine says itself what it knows"
    new = Machine(await running.join("files1", replace=True), 7)
    await machine.node.ended()
    await new.node.connect(running.hub_address)
    await new.node.until(lambda: bool(new.node.taken))
    _begins_anew(new)
    told = await _backup(running)
    assert (told["last_at"], told["state"]) == (msgspec.to_builtins(good_job.started_at), "succeeded")
    monitor = await running.get("/flows/office/monitor")
    assert "succeeded" in {each["state"] for mover in monitor["movers"] for each in mover["protections"]}
    mirrored = [each for each in (await running.get("/status"))["protections"] if each["operation"] == "replicate"]
    assert all(each.get("last_at") is None for each in mirrored), "of what was never kept nothing is made up"
