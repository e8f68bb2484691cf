"""A scan of a dataset that keeps moments: it takes its time, and what it read last is of later than its commit says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock, now
from holdfast.model.gaps import GapReason
from holdfast.model.moments import AskMoments, Moments
from holdfast.operations import run_plan
from tests.dataflow.machines import World
from tests.dataflow.test_told_of_followed import followed


def test_the_time_of_a_long_scan_is_a_gap_of_the_moments(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_plan, "LONG_SCAN", timedelta(0))
    before = now(SystemClock())
    scene = followed(world, tmp_path / "tree", is_stored=True)
    answer = scene.vault.ask(AskMoments(dataset=scene.documents.label))
    assert isinstance(answer, Moments)
    (gap,) = answer.gaps
    assert (gap.reason, gap.path) == (GapReason.SCAN, bytes(scene.source))
    assert before <= gap.since == answer.moments[-1].time < gap.until


def test_a_short_scan_is_of_one_moment(world: World, tmp_path: Path) -> None:
    scene = followed(world, tmp_path / "tree", is_stored=True)
    answer = scene.vault.ask(AskMoments(dataset=scene.documents.label))
    assert isinstance(answer, Moments)
    assert answer.gaps == ()
