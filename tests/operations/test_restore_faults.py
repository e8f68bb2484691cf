"""A restore to a disk that fails, fills up, forgets or goes at any step: no file is half in place, and the next run ends equal."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import HoldfastError, NoSpace
from holdfast.host.compare import compare_trees
from holdfast.host.tree_writer import writer
from holdfast.host.tree_writer.leftovers import PREFIX
from holdfast.model.entry import Kind
from holdfast.model.orders import RestoreRequest
from holdfast.operations.restore import RestoreResult, restore
from holdfast.testing.faulty_disk import Fault, FaultyDisk, Gone, bursts, full_from, trials
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource

# Hundreds of small runs, on a machine that may have much else to do.
pytestmark = pytest.mark.timeout(600)
SCRATCH = "/dev/shm" if os.path.isdir("/dev/shm") else None


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> TreeSource:
    """Everything a tree can hold, and a file that is written in several pieces."""
    folder = tmp_path_factory.mktemp("restore") / "source"
    build_odd_tree(folder)
    (folder / "large").write_bytes(os.urandom(5 << 20))
    return TreeSource(folder, chunk_bytes=1 << 20)


@pytest.fixture(autouse=True)
def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary names say which process made them; what one that is gone has left is cleared away by the next."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True, text=True, timeout=60)
    monkeypatch.setattr(writer, "temp_prefix", lambda: b"%b%d-" % (PREFIX, int(gone.stdout)))


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        (Path(folder) / "disk").mkdir()
        yield Path(folder) / "disk"


def run(source: TreeSource, target: Path) -> RestoreResult:
    request = RestoreRequest(target=str(target))
    return restore(source, request, (), clock=SystemClock(), check_write=lambda path: None, writers=0)


def assert_equal(source: TreeSource, target: Path) -> None:
    below = os.fsencode(target) + source.root
    assert [str(found) for found in compare_trees(source.root, below)] == []
    assert list(target.rglob(".holdfast-tmp-*")) == []


def assert_whole(source: TreeSource, target: Path) -> None:
    """What has its name has its content."""
    for path, entry in source.all.items():
        there = Path(os.fsdecode(os.fsencode(target) + path))
        if entry.kind is Kind.FILE and there.is_file():
            assert there.read_bytes() == b"".join(source.chunks[ref.id] for ref in entry.chunks), path


def survive(source: TreeSource, number: int, fault: Fault) -> None:
    with place() as target:
        with FaultyDisk.with_fault(target, number, fault, cut=Gone) as disk, suppress(HoldfastError):
            result = run(source, target)
            # Which of the files failed is told; a disk that is gone has said so, unless only cleaning up was left.
            assert result.failed or result.findings
        assert disk.fired
        if fault not in (Fault.LOST, Fault.TORN):
            assert_whole(source, target)
        again = run(source, target)
        assert (again.failed, again.findings) == (0, ())
        assert_equal(source, target)


def test_a_fault_at_any_step(source: TreeSource) -> None:
    with place() as target, FaultyDisk(target) as disk:
        run(source, target)
    assert {"create", "write", "grow", "rename", "link", "mkdir", "make", "dress", "sync-all"} <= {step.verb for step in disk.steps}
    chosen = set(bursts(disk.steps))
    some = [step for step in disk.steps if step.number in chosen and (step.verb != "dress" or not step.number % 4)]
    for number, fault in trials(some, every=False):
        survive(source, number, fault)


@pytest.mark.big
@pytest.mark.timeout(1800)
def test_every_fault_at_every_step(source: TreeSource) -> None:
    with place() as target, FaultyDisk(target) as disk:
        run(source, target)
    for number, fault in trials(disk.steps, every=True):
        survive(source, number, fault)


def test_what_a_restore_says_is_there_outlives_the_power(source: TreeSource) -> None:
    for seed in (None, 1, 2):
        with place() as target:
            with FaultyDisk(target, forgets=True) as disk:
                assert run(source, target).failed == 0
            disk.lose(seed)
            assert_equal(source, target)


def test_a_disk_that_fills_up_ends_the_restore(source: TreeSource) -> None:
    with place() as target, FaultyDisk(target, full_from(30)), pytest.raises(NoSpace):
        run(source, target)
