"""A repository that has as many jobs as it takes: the others go on, and this one gets the newest when there is a place."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import NodeId
from holdfast.model.jobs import State
from holdfast.model.rules import Receive
from holdfast.node.store.worker import StoreWorker
from holdfast.wire.data_messages import Open
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, office
from tests.dataflow.trees import differences


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def test_who_finds_no_place_has_done_nothing_wrong(scene: Office) -> None:
    scene.plans["vault"].repositories[:] = [msgspec.structs.replace(scene.main, parallel_jobs=1)]
    scene.activate()
    assert_good(scene.run())
    store = scene.vault.store
    assert isinstance(store, StoreWorker)
    other = Receive(dataset=scene.documents.id, label="another", sender=NodeId("9" * 32), actions=())
    give_back = store._repositories.delivering.take(scene.main.id, other, "another")
    (scene.source / "during").write_bytes(b"x" * 300_000)
    job = scene.run()
    assert_good(job)
    assert [(task.receiver, task.state, task.error.code if task.error else "") for task in job.tasks] == [
        ("", State.SUCCEEDED, ""),
        ("vault", State.PAUSED, "repository-busy"),
        ("dr", State.SUCCEEDED, ""),
    ]
    assert differences(scene.source, scene.copy) == []
    (status,) = store._repositories.statuses()
    assert (status.parallel_jobs, status.delivering, status.points) == (1, 1, 1)
    assert ([each.node for each in status.holders], [each.node for each in status.waiting]) == (["another"], ["files1"])
    give_back()
    assert_good(scene.run(catch_up=True))
    assert [(each.delivering, each.points) for each in store._repositories.statuses()] == [(0, 2)]
    assert_restic_clean(scene.vault, scene.main)
    # A repository that cannot be opened holds no place, however long the session goes on with other actions.
    store._repositories.configure(())
    with ExitStack() as places:
        opening = Open(dataset=scene.documents.id, actions=(scene.store_action.id,), generation=1)
        opened = store._sessions._open_actions(scene.files1.id, opening, places)
        assert [state.error.code for state in opened.unavailable if state.error] == ["unknown-name"]
        assert store._repositories.delivering.told(scene.main.id).delivering == 0
