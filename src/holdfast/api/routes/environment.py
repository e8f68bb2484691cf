"""The environment document: read, plan, apply, edit; and protect, which writes it for people in a hurry."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from holdfast.api.answers import DocumentView, EditedDocument, EnvironmentText, RevisionList
from holdfast.api.approving import needs_approval
from holdfast.api.callers import CallerOf, MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import check_everywhere, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import ApplyDocument, EditDocument, MergeDocument, PlanDocument, Protect
from holdfast.master.documents.edits import EditRequest, MergedDocument
from holdfast.master.documents.environment import Applied, ApplyRequest, EnvironmentView
from holdfast.master.rules.protecting import Protected, ProtectRequest
from holdfast.master.showing.foreseeing import PlanReport
from holdfast.model.access import Activity
from holdfast.model.approvals import ApprovalAct
from holdfast.model.document import Revision
from holdfast.model.edit import Edit

router = APIRouter(tags=["environment"])
# What a database's 64-bit number can hold; more could never have been given out.
_HIGHEST = (1 << 63) - 1
Number = Annotated[int, Path(ge=1, le=_HIGHEST)]
MaybeNumber = Annotated[int | None, Query(ge=1, le=_HIGHEST)]


@router.get("/environment")
@answers(EnvironmentText)
@does(Activity.ENVIRONMENT_READ)
async def export(master: MasterOf) -> Response:
    """The stored text, byte for byte."""
    return reply(_text(await master.environment.newest()))


@router.get("/environment/revisions")
@answers(RevisionList)
@does(Activity.ENVIRONMENT_READ)
async def revisions(
    master: MasterOf,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: MaybeNumber = None,
) -> Response:
    """Newest first; `before` = the number of the last one you have."""
    found = await master.environment.revisions(limit + 1, before)
    return reply(RevisionList(revisions=found[:limit], more=len(found) > limit))


@router.get("/environment/revisions/{number}")
@answers(EnvironmentText)
@does(Activity.ENVIRONMENT_READ)
async def revision(number: Number, master: MasterOf) -> Response:
    return reply(_text(await master.environment.revision(number)))


@router.get("/environment/document")
@answers(DocumentView)
@does(Activity.ENVIRONMENT_READ)
async def document(master: MasterOf, revision: MaybeNumber = None) -> Response:
    """The newest document, or that revision, as values: as written, and as understood."""
    read = await master.edits.read(revision)
    return reply(DocumentView(**raw_fields(read)))


@router.post("/environment/edit")
@answers(EditedDocument)
@does(Activity.ENVIRONMENT_READ)
async def edit(body: EditDocument, caller: CallerOf, master: MasterOf) -> Response:
    """Set, remove and rename parts of the document. Everything else in its text, comments too, stays byte for byte.

    Without `dry_run` it changes the document, and wants `environment.change` as well.
    """
    if not body.dry_run:
        check_everywhere(caller.rights, Activity.ENVIRONMENT_CHANGE)
    request = EditRequest(
        base_revision=body.base_revision,
        edits=tuple(Edit(op=each.op, path=tuple(each.path), value=each.value) for each in body.operations),
        author=caller.user,
        comment=body.comment,
        dry_run=body.dry_run,
        text=body.text,
    )
    return reply(EditedDocument(**raw_fields(await master.edits.edit(request))))


@router.post("/environment/merge")
@answers(MergedDocument)
@does(Activity.ENVIRONMENT_READ)
async def merge(body: MergeDocument, master: MasterOf) -> Response:
    """Your text and the newest revision as one, when others applied theirs since you began. Changes nothing."""
    return reply(await master.edits.merge(body.base_revision, body.text, body.prefer))


@router.post("/environment/plan")
@answers(PlanReport)
@does(Activity.ENVIRONMENT_READ)
async def plan(body: PlanDocument, master: MasterOf) -> Response:
    """What applying this text would change, and what would keep its flows from being activated. Changes nothing."""
    return reply(await master.foreseeing.plan(body.text))


@router.put("/environment")
@answers(Applied)
@does(Activity.ENVIRONMENT_CHANGE)
async def apply(body: ApplyDocument, user: User, master: MasterOf) -> Response:
    request = ApplyRequest(
        text=body.text,
        base_revision=body.base_revision,
        accept_removals=body.accept_removals,
        author=user,
        comment=body.comment,
    )
    return reply(await master.environment.apply(request))


@router.post("/protect")
@answers(Protected)
@does(Activity.ENVIRONMENT_CHANGE)
@needs_approval(ApprovalAct.ACTIVATE)
async def protect(body: Protect, user: User, master: MasterOf) -> Response:
    """Write repository, policy and flow for one folder into the document, and activate the flow."""
    request = ProtectRequest(path=body.path, location=body.location, every=body.every, cdp=body.cdp, node=body.node, author=user)
    return reply(await master.protecting.protect(request))


def _text(found: Revision) -> EnvironmentText:
    return EnvironmentText(**raw_fields(EnvironmentView.of(found)), text=found.text)
