"""The judgement of windows: what is usual raises nothing, what was never seen does, and nothing hides it."""

from __future__ import annotations

import os
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId
from holdfast.model.anomalies import (
    Anomaly,
    AnomalyKind,
    AnomalyState,
    Suspicion,
    Window,
    held_until,
    is_suspect,
    judge,
    last_clean,
    trailing,
    usual_of,
)
from holdfast.model.file_types import is_noise, is_telling

START = datetime(2026, 1, 1, tzinfo=UTC)
counts = st.integers(0, 5_000)


def windows(*encrypted: int, files: int = 1_000, minutes: float = 1.0, changed: int | None = None) -> list[Window]:
    return [
        Window(at=START + timedelta(minutes=minutes * n), files=files, changed=changed if changed is not None else each, encrypted=each)
        for n, each in enumerate(encrypted)
    ]


@given(changed=st.lists(counts, max_size=40), added=counts, minutes=st.floats(0.1, 600))
def test_any_rate_of_change_alone_raises_nothing(changed: list[int], added: int, minutes: float) -> None:
    history = [Window(at=START + timedelta(minutes=minutes * n), files=1_000, changed=each, added=added) for n, each in enumerate(changed)]
    assert judge(history) == ()


@given(history=st.lists(st.just(0), max_size=60), files=st.integers(20, 100_000))
def test_five_percent_is_told_whatever_the_size_and_with_no_history(history: list[int], files: int) -> None:
    rate = max(1, round(files * 0.05))
    both = windows(*history, rate, rate, files=files)
    early = judge(both[:-1])
    late = judge(both)
    told = early or late
    if 2 * rate >= 4:
        assert [signal.kind for signal in told] == [AnomalyKind.ENCRYPTED]


@given(level=st.integers(1, 200), size=st.integers(30, 100))
def test_what_is_usual_for_a_dataset_is_none(level: int, size: int) -> None:
    """A folder of encrypted containers that are written each hour."""
    assert judge(windows(*[level] * size, minutes=60)) == ()
    assert judge(windows(*[level] * size, level * 4 + 100, minutes=60))


@given(history=st.lists(counts, min_size=1, max_size=50))
def test_the_usual_is_never_below_what_was(history: list[int]) -> None:
    assert usual_of(history) >= max(history)


def test_few_among_many_changes_are_not_told_and_many_are() -> None:
    assert judge(windows(12, changed=1_000)) == ()
    assert judge(windows(60, changed=1_000))


def test_slow_destruction_adds_up_and_names_its_beginning() -> None:
    (signal,) = judge(windows(0, 0, 4, 4, 4, files=1_000))
    assert (signal.count, signal.windows) == (12, 3)
    assert trailing(windows(*[0] * 30)) == 10


def test_renames_and_removals_wait_for_a_history() -> None:
    def after(count: int) -> list[Window]:
        return [*windows(*[0] * count, minutes=20), Window(at=START + timedelta(days=1), files=1_000, removed=900, renamed=500)]

    assert judge(after(3)) == ()
    assert {signal.kind for signal in judge(after(8))} == {AnomalyKind.RENAMED, AnomalyKind.REMOVED}


def anomaly(identity: str, hour: int, state: AnomalyState = AnomalyState.OPEN) -> Anomaly:
    at = START + timedelta(hours=hour)
    clean = at - timedelta(minutes=1)
    return Anomaly(
        id=identity, dataset="files1/a", dataset_id=DatasetId("d"), repository="main", found_at=at, clean_at=clean, since=at, state=state
    )


def test_the_last_clean_moment() -> None:
    first, second = anomaly("a", 1), anomaly("b", 5)
    assert last_clean([second, first], "files1/a") == first.clean_at
    judged = [anomaly("a", 1, AnomalyState.CONFIRMED), anomaly("b", 5, AnomalyState.CONFIRMED), anomaly("c", 9, AnomalyState.DISMISSED)]
    assert last_clean(judged, "d") == second.clean_at
    with pytest.raises(UnknownName):
        last_clean([], "files1/a")


@given(at=st.integers(0, 20), since=st.integers(0, 20), hold=st.integers(0, 20))
def test_a_state_is_suspect_or_held_and_never_both(at: int, since: int, hold: int) -> None:
    moment, begin = START + timedelta(hours=at), START + timedelta(hours=since)
    suspicion = Suspicion(id="a", since=begin, hold_until=START + timedelta(hours=hold))
    assert not (is_suspect([suspicion], moment) and held_until([suspicion], moment))
    dismissed = Suspicion(id="a", since=begin, hold_until=START + timedelta(hours=hold), state=AnomalyState.DISMISSED)
    assert not is_suspect([dismissed], moment)
    assert held_until([dismissed], moment) is None


@given(size=st.integers(0, 3_000))
def test_noise_is_no_text_and_no_known_type(size: int) -> None:
    noise = b"\x00" + os.urandom(size)
    assert not (is_noise(noise) and is_telling(noise))
    assert not is_noise(b"text and more text " * 200)
    assert not is_noise(zlib.compress(os.urandom(5_000)))
    assert is_telling(b"\xff\xd8\xff" + os.urandom(5_000))
    assert is_noise(b"\x00" + os.urandom(5_000))
