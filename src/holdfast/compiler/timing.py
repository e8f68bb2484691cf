"""The times that an operation has from its schedule: a named one, or one written in the operation."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.model.document import Schedule, ScheduleEntry, ScheduleTimes


def times_of(when: Schedule, schedules: Mapping[str, ScheduleEntry]) -> ScheduleTimes:
    """With the operation's own trigger times among them; they are of the schedule's zone."""
    found = when.inline or schedules.get(when.schedule) or ScheduleTimes()
    return ScheduleTimes(
        windows=found.windows,
        exclude=found.exclude,
        at=tuple(dict.fromkeys(when.at + found.at)),
        zone=found.zone,
        missed=found.missed,
        jitter_s=found.jitter_s,
    )


def is_timed(when: Schedule, schedules: Mapping[str, ScheduleEntry]) -> bool:
    """Whether anything says how often it runs."""
    return when.every_s is not None or bool(times_of(when, schedules).at)
