"""What an archive run that was killed has left is put in order by the next run, whatever that brings."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.core.clock import utc
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.document import Classification
from holdfast.model.jobs import Job, State
from holdfast.model.rules import DatasetRule
from holdfast.node.bounds.limits import Limits
from holdfast.node.source.archiving import ArchivingHere
from holdfast.operations.archiving.book import ArchiveBook, Move
from holdfast.operations.following.claims import Claims
from holdfast.operations.run_order import RunOrder
from holdfast.testing.node_rules import FILES1


def rule(root: Path) -> DatasetRule:
    return DatasetRule(
        id=DatasetId(root.name), label=root.name, policy="p", classification=Classification(paths=(str(root),)), operations=()
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def left(home: Path, root: Path) -> Path:
    """A file that a killed run had given its private name."""
    root.mkdir()
    path, private = root / "old", root / ".holdfast-archive-1"
    private.write_bytes(b"kept")
    status = private.stat()
    with closing(ArchiveBook(home)) as book:
        book.begin([Move(os.fsencode(path), os.fsencode(private), os.fsencode(root), b"", status.st_dev, status.st_ino)])
    return path


def begun(home: Path) -> int:
    with closing(ArchiveBook(home)) as book:
        return len(book.begun())


def test_a_file_comes_back_also_where_no_rules_name_its_dataset_any_more_but_not_while_another_run_is_at_it(
    home: Path, tmp_path: Path
) -> None:
    mine, gone, busy = tmp_path / "mine", tmp_path / "gone", tmp_path / "busy"
    paths = [left(home, root) for root in (mine, gone, busy)]
    job = Job(id=JobId("j"), node=FILES1, kind="run", rule="", state=State.RUNNING, created_at=utc(0), cause="schedule")
    order = RunOrder(job=job, datasets=(rule(mine),), deliveries=(), operations={}, generation=1)
    claims = Claims()
    with claims.all_of([rule(mine)]):
        with claims.all_of([rule(busy)]):
            assert ArchivingHere(home, order, Limits()).settle(claims) == ()
        assert [path.exists() for path in paths] == [True, True, False]
        assert begun(home) == 1
        ArchivingHere(home, order, Limits()).settle(claims)
        assert [path.read_bytes() for path in paths] == [b"kept"] * 3
    with claims.free_of([rule(gone), rule(busy)]) as free:
        assert len(free) == 2
