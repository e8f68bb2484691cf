"""A receiver whose line takes connections and answers nothing, as one does that drops packets: who else is to have what changes has it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock, now
from holdfast.model.gaps import GapReason
from holdfast.model.moments import AskMoments, Moments
from holdfast.operations import run_plan
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import Machine, World
from tests.dataflow.scene import Office
from tests.dataflow.test_told_of_followed import followed, told


@contextmanager
def deaf(machine: Machine) -> Iterator[None]:
    """In its place."""
    machine.stop()
    with socket.create_server(("127.0.0.1", machine.port)):
        yield
    machine.start()


def moments_of(scene: Office) -> Moments:
    answer = scene.vault.ask(AskMoments(dataset=scene.documents.label))
    assert isinstance(answer, Moments)
    return answer


def test_what_came_and_went_while_another_receiver_was_deaf_is_in_a_moment(world: World, tmp_path: Path) -> None:
    scene = followed(world, tmp_path / "tree", is_stored=True)
    mirrored, before = scene.mirror_action.id, len(moments_of(scene).moments)
    with deaf(scene.dr):
        (scene.source / "brief").write_bytes(b"it comes and goes")
        # A connection is given up after ten seconds.
        wait_for(lambda: len(moments_of(scene).moments) > before, 8)
        (scene.source / "brief").unlink()
        wait_for(lambda: len(moments_of(scene).moments) > before + 1, 8)
        assert moments_of(scene).gaps == ()
        (scene.source / "last").write_bytes(b"there")
    wait_for(lambda: told(scene, mirrored) == ["", "not-reachable", ""], 60)
    wait_for(lambda: (scene.copy / "last").exists() and not (scene.copy / "brief").exists(), 30)


def test_the_time_for_which_nobody_looked_is_a_gap_of_the_moments(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = followed(world, tmp_path / "tree", is_stored=True)
    monkeypatch.setattr(run_plan, "LATE", timedelta(0))
    before = now(SystemClock())
    (scene.source / "letter").write_bytes(b"changed")
    wait_for(lambda: moments_of(scene).gaps)
    (gap,), moments = moments_of(scene).gaps, moments_of(scene).moments
    assert (gap.reason, gap.path) == (GapReason.LATE, bytes(scene.source))
    assert before < gap.since < gap.until
    assert gap.until in {moment.time for moment in moments}
