"""What reports reckon, against slow and obvious ways to reckon it."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.master.reports.coverage import folder_cover
from holdfast.master.reports.promises import Kept, judge
from holdfast.model.forecast import line_through
from holdfast.model.reports import Column, EnvironmentReport, Table, as_csv, as_html
from holdfast.model.rules import OperationRule

AT = datetime(2026, 1, 2, 0, 0, tzinfo=UTC)
HOURLY = OperationRule(name="backup", kind="backup", every_s=3600)
ALLOWED_MIN = 66


def minute(number: float) -> datetime:
    return AT + timedelta(minutes=number)


def runs(*pairs: tuple[float, float]) -> list[Kept]:
    return [Kept(captured_at=minute(captured), acknowledged_at=minute(acknowledged)) for captured, acknowledged in pairs]


def test_a_promise_that_is_kept_has_no_misses() -> None:
    found = judge(HOURLY, runs(*((n * 60, n * 60 + 3) for n in range(25))), minute(10), minute(24 * 60))
    assert (found.ratio, found.misses) == (1.0, ())


def test_a_late_run_is_a_miss_from_its_deadline_to_its_end() -> None:
    found = judge(HOURLY, runs((0, 5), (120, 130)), minute(0), minute(140))
    assert [(miss.since, miss.until) for miss in found.misses] == [(minute(ALLOWED_MIN), minute(130))]
    assert found.ratio == pytest.approx(1 - 64 / 135)


def test_what_is_still_missing_counts_to_the_end_and_what_was_before_the_first_run_does_not() -> None:
    found = judge(HOURLY, runs((100, 110)), minute(0), minute(300))
    assert [(miss.since, miss.until) for miss in found.misses] == [(minute(100 + ALLOWED_MIN), minute(300))]
    assert found.judged_s == 190 * 60
    assert judge(HOURLY, [], minute(0), minute(300)).ratio is None


@given(
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 200)), min_size=1, max_size=12), st.integers(0, 500), st.integers(501, 1_400)
)
def test_judging_agrees_with_asking_at_every_minute(pairs: list[tuple[int, int]], since: int, until: int) -> None:
    kept = runs(*((captured, captured + took) for captured, took in pairs))
    found = judge(HOURLY, kept, minute(since), minute(until))
    first = min(run.acknowledged_at for run in kept)
    asked = [minute(m + 0.5) for m in range(since, until) if minute(m) >= first]

    def is_missed(moment: datetime) -> bool:
        newest = max(run.captured_at for run in kept if run.acknowledged_at <= moment)
        return moment > newest + timedelta(minutes=ALLOWED_MIN)

    slow = sum(is_missed(moment) for moment in asked)
    assert sum((miss.until - miss.since).total_seconds() for miss in found.misses) / 60 == pytest.approx(slow)


def test_a_straight_line_is_found_with_no_doubt_and_a_noisy_one_with_some() -> None:
    straight = line_through([(AT + timedelta(days=day), 1_000.0 + 10 * day) for day in range(20)])
    assert straight is not None
    assert straight.bytes_a_day == pytest.approx(10)
    assert straight.at(40).expected == pytest.approx(1_400)
    assert straight.at(40).high - straight.at(40).low < 1e-3
    noisy = line_through([(AT + timedelta(days=day), 1_000.0 + 10 * day + 50 * (-1) ** day) for day in range(20)])
    assert noisy is not None
    near, far = noisy.at(20), noisy.at(365)
    assert near.low < 1_200 < near.high
    assert far.high - far.low > near.high - near.low
    assert near.low >= 0


def test_the_span_is_that_of_a_text_book() -> None:
    """y = x with residuals 1, -2, 1, 0, 1, -2, 1: the values by the formula, with t(0.975, 5) = 2.5706 from a table."""
    rests = (1, -2, 1, 0, 1, -2, 1)
    line = line_through([(AT + timedelta(days=2 * day), 100.0 + 2 * day + rest) for day, rest in enumerate(rests)])
    assert line is not None
    deviation = math.sqrt(sum(rest**2 for rest in rests) / 5)
    half = 2.5706 * deviation * math.sqrt(1 + 1 / 7)
    assert line.at(6).high - line.at(6).expected == pytest.approx(half, rel=1e-3)


@pytest.mark.parametrize("days", [[0, 1, 2], [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]])
def test_too_little_history_is_said(days: list[float]) -> None:
    assert line_through([(AT + timedelta(days=day), 1.0) for day in days]) is None


def test_folders_are_covered_by_what_is_above_and_in_part_by_what_is_below() -> None:
    found = folder_cover(["/srv", "/home", "/etc", "/usr", "/srv2"], ["/srv/documents", "/home/"])
    assert {row.folder: row.protected for row in found} == {"/srv": "in part", "/home": "yes", "/etc": "no", "/srv2": "no"}
    assert all(row.protected == "yes" for row in folder_cover(["/etc", "/srv"], ["/"]))


NAMES = ("<script>alert(1)</script>", '=HYPERLINK("http://x")', 'a"b,c', "line\nbreak", "\ud800")


def a_report(*names: str) -> EnvironmentReport:
    columns = (Column(name="Dataset"), Column(name="Stored", unit="bytes"), Column(name="Met", unit="ratio"))
    table = Table(title="T", columns=columns, rows=tuple((name, 2048, None) for name in names))
    return EnvironmentReport(kind="rpo", title="R", environment="<b>", since=AT, until=AT, summary="s", tables=(table, table))


def test_a_page_holds_names_as_text_and_needs_nothing_else() -> None:
    page = as_html(a_report(*NAMES))
    assert "<script" not in page
    assert "<b>" not in page
    assert not re.search(r"(src|href)=", page)
    assert "2.0 KiB" in page or "2 KiB" in page
    page.encode()


def test_tables_come_back_from_csv_and_hold_no_formulas() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(a_report(*NAMES[:4])))))
    assert rows[:2] == [["T"], ["Dataset", "Stored", "Met"]]
    assert [row[0] for row in rows[2:6]] == [NAMES[0], f"'{NAMES[1]}", NAMES[2], NAMES[3]]
    assert rows[2][1:] == ["2048", ""]
    assert rows[6] == []


def test_a_report_comes_back_from_json() -> None:
    made = a_report("a")
    assert msgspec.json.decode(msgspec.json.encode(made), type=EnvironmentReport) == made
