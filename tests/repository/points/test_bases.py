"""Which heads stay as bases, and which logs are joined or go: pure plans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.repository.catalog.moment_table import BaseRow, LogRow
from holdfast.repository.continuous.log_keeping import plan_logs
from holdfast.repository.points.bases import Bases, plan_bases

MINUTE, HOUR, DAY = 60 * 10**9, 3_600 * 10**9, 86_400 * 10**9
NOW = 100 * DAY
minutes = st.lists(st.integers(0, 3 * 24 * 60), max_size=60).map(sorted)


def head(ordinal: int, ago_ns: int, *, is_told: bool = True, is_built_on: bool = True) -> BaseRow:
    return BaseRow(b"%d" % ordinal, ordinal, ordinal, NOW - ago_ns, is_told, is_built_on)


@given(minutes)
def test_every_moment_of_the_window_has_a_base_not_far_before_it(found: list[int]) -> None:
    heads = [head(number, 3 * DAY - minute * MINUTE) for number, minute in enumerate(found, 1)]
    bases = plan_bases(heads, 86_400.0, NOW)
    kept = [each for each in heads if each.id in bases.keep]
    for each in heads:
        if each.captured_ns >= NOW - DAY:
            before = [base for base in kept if base.ordinal <= each.ordinal]
            assert before
            # Of those between none is needed for it: they lie within an hour of their base.
            assert each.captured_ns - before[-1].captured_ns < HOUR or before[-1].ordinal == each.ordinal
    assert len(kept) <= 26
    assert all(base.ordinal >= bases.first_ordinal for base in kept)


@given(minutes, st.lists(st.integers(0, 200 * DAY), min_size=60, max_size=60))
def test_no_source_has_its_moments_let_go_by_what_it_says_of_the_time(found: list[int], said: list[int]) -> None:
    heads = [head(number, 20 * MINUTE - minute) for number, minute in enumerate(found, 1)]
    honest = plan_bases(heads, 86_400.0, NOW)
    assert honest.first_ordinal == 0
    count = len(heads)
    rogue = [BaseRow(b"r%d" % number, count + number, count + number, said[number], True, True) for number in range(60)]
    bases = plan_bases([*heads, *rogue], 86_400.0, NOW)
    assert honest.keep <= bases.keep
    assert bases.first_ordinal == 0 or not heads


def test_what_is_written_down_nowhere_stays_while_it_is_needed() -> None:
    heads = [
        head(1, 26 * HOUR),
        head(2, 25 * HOUR),
        head(3, 25 * HOUR - MINUTE, is_told=False),
        head(4, 25 * HOUR - 2 * MINUTE, is_told=False, is_built_on=False),
        head(5, 2 * HOUR),
        head(6, 2 * HOUR - MINUTE, is_told=False, is_built_on=False),
        head(7, 2 * HOUR - 2 * MINUTE),
    ]
    assert plan_bases(heads, 86_400.0, NOW) == Bases(frozenset({b"3", b"5", b"6"}), 3)


def test_of_a_wide_window_bases_do_not_become_many() -> None:
    heads = [head(number, 90 * DAY - number * HOUR) for number in range(1, 90 * 24)]
    assert len(plan_bases(heads, 90 * 86_400.0, NOW).keep) <= 170


def log(first: int, last: int, ago_ns: int) -> LogRow:
    return LogRow(b"%d-%d" % (first, last), first, last, NOW - ago_ns, b"")


def test_hours_are_joined_when_they_are_over_and_days_where_many_are_kept() -> None:
    now_ns = NOW + 30 * MINUTE
    logs = [log(number, number, 3 * HOUR - number * 10 * MINUTE) for number in range(1, 20)]
    plan = plan_logs(logs, 2, 86_400.0, now_ns)
    assert [each.last for each in plan.going] == [1, 2]
    assert [(group[0].first, group[-1].last) for group in plan.joined] == [(3, 5), (6, 11), (12, 17)]
    days = [log(number, number, 3 * DAY - number * HOUR) for number in range(1, 72)]
    assert [(group[0].first, group[-1].last) for group in plan_logs(days, 0, 7 * 86_400.0, NOW + HOUR).joined] == [
        (1, 23),
        (24, 47),
        (48, 71),
    ]
    assert plan_logs(days, 0, 2 * 86_400.0, NOW + HOUR).joined == ()
