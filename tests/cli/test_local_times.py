"""What machines say of times, in the time of who reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from holdfast.cli.local_times import in_local_time
from holdfast.cli.output import note


@pytest.fixture(autouse=True)
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as there:
        there.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("the oldest there is of 2026-07-01T02:03:04.567890Z; look", "the oldest there is of 2026-06-30 22:03:04; look"),
        ("it can be taken back until 2026-12-04 23:43 UTC: holdfast", "it can be taken back until 2026-12-04 18:43: holdfast"),
        ("since 2026-12-04T23:43:00+00:00", "since 2026-12-04 18:43:00"),
        ("vm/docs@2026-07-01T02:03:04.567890Z", "vm/docs@2026-07-01T02:03:04.567890Z"),
        ("`restore --at 2026-07-01T02:03:04Z` of 2026-07-01T02:03:04Z", "`restore --at 2026-07-01T02:03:04Z` of 2026-06-30 22:03:04"),
        ("/srv/2026-07-01 02:03 UTC", "/srv/2026-07-01 02:03 UTC"),
        ("9999-99-99 99:99 UTC", "9999-99-99 99:99 UTC"),
        ("the schedule is for 02:03 UTC", "the schedule is for 02:03 UTC"),
    ],
)
def test_times_in_sentences_are_local(told: str, read: str) -> None:
    assert in_local_time(told) == read


def test_remarks_and_errors_are_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    note("since 2026-07-01T02:03:04Z")
    assert capsys.readouterr().err == "since 2026-06-30 22:03:04\n"
