"""The Master's backup of its own records. Its kits are made on its machine alone (`holdfast master backup kit`)."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.answers import MasterExported
from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import MasterBackupWanted
from holdfast.core.errors import UnknownName
from holdfast.master.rules.deployment import Selection
from holdfast.master.safety.backup import FLOW, MasterBackupView
from holdfast.master.safety.drawing import BackupDrawn, BackupWish
from holdfast.model.access import Activity
from holdfast.model.approvals import ApprovalAct

router = APIRouter(tags=["master"])


@router.get("/master/backup")
@answers(MasterBackupView)
@does(Activity.ENVIRONMENT_READ, on="environment")
async def master_backup(master: MasterOf) -> Response:
    """How it stands: the newest export, where points of it are, whether there is a kit."""
    return reply(await master.backup.view())


@router.post("/master/backup/export")
@answers(MasterExported)
@does(Activity.ENVIRONMENT_CHANGE, on="environment")
async def export_master(master: MasterOf) -> Response:
    """Write an export now, prove it, and have the flow that keeps exports take it. `trigger` null: there is no such flow."""
    done = await master.backup.export()
    try:
        trigger = await master.triggers.trigger(FLOW, Selection())
    except UnknownName:
        trigger = None
    return reply(
        MasterExported(made_at=done.made_at, proven_at=done.proven_at, rows=done.rows, size_bytes=done.size_bytes, trigger=trigger)
    )


@router.post("/master/backup/flow")
@answers(BackupDrawn)
@does(Activity.ENVIRONMENT_CHANGE, on="environment")
@needs_approval(ApprovalAct.ACTIVATE)
async def draw_master_backup(body: MasterBackupWanted, master: MasterOf, user: User) -> Response:
    """Draw the policy and the flow `holdfast-master`, and activate it."""
    wish = BackupWish(author=user, node=body.node, repository=body.repository, every=body.every)
    return reply(await master.drawing.draw(wish))
