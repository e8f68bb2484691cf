"""A restore in place, `/`, on a machine whose root lets it write only where the data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.core.errors import OutsideLimits
from holdfast.core.ids import JobId, PointId
from holdfast.model.jobs import Job, Progress, State
from holdfast.model.orders import RestoreRequest
from holdfast.model.restoring import AskRestore, AskUndo
from holdfast.node.bounds.limits import load_limits
from holdfast.node.bounds.restores import restore_bounds
from holdfast.node.restoring.job import RestoreTask
from holdfast.node.restoring.undo import UndoTask
from holdfast.operations.running import Cancellation
from holdfast.testing.node_rules import FILES1, source_rules
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import VirtualClock
from tests.node.planning.test_scheduler import START

RESTORE, UNDO = JobId("a" * 32), JobId("b" * 32)


class Silent:
    def progress(self, progress: Progress) -> None:
        del progress


class Place:
    """A folder that was captured as it is, on a machine with these limits."""

    def __init__(self, folder: Path, write: str) -> None:
        self.home, self.data = folder / "home", folder / "srv" / "documents"
        self.home.mkdir()
        (self.home / "limits.toml").write_text(f'read = ["/"]\nwrite = ["{write}"]\n')
        (self.data / "letters").mkdir(parents=True)
        (self.data / "letters" / "one").write_text("one")
        (self.data / "two").write_text("two")
        self.source = TreeSource(self.data)

    def restored(self) -> Job:
        ask = AskRestore(point=PointId("1" * 32), request=RestoreRequest(target="/"))
        job = Job(id=RESTORE, kind="restore", rule="back", node=FILES1, state=State.RUNNING, created_at=START)
        task = RestoreTask(home=self.home, rules=source_rules(), ask=ask, job=job, news=Silent(), clock=VirtualClock(START))  # type: ignore[arg-type]
        return task.run(self.source, (), (os.fsencode(self.data),), Cancellation())

    def taken_back(self) -> Job:
        job = Job(id=UNDO, kind="undo", rule="back", node=FILES1, state=State.RUNNING, created_at=START)
        task = UndoTask(
            home=self.home,
            rules=source_rules(),
            ask=AskUndo(job=RESTORE),
            job=job,
            news=Silent(),  # type: ignore[arg-type]
            clock=VirtualClock(START),
        )
        return task.run(Cancellation())


def test_it_needs_no_more_than_the_folder_that_it_writes_and_can_be_taken_back(tmp_path: Path) -> None:
    place = Place(tmp_path, str(tmp_path / "srv" / "documents"))
    restore_bounds(load_limits(place.home), source_rules()).check_target("/")
    (place.data / "two").write_text("changed")
    (place.data / "letters" / "one").unlink()
    assert place.restored().state is State.SUCCEEDED
    assert (place.data / "two").read_text() == "two"
    assert (place.data / "letters" / "one").read_text() == "one"
    job = place.taken_back()
    assert (job.state, job.findings_total) == (State.SUCCEEDED, 1)
    assert (place.data / "two").read_text() == "changed"
    assert not (place.data / "letters" / "one").exists()
    assert sorted(path.name for path in place.data.iterdir()) == ["letters", "two"]


def test_what_lies_elsewhere_is_refused_all_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path, "/nowhere")
    bounds = restore_bounds(load_limits(place.home), source_rules())
    with pytest.raises(OutsideLimits):
        bounds.check_target("/srv")
    bounds.check_target("/")
    (place.data / "two").write_text("changed")
    with pytest.raises(OutsideLimits):
        place.restored()
    assert (place.data / "two").read_text() == "changed"


def test_a_target_that_is_not_there_is_made_only_where_it_may_be(tmp_path: Path) -> None:
    place = Place(tmp_path, str(tmp_path / "new" / "deep"))
    bounds = restore_bounds(load_limits(place.home), source_rules())
    bounds.check_target(tmp_path / "new" / "deep" / "er")
    with pytest.raises(OutsideLimits):
        bounds.check_target(tmp_path / "new")
