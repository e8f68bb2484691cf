"""Reports that are made and sent by themselves: when, of what, to whom. Values and rules; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from holdfast.core.errors import UsageError
from holdfast.model.notifications import check_name
from holdfast.model.open_times import local_day, triggers_on
from holdfast.model.reports import Kind
from holdfast.model.spans import parse_zone
from holdfast.model.windows import parse_trigger_time

Form = Literal["html", "csv", "json"]
SHORTEST_S, LONGEST_S = 3_600.0, 3_650 * 86_400.0
MOST_AT = 24
_AHEAD_DAYS = 366 * 2
_BACK_DAYS = 366


class ReportSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: trigger times as of schedules, in `zone`; or `schedule`, a schedule of the environment document whose trigger times and zone
    hold. `since_s`: how far back each report reaches. `to`: channels of notifications that get it attached; `folder`: it is also kept as a
    file in the Master's home."""

    name: str
    kind: Kind
    at: tuple[str, ...] = ()
    zone: str = "UTC"
    schedule: str = ""
    since_s: float = 30 * 86_400.0
    format: Form = "html"
    to: tuple[str, ...] = ()
    folder: bool = False
    enabled: bool = True


class Times(msgspec.Struct, frozen=True):
    """When, as it stands now, from the schedule itself or the one that it names."""

    at: tuple[str, ...]
    zone: str = "UTC"


def validate_report_schedule(wanted: ReportSchedule, channels: Iterable[str], schedules: Mapping[str, Times]) -> None:
    """Raises `UsageError`. `channels`: the names that there are; `schedules`: those of the document. What is disabled may name one that is
    gone, so that it can be disabled because of that."""
    check_name(wanted.name, "report schedule")
    if bool(wanted.at) == bool(wanted.schedule):
        raise UsageError("say when: by trigger times, or by the name of a schedule", hint="such as --at 'mon 07:00', or --schedule months")
    if wanted.schedule and wanted.enabled:
        if wanted.schedule not in schedules:
            raise UsageError(f"there is no schedule {wanted.schedule!r} in the document", hint="`holdfast schedules` lists them")
        if not schedules[wanted.schedule].at:
            raise UsageError(f"schedule {wanted.schedule!r} has no trigger times", hint="write `at:` into it, or say when by --at")
    if len(wanted.at) > MOST_AT:
        raise UsageError(f"at most {MOST_AT} trigger times", hint="'07:00' is each day, 'mon-fri 07:00' on working days")
    parse_zone(wanted.zone)
    for text in wanted.at:
        parse_trigger_time(text)
    if missing := sorted(set(wanted.to) - set(channels)):
        raise UsageError(f"there is no channel {missing[0]!r}", hint=f"`holdfast notify channel set {missing[0]}` makes it")
    if not wanted.to and not wanted.folder:
        raise UsageError("say where it goes", hint="--to CHANNEL, --folder, or both")
    if not SHORTEST_S <= wanted.since_s <= LONGEST_S:
        raise UsageError("a report reaches back for an hour at least and ten years at most", hint="write it like --since 30d")
    assert wanted.format in get_args(Form)


def newest_due(times: Times, after: datetime, now: datetime) -> datetime | None:
    """The newest trigger time behind `after` that has come: however many were missed, one report makes up for them."""
    day, last = local_day(now, times.zone), local_day(max(after, now - timedelta(days=_BACK_DAYS)), times.zone) - timedelta(days=1)
    while day >= last:
        found = [moment for moment in triggers_on(times.at, times.zone, day) if after < moment <= now]
        if found:
            return found[-1]
        day -= timedelta(days=1)
    return None


def next_time(times: Times, now: datetime) -> datetime | None:
    """None: not within two years."""
    first = local_day(now, times.zone)
    days = (first + timedelta(days=offset) for offset in range(-1, _AHEAD_DAYS))
    return next((moment for day in days for moment in triggers_on(times.at, times.zone, day) if moment > now), None)
