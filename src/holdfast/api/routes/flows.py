"""Flows: compile, activate, deactivate, trigger; and the triggers that come of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.api.answers import FlowList, TriggerStarted
from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import CompileFlow, TriggerFlow
from holdfast.core.errors import UnknownName
from holdfast.master.jobs.triggers import TriggerView
from holdfast.master.monitor.values import FlowMonitor
from holdfast.master.rules.activation import ActivationReport, CompileReport
from holdfast.master.rules.deployment import Selection
from holdfast.master.showing.tailing import FlowTail
from holdfast.model.access import Activity
from holdfast.model.approvals import ApprovalAct
from holdfast.model.sight import Reach

router = APIRouter(tags=["flows"])


@router.get("/flows")
@answers(FlowList)
@does(Activity.STATUS_READ, on="narrowed")
async def flows(master: MasterOf, reach: ReachOf) -> Response:
    known = await master.activation.flows()
    return reply(FlowList(flows=tuple(flow for flow in known if reach.may.has_flow(flow.name))))


@router.get("/flows/{flow}/monitor")
@answers(FlowMonitor)
@does(Activity.STATUS_READ, on="flow")
async def monitor(flow: str, request: Request, master: MasterOf) -> Response:
    """How the active flow does, told by its drawing."""
    found, rows = await master.monitor.flow(flow), request.app.state.rows
    # Most of it are rows that the status has as well: encoded once for both.
    movers = [raw_fields(mover) | {"protections": rows.encoded(mover.protections)} for mover in found.movers]
    return reply(raw_fields(found) | {"movers": movers})


@router.get("/flows/{flow}/tail")
@answers(FlowTail)
@does(Activity.DATA_READ, on="flow")
async def tail(
    flow: str, master: MasterOf, dataset: str = "", after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 200
) -> Response:
    """What is changing now in a continuous flow: the newest changes, or those that came since `after` of an answer before. At most `limit`
    of each node."""
    return reply(await master.tailing.tail(flow, dataset, after, limit))


@router.post("/flows/{flow}/compile")
@answers(CompileReport)
@does(Activity.ENVIRONMENT_READ)
async def compile_flow(flow: str, master: MasterOf, body: CompileFlow | None = None) -> Response:
    """What activating would give, or would give were this text the document. Changes nothing."""
    return reply(await master.activation.compile(flow, body.text if body else None))


@router.post("/flows/{flow}/activate")
@answers(ActivationReport)
@does(Activity.FLOWS_ACTIVATE, on="flow")
@needs_approval(ApprovalAct.ACTIVATE)
async def activate(flow: str, master: MasterOf) -> Response:
    return reply(await master.activation.activate(flow))


@router.post("/flows/{flow}/deactivate")
@answers(ActivationReport)
@does(Activity.FLOWS_ACTIVATE, on="flow")
@needs_approval(ApprovalAct.DEACTIVATE)
async def deactivate(flow: str, master: MasterOf) -> Response:
    return reply(await master.activation.deactivate(flow))


@router.post("/flows/{flow}/trigger")
@answers(TriggerStarted)
@does(Activity.FLOWS_TRIGGER, on="flow")
async def trigger(flow: str, body: TriggerFlow, master: MasterOf) -> Response:
    selection = Selection(policy=body.policy, operation=body.operation, accept=body.accept, adopt=body.adopt, first=body.first)
    return reply(TriggerStarted(trigger=await master.triggers.trigger(flow, selection)))


@router.get("/triggers/{trigger}")
@answers(TriggerView)
@does(Activity.STATUS_READ, on="narrowed")
async def show_trigger(trigger: str, master: MasterOf, reach: ReachOf, wait_s: Annotated[float, Query(ge=0, le=60)] = 0) -> Response:
    """With `wait_s`: as soon as something changes, or after that time."""
    if not reach.may.everything:
        _check(await master.triggers.show(trigger), reach)
    return reply(await master.triggers.show(trigger, wait_s))


def _check(trigger: TriggerView, reach: Reach) -> None:
    """A trigger is for whom its flow is for, or for whom all that it started is for. Raises `UnknownName`."""
    sight = reach.may
    if trigger.flow and sight.has_flow(trigger.flow):
        return
    if not trigger.jobs or not all(sight.has_job(job) for job in trigger.jobs):
        raise UnknownName(f"there is no trigger {trigger.id!r}", hint="`holdfast jobs` lists what ran", trigger=trigger.id)
