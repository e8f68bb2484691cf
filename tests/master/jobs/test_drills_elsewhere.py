"""Drills on another node: ordered by the Master when their owner says that one is due, by a signed order that is good for that alone."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from holdfast.core.ids import DatasetId, PointId, RepositoryId
from holdfast.master.records import happenings
from holdfast.model.document import DrillPlan
from holdfast.model.drills import DrillRecord, DrillStatus
from holdfast.model.jobs import State
from holdfast.model.maintenance import Drill
from holdfast.model.node_status import NodeStatus
from holdfast.model.orders import RestoreOrder, signed_bytes_of_order
from holdfast.model.questions import AskMaintenance
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.trials import AskDrill
from holdfast.wire.authority import verify_signature
from tests.master.machines import MOMENT, Machine, asked, with_points
from tests.master.masters import ONE_TO_TWO, Running, with_master

WEEK = timedelta(days=7)


DRILLED = ONE_TO_TWO.replace("    operations:\n", "    drill: {every: 7d, sample: all, on: dr}\n    operations:\n", 1)
PLAN = DrillPlan(every_s=WEEK.total_seconds(), sample="all", on="dr")


def told(machine: Machine, *drills: DrillStatus) -> NodeStatus:
    main = machine.node.taken[-1].repositories[0]
    status = RepositoryStatus(id=main.id, name=main.name, location=main.location, drills=drills)
    return NodeStatus(node="vault", generation=1, repositories=(status,))


@with_master
async def test_what_is_due_is_ordered_once_and_by_hand_as_often_as_one_likes(running: Running) -> None:
    machines = await with_points(running, DRILLED)
    dr, vault = machines["dr"], machines["vault"]
    dataset = DatasetId(vault.points[0].dataset_id)
    never = DrillStatus(dataset="files1/documents", dataset_id=dataset, plan=PLAN, due_at=MOMENT)
    vault.status = told(vault, never)
    for _ in range(2):
        await running.master.trials.look()
    (ask,) = asked(dr, AskDrill)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(ask.order.body), ask.order.signature)
    assert (order.drill, order.reader, order.reader_name) == (True, dr.node.identity.node, "dr")
    assert (order.owner, order.point, ask.point.id) == (vault.node.identity.node, vault.points[-1].id, vault.points[-1].id)
    assert (ask.plan, ask.repository) == (PLAN, "main")

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


@with_master
async def test_of_what_is_due_at_once_a_node_makes_one_at_a_time(running: Running) -> None:
    policy = DRILLED[DRILLED.index("  documents:") : DRILLED.index("      replicate:")]
    letters = DRILLED.replace("policies:\n", "policies:\n" + policy.replace("documents", "letters"), 1)
    letters = letters.replace("[documents]", "[documents, letters]").replace(
        "to: store, carries: [", "to: store, carries: [letters/backup, "
    )
    machines = await with_points(running, letters)
    dr, vault = machines["dr"], machines["vault"]
    datasets = [receive.dataset for receive in vault.node.taken[-1].receives]
    point = vault.points[0]
    vault.points = tuple(msgspec.structs.replace(point, id=PointId(dataset), dataset_id=dataset) for dataset in datasets)
    vault.status = told(vault, *(DrillStatus(dataset="", dataset_id=dataset, plan=PLAN, due_at=MOMENT) for dataset in datasets))
    dr.began, dr.ends = running.master.base.now(), None

    await running.master.trials.look()
    running.clock.offset_s += 3 * 3_600
    # What ran when a Master was started again runs on.
    running.master.trials._asked.clear()
    await running.master.trials.look()
    assert len(asked(dr, AskDrill)) == 1
    await dr.end_all(State.SUCCEEDED)
    (job,) = dr.jobs
    while not await running.master.base.database.run(lambda s: happenings.over(s, [job])):
        await running.master.base.news.wait(running.master.base.news.count, 0.1)
    dr.ends = State.SUCCEEDED
    for _ in range(3):
        await running.master.trials.look()
    assert [ask.point.dataset_id for ask in asked(dr, AskDrill)] == [datasets[0], *datasets]


@with_master
async def test_an_owner_has_no_drills_ordered_but_those_of_the_rules(running: Running) -> None:
    machines = await with_points(running, DRILLED)
    dr, vault = machines["dr"], machines["vault"]
    dataset = DatasetId(vault.points[0].dataset_id)
    due = DrillStatus(dataset="files1/documents", dataset_id=dataset, plan=PLAN, due_at=MOMENT)
    (main,) = told(vault, due, msgspec.structs.replace(due, dataset_id=DatasetId("d" * 32))).repositories
    offsite = dr.node.taken[-1].repositories[0]
    foreign = msgspec.structs.replace(main, id=offsite.id, name="offsite")
    rows = (foreign, *(msgspec.structs.replace(main, id=RepositoryId(f"{number:032x}")) for number in range(3)))
    vault.status = NodeStatus(node="dr", generation=1, repositories=(*rows, msgspec.structs.replace(main, name="offsite")))
    points = vault.points
    vault.points = tuple(msgspec.structs.replace(point, repository="offsite") for point in points)
    await running.master.trials.look()
    assert not asked(dr, AskDrill)
    vault.points = points
    running.clock.offset_s += 3 * 3_600
    for _ in range(2):
        await running.master.trials.look()
    (ask,) = asked(dr, AskDrill)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert (order.owner, order.repository, ask.repository) == (vault.node.identity.node, main.id, "main")
    assert not [ask for machine in machines.values() for ask in asked(machine, AskMaintenance)]

    vault.status = told(vault, msgspec.structs.replace(due, proven_at=MOMENT, due_at=MOMENT.replace(tzinfo=None)))
    running.clock.offset_s += 3 * 3_600
    await running.master.trials.look()
    assert len(asked(dr, AskDrill)) == 1
