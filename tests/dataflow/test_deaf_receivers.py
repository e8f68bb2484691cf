"""A receiver whose line takes connections and answers nothing, as one does that drops packets: who else is to have what changes has it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.model.moments import AskMoments, Moments
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
        (scene.source / "first").write_bytes(b"somebody has to be connected for it")
        time.sleep(0.5)
        (scene.source / "brief").write_bytes(b"there for five seconds")
        time.sleep(5)
        (scene.source / "brief").unlink()
        wait_for(lambda: told(scene, mirrored) == ["", "not-reachable"], 30)
        wait_for(lambda: len(moments_of(scene).moments) >= before + 3, 30)
        assert moments_of(scene).gaps == ()
    wait_for(lambda: told(scene, mirrored) == ["", "not-reachable", ""], 60)
    wait_for(lambda: (scene.copy / "first").exists() and not (scene.copy / "brief").exists(), 30)
