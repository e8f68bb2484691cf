"""What is said of followed datasets: gaps once, and troubles that do not pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.following import Following, FollowState, Spooled
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Severity
from holdfast.node.answering.followed_here import FollowedHere
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = ErrorFacts("not-reachable", "nobody is there", "wait", True)
GONE = ErrorFacts("source-vanished", "it is empty", "mount it", False)
GAP = Gap(path=b"/data", since=START, until=START, reason=GapReason.RESTART)


def told(state: FollowState, **more: Any) -> Following:
    return Following(dataset="files1/one", dataset_id=DatasetId("one"), state=state, **more)


def made(home: Path) -> tuple[FollowedHere, list[str], VirtualClock]:
    events: list[str] = []
    clock = VirtualClock(START)

    def record(code: str, severity: Severity, message: str, **facts: str) -> None:
        events.append(f"{code} {facts['path']} {facts['since']}")

    return FollowedHere(record, clock, home), events, clock


def test_each_gap_is_told_once(tmp_path: Path) -> None:
    here, events, _ = made(tmp_path)
    for _ in range(2):
        here.heard((told(FollowState.FOLLOWING, gaps=(GAP,)),))
    assert events == ["gap /data 2026-01-01T00:00:00Z"]
    assert here.findings == []


def gap_at(minute: int, reason: GapReason = GapReason.RESTART) -> Gap:
    return Gap(path=b"/data", since=START + timedelta(minutes=minute - 1), until=START + timedelta(minutes=minute), reason=reason)


def test_gaps_are_shown_on_whoever_dies_and_told_once(tmp_path: Path) -> None:
    here, events, _ = made(tmp_path)
    here.heard((told(FollowState.FOLLOWING, gaps=(gap_at(1),)),))
    here.lost()
    # Another worker: it knows nothing of the one before, then of its own gap.
    here.heard((told(FollowState.STARTING),))
    assert here.now[0].gaps == (gap_at(1),)
    here.heard((told(FollowState.FOLLOWING, gaps=(gap_at(2),)),))
    assert here.now[0].gaps == (gap_at(2), gap_at(1))
    assert len(events) == 2
    # The whole node, which is away from the flow for a while.
    again, events, _ = made(tmp_path)
    again.heard(())
    again.heard((told(FollowState.FOLLOWING),))
    assert again.now[0].gaps == (gap_at(2), gap_at(1))
    assert events == []


def test_of_very_many_gaps_the_newest_are_shown_and_each_is_told_once(tmp_path: Path) -> None:
    here, events, _ = made(tmp_path)
    thinned = tuple(gap_at(minute, GapReason.THINNED) for minute in range(20, 0, -1))
    for minute in range(100, 160):
        newest = tuple(gap_at(each) for each in range(minute, max(99, minute - 20), -1))
        here.heard((told(FollowState.FOLLOWING, gaps=(*newest, *thinned)),))
    assert here.now[0].gaps == tuple(gap_at(minute) for minute in range(159, 139, -1))
    assert len(events) == len(thinned) + 60


def test_a_home_that_takes_nothing_shows_gaps_all_the_same(tmp_path: Path) -> None:
    here, events, _ = made(tmp_path / "gone")
    here.heard((told(FollowState.FOLLOWING, gaps=(GAP,)),))
    assert here.now[0].gaps == (GAP,)
    assert len(events) == 1


@pytest.mark.parametrize(("error", "severities"), [(AWAY, (Severity.WARNING, Severity.ERROR)), (GONE, (Severity.ERROR, Severity.ERROR))])
def test_what_waits_is_a_warning_and_trouble_when_it_lasts(
    error: ErrorFacts, severities: tuple[Severity, Severity], tmp_path: Path
) -> None:
    here, _, clock = made(tmp_path)
    here.heard((told(FollowState.WAITING, error=error, pending=3, pending_since=START),))
    (first,) = here.findings
    clock.advance(61.0)
    (later,) = here.findings
    assert (first.severity, later.severity) == severities
    assert (first.code, first.hint) == (error.code, error.hint)
    assert error.message in first.message


def test_what_cannot_be_watched_and_an_open_gap_are_said(tmp_path: Path) -> None:
    here, _, _ = made(tmp_path)
    here.heard((told(FollowState.NOT_WATCHED, error=AWAY),))
    assert [finding.code for finding in here.findings] == ["not-watched"]
    here.heard((told(FollowState.RECONCILING, open_gap_since=START - timedelta(minutes=1)),))
    assert [finding.code for finding in here.findings] == ["gap"]


def test_a_dead_worker_leaves_nothing_followed(tmp_path: Path) -> None:
    here, _, _ = made(tmp_path)
    here.heard((told(FollowState.FOLLOWING),))
    here.lost()
    assert [each.state for each in here.now] == [FollowState.WAITING]
    assert [finding.code for finding in here.findings] == ["worker-died"]


def test_a_mover_that_is_slower_than_the_changes_is_said(tmp_path: Path) -> None:
    here, _, _ = made(tmp_path)
    spooled = Spooled(receiver="vault", runs=3, size_bytes=900, since=START)
    here.heard((told(FollowState.FOLLOWING, spooled=(spooled,)),))
    assert here.findings == []
    here.heard((told(FollowState.FOLLOWING, spooled=(msgspec.structs.replace(spooled, falls_behind=True),)),))
    (finding,) = here.findings
    assert (finding.code, finding.severity) == ("mover-slower", Severity.WARNING)


def test_what_waits_in_the_spool_is_trouble_when_the_oldest_of_it_is_old(tmp_path: Path) -> None:
    here, _, clock = made(tmp_path)
    spooled = (Spooled(receiver="vault", runs=3, size_bytes=900, since=START, error=AWAY),)
    here.heard((told(FollowState.WAITING, error=AWAY, spooled=spooled),))
    (first,) = here.findings
    clock.advance(61.0)
    (later,) = here.findings
    assert (first.severity, later.severity) == (Severity.WARNING, Severity.ERROR)
    assert "spool" in first.message


@pytest.mark.parametrize(("reason", "words"), [(GapReason.THINNED, "not every state"), (GapReason.VANISHED, "the source was refused")])
def test_a_gap_of_another_kind_is_not_said_to_be_one_of_watching(reason: GapReason, words: str, tmp_path: Path) -> None:
    messages: list[str] = []
    here = FollowedHere(lambda code, severity, message, **facts: messages.append(message), VirtualClock(START), tmp_path)
    here.heard((told(FollowState.FOLLOWING, gaps=(msgspec.structs.replace(GAP, reason=reason),)),))
    (message,) = messages
    assert "unseen" not in message
    assert words in message
