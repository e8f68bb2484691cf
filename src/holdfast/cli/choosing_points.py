"""Which points a command is about: those that are named, or those that are like something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast.cli.client import ApiClient
from holdfast.cli.output import note
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UsageError
from holdfast.core.units import parse_time


@dataclass(frozen=True, kw_only=True)
class Like:
    """All that is given must hold. `before`: of earlier points, by when they were captured."""

    dataset: str = ""
    operation: str = ""
    tag: str = ""
    before: str = ""

    @property
    def is_anything(self) -> bool:
        return bool(self.dataset or self.operation or self.tag or self.before)


def points_listed(home: Path, dataset: str = "", repository: str = "", tag: str = "") -> dict[str, Any]:
    """As `GET /points` answers; on this machine alone where the Master does not."""

    def by_agent(place: Path) -> dict[str, Any]:
        from holdfast.model.listing_questions import AskPoints

        return plain(ask_agent(place, AskPoints(dataset=dataset, repository=repository, tag=tag)))

    def by_master(client: ApiClient) -> dict[str, Any]:
        return dict(client.get("/points", dataset=dataset, repository=repository, tag=tag))

    return through_master_or_agent(home, by_master, by_agent)


def points_meant(home: Path, named: Sequence[str] | None, like: Like, repository: str) -> list[str]:
    """Ids, or their beginnings where they were named so. Raises `UsageError` where both or neither is given."""
    if bool(named) == like.is_anything:
        raise UsageError(
            "which points?", hint="name them, or choose them by --dataset, --operation, --tag and --before; `holdfast points` lists them"
        )
    if named:
        return list(named)
    listed = points_listed(home, like.dataset, repository, like.tag)
    if silent := listed.get("unreachable"):
        note(f"not asked, so nothing of it is chosen: {', '.join(each['repository'] for each in silent)}")
    rows = sorted(chosen(listed["points"], like.operation, moment_of(like.before)), key=lambda row: (row["time"], row["id"]))
    return list(dict.fromkeys(str(row["id"]) for row in rows))


def moment_of(text: str) -> datetime | None:
    return parse_time(text, now(SystemClock()), None) if text else None


def chosen(rows: Sequence[dict[str, Any]], operation: str, before: datetime | None, since: datetime | None = None) -> list[dict[str, Any]]:
    """Those of this operation, captured in this span, `before` not in it. Nothing given = all."""
    return [
        row
        for row in rows
        if operation in ("", row["operation"])
        and (before is None or datetime.fromisoformat(row["time"]) < before)
        and (since is None or datetime.fromisoformat(row["time"]) >= since)
    ]
