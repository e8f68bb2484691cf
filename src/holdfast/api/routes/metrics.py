"""What Prometheus is told."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.model.access import Activity
from holdfast.wire.exposition import CONTENT_TYPE

router = APIRouter(tags=["status"])


@router.get("/metrics")
@answers(str)
@does(Activity.METRICS_READ)
async def metrics(master: MasterOf) -> Response:
    """In the text format of Prometheus; docs/metrics.md has the names."""
    return Response(await master.metrics.text(), media_type=CONTENT_TYPE)
