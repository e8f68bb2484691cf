"""Waiting for a trigger or a local job, with progress on a terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from holdfast.cli.client import ApiClient
from holdfast.cli.output import ProgressLine, note
from holdfast.core.errors import NotReachable
from holdfast.core.units import format_duration, format_size

_ENDED = {"succeeded", "warnings", "failed", "cancelled", "unknown"}
_PATIENCE_S = 60.0


def wait_for_trigger(client: ApiClient, trigger: str) -> dict[str, Any]:
    """The trigger's record once it is done, or nothing of it goes on by itself. A Master that goes away meanwhile is waited for, up to a
    minute."""
    line, lost_at = ProgressLine(), None
    try:
        while True:
            try:
                record = client.get(f"/triggers/{quote(trigger)}", wait_s=2)
                lost_at = None
            except NotReachable:
                lost_at = lost_at if lost_at is not None else time.monotonic()
                if time.monotonic() - lost_at > _PATIENCE_S:
                    raise
                line.show("the Master is away, waiting for it ...")
                time.sleep(0.5)
                continue
            line.show(progress_text(record.get("jobs", []), record.get("progress", [])))
            jobs = record.get("jobs", [])
            if record["done"] or (any(map(_is_held_up, jobs)) and all(map(_is_over, jobs))):
                return record
    except KeyboardInterrupt:
        line.clear()
        note("what was started goes on: `holdfast jobs` shows it, `holdfast jobs cancel ID` ends it")
        raise
    finally:
        line.clear()


def wait_for_local_jobs(home: Path, jobs: tuple[str, ...]) -> list[dict[str, Any]]:
    """The jobs of this machine's own agent, as plain values, once they have ended or are held up."""
    import msgspec

    from holdfast.core.ids import JobId
    from holdfast.model.questions import AskJobs, Jobs
    from holdfast.node.local.client import ask

    line = ProgressLine()
    try:
        while True:
            answer = ask(home, AskJobs(jobs=tuple(JobId(job) for job in jobs)), 30)
            assert isinstance(answer, Jobs)
            records: list[dict[str, Any]] = msgspec.to_builtins(list(answer.jobs))
            line.show(progress_text(records, msgspec.to_builtins(list(answer.progress))))
            if len(records) == len(jobs) and all(map(_is_over, records)):
                return records
            time.sleep(0.2)
    finally:
        line.clear()


def _is_over(job: dict[str, Any]) -> bool:
    return job["state"] in _ENDED or _is_held_up(job)


def _is_held_up(job: dict[str, Any]) -> bool:
    """Whether it waits, after an error, for somebody to go on with it. One that a person paused is waited for."""
    return job["state"] == "paused" and bool(job.get("error"))


def progress_text(jobs: list[dict[str, Any]], progress: list[dict[str, Any]]) -> str:
    """One line: what runs, phase, bytes, rate and time left; `scanning` while the total is not known."""
    running = {job["id"]: job for job in jobs if job["state"] not in _ENDED}
    parts = []
    for figure in progress:
        job = running.get(figure["job"])
        if job is None:
            continue
        done, total, rate = figure.get("done_bytes", 0), figure.get("total_bytes", 0), figure.get("rate_bytes_s", 0.0)
        text = f"{job['rule']}: {figure['phase']}, {figure.get('done_files', 0)} files, {format_size(done)}"
        if total:
            text += f" of {format_size(total)}"
        if rate:
            text += f", {format_size(rate)}/s"
        if total and rate:
            text += f", {format_duration(max(0.0, (total - done) / rate))} left"
        parts.append(text)
    if not parts and running:
        parts = [f"{job['rule']}: {job['state']}" for job in running.values()]
    return " | ".join(parts)[:160]
