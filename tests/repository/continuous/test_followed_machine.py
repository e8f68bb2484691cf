"""Followed datasets against dictionaries: whatever happens in whatever order, every moment of the window is what it was.

Sources send held commits, points, full and large ones; time passes, owners are killed or lose their catalogs, people forget points, prunes
and rebuilds run, stock restic prunes. Each example ends in both checks of every byte, before and after a prune of all that is needless.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.core.clock import now
from holdfast.core.ids import DatasetId, Epoch
from holdfast.model import rules
from holdfast.model.entry import Entry, display_path
from holdfast.model.listing_questions import AskListing
from holdfast.model.point_changes import Forget
from holdfast.repository import log_files, splices, tree_builder
from holdfast.repository.continuous import small_commit
from holdfast.repository.points import receiving
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.testing.repository_scene import RepositoryScene
from tests.repository.followed import FollowedSource, read_all
from tests.repository.machine_runs import run_steps

WINDOW_S = 6 * 3_600.0
FOLLOWING = (
    rules.StoredOperation(name="cdp", kind="cdp", within_s=WINDOW_S),
    rules.StoredOperation(name="version", kind="version", last=3),
)
PLACES = [b"/data/a", b"/data/b", b"/data/sub", b"/data/sub/a", b"/data/sub/b", b"/data/sub/deep", b"/data/sub/deep/a", b"/data/b/c"]
KINDS = ("write", "write", "image", "image", "large", "folder", "remove")
edits = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, len(PLACES) - 1), st.integers(0, 5)), min_size=0, max_size=5)
numbers = st.integers(0, 1)
picks = st.integers(0, 1 << 20)
ALL = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))


@dataclass
class Modelled:
    source: FollowedSource
    states: list[tuple[datetime, dict[bytes, Entry]]] = field(default_factory=list)
    epochs: int = 1

    def edit(self, some: list[tuple[str, int, int]]) -> None:
        tree = self.source.tree
        for kind, place, content in some:
            path = PLACES[place]
            parent = path[: path.rfind(b"/")]
            if parent not in tree or tree[parent].chunks or tree[parent].size_bytes or tree[parent].kind.value != "dir":
                continue
            if kind == "remove":
                self.source.remove(path)
            elif kind == "folder":
                if path not in tree or tree[path].kind.value != "dir":
                    self.source.remove(path)
                    self.source.folder(path)
            else:
                self.source.remove(path)
                self.source.write(
                    path, *([b"content %d" % content] if kind == "write" else [b"%d" % content * 400, b"x%d" % content * 300])
                )


class FollowedMachine(RuleBasedStateMachine):
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        fast = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-followed-", dir=fast if fast.is_dir() else None))
        self.scene = RepositoryScene(self.folder)
        self.scene.create()
        self.repository = self.scene.open()
        self.sets = [Modelled(FollowedSource(self.scene, FOLLOWING, DatasetId(f"{number}" * 32))) for number in (1, 2)]
        self.turn = 0

    @initialize(some=edits)
    def begin(self, some: list[tuple[str, int, int]]) -> None:
        for number in (0, 1):
            self.send(number, some, ("backup",), False, 1)

    @rule(number=numbers, some=edits, marks=st.sampled_from([(), (), (), (), ("backup",)]), full=st.sampled_from([False] * 7 + [True]),
          seconds=st.sampled_from([0, 1, 1, 20, 70]))  # fmt: skip
    def send(self, number: int, some: list[tuple[str, int, int]], marks: tuple[str, ...], full: bool, seconds: int) -> None:
        self._pass(seconds)
        each = self.sets[number]
        each.edit(some)
        each.source.send(self.repository, *marks, full=full)
        each.states.append((now(self.scene.clock), dict(each.source.tree)))

    @rule(number=numbers, some=st.lists(edits, min_size=3, max_size=8))
    def burst(self, number: int, some: list[list[tuple[str, int, int]]]) -> None:
        for one in some:
            self.send(number, one, (), False, 1)

    @rule(number=numbers)
    def source_leaves(self, number: int) -> None:
        self.sets[number].source.leave()

    @rule(number=numbers)
    def source_loses_its_state(self, number: int) -> None:
        """It sends everything, as another epoch."""
        each = self.sets[number]
        each.epochs += 1
        each.source.feeder.epoch, each.source.feeder.seq = Epoch(f"{each.epochs:032x}"), 0
        self.send(number, [], (), True, 1)

    @rule(minutes=st.sampled_from([1, 1, 10, 60, 150]))
    def time_passes(self, minutes: int) -> None:
        self._pass(60 * minutes)

    def _pass(self, seconds: int) -> None:
        while seconds > 0:
            step = min(seconds, 600)
            self.scene.clock.advance(step)
            self.repository.tick()
            seconds -= step
        assert self.repository.held_problems == ()

    @rule()
    def seal(self) -> None:
        self.repository.seal()

    @rule(catalog=st.sampled_from(["kept", "kept", "lost"]))
    def owner_is_killed(self, catalog: str) -> None:
        """The journal is all that is left of what was held."""
        for each in self.sets:
            each.source.session = None
        self.scene.kill(self.repository)
        self._open(catalog)

    @rule(catalog=st.sampled_from(["kept", "lost"]))
    def owner_restarts(self, catalog: str) -> None:
        self._leave()
        self.repository.close()
        assert list((self.scene.home / "journal").glob("*")) == []
        self._open(catalog)

    def _open(self, catalog: str) -> None:
        if catalog == "lost":
            for path in self.scene.home.glob("catalog*"):
                path.unlink()
        self.repository = self.scene.open()
        assert self.repository.problems == self.repository.held_problems == ()

    def _leave(self) -> None:
        for each in self.sets:
            each.source.leave()

    @rule(pick=picks)
    def forget_a_point(self, pick: int) -> None:
        if points := sorted(self.repository.points(), key=lambda point: (point.time, point.dataset_id)):
            self.repository.change_points(Chosen(points=(points[pick % len(points)].id,)), Forget(newest=True))

    @rule()
    def prune(self) -> None:
        self.repository.prune(ALL)

    @rule(what=st.sampled_from(["check", "rebuild", "repair"]))
    def care(self, what: str) -> None:
        if what == "check":
            assert [each for each in self.repository.check(read_data=True) if each.code != "pack-unused"] == []
        elif what == "rebuild":
            self._leave()
            self.repository.care.rebuild()
        else:
            self.repository.care.repair()

    @rule()
    def stock_prune(self) -> None:
        self._leave()
        self.repository.seal()
        self.scene.restic.run("prune", "--max-unused", "0")

    @invariant()
    def every_moment_is_what_it_was(self) -> None:
        self.turn += 1
        FollowedMachine.steps += 1
        begin = now(self.scene.clock) - timedelta(seconds=WINDOW_S)
        for each in self.sets:
            if not each.states:
                continue
            newest = dict(each.states)
            within = [at for at in newest if at >= begin] or [max(newest)]
            at = within[self.turn * 7 % len(within)]
            self._listed(each, at, newest[at])
            self._listed(each, max(newest), newest[max(newest)])
            if self.turn % 3 == 0:
                self._read(each, at, newest[at])

    def _listed(self, each: Modelled, at: datetime, tree: dict[bytes, Entry]) -> None:
        rows = self.repository.listing(AskListing(dataset=each.source.dataset, at=at, path=b"/", recursive=True)).rows
        assert {(row.path, row.kind, row.mtime_ns, row.size_bytes) for row in rows} == {
            (display_path(path), entry.kind.value, entry.mtime_ns, entry.size_bytes) for path, entry in tree.items()
        }

    def _read(self, each: Modelled, at: datetime, tree: dict[bytes, Entry]) -> None:
        point = self.repository.point_at(each.source.dataset, at)
        assert point.time == at
        assert read_all(self.repository.reader(point)) == tree

    def teardown(self) -> None:
        try:
            self._leave()
            self.repository.seal()
            for _ in range(2):
                self._verify_all()
                self.scene.restic.check()
                assert [each for each in self.repository.check(read_data=True) if each.code != "pack-unused"] == []
                self.repository.prune(ALL)
        finally:
            self.repository.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _verify_all(self) -> None:
        begin = now(self.scene.clock) - timedelta(seconds=WINDOW_S)
        for each in self.sets:
            states = dict(each.states)
            for at in [at for at in states if at >= begin][-40:]:
                self._read(each, at, states[at])


def _run(monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> int:
    """With small limits, so that some commits are too large to be held, and some for a record; and small files count as large."""
    monkeypatch.setattr(small_commit, "LARGEST_BYTES", 3_000)
    monkeypatch.setattr(receiving, "_MOST_OPS", 4)
    for module in (splices, tree_builder, log_files):
        monkeypatch.setattr(module, "FEWEST_CHUNKS", 4)
    before = FollowedMachine.steps
    run_steps(FollowedMachine, examples, steps)
    return FollowedMachine.steps - before


@pytest.mark.timeout(600)
def test_every_moment_is_what_a_dictionary_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, 8, 20) > 100


@pytest.mark.big
@pytest.mark.timeout(3_600)
def test_thousands_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, 80, 40) > 2_500
