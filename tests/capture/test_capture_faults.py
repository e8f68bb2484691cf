"""The state on a disk that fails, fills up, forgets or goes at any step: no receiver is ahead of it, and the next run misses nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.capture import emission, ledger
from holdfast.capture.ports import Place
from holdfast.core.errors import HoldfastError, NoSpace, SourceError
from holdfast.core.ids import Epoch
from holdfast.model.change import Commit, Cursor
from holdfast.testing.capture_model import ModelReceiver
from holdfast.testing.faulty_disk import Fault, FaultyDisk, Gone, Step, full_from, trials
from holdfast.testing.small_disk import small_disk
from tests.capture.accounts_check import check_accounts
from tests.capture.conftest import SCRATCH, Machine

# Hundreds of small runs, on a machine that may have much else to do.
pytestmark = pytest.mark.timeout(600)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Scene:
    """A source, and two receivers of it: one stands at the first run, the other has nothing yet."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder)
        source = self.machine.source
        for name in ("a", "b", "c", "d/e", "d/f"):
            path = source / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode() * 2_000)
        self.first = self.machine.dataset()
        self.second = ModelReceiver(self.first.dataset)
        self.epochs: dict[ModelReceiver, Epoch] = {}
        self.accept = False
        self.places: tuple[Place, ...] | None = None
        self.run(self.first)
        self.machine.state.close()
        (source / "a").write_bytes(b"changed")
        (source / "b").unlink()
        shutil.rmtree(source / "d")
        (source / "new").write_bytes(b"new" * 3_000)

    def run(self, *receivers: ModelReceiver) -> None:
        """As a source run does it: each from its base, finished durably before any receiver commits, removals forgotten after all did."""
        state = self.machine.state
        with state.errors():
            for receiver in receivers:
                cursor = None if receiver.seq is None else Cursor(self.epochs[receiver], receiver.seq)
                assert not state.is_behind(cursor)
                receiver.seq = state.base_for(receiver.dataset, cursor)
            with forgotten_on_error(receivers):
                result = self.machine.run(*receivers, accept=self.accept, places=self.places)
                state.finish(Commit(dataset=receivers[0].dataset, epoch=state.epoch, seq=result.run, captured_at=START))
            self.epochs.update(dict.fromkeys(receivers, state.epoch))
            state.drop_tombstones(receivers[0].dataset, result.run)

    def look_only_where_something_changed(self) -> None:
        changed = (b"", b"/a", b"/b", b"/d", b"/new")
        self.places = tuple(Place(self.machine.root + name) for name in changed)

    def second_run(self) -> None:
        self.machine.open()
        try:
            self.run(self.first, self.second)
        finally:
            self.machine.state.close()


@contextmanager
def forgotten_on_error(receivers: Sequence[ModelReceiver]) -> Iterator[None]:
    """A commit that does not come about leaves each where it was."""
    before = [(receiver, receiver.seq, receiver.tree) for receiver in receivers]
    try:
        yield
    except BaseException:
        for receiver, seq, tree in before:
            receiver.seq, receiver.tree = seq, tree
        raise


@contextmanager
def scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        made = Scene(Path(folder))
        yield made
        made.machine.state.close()


@contextmanager
def first_scene() -> Iterator[Scene]:
    """One of which nothing is known yet."""
    with scene() as made:
        for path in made.machine.home.iterdir():
            path.unlink()
        made.first.seq = None
        yield made


def steps_of_a_run() -> list[Step]:
    with scene() as made, FaultyDisk(made.machine.home) as disk:
        made.second_run()
    return disk.steps


