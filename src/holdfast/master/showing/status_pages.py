"""The status for whoever has no use for thousands of rows: of each list so many, what is in trouble first. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from holdfast.master.judging.following_rows import worst_first
from holdfast.master.judging.verdict import rank_of
from holdfast.master.showing.status import Status
from holdfast.model.jobs import Severity

Row = TypeVar("Row")
_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def with_most(status: Status, most: int) -> Status:
    """At most `most` rows in each list. One that is longer has the worst first, a shorter one stays as it is. What is counted stays
    counted."""
    return replace(
        status,
        protections=_most(status.protections, most, rank_of),
        nodes=_most(status.nodes, most, lambda node: node.state == "online"),
        repositories=_most(status.repositories, most, lambda each: each.status.error is None),
        unreachable=status.unreachable[:most],
        findings=_most(status.findings, most, lambda each: _SEVERITIES.index(each.finding.severity)),
        following=status.following if len(status.following) <= most else tuple(worst_first(status.following)[:most]),
    )


def _most(rows: tuple[Row, ...], most: int, rank: Callable[[Row], int]) -> tuple[Row, ...]:
    return rows if len(rows) <= most else tuple(sorted(rows, key=rank)[:most])
