"""What is recorded of a drill, by the owner of the point: on the point, in the book, and for people who read the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryLocked, StoreError, UnknownName
from holdfast.core.ids import NodeId
from holdfast.model.drills import DrillRecord
from holdfast.model.jobs import Event, Severity
from holdfast.model.points import Point
from holdfast.node.drills.book import DrillBook
from holdfast.node.drills.verdicts import Tried
from holdfast.operations.drill import sweep_scratch
from holdfast.repository.repository import Repository

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DrillTools:
    """What this machine gives to drills."""

    home: Path
    clock: Clock
    entropy: Entropy
    book: DrillBook
    event: Callable[[Event], None]

    @property
    def scratch(self) -> Path:
        """Inside the home, which nothing captures and nobody else may read."""
        return self.home / "scratch"

    def sweep(self) -> None:
        """To be called before the first drill: what drills that were killed left goes."""
        with suppress(OSError):
            sweep_scratch(self.scratch)


def record_tried(tools: DrillTools, repository: Repository, point: Point, tried: Tried, owner: NodeId) -> None:
    at, holds = now(tools.clock), not tried.problem
    if point.snapshot:
        # A point that went meanwhile, or a store that cannot be written just now: the book and the log say it all the same.
        with suppress(UnknownName, RepositoryLocked, StoreError):
            repository.care.prove(point, holds=holds, files=tried.files)
    before = next((each for each in tools.book.records(repository.name) if each.dataset == point.dataset_id), None)
    record = DrillRecord(
        dataset=point.dataset_id,
        label=point.dataset,
        at=at,
        problem=tried.problem,
        note=tried.note,
        point=point.id,
        point_at=point.time,
        files=tried.files,
        size_bytes=tried.size_bytes,
        proven_at=at if holds else before.proven_at if before is not None else None,
        on=tried.on,
    )
    tools.event(_event(tried, point, repository.name, owner, tools.clock))
    try:
        tools.book.put(repository.name, record)
    except OSError as error:
        _log.warning("what came of a drill is not in the book", extra={"facts": {"repository": repository.name, "error": str(error)}})


def _event(tried: Tried, point: Point, repository: str, owner: NodeId, clock: Clock) -> Event:
    where = f"{point.dataset} of {point.time:%Y-%m-%d %H:%M} UTC in {repository}"
    there = f" on {tried.on}" if tried.on else ""
    if tried.problem:
        text = f"the drill of {where}{there} proved nothing: {tried.problem}"
    else:
        text = f"{where} is proven restorable: {tried.files:,} files were restored on trial{there} and are what they should be"
    return Event(
        code="drill-failed" if tried.problem else "drill-proven",
        severity=Severity.ERROR if tried.problem else Severity.INFO,
        message=text,
        node=owner,
        time=now(clock),
        facts={"job": tried.job, "repository": repository, "dataset": point.dataset, "point": point.id},
    )