def survive(number: int, fault: Fault, *, places: bool = False) -> None:
    with scene() as made:
        machine = made.machine
        if places:
            made.look_only_where_something_changed()
        with FaultyDisk.with_fault(machine.home, number, fault, cut=Gone) as disk, suppress(HoldfastError):
            made.second_run()
        assert disk.fired
        machine.open()
        assert machine.state.findings == (), "the state counts as damaged"
        for receiver in (made.first, made.second):
            if receiver.seq is not None:
                assert machine.state.run >= receiver.seq
        made.run(made.first, made.second)
        for receiver in (made.first, made.second):
            assert made.machine.below(receiver) == machine.facts()
        assert machine.puts(made.first) <= 4
        check_accounts(machine.state.path)
        made.run(made.first, made.second)
        assert machine.puts(made.first) == 0


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small tree has several of each write."""
    monkeypatch.setattr(ledger, "_BATCH", 2)
    monkeypatch.setattr(emission, "ROWS_AT_ONCE", 2)


def test_every_fault_at_every_step_of_a_run() -> None:
    steps = steps_of_a_run()
    assert {step.path for step in steps} >= {"state.db", "state.db-wal", "state.db-verdicts"}
    for number, fault in trials(steps, every=True):
        survive(number, fault)


def test_faults_at_every_step_of_a_run_of_places() -> None:
    with scene() as made, FaultyDisk(made.machine.home) as disk:
        made.look_only_where_something_changed()
        made.second_run()
    # The number, the rows and the commit wait for the disk together.
    assert [step.path for step in disk.steps].count("state.db-wal") > 5
    for number, fault in {*trials(disk.steps, every=False), *((step.number, Fault.LOST) for step in disk.steps)}:
        survive(number, fault, places=True)


def test_every_fault_at_every_step_of_a_first_run() -> None:
    with first_scene() as made, FaultyDisk(made.machine.home) as disk:
        made.second_run()
    for number, fault in trials(disk.steps, every=True):
        with first_scene() as made:
            machine = made.machine
            with FaultyDisk.with_fault(machine.home, number, fault, cut=Gone) as disk, suppress(HoldfastError):
                made.second_run()
            assert disk.fired
            machine.open()
            assert machine.state.findings == (), (number, fault)
            made.run(made.first, made.second)
            assert machine.below(made.first) == machine.facts()
            made.run(made.first, made.second)
            assert machine.puts(made.first) == 0


def test_the_power_goes_after_a_run() -> None:
    for seed in (None, *range(8)):
        with scene() as made:
            with FaultyDisk(made.machine.home, forgets=True) as disk:
                made.machine.open()
                made.run(made.first, made.second)
                disk.plan = lambda step: Gone()
                made.machine.state.close()
            disk.lose(seed)
            made.machine.open()
            assert made.machine.state.run == made.first.seq == made.second.seq
            made.run(made.first, made.second)
            assert made.machine.puts(made.first) == 0
            assert made.machine.below(made.first) == made.machine.facts()


def test_a_disk_that_is_full_or_broken_is_told_as_such() -> None:
    steps = steps_of_a_run()
    for name in ("state.db-wal", "state.db-verdicts"):
        number = next(step.number for step in steps if step.path == name and step.verb == "write")
        with scene() as made:
            with FaultyDisk(made.machine.home, full_from(number)), pytest.raises(NoSpace):
                made.second_run()
            with FaultyDisk.with_fault(made.machine.home, number, Fault.BROKEN), pytest.raises(SourceError):
                made.second_run()


def test_a_real_disk_that_is_full(tmp_path: Path) -> None:
    """From too full to open anything to just enough: told as such, and all is captured when there is room."""
    told = 0
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        for free_bytes in range(0, 400_000, 24_576):
            with scene() as made:
                made.machine.state.close()
                shutil.copytree(made.machine.home, disk.place / "home")
                made.machine.home = disk.place / "home"
                disk.leave(free_bytes)
                try:
                    made.second_run()
                except NoSpace:
                    told += 1
                disk.relieve()
                made.machine.open()
                assert made.machine.state.findings == ()
                made.run(made.first, made.second)
                assert made.machine.below(made.first) == made.machine.below(made.second) == made.machine.facts()
                made.machine.state.close()
                shutil.rmtree(made.machine.home)
    assert 3 < told < 16
