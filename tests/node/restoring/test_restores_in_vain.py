"""What a job says of a restore that brought back nothing, or not all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import OutsideLimits
from holdfast.core.ids import ActionId, JobId, PointId
from holdfast.model.jobs import Job, Progress, State
from holdfast.model.orders import RestoreRequest
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import MirrorAction, Receive, Rules
from holdfast.node.restoring.job import RestoreTask
from holdfast.operations.running import Cancellation
from holdfast.testing.node_rules import DOCUMENTS, FILES1, source_rules
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import VirtualClock
from tests.node.planning.test_scheduler import START


class Silent:
    def progress(self, progress: Progress) -> None:
        del progress


def restored(folder: Path, source: TreeSource, rules: Rules | None = None) -> Job:
    ask = AskRestore(point=PointId("1" * 32), request=RestoreRequest(target=str(folder / "back"), undo_for_s=0))
    job = Job(id=JobId("j" * 32), kind="restore", rule="back", node=FILES1, state=State.RUNNING, created_at=START)
    clock = VirtualClock(START)
    task = RestoreTask(home=folder / "home", rules=rules or source_rules(), ask=ask, job=job, news=Silent(), clock=clock)  # type: ignore[arg-type]
    return task.run(source, (), (), Cancellation())


def test_a_restore_of_which_nothing_came_is_failed_and_says_why(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("one", "two"):
        (tree / name).write_text(name)
    source = TreeSource(tree)
    chunks = [chunk.id for name in (b"/one", b"/two") for chunk in source.all[source.root + name].chunks]
    source.refused.add(chunks[0])
    assert restored(tmp_path, source).state is State.WARNINGS
    (tmp_path / "back" / str(tree)[1:] / "two").unlink()
    source.refused.add(chunks[1])
    job = restored(tmp_path, source)
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "repository-damaged"
    assert job.error.message.startswith("nothing was restored: ")
    assert job.tasks[0].error == job.error
    source.refused.clear()
    assert restored(tmp_path, source).state is State.SUCCEEDED


@pytest.mark.parametrize("place", ["back", "back/tree", "elsewhere"])
def test_a_restore_leaves_the_mirrors_of_its_machine_alone(tmp_path: Path, place: str) -> None:
    """A mirror takes what is restored into it for somebody's edits, and undoes them."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_text("one")
    source = TreeSource(tree)
    mirror = tmp_path / place if place != "back/tree" else tmp_path / "back" / str(tree)[1:]
    keeps = MirrorAction(id=ActionId("m"), targets=(("/srv/documents", str(mirror)),))
    receive = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(keeps,))
    rules = msgspec.structs.replace(source_rules(), receives=(receive,))
    if place == "elsewhere":
        assert restored(tmp_path, source, rules).state is State.SUCCEEDED
        return
    with pytest.raises(OutsideLimits, match="is the mirror of files1/documents"):
        restored(tmp_path, source, rules)
    assert not (mirror / "one").exists()
