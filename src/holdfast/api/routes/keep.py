"""Keep rules, tried out before there is a point."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Response

from holdfast.api.answers import KeepPreviewView
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import KeepWanted
from holdfast.compiler.parse_part import parse_keep_part
from holdfast.core.errors import UsageError
from holdfast.model.access import Activity
from holdfast.model.keep_preview import preview_keep
from holdfast.model.retention import zone_of

router = APIRouter(tags=["policies"])


@router.post("/keep/preview")
@answers(KeepPreviewView)
@does(Activity.ENVIRONMENT_READ)
async def preview_kept_points(body: KeepWanted, master: MasterOf) -> Response:
    """Which points there would be now, had these rules and this schedule been in force for `span_days`. Changes nothing."""
    # To the minute, as people read a calendar.
    until = master.base.now().replace(second=0, microsecond=0)
    # Days of the calendar there, so that a change of the clocks neither adds a point nor leaves one out.
    since = (until.astimezone(zone_of(body.zone)) - timedelta(days=body.span_days)).astimezone(UTC)
    return reply(await asyncio.to_thread(_preview, body, until, since))


def _preview(body: KeepWanted, until: datetime, since: datetime) -> KeepPreviewView:
    if body.every is None and not body.at:
        raise UsageError("a point is taken when?", hint="give `every`, like 1h, or `at`, a list of times of day")
    parsed = parse_keep_part(body.keep, body.every, body.at, body.zone)
    if parsed.keep is None:
        return KeepPreviewView(valid=False, diagnostics=parsed.diagnostics, from_=since, to=until)
    found = preview_keep(parsed.keep, parsed.every_s, parsed.at, body.zone, since=since, until=until)
    return KeepPreviewView(
        valid=True,
        diagnostics=parsed.diagnostics,
        taken_total=found.taken_total,
        kept=found.kept,
        kept_total=found.kept_total,
        from_=found.since,
        to=found.until,
        truncated=found.truncated,
    )
