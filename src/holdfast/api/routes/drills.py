"""Drills: parts of what is stored, restored on trial. How they stand, and one now."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.answers import DrillList, DrillRow, TriggerStarted
from holdfast.api.callers import CallerOf, MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import Drill
from holdfast.model import maintenance
from holdfast.model.access import Activity
from holdfast.model.drills import parse_sample

router = APIRouter(tags=["drills"])


@router.get("/drills")
@answers(DrillList)
@does(Activity.STATUS_READ, on="narrowed")
async def drills(master: MasterOf, reach: ReachOf) -> Response:
    """Of each dataset in each repository that is drilled by the rules, or ever was."""
    found, unreachable = await master.board.repositories()
    rows = tuple(
        DrillRow(node=view.node, repository=view.status.name, **raw_fields(drill))
        for view in found
        for drill in view.status.drills
        if reach.may.has_copy(drill.dataset_id, view.status.id)
    )
    return reply(DrillList(drills=rows, unreachable=tuple(gap for gap in unreachable if reach.may.has_part_of(gap.repository))))


@router.post("/repositories/{repository}/drill")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def drill(repository: str, body: Drill, master: MasterOf, caller: CallerOf) -> Response:
    """Restore a part of a dataset on trial now; `sample` as in the document, empty = as the rules say. `point` empty = the newest.

    `on`: the node that does it, which takes the right to restore there, too; empty = as the rules say, else the owner.
    """
    if body.sample:
        parse_sample(body.sample)
    task = maintenance.Drill(dataset=body.dataset, sample=body.sample, point=body.point)
    if body.on:
        restores = await master.landscapes.reach(caller.rights, Activity.DATA_RESTORE)
        restores.check_node(body.on)
        restores.check_copy(body.dataset, body.dataset, repository)
    return reply(TriggerStarted(trigger=await master.trials.start(repository, task, body.on)))
