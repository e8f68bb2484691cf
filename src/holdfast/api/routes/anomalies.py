"""What looked like the destruction of a dataset, and what people say of it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.answers import AnomalyList, AnomalyRow
from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import JudgeAnomaly
from holdfast.model.access import Activity
from holdfast.model.anomalies import AskJudgeAnomaly
from holdfast.model.approvals import ApprovalAct

router = APIRouter(tags=["anomalies"])


@router.get("/anomalies")
@answers(AnomalyList)
@does(Activity.STATUS_READ, on="narrowed")
async def anomalies(master: MasterOf, reach: ReachOf, dataset: str = "") -> Response:
    """Newest first. `clean_at` is the last moment before; `POST /restores` takes `last-clean` for it as `at`."""
    found, unreachable = await master.anomalies.all(reach.may)
    rows = tuple(AnomalyRow(**raw_fields(each)) for each in found if dataset in ("", each.dataset, each.dataset_id))
    return reply(AnomalyList(anomalies=rows, unreachable=unreachable))


@router.post("/anomalies/{anomaly}/judge")
@answers(AnomalyList)
@does(Activity.POINTS_DESTROY, on="narrowed")
@needs_approval(ApprovalAct.RELEASE, unless=lambda body: body.confirmed)
async def judge_anomaly(anomaly: str, body: JudgeAnomaly, master: MasterOf, user: User, reach: ReachOf) -> Response:
    """`confirmed`: it was what it looked like, and states from now on are clean again. Else nothing is suspect or held for it any more."""
    judged = await master.anomalies.judge(AskJudgeAnomaly(id=anomaly, confirmed=body.confirmed, by=user), reach)
    return reply(AnomalyList(anomalies=tuple(AnomalyRow(**raw_fields(each)) for each in judged.anomalies), unreachable=()))
