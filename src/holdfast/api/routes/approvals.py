"""Requests that wait for a second person, and which acts need one."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.api.answers import ApprovalActView, ApprovalList, ApprovalRulesView
from holdfast.api.approving import make_again, needs_approval
from holdfast.api.callers import Caller, CallerOf, MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import ApprovalRulesWanted, RefuseApproval
from holdfast.core.errors import Refused, UnknownName
from holdfast.master.records.approvals import ApprovalRules
from holdfast.model.access import ENVIRONMENT, Activity, may
from holdfast.model.approvals import ACT_MEANINGS, Approval, ApprovalAct

router = APIRouter(tags=["approvals"])


@router.get("/approvals")
@answers(ApprovalList)
@does(Activity.OWN)
async def approvals(caller: CallerOf, master: MasterOf, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> Response:
    """Newest first: one's own, and those that one could approve. Who reads the audit log sees all."""
    found = await master.approvals.newest(limit)
    return reply(ApprovalList(approvals=tuple(each for each in found if _may_see(caller, each))))


@router.get("/approvals/rules")
@answers(ApprovalRulesView)
@does(Activity.OWN)
async def approval_rules(master: MasterOf) -> Response:
    """Which acts need a second person, and which could."""
    return reply(_view(await master.approvals.rules()))


@router.put("/approvals/rules")
@answers(ApprovalRulesView)
@does(Activity.ACCESS_MANAGE)
@needs_approval(ApprovalAct.APPROVALS)
async def require_approvals(body: ApprovalRulesWanted, user: User, master: MasterOf) -> Response:
    """These acts and no others need a second person from now on; none = nothing does. While any does, so does this."""
    tables = await master.permissions.tables()
    return reply(_view(await master.approvals.require(body.acts, user, tables.managers)))


@router.get("/approvals/{approval}")
@answers(Approval)
@does(Activity.OWN)
async def approval(approval: str, caller: CallerOf, master: MasterOf) -> Response:
    """By id or its beginning."""
    return reply(await _found(approval, caller, master))


@router.post("/approvals/{approval}/approve")
@answers(Approval)
@does(Activity.OWN)
async def approve(approval: str, request: Request, caller: CallerOf, master: MasterOf) -> Response:
    """Does what was asked, once, as it was asked and by who asked. Needs the activity of that call on everything, and to be somebody else.
    How the call was answered stands in `status` and `outcome`."""
    found = await _found(approval, caller, master)
    if caller.user != found.asked_by:
        decision = may(caller.rights, Activity(found.activity), ENVIRONMENT)
        if not decision.allowed:
            raise Refused(decision.why, hint="whoever has this activity on everything can approve", activity=found.activity)
    running, body = await master.approvals.approve(found.id, caller.user)

    async def run() -> Approval:
        status, outcome = await make_again(request.app, running, body)
        return await master.approvals.ended(running, status, outcome)

    # Somebody who hangs up does not stop what they let through.
    return reply(await asyncio.shield(asyncio.create_task(run())))


@router.post("/approvals/{approval}/refuse")
@answers(Approval)
@does(Activity.OWN)
async def refuse(approval: str, body: RefuseApproval, caller: CallerOf, master: MasterOf) -> Response:
    """It will not be done. Who asked withdraws it so; of others, whoever could approve it."""
    found = await _found(approval, caller, master)
    if caller.user != found.asked_by and not (decision := may(caller.rights, Activity(found.activity), ENVIRONMENT)).allowed:
        raise Refused(decision.why, hint="whoever has this activity on everything can refuse", activity=found.activity)
    return reply(await master.approvals.refuse(found.id, caller.user, body.comment))


async def _found(approval: str, caller: Caller, master: MasterOf) -> Approval:
    """What one may not see is not there."""
    found = await master.approvals.show(approval)
    if not _may_see(caller, found):
        raise UnknownName(f"there is no request for approval {approval!r}", hint="`holdfast approvals ls` lists them")
    return found


def _may_see(caller: Caller, found: Approval) -> bool:
    wanted = (Activity(found.activity), Activity.AUDIT_READ)
    return caller.user == found.asked_by or any(may(caller.rights, activity, ENVIRONMENT).allowed for activity in wanted)


def _view(rules: ApprovalRules) -> ApprovalRulesView:
    acts = tuple(ApprovalActView(act=act, meaning=ACT_MEANINGS[act], required=act in rules.acts) for act in ApprovalAct)
    return ApprovalRulesView(acts=acts, changed_by=rules.changed_by, changed_at=rules.changed_at)
