"""The demo's closing table: per run and mover what was read, sent and stored."""

from __future__ import annotations

from typing import Any

from holdfast.cli.output import print_table, say
from holdfast.core.units import format_size

_HEADS = ("RUN", "WHAT", "FILES", "CHANGED", "READ FROM SOURCE", "SENT", "STORED", "SECONDS")


def print_report(records: list[dict[str, Any]]) -> None:
    """One row per task of every job of every run. FILES: what the capture looked at, or what was delivered; CHANGED counts folders, links
    and removals, too."""
    rows = [
        _row(number, job, task)
        for number, record in enumerate(records, start=1)
        for job in record["jobs"]
        for task in job.get("tasks") or []
    ]
    say()
    print_table(_HEADS, rows, right=frozenset({2, 3, 4, 5, 6, 7}))


def _row(number: int, job: dict[str, Any], task: dict[str, Any]) -> tuple[object, ...]:
    counters = task.get("counters") or {}
    is_capture = task["name"] == "capture"
    return (
        number,
        f"{job['rule']}: {task['name']}",
        counters.get("files", 0),
        counters.get("changed", 0) + counters.get("removed", 0),
        format_size(counters.get("read_bytes", 0)) if is_capture else "-",
        "-" if is_capture else format_size(counters.get("sent_bytes", 0)),
        "-" if is_capture else format_size(counters.get("stored_bytes", 0)),
        f"{task.get('duration_s', 0.0):.1f}",
    )
