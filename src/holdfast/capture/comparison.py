"""The first pass: what differs between the sources and the state, and the guard's judgement of it. It opens no file and changes no row.

A comparison may be made before the run it serves (`began`), while others change rows of the same datasets: it sees the state as it was
when it began, and what was changed since is for the run to leave as it is.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.capture.classify import Classifier
from holdfast.capture.findings import Notes, Pulse
from holdfast.capture.frame import Tally
from holdfast.capture.guard import (
    LEAST_REMOVED,
    Identity,
    changed_meanwhile,
    count_moved,
    judge_empty,
    judge_losses,
    judge_roots,
    look_at_roots,
    not_reached,
    strangely_empty,
)
from holdfast.capture.ledger import Ledger, Verdict, late_of
from holdfast.capture.moves import Moves
from holdfast.capture.places import Places, plan_places, with_databases
from holdfast.capture.ports import CaptureRequest, Place
from holdfast.capture.roots import Target, WalkPlan, plan_walk, ways_to
from holdfast.capture.state import CaptureState
from holdfast.capture.stubs import Stubs
from holdfast.capture.visit import Visit
from holdfast.capture.walk import Walk
from holdfast.core.clock import Clock
from holdfast.core.errors import SourceVanished
from holdfast.core.ids import DatasetId
from holdfast.host.disk import check_free
from holdfast.host.snapshots import own_folders
from holdfast.model.archiving import RECALL_FOLDER
from holdfast.model.change import Move
from holdfast.model.roots import normal_roots

Looked = list[tuple[Target, dict[bytes, Identity | OSError]]]


@dataclass(frozen=True)
class Scratch:
    """Throw-away files beside the state, each name of one run at a time. `name` tells those of runs that may go on at once apart."""

    state: Path
    name: str = ""

    @property
    def verdicts(self) -> Path:
        return self._path("verdicts")

    @property
    def databases(self) -> Path:
        return self._path("databases")

    def sweep(self) -> None:
        """Take away what a process that died has left. Never raises. Not while a run uses them."""
        for path in (self.verdicts, late_of(self.verdicts)):
            with suppress(OSError):
                path.unlink()
        shutil.rmtree(self.databases, ignore_errors=True)

    def _path(self, what: str) -> Path:
        return self.state.with_name(f"{self.state.name}{self.name}-{what}")


SMALL = "-small"
"""The scratch files of small runs, which are made beside a run of everything."""


class Comparison:
    """Of one request. `walked` is the number of the newest run whose rows it has seen, None where it is made within its run."""

    def __init__(self, state: CaptureState, request: CaptureRequest, clock: Clock, scratch: Scratch, reserve_bytes: int) -> None:
        self._state, self._request, self._clock = state, request, clock
        self._reserve_bytes = reserve_bytes
        self.scratch = scratch
        self.slots = {rule.id: state.ensure_slot(rule.id) for rule in request.datasets}
        self.refused: dict[DatasetId, SourceVanished] = {}
        self.notes = Notes()
        self.tally = Tally()
        self.walk_is_over = not request.scan
        self.walked: int | None = None
        self.began_ns = clock.now_ns()
        self._looked: Looked | None = None
        self._places: tuple[set[bytes], Places] | None = None
        self._moves: Mapping[DatasetId, tuple[Move, ...]] | None = None

    @property
    def moves(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        """See `CaptureRun`."""
        if self._moves is None:
            self._moves = self._confirm() if self._request.moves else {}
        return self._moves

    def _confirm(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        try:
            looked = self.look()
        except SourceVanished:
            # The iteration says so.
            return {}
        with closing(self._state.reader()) as reader, closing(self._state.reader()) as snapshot:
            walk = self.walk(looked, reader)
            found = Moves(self._request.moves, snapshot).confirmed(walk.covers) if isinstance(walk, Visit) else {}
        return {target.rule.id: found[target.bit] for target, _ in looked if target.bit in found}

    def look(self) -> Looked:
        """The datasets whose roots are as they should be, with what was found there: looked at once, before anything else. Raises
        `SourceVanished` when there is none."""
        if self._looked is None:
            self._looked = self._targets()
        return self._looked

    def _targets(self) -> Looked:
        accepted = []
        for rule in self._request.datasets:
            slot = self.slots[rule.id]
            classifier = Classifier(rule.classification, self._clock.now_ns())
            target = Target(rule, 1 << slot, classifier, normal_roots(rule.classification.paths), self._state.roots(slot))
            found = look_at_roots(target)
            problem = judge_roots(target, found, self._request.accept)
            if problem is not None:
                self.refused[rule.id] = problem
                continue
            for finding in classifier.findings:
                self.notes.add(finding, target.bit)
            accepted.append((target, found))
        self.require_some()
        return accepted

    def walk(self, looked: Looked, reader: sqlite3.Connection) -> Walk:
        """Of everything, or of the places; then also of all that is below roots that are new here, or to be judged for being empty."""
        targets = tuple(target for target, _ in looked)
        plan = self._plan(targets)
        if self._request.places is None:
            return Walk(plan, targets, reader, self.notes, self._request.sight)
        whole = {
            path
            for target, found in looked
            for path, identity in found.items()
            if path not in target.recorded or isinstance(identity, OSError) or target.rule.id in self._request.strange
        }
        if self._places is None or self._places[0] != whole:
            # Asked for twice where something moved.
            places: Iterable[Place] = self._request.places
            if any(target.classifier.databases for target in targets):
                places = with_databases(places)
            self._places = (whole, plan_places(places, plan.tops, whole))
        return Visit(plan, self._places[1], targets, reader, self.notes)

    def run(self, walk: Walk, ledger: Ledger, pulse: Pulse) -> None:
        """Walk to the end and judge. Raises `SourceVanished` when every dataset is refused."""
        self.tally = walk.tally
        walk.run(ledger, pulse, self.check_disk)
        self.judge_all(self.look(), ledger)

    def verdicts(self, walk: Walk) -> Iterator[Verdict]:
        """Those of a first run, while the walk goes on. Raises what the guard has to say at its end."""
        refused = len(self.refused)
        yield from walk.verdicts()
        self.judge_all(self.look(), ())
        if len(self.refused) > refused:
            raise next(reversed(self.refused.values()))

    def judge_strange(self, targets: Iterable[Target]) -> None:
        """Where nothing is walked."""
        for target in targets:
            if target.rule.id in self._request.strange and self._state.count_members(target.bit) <= len(ways_to(target.roots)):
                self.refused[target.rule.id] = strangely_empty(target, target.roots[0])
        self.require_some()

    def judge_all(self, looked: Looked, verdicts: Iterable[Verdict]) -> None:
        self.walk_is_over = True
        for target, found in looked:
            self._judge(target, found, verdicts)
        self.require_some()

    def _judge(self, target: Target, found: Mapping[bytes, Identity | OSError], verdicts: Iterable[Verdict]) -> None:
        tally = self.tally
        problem = changed_meanwhile(target, found)
        if problem is None and self._request.places is None:
            unreached = [path for path, now in found.items() if not isinstance(now, OSError) and (target.bit, path) not in tally.reached]
            problem = not_reached(target, unreached[0]) if unreached else None
        if problem is None and not self._request.accept:
            many = tally.removed_from(target.bit) >= LEAST_REMOVED
            moved = count_moved(verdicts, self.moves.get(target.rule.id, ()), target.bit) if many else 0
            problem = judge_losses(target, tally, self._state.count_members(target.bit) if many else 0, moved)
            if problem is None and target.rule.id in self._request.strange:
                problem = judge_empty(target, tally)
        if problem is not None:
            self.refused[target.rule.id] = problem

    def record_roots(self) -> None:
        """By the run, once they were judged."""
        for target, found in self.look():
            if target.rule.id in self.refused:
                continue
            for path, identity in found.items():
                slot = self.slots[target.rule.id]
                if isinstance(identity, OSError):
                    # Accepted as gone: whatever comes in its place is welcome.
                    self._state.drop_root(slot, path)
                elif target.recorded.get(path) != identity:
                    self._state.set_root(slot, path, identity)

    def require_some(self) -> None:
        if len(self.refused) == len(self.slots):
            raise next(iter(self.refused.values()))

    def check_disk(self) -> None:
        check_free(self._state.path.parent, self._reserve_bytes)

    def _plan(self, targets: tuple[Target, ...]) -> WalkPlan:
        cuts: dict[bytes, int] = {}
        inodes: dict[tuple[int, int], int] = {}
        for target in targets:
            for path in (*normal_roots(target.rule.exclude_paths), *own_folders(target.roots)):
                cuts[path] = cuts.get(path, 0) | target.bit
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                inode = (status.st_dev, status.st_ino)
                inodes[inode] = inodes.get(inode, 0) | target.bit
        everybody = sum(target.bit for target in targets)
        state = os.fsencode(self._state.path.absolute())
        for suffix in (b"", b"-wal", b"-shm", b"-verdicts", b"-databases", b"-small-verdicts", b"-small-databases"):
            # The state changes with every run; capturing it would never come to rest.
            cuts[state + suffix] = everybody
        plan = plan_walk(targets, cuts)
        stubs = Stubs(os.fsencode(self._state.path.parent.absolute() / RECALL_FOLDER))
        return WalkPlan(plan.tops, plan.specials, plan.intervals, inodes, stubs)


class Compared:
    """A comparison of everything that is made before its run. The caller makes sure that nobody captures its datasets while it is built;
    `walk` may then take its time beside other runs. Close it."""

    def __init__(self, comparison: Comparison, state: CaptureState, pulse: Pulse) -> None:
        """Raises `SourceVanished` when the roots of every dataset are not what they were."""
        self.comparison = comparison
        self._state, self._pulse = state, pulse
        comparison.look()
        self._reader = state.reader()
        try:
            # From here on it reads the state as it is now.
            self._reader.execute("BEGIN")
            comparison.walked = int(self._reader.execute("SELECT value FROM meta WHERE name = 'run'").fetchone()[0])
            self.ledger = Ledger(comparison.scratch.verdicts)
        except BaseException:
            self._reader.close()
            raise

    def walk(self) -> None:
        """Raises `SourceVanished` when every dataset is refused, `Cancelled`, and what the disk of the state raises."""
        comparison = self.comparison
        try:
            with self._state.errors():
                comparison.check_disk()
                comparison.run(comparison.walk(comparison.look(), self._reader), self.ledger, self._pulse)
        finally:
            self._reader.close()

    def close(self) -> None:
        self._reader.close()
        self.ledger.close()
