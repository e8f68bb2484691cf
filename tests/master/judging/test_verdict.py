"""The verdict: one sentence that counts datasets, names those that are not protected, and says why where one alone is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId
from holdfast.master.judging.verdict import Standing, standing_of, standings, verdict
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection

AT = datetime(2026, 1, 2, tzinfo=UTC)
FULL = ErrorFacts("no-space", "the disk of vault is full", "", False)


def protection(label: str, **facts: Any) -> Protection:
    plain: dict[str, Any] = {"operation": "backup", "receiver": "vault", "state": State.SUCCEEDED, "last_at": AT}
    return Protection(dataset=label, dataset_id=DatasetId(label), **{**plain, **facts})


FAILED = {"state": State.FAILED, "error": FULL, "overdue": True}
NEW = {"state": State.UNKNOWN, "last_at": None}


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        ({}, Standing.PROTECTED),
        ({"state": State.WARNINGS}, Standing.PROTECTED),
        ({"state": State.RUNNING}, Standing.PROTECTED),
        ({"state": State.RUNNING, "error": FULL}, Standing.FAILED),
        (FAILED, Standing.FAILED),
        ({"overdue": True}, Standing.OVERDUE),
        (NEW, Standing.FRESH),
        ({"state": State.QUEUED, "last_at": None}, Standing.FRESH),
        ({"state": State.UNKNOWN, "error": FULL}, Standing.UNKNOWN),
    ],
)
def test_what_is_promised_stands_so(facts: dict[str, Any], standing: Standing) -> None:
    assert standing_of(protection("a/b", **facts)) is standing


def test_a_dataset_is_counted_once_by_its_worst() -> None:
    found = tuple(
        standings([protection("a/b"), protection("a/b", operation="replicate", **FAILED), protection("a/b", overdue=True)]).values()
    )
    assert [(each.label, each.standing, each.reason) for each in found] == [("a/b", Standing.FAILED, FULL.message)]


def test_what_is_still_to_come_takes_nothing_from_what_is_there() -> None:
    """A monthly operation beside an hourly one was "not run yet", and its dataset not protected, for up to a month."""
    later = {**NEW, "operation": "monthly", "due_at": AT + timedelta(days=20)}
    hourly, elsewhere = protection("a/b", action_id=ActionId("main")), {**later, "action_id": ActionId("far")}
    monthly, rides = (protection("a/b", action_id=ActionId("main"), **facts) for facts in (later, NEW))
    assert [each.standing for each in standings([monthly, hourly]).values()] == [Standing.PROTECTED]
    assert [each.standing for each in standings([hourly, protection("a/b", **elsewhere)]).values()] == [Standing.FRESH]
    assert [each.standing for each in standings([monthly]).values()] == [Standing.FRESH]
    assert [each.standing for each in standings([hourly, rides]).values()] == [Standing.FRESH]


@pytest.mark.parametrize(
    ("protections", "troubles", "sentence"),
    [
        ([], [], "Nothing is protected yet."),
        ([protection("a/b")], [], "a/b is protected."),
        ([protection(f"n{n}/b") for n in range(12)], [], "All 12 datasets protected."),
        ([protection("a/b"), protection("c/d", **FAILED)], [], "1 of 2 datasets protected: 1 failed (c/d: the disk of vault is full)."),
        (
            [protection(f"n{n}/b", **FAILED) for n in range(4)] + [protection("x/y", overdue=True), protection("z/b", **NEW)],
            [],
            "0 of 6 datasets protected: 4 failed (n0/b, n1/b and 2 more), 1 overdue (x/y), 1 not run yet (z/b).",
        ),
        ([protection("a/b")], ["repository main", "node dr"], "a/b is protected. Also in trouble: repository main, node dr."),
    ],
)
def test_the_sentence_is_exact(protections: list[Protection], troubles: list[str], sentence: str) -> None:
    assert verdict(tuple(standings(protections).values()), troubles) == sentence
