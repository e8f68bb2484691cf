"""The audit log: who asked what, how it ended, and whether anybody changed the log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from holdfast.api.answers import AuditLines, AuditPage, AuditVerification
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import AuditQuery
from holdfast.core.units import parse_since
from holdfast.master.records.audit import AuditChoice
from holdfast.model.access import Activity

router = APIRouter(tags=["audit"])
Limit = Annotated[int, Query(ge=1, le=10_000)]
Number = Annotated[int, Query(ge=0, le=1 << 53)]


@router.get("/audit")
@answers(AuditPage)
@does(Activity.AUDIT_READ)
async def audit(master: MasterOf, query: Annotated[AuditQuery, Query()]) -> Response:
    """Newest first."""
    now = master.base.now()
    choice = AuditChoice(
        user=query.user,
        activity=query.activity,
        since=parse_since(query.since, now) if query.since else None,
        until=parse_since(query.until, now) if query.until else None,
        before=query.before,
    )
    records, more = await master.audit.page(choice, query.limit)
    return reply(AuditPage(records=records, more=more))


@router.get("/audit/lines")
@answers(AuditLines)
@does(Activity.AUDIT_READ)
async def audit_lines(master: MasterOf, after: Number = 0, limit: Limit = 1_000) -> Response:
    """Records as they were hashed, oldest first, to be kept elsewhere. `next`: give it as `after` for those that follow; null = no more."""
    lines, following = await master.audit.lines(after, limit)
    return reply(AuditLines(lines=lines, next=following))


@router.get("/audit/verification")
@answers(AuditVerification)
@does(Activity.AUDIT_READ)
async def audit_verification(master: MasterOf) -> Response:
    """All records held against themselves, and against what the nodes keep that are connected. No finding = nobody changed anything."""
    found = await master.audit.verify(await master.witnesses.anchors())
    return reply(AuditVerification(records=found.records, findings=found.findings, witnesses=found.witnesses))
