"""A document simulated: runs, points, what retention would leave, and RPOs that cannot be met, from its text."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.model.keep_preview import preview_keep
from holdfast.model.simulation import SimulatedLine, Simulation, simulate
from tests.compiler.test_samples import SAMPLES, check_sample, samples

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def simulated(text: str, days: int = 30) -> Simulation:
    compilation = check_sample(text).compilation
    assert compilation is not None
    return simulate(compilation.rules, START, START + timedelta(days=days))


def line(found: Simulation, operation: str, receiver: str) -> SimulatedLine:
    (only,) = (each for each in found.lines if f"{each.policy}/{each.operation}" == operation and each.receiver.startswith(receiver))
    return only


@pytest.mark.parametrize("path", samples("valid"), ids=lambda path: path.stem)
def test_every_valid_sample_can_be_simulated(path: object) -> None:
    found = simulated((SAMPLES / "valid" / getattr(path, "name", "")).read_text(), days=7)
    assert all(each.kept <= each.points for each in found.lines)
    assert all(START <= run.at < found.until for run in found.upcoming)


def test_a_cascade_gets_every_point_and_keeps_what_it_says() -> None:
    found = simulated((SAMPLES / "valid" / "cascade.yaml").read_text())
    near, far = line(found, "documents/backup", "store main"), line(found, "documents/backup", "store offsite")
    assert (near.runs, near.points, far.points) == (720, 720, 720)
    assert 0 < far.kept < near.kept
    assert found.unmet == ()


def test_what_is_kept_is_what_the_calendar_of_keep_rules_says() -> None:
    text = NIGHTLY.format(backup="at: ['02:00'], keep: {daily: 7, weekly: 3}", schedules="")
    compilation = check_sample(text).compilation
    assert compilation is not None
    found = simulated(text)
    keep = next(action.operations[0].keep for rules in compilation.rules.values() for r in rules.receives for action in r.actions)  # type: ignore[union-attr]
    preview = preview_keep(keep, None, ("02:00",), "UTC", since=START, until=found.until)
    assert line(found, "documents/backup", "store").kept == preview.kept_total
    assert line(found, "documents/backup", "store").oldest == preview.kept[-1].time


NIGHTLY = """
environment: office
nodes: {{files1: {{}}, vault: {{}}}}
schedules: {{{schedules}}}
repositories: {{main: {{node: vault, location: /srv/holdfast/main}}}}
policies:
  documents:
    classification: {{paths: [/srv/documents]}}
    operations:
      backup: {{{backup}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""


@pytest.mark.parametrize(
    ("schedule", "reason", "longest_s"),
    [
        ("windows: ['22:00-06:00']", "window", 18 * 3600),
        ("exclude: ['sat 00:00-12:00']", "exclusion", 12 * 3600 + 3600),
        ("windows: ['day 31 00:00-01:00']", "never", 10 * 86_400),
    ],
)
def test_an_rpo_that_cannot_be_met_is_said_with_when_and_why(schedule: str, reason: str, longest_s: float) -> None:
    text = NIGHTLY.format(backup="every: 1h, schedule: nights, keep: {daily: 7}", schedules=f"nights: {{{schedule}}}")
    found = simulated(text, days=3 if reason == "exclusion" else 4 if reason == "never" else 10)
    (unmet,) = found.unmet
    assert unmet.reason == reason
    assert unmet.every_s == 3600
    if reason != "never":
        assert 3600 < unmet.longest_s <= longest_s
    assert START <= unmet.begin < unmet.end <= found.until


def test_an_rpo_that_is_met_is_not_said() -> None:
    text = NIGHTLY.format(backup="every: 1d, schedule: nights, keep: {daily: 7}", schedules="nights: {windows: ['10:00-14:00']}")
    assert simulated(text).unmet == ()


def test_a_thousand_datasets_are_a_matter_of_seconds() -> None:
    machines = ", ".join(f"n{number}: {{}}" for number in range(1_000))
    names = ", ".join(f"n{number}" for number in range(1_000))
    text = f"""
environment: office
nodes: {{vault: {{}}, {machines}}}
groups: {{all: {{nodes: [{names}]}}}}
repositories: {{main: {{node: vault, location: /srv/holdfast/main}}}}
policies:
  documents:
    classification: {{paths: [/srv/documents]}}
    operations:
      backup: {{every: 1h, schedule: {{windows: ['mon-fri 20:00-08:00', 'sat,sun'], jitter: 30m}}, keep: {{hourly: 24, daily: 30}}}}
flows:
  office:
    vertices: {{files: {{group: all, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""
    compilation = check_sample(text).compilation
    assert compilation is not None
    started_s = time.process_time()
    found = simulate(compilation.rules, START, START + timedelta(days=30))
    assert time.process_time() - started_s < 3
    assert line(found, "documents/backup", "store").datasets == 1_000
