"""What the log says of people who change points, and of those who wanted to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.core.errors import Refused
from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.jobs import Severity
from holdfast.model.point_changes import AskChangePoints, ChangedPoint, Forget, Outcome, PointsChanged
from holdfast.model.points import Point
from holdfast.model.questions import Answer, Failed
from holdfast.node.answering.point_events import record_change

POINT = Point(
    id=PointId("7" * 32),
    snapshot="1" * 64,
    repository="main",
    dataset="files1/documents",
    dataset_id=DatasetId("d" * 32),
    operation="backup",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    epoch=Epoch("e" * 32),
    seq=1,
    files=1,
    bytes=1,
)
REFUSED = Failed(error=Refused("point 77777777 stays: it is locked").facts())


def became(outcome: Outcome, *, dry_run: bool = False) -> PointsChanged:
    return PointsChanged(changes=(ChangedPoint(point=POINT, outcome=outcome, why="it is locked"),), dry_run=dry_run)


@pytest.mark.parametrize(
    ("ask", "answer", "codes"),
    [
        ({}, REFUSED, ["points-refused"]),
        ({}, became("forgotten"), ["points-forgotten"]),
        ({}, became("unchanged"), []),
        ({"dataset": "files1/documents", "points": ()}, became("stays"), ["points-refused"]),
        ({"dry_run": True}, became("stays", dry_run=True), []),
        ({"dry_run": True, "is_meant": True}, became("stays", dry_run=True), ["points-refused"]),
        ({"dry_run": True, "is_meant": True}, became("forgotten", dry_run=True), []),
        ({"dry_run": True, "is_meant": True}, REFUSED, []),
    ],
)
def test_what_was_done_and_what_was_refused_is_told_once(ask: dict[str, object], answer: Answer, codes: list[str]) -> None:
    told: list[tuple[str, Severity, str]] = []
    question = AskChangePoints(**{"change": Forget(), "points": (POINT.id,), **ask})  # type: ignore[arg-type]
    record_change(lambda code, severity, message: told.append((code, severity, message)), question, answer, "admin through the Master")
    assert [code for code, _, _ in told] == codes
    assert all("admin through the Master" in message and "77777777" in message for _, _, message in told)
    assert all((severity is Severity.WARNING) == (code == "points-refused") for code, severity, _ in told)
