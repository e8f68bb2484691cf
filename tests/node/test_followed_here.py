"""What is said of followed datasets: gaps once, and troubles that do not pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.following import Following, FollowState, Spooled
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Severity
from holdfast.node.followed_here import FollowedHere
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = ErrorFacts("not-reachable", "nobody is there", "wait", True)
GONE = ErrorFacts("source-vanished", "it is empty", "mount it", False)
GAP = Gap(path=b"/data", since=START, until=START, reason=GapReason.RESTART)


def told(state: FollowState, **more: Any) -> Following:
    return Following(dataset="files1/one", dataset_id=DatasetId("one"), state=state, **more)


def made() -> tuple[FollowedHere, list[str], VirtualClock]:
    events: list[str] = []
    clock = VirtualClock(START)
    return (
        FollowedHere(lambda code, severity, message, **facts: events.append(f"{code} {facts['path']} {facts['since']}"), clock),
        events,
        clock,
    )


def test_each_gap_is_told_once() -> None:
    here, events, _ = made()
    for _ in range(2):
        here.heard((told(FollowState.FOLLOWING, gaps=(GAP,)),))
    assert events == ["gap /data 2026-01-01T00:00:00Z"]
    assert here.findings == []


@pytest.mark.parametrize(("error", "severities"), [(AWAY, (Severity.WARNING, Severity.ERROR)), (GONE, (Severity.ERROR, Severity.ERROR))])
def test_what_waits_is_a_warning_and_trouble_when_it_lasts(error: ErrorFacts, severities: tuple[Severity, Severity]) -> None:
    here, _, clock = made()
    here.heard((told(FollowState.WAITING, error=error, pending=3, pending_since=START),))
    (first,) = here.findings
    clock.advance(61.0)
    (later,) = here.findings
    assert (first.severity, later.severity) == severities
    assert (first.code, first.hint) == (error.code, error.hint)
    assert error.message in first.message


def test_what_cannot_be_watched_and_an_open_gap_are_said() -> None:
    here, _, _ = made()
    here.heard((told(FollowState.NOT_WATCHED, error=AWAY),))
    assert [finding.code for finding in here.findings] == ["not-watched"]
    here.heard((told(FollowState.RECONCILING, open_gap_since=START - timedelta(minutes=1)),))
    assert [finding.code for finding in here.findings] == ["gap"]


def test_a_dead_worker_leaves_nothing_followed() -> None:
    here, _, _ = made()
    here.heard((told(FollowState.FOLLOWING),))
    here.lost()
    assert [each.state for each in here.now] == [FollowState.WAITING]
    assert [finding.code for finding in here.findings] == ["worker-died"]


def test_a_mover_that_is_slower_than_the_changes_is_said() -> None:
    here, _, _ = made()
    spooled = Spooled(receiver="vault", runs=3, size_bytes=900, since=START)
    here.heard((told(FollowState.FOLLOWING, spooled=(spooled,)),))
    assert here.findings == []
    here.heard((told(FollowState.FOLLOWING, spooled=(msgspec.structs.replace(spooled, falls_behind=True),)),))
    (finding,) = here.findings
    assert (finding.code, finding.severity) == ("mover-slower", Severity.WARNING)


def test_what_waits_in_the_spool_is_trouble_when_the_oldest_of_it_is_old() -> None:
    here, _, clock = made()
    spooled = (Spooled(receiver="vault", runs=3, size_bytes=900, since=START, error=AWAY),)
    here.heard((told(FollowState.WAITING, error=AWAY, spooled=spooled),))
    (first,) = here.findings
    clock.advance(61.0)
    (later,) = here.findings
    assert (first.severity, later.severity) == (Severity.WARNING, Severity.ERROR)
    assert "spool" in first.message


@pytest.mark.parametrize(("reason", "words"), [(GapReason.THINNED, "not every state"), (GapReason.VANISHED, "the source was refused")])
def test_a_gap_of_another_kind_is_not_said_to_be_one_of_watching(reason: GapReason, words: str) -> None:
    messages: list[str] = []
    here = FollowedHere(lambda code, severity, message, **facts: messages.append(message), VirtualClock(START))
    here.heard((told(FollowState.FOLLOWING, gaps=(msgspec.structs.replace(GAP, reason=reason),)),))
    (message,) = messages
    assert "unseen" not in message
    assert words in message
