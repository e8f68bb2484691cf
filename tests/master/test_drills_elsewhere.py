"""Drills on another node: ordered by the Master when their owner says that one is due, by a signed order that is good for that alone."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.model.document import DrillPlan
from holdfast.model.drills import DrillRecord, DrillStatus
from holdfast.model.maintenance import Drill
from holdfast.model.orders import RestoreOrder, signed_bytes_of_order
from holdfast.model.questions import AskMaintenance, NodeStatus, RepositoryStatus
from holdfast.model.trials import AskDrill
from holdfast.wire.authority import verify_signature
from tests.master.masters import ONE_TO_TWO, Running, with_master
from tests.master.test_triggers_and_restores import MOMENT, Machine, asked, with_points

WEEK = timedelta(days=7)


def told(machine: Machine, drill: DrillStatus) -> NodeStatus:
    main = machine.node.taken[-1].repositories[0]
    status = RepositoryStatus(id=main.id, name=main.name, location=main.location, drills=(drill,))
    return NodeStatus(node="vault", generation=1, repositories=(status,))


@with_master
async def test_what_is_due_is_ordered_once_and_by_hand_as_often_as_one_likes(running: Running) -> None:
    drilled = ONE_TO_TWO.replace("    operations:\n", "    drill: {every: 7d, sample: all, on: dr}\n    operations:\n", 1)
    machines = await with_points(running, drilled)
    dr, vault = machines["dr"], machines["vault"]
    plan = DrillPlan(every_s=WEEK.total_seconds(), sample="all", on="dr")
    dataset = DatasetId(vault.points[0].dataset_id)
    never = DrillStatus(dataset="files1/documents", dataset_id=dataset, plan=plan, due_at=MOMENT)
    vault.status = told(vault, never)
    for _ in range(2):
        await running.master.trials.look()
    (ask,) = asked(dr, AskDrill)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(ask.order.body), ask.order.signature)
    assert (order.drill, order.reader, order.reader_name) == (True, dr.node.identity.node, "dr")
    assert (order.owner, order.point, ask.point.id) == (vault.node.identity.node, vault.points[-1].id, vault.points[-1].id)
    assert (ask.plan, ask.repository) == (plan, "main")

    body = {"dataset": "files1/documents", "point": vault.points[0].id, "sample": "5 files"}
    await running.post("/repositories/main/drill", body)
    assert asked(dr, AskDrill)[-1].point.id == vault.points[0].id
    assert asked(dr, AskDrill)[-1].plan.sample == "5 files"
    await running.post("/repositories/main/drill", {**body, "on": "files1"})
    assert len(asked(machines["files1"], AskDrill)) == 1
    await running.post("/repositories/main/drill", {**body, "on": "vault"})
    assert isinstance(asked(vault, AskMaintenance)[-1].task, Drill)
    await running.post("/repositories/main/drill", {**body, "on": "nobody"}, status=404)

    proven = msgspec.structs.replace(never, proven_at=MOMENT, due_at=running.master.base.now() + WEEK)
    doubted = msgspec.structs.replace(
        never, last=DrillRecord(dataset=dataset, label="", at=running.master.base.now(), problem="it does not balance")
    )
    count = len(asked(dr, AskDrill))
    for status, more in ((proven, 0), (doubted, 0), (never, 1)):
        vault.status = told(vault, status)
        running.clock.offset_s += 3 * 3_600
        await running.master.trials.look()
        count += more
        assert len(asked(dr, AskDrill)) == count
