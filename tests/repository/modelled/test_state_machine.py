"""A repository, and a second one that it cascades to, against a model of dictionaries: whatever happens in whatever order, nothing is lost.

Sources deliver, people lock and forget, prunes run, time passes, catalogs are lost, machines die, owners change, stock restic works
between; each example ends in our own check of every byte and in stock restic's.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.core.clock import now
from holdfast.core.errors import Refused, StoreError
from holdfast.core.ids import DatasetId
from holdfast.model.change import Cursor
from holdfast.model.document import KeepRules
from holdfast.model.entry import display_path
from holdfast.model.listing_questions import AskFind
from holdfast.model.point_changes import Expire, Forget, Lock, Tag
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.repository.adopting import Binding
from holdfast.repository.packs import blob_writer, packer
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import GRACE_S, PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.testing.repository_scene import START
from holdfast.testing.virtual_clock import VirtualClock
from tests.repository.machine_runs import run_steps
from tests.repository.modelled.cascade import cascade
from tests.repository.modelled.model import Model, ModelCommit, ModelPoint, Stored
from tests.repository.modelled.site import OPERATIONS, Fault, Site, session, verify_foreign, verify_tree
from tests.repository.modelled.sources import CHUNKS, Edit, Pending, Source, Tree, edit_lists
from tests.repository.modelled.stock import CHORES, StockUser

HOUR_S = 3600.0
PACK_BYTES = 12_000
places = st.integers(0, 1 << 20)
keeps = st.one_of(
    st.just(KeepRules()),
    st.builds(KeepRules, last=st.integers(1, 4)),
    st.builds(KeepRules, last=st.integers(0, 1), within_s=st.sampled_from([HOUR_S, 12 * HOUR_S])),
)
stored = st.builds(Stored, keeps, st.sampled_from([None, None, None, 30 * HOUR_S]))
faults = st.builds(
    Fault,
    st.sampled_from([1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 8, 11]),
    st.sampled_from(["killed", "killed", "torn", "full", "error"]),
    st.sampled_from(["kept", "kept", "older", "gone", "another owner"]),
    st.sampled_from([0, 0, 0, 1, 2]),
)
maybe = st.one_of(st.none(), faults)
sites = st.sampled_from([0, 0, 0, 1])
sets = st.integers(0, 2)
people = st.sampled_from([("kept", 0), ("x y", 0), ("lock", 1), ("lock", 5), ("lock", 30), ("expire", -1), ("expire", 3), ("expire", 40)])
MEANWHILE = ("prune", "forget all, prune", "check", "another", "forget", "tag", "read")
CARE = ("check", "check data", "scrub", "repair", "rebuild", "lose catalog", "give away")
prunes = st.builds(
    PruneOrder,
    grace_s=st.sampled_from([0.0, GRACE_S, GRACE_S]),
    thresholds=st.builds(Thresholds, max_unused=st.sampled_from([0.0, 0.05]), target_bytes=st.just(PACK_BYTES)),
)


class Sending(NamedTuple):
    """How a commit is sent, and how its points are kept. `on_segment` is called before each segment is applied. `held`: it is one of a
    continuous stream, and sealed afterwards."""

    kept: Stored = Stored()
    full: bool = False
    on_segment: Callable[[int], None] | None = None
    held: bool = False


class RepositoryMachine(RuleBasedStateMachine):
    """`main` is delivered to by three sources, two of them on one node; `far` gets its points."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        fast = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-machine-", dir=fast if fast.is_dir() else None))
        self.clock = VirtualClock(START)
        self.main, self.far = (Site(self.folder / name, self.clock, self._pass) for name in ("main", "far"))
        self.sources = [Source(number) for number in (1, 2, 3)]
        self.user = StockUser(self.folder)
        self.reading: list[tuple[PointReader, Tree]] = []
        self.turn = 0

    @property
    def now(self) -> datetime:
        return now(self.clock)

    def _pass(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for site in (self.main, self.far):
            site.keep_fresh()

    def _site(self, number: int) -> Site:
        return (self.main, self.far)[number]

    @initialize(edits=st.lists(edit_lists, min_size=3, max_size=3), what=places)
    def begin(self, edits: list[list[Edit]], what: int) -> None:
        """Nobody begins with nothing: two points each, and two snapshots of stock restic."""
        for source, some in zip(self.sources, edits, strict=True):
            for marks in (OPERATIONS, ("backup",)):
                self.backup(source.number - 1, some, marks, Stored(), False, None)
                some = some[::-1]
        for step in range(2):
            self.stock_backup(0, step, what + step)

    # What sources do.

    @rule(number=sets, edits=edit_lists, marks=st.sampled_from([("backup",), ("backup",), OPERATIONS, ("archive",), ()]), kept=stored,
          full=st.booleans(), fault=maybe)  # fmt: skip
    def backup(self, number: int, edits: list[Edit], marks: tuple[str, ...], kept: Stored, full: bool, fault: Fault | None) -> None:
        source = self.sources[number]
        source.edit(edits, self.clock.now_ns())
        self._deliver(source, source.next_commit(marks, self.now), Sending(kept, full=full), fault)

    @rule(number=sets, edits=edit_lists, fault=maybe)
    def follow(self, number: int, edits: list[Edit], fault: Fault | None) -> None:
        """A small commit of a continuous stream: held at once, then sealed. The owner may die in between; its journal is its home's."""
        source = self.sources[number]
        source.edit(edits, self.clock.now_ns())
        self._deliver(source, source.next_commit((), self.now), Sending(held=True), fault)

    @rule(number=sets, edits=edit_lists, meanwhile=st.sampled_from(MEANWHILE), pick=places)
    def backup_beside(self, number: int, edits: list[Edit], meanwhile: str, pick: int) -> None:
        """While it is under way, something else is done."""
        source, other = self.sources[number], self.sources[(number + 1) % 3]
        source.edit(edits, self.clock.now_ns())
        if meanwhile.startswith("forget all"):
            source.copy_from(other, pick, self.clock.now_ns())
        pending = source.next_commit(("backup",), self.now)
        done = False

        def on_segment(segment: int) -> None:
            nonlocal done
            if segment >= pick % 3 and not done:
                done = True
                self._do_meanwhile(meanwhile, source, other, pick)

        self._deliver(source, pending, Sending(full=bool(pick % 2), on_segment=on_segment), None)

    @rule(number=st.integers(0, 1), edits=edit_lists, pick=places)
    def backup_beside_prune(self, number: int, edits: list[Edit], pick: int) -> None:
        """The sharpest of these, for its own sake."""
        self.backup_beside(number, edits, "forget all, prune", pick)

    def _do_meanwhile(self, what: str, busy: Source, other: Source, pick: int) -> None:
        if what == "prune":
            self.main.attempt(lambda: self.main.repository.prune(PruneOrder(grace_s=0)), _nothing)
        elif what == "forget all, prune":
            # What the commit was told is here may now be needed by nobody else.
            self.forget_dataset(0, other.number - 1, None)
            order = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))
            self.main.attempt(lambda: self.main.repository.prune(order), _nothing)
        elif what == "check":
            self.main.check(read_data=True)
        elif what == "another":
            self._deliver(other, other.next_commit(("backup",), self.now), Sending(), None)
        elif what == "forget":
            self._forget(self.main, pick, newest=True, fault=None, but=busy.dataset)
        elif what == "tag":
            self.change(0, pick, ("meanwhile", 0), None)
        elif what == "read":
            self.hold_reader(pick, False)

    @rule(number=sets, fault=maybe)
    def deliver_again(self, number: int, fault: Fault | None) -> None:
        """The same commit once more, since no acknowledgement came. Where one came, the node loses its state instead."""
        source = self.sources[number]
        if source.pending is not None:
            self._deliver(source, source.pending, Sending(), fault)
        else:
            source.new_epoch()

    def _deliver(self, source: Source, pending: Pending, how: Sending, fault: Fault | None) -> None:
        site = self.main
        self._pass(60)
        newest = site.model.of(source.dataset).newest
        builds_on = newest is not None and newest.cursor.epoch == source.epoch and not how.full
        feeder = source.feeder(pending)
        feeder.on_segment, feeder.continuous = how.on_segment, how.held
        source.pending = pending

        def send() -> None:
            with session(site, source, how.kept, is_followed=how.held) as action:
                assert action.cursor() == (newest.cursor if newest is not None else None)
                told = feeder.send(action, newest.tree if newest is not None and builds_on else None, pending.tree)
                assert told.error is None
            if how.held:
                self._seal(site)

        def change(model: Model) -> None:
            commit = ModelCommit(Cursor(source.epoch, pending.seq), 0, pending.at, pending.tree)
            model.of(source.dataset).receive(commit, pending.marks, how.kept, site.repository.time.now())

        if self._attempt(site, send, change, fault):
            source.pending = None
        self._pass(HOUR_S)

    @staticmethod
    def _seal(site: Site) -> None:
        """Where the store fails it is tried again."""
        try:
            site.repository.seal()
        except StoreError:
            site.backend.disarm()
            site.repository.seal()

    # What people and the owner do.

    def _pick(self, site: Site, pick: int, but: str = "") -> tuple[DatasetId, ModelPoint] | None:
        points = [pair for pair in site.model.points() if pair[0] != but]
        return points[pick % len(points)] if points else None

    @rule(at=sites, pick=places, order=people, fault=maybe)
    def change(self, at: int, pick: int, order: tuple[str, int], fault: Fault | None) -> None:
        """Tag, untag, lock, let expire."""
        site, (what, hours) = self._site(at), order
        if (found := self._pick(site, pick)) is None:
            return
        dataset, point = found
        moment = site.repository.time.now() + timedelta(hours=hours)
        if what == "lock":
            longer = point.locked_until is None or point.locked_until < moment
            self._change(site, dataset, Lock(until=moment), (point, replace(point, locked_until=moment) if longer else point), fault)
        elif what == "expire" and point.is_locked(max(moment, self.now)):
            with pytest.raises(Refused, match="locked until"):
                site.repository.change_points(Chosen(points=(point.id,)), Expire(at=moment))
        elif what == "expire":
            self._change(site, dataset, Expire(at=moment), (point, replace(point, expires_at=moment)), fault)
        elif what in point.tags:
            rest = tuple(tag for tag in point.tags if tag != what)
            self._change(site, dataset, Tag(remove=(what,)), (point, replace(point, tags=rest)), fault)
        else:
            self._change(site, dataset, Tag(add=(what,)), (point, replace(point, tags=(*point.tags, what))), fault)

    def _change(
        self, site: Site, dataset: DatasetId, order: Tag | Lock | Expire, states: tuple[ModelPoint, ModelPoint], fault: Fault | None
    ) -> None:
        before, after = states
        self._attempt(
            site,
            lambda: site.repository.change_points(Chosen(points=(before.id,)), order),
            lambda model: model.of(dataset).points.update({before.id: after}),
            fault,
        )

    @rule(at=sites, pick=places, newest=st.booleans(), fault=maybe)
    def forget(self, at: int, pick: int, newest: bool, fault: Fault | None) -> None:
        self._forget(self._site(at), pick, newest=newest, fault=fault)

    def _forget(self, site: Site, pick: int, *, newest: bool, fault: Fault | None, but: str = "") -> None:
        found = self._pick(site, pick, but)
        if found is None:
            return
        dataset, point = found
        times = sorted(each.time for each in site.model.of(dataset).points.values())
        chosen = Chosen(points=(point.id,))
        if point.is_locked(site.repository.time.now()):
            with pytest.raises(Refused, match="locked until"):
                site.repository.change_points(chosen, Forget(newest=True))
        elif newest or point.time != times[-1]:
            self._attempt(
                site,
                lambda: site.repository.change_points(chosen, Forget(newest=newest)),
                lambda model: model.of(dataset).forget([point.id]),
                fault,
            )
        elif times.count(point.time) == 1:
            with pytest.raises(Refused, match="newest of its dataset"):
                site.repository.change_points(chosen, Forget())

    @rule(at=sites, number=sets, fault=maybe)
    def forget_dataset(self, at: int, number: int, fault: Fault | None) -> None:
        site, dataset = self._site(at), self.sources[number].dataset

        def change(model: Model) -> None:
            held = model.of(dataset)
            held.forget([point.id for point in held.points.values() if not point.is_locked(site.repository.time.now())])
            held.heads.clear()

        self._attempt(site, lambda: site.repository.change_points(Chosen(dataset=dataset), Forget(newest=True)), change, fault)

    @rule(at=sites, order=prunes, fault=maybe)
    def prune(self, at: int, order: PruneOrder, fault: Fault | None) -> None:
        site = self._site(at)
        self._attempt(site, lambda: site.repository.prune(order), _nothing, fault)

    @rule(hours=st.sampled_from([1, 6, 12, 24, 40]))
    def time_passes(self, hours: int) -> None:
        self._pass(hours * HOUR_S)

    @rule(at=sites, what=st.sampled_from(CARE))
    def care_for(self, at: int, what: str) -> None:
        site = self._site(at)
        if what.startswith("check"):
            site.check(read_data=what == "check data")
        elif what == "scrub":
            assert site.repository.care.scrub(0.3) == ()
        elif what == "repair":
            site.attempt(lambda: site.repository.care.repair(forget_damaged=True), _nothing)
        elif what == "rebuild":
            site.repository.care.rebuild()
        else:
            self._stop_reading()
            (site.lose_catalog if what == "lose catalog" else site.give_away)()

    @rule(at=sites, ahead=st.booleans())
    def clock_is_set(self, at: int, ahead: bool) -> None:
        """Somebody turns the machine's clock: nothing may go while nobody confirms it. Then they put it right."""
        site = self._site(at)
        right, booted_s = self.now, self.clock.monotonic_s()
        self.clock.set_wall(right + timedelta(days=4_000 if ahead else -4_000))
        for _ in range(3):
            site.repository.time.now()
            self.clock.advance(400)
        with pytest.raises(Refused, match="nobody confirms"):
            site.repository.prune(PruneOrder(grace_s=0))
        for _, point in site.model.points():
            if point.is_locked(right + timedelta(hours=1)):
                with pytest.raises(Refused, match="locked until"):
                    site.repository.change_points(Chosen(points=(point.id,)), Forget(newest=True))
        self.clock.set_wall(right + timedelta(seconds=self.clock.monotonic_s() - booted_s))
        site.repository.time.now()

    @rule(number=st.integers(0, 1), to=sets, fault=maybe)
    def bind(self, number: int, to: int, fault: Fault | None) -> None:
        source, group = self.sources[to], self.user.group(number)

        def change(model: Model) -> None:
            bound = {time: replace(each, bound=source.dataset) for time, each in model.foreign.items() if each.group == group}
            model.foreign |= bound

        binding = Binding(group, source.dataset, source.label, source.sender)

        def bind_and_say_it_again() -> None:
            try:
                self.main.repository.bind(binding)
            except StoreError:
                self.main.backend.disarm()
                self.main.repository.bind(binding)

        self._attempt(self.main, bind_and_say_it_again, change, fault)

    @rule(number=sets, kept=stored, fault=maybe)
    def cascade(self, number: int, kept: Stored, fault: Fault | None) -> None:
        cascade(self.main, self.far, self.sources[number], kept, fault)

    @rule(pick=places, forgotten=st.booleans())
    def hold_reader(self, pick: int, forgotten: bool) -> None:
        """Somebody begins to restore, and takes their time; meanwhile the point may go."""
        if (found := self._pick(self.main, pick)) and len(self.reading) < 3:
            dataset, point = found
            self.reading.append((self.main.repository.reader(self.main.point(point.id)), self.main.tree_of(dataset, point.id)))
            if forgotten:
                self._forget(self.main, pick, newest=True, fault=None)

    @precondition(lambda self: self.reading)
    @rule()
    def finish_reading(self) -> None:
        self._stop_reading()

    def _stop_reading(self) -> None:
        """Whatever became of their points meanwhile, all is still there for those that began to read."""
        reading, self.reading = self.reading, []
        for reader, tree in reading:
            assert {entry.path: entry for entry in reader.entries()} == tree
            ids = {ref.id for entry in tree.values() for ref in entry.chunks}
            assert {payload.id for payload in reader.payloads(sorted(ids))} == ids
            assert ids <= CHUNKS.keys()
            reader.close()

    def _attempt(self, site: Site, do: Callable[[], object], change: Callable[[Model], object], fault: Fault | None) -> bool:
        if fault is not None and fault.kills and site is self.main:
            # Those who read die with it.
            self._stop_reading()
        return site.attempt(do, change, fault)

    # What stock restic does.

    def _free(self, at: int) -> Site:
        """No session is open there, and no dead one's lock is left."""
        self._stop_reading()
        site = self._site(at)
        site.unlock()
        return site

    @rule(number=st.integers(0, 1), name=places, what=places)
    def stock_backup(self, number: int, name: int, what: int) -> None:
        site = self._free(0)
        self.user.edit(number, name, what)
        self._pass(60)
        self.user.backup(site, number, self.now)

    @rule(at=sites, pick=places, count=st.integers(1, 2), prune=st.booleans())
    def stock_forget(self, at: int, pick: int, count: int, prune: bool) -> None:
        """Theirs and ours alike."""
        site = self._free(at)
        points = _in_order(site)
        chosen = [points[(pick + place) % len(points)] for place in range(min(count, len(points)))]
        if chosen:
            self.user.forget(site, chosen, prune=prune)

    @rule(at=sites, chore=st.sampled_from(("tag", "forget older", *CHORES)), pick=places)
    def stock_chore(self, at: int, chore: str, pick: int) -> None:
        site = self._free(at)
        if chore == "forget older":
            if any(each.group == self.user.group(pick % 2) for each in site.model.foreign.values()):
                self.user.forget_older(site, pick % 2)
        elif chore != "tag":
            self.user.do(site, chore)
        elif points := _in_order(site):
            self.user.tag(site, points[pick % len(points)], "theirs")

    @rule(at=sites, pick=places)
    def stock_restore(self, at: int, pick: int) -> None:
        site = self._site(at)
        if found := self._pick(site, pick):
            self.user.read(site, site.point(found[1].id), self.folder / "restored")

    # What must always hold.

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        RepositoryMachine.steps += 1
        self.turn += 1
        for site in (self.main, self.far):
            site.compare()
            if found := self._pick(site, self.turn):
                site.verify(found[0], found[1].id)
            if self.turn % 4 == 0:
                self._ask_catalog(site)
        if self.main.model.foreign:
            time = sorted(self.main.model.foreign)[self.turn % len(self.main.model.foreign)]
            verify_foreign(self.main.repository, self.main.observe().foreign[time], self.main.model.foreign[time])

    def teardown(self) -> None:
        try:
            self._stop_reading()
            for site in (self.main, self.far):
                self._end(site)
        finally:
            for site in (self.main, self.far):
                site.leave()
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _ask_catalog(site: Site) -> None:
        """It knows every path that any commit still holds, and the newest state of each dataset."""
        for dataset, held in site.model.datasets.items():
            rows = site.repository.find(AskFind(pattern="*", dataset=dataset, limit=100_000)).rows
            alive = held.heads | {point.cursor for point in held.points.values()}
            assert {row.path for row in rows} == {display_path(path) for cursor in alive for path in held.commits[cursor].tree}
            newest = held.newest.tree if held.newest is not None else {}
            now_there = sorted((row.path, row.kind, row.mode, row.mtime_ns) for row in rows if row.valid_to is None)
            expected = [(display_path(path), entry.kind.value, entry.mode, entry.mtime_ns) for path, entry in newest.items()]
            assert now_there == sorted(expected)

    def _end(self, site: Site) -> None:
        """Every point, every byte, both checks; then what nothing needs goes for good, and once more."""
        for dataset, point in site.model.points():
            site.verify(dataset, point.id)
        self._ask_catalog(site)
        site.check(read_data=True)
        site.unlock()
        site.restic.run("check", "--read-data")
        site.repository.prune(PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0)))
        assert site.repository.check(read_data=True) == ()
        site.restic.run("check", "--read-data")
        for dataset, point in site.model.points():
            verify_tree(site.repository, site.point(point.id), site.tree_of(dataset, point.id))
        site.repository.care.rebuild()
        self._ask_catalog(site)


def _in_order(site: Site) -> list[Point]:
    """Its points in an order that no random id decides."""
    return sorted(site.repository.points(), key=lambda point: (point.time, point.dataset_id, point.operation))


def _nothing(_model: Model) -> None:
    """To look at, all stays as it was."""


def _run(monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> int:
    """How many steps were taken. With small packs, so that there are many."""
    for module in (packer, blob_writer):
        monkeypatch.setattr(module, "TARGET_BYTES", PACK_BYTES)
    before = RepositoryMachine.steps
    run_steps(RepositoryMachine, examples, steps)
    return RepositoryMachine.steps - before


@pytest.mark.timeout(600)
def test_a_repository_is_what_a_dictionary_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, 10, 30) > 200


@pytest.mark.big
@pytest.mark.timeout(3_600)
def test_thousands_of_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    begun_s = time.perf_counter()
    steps = _run(monkeypatch, 90, 40)
    with capsys.disabled():
        print(f"\n{steps} steps in {time.perf_counter() - begun_s:.0f} s")
    assert steps > 3_000
