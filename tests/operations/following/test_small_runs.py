"""Small runs that go on while the next is made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from holdfast.core.errors import Cancelled, ErrorFacts, SourceError
from holdfast.operations.following.follow_tools import SmallResult
from holdfast.operations.following.small_runs import SmallRuns, Tell
from holdfast.operations.running import Cancellation

NOTHING = SmallResult(None, {})
AWAY = SmallResult(None, {}, ErrorFacts("not-reachable", "nobody is there"))


@pytest.fixture
def runs() -> Iterator[SmallRuns]:
    found = SmallRuns()
    yield found
    found.close()


def test_what_it_returns_is_the_result(runs: SmallRuns) -> None:
    assert runs.result_of(lambda _: AWAY, Cancellation()) is AWAY


def test_what_it_raises_is_raised(runs: SmallRuns) -> None:
    def fails(let_go: Tell) -> SmallResult:
        raise SourceError("it cannot be read")

    with pytest.raises(SourceError):
        runs.result_of(fails, Cancellation())


def test_one_that_has_let_go_goes_on_beside_the_next(runs: SmallRuns) -> None:
    goes_on, has_ended = threading.Event(), threading.Event()

    def lingers(let_go: Tell) -> SmallResult:
        let_go(NOTHING)
        assert goes_on.wait(60)
        has_ended.set()
        return AWAY

    assert runs.result_of(lingers, Cancellation()) is NOTHING
    assert runs.result_of(lambda _: AWAY, Cancellation()) is AWAY
    assert not has_ended.is_set()
    goes_on.set()
    assert has_ended.wait(60)


def test_to_close_is_to_cancel_and_to_wait_for_those_that_go_on(caplog: pytest.LogCaptureFixture) -> None:
    runs, cancellation, ended = SmallRuns(), Cancellation(), []

    def lingers(let_go: Tell) -> SmallResult:
        let_go(NOTHING)
        cancellation.wait(60)
        ended.append(True)
        raise Cancelled("the job was cancelled")

    assert runs.result_of(lingers, cancellation) is NOTHING
    runs.close()
    assert ended
    assert not caplog.records
