"""What small runs tell is neither lost nor too much."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Finding, Job, Progress, Severity
from holdfast.node.source.small_news import FINDING_AGAIN_S, TELL_S, NewsOfRun, SmallNews
from holdfast.operations.running import Delivered
from holdfast.testing.virtual_clock import VirtualClock

ONE = DatasetId("one")


@dataclass
class Heard:
    told: list[Delivered] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)

    def job(self, job: Job) -> None:
        raise AssertionError("a small run is no job")

    def progress(self, progress: Progress) -> None:
        raise AssertionError("nor has it progress")

    def delivered(self, delivered: Delivered) -> None:
        self.told.append(delivered)


def made() -> tuple[SmallNews, Heard, VirtualClock]:
    heard, clock = Heard(), VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    return SmallNews(heard, heard.found.append, clock), heard, clock


def said(at_ns: int, code: str = "") -> Delivered:
    error = ErrorFacts(code, "it is away") if code else None
    return Delivered(dataset=ONE, delivery="d", action="a", operations=("cdp",), captured_at_ns=at_ns, error=error)


def test_of_many_the_first_and_the_last_are_told() -> None:
    news, heard, clock = made()
    for at in range(1, 6):
        news.delivered(said(at))
    assert [each.captured_at_ns for each in heard.told] == [1]
    clock.advance(TELL_S)
    news.flush()
    assert [each.captured_at_ns for each in heard.told] == [1, 5]
    news.flush()
    assert len(heard.told) == 2


def test_a_failure_is_told_at_once_and_once_and_so_is_its_end() -> None:
    news, heard, clock = made()
    for at in range(1, 4):
        news.delivered(said(at))
    for _ in range(3):
        run = NewsOfRun(news)
        run.delivered(said(0, "not-reachable"))
        assert run.failed == {ONE: ErrorFacts("not-reachable", "it is away")}
    NewsOfRun(news).delivered(said(9))
    clock.advance(TELL_S)
    news.flush()
    assert [(each.captured_at_ns, each.error is None) for each in heard.told] == [(1, True), (0, False), (9, True)]


def test_a_second_outage_is_news_where_another_told_of_the_end_of_the_first() -> None:
    """What waited was sent out of the spool, or by a job: its success was told, and no small run had one in between."""
    news, heard, _ = made()
    news.delivered(said(1))
    news.delivered(said(0, "not-reachable"))
    news.beside(said(2))
    news.delivered(said(0, "not-reachable"))
    news.delivered(said(0, "not-reachable"))
    assert [each.error is None for each in heard.told] == [True, False, True, False]


def test_the_failure_of_another_hides_none_and_is_told_at_once() -> None:
    """A job's is of the operations that were due in it; a small run's is of others."""
    news, heard, _ = made()
    news.beside(said(0, "not-reachable"))
    news.delivered(said(0, "not-reachable"))
    assert len(heard.told) == 2


def test_what_waits_is_not_lost_by_what_another_tells() -> None:
    news, heard, clock = made()
    news.delivered(said(1))
    news.delivered(said(3))
    news.beside(said(2))
    clock.advance(TELL_S)
    news.flush()
    assert [each.captured_at_ns for each in heard.told] == [1, 2, 3]


def test_what_is_found_again_and_again_is_told_once_an_hour() -> None:
    news, heard, clock = made()
    finding = Finding(code="unreadable", severity=Severity.WARNING, message="it cannot be read", path="/data/x")
    for _ in range(5):
        news.found([finding])
    assert heard.found == [finding]
    clock.advance(FINDING_AGAIN_S)
    news.found([finding])
    assert heard.found == [finding, finding]
