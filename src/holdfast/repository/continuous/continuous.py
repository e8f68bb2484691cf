"""The datasets of one repository that are followed: who holds, who seals and when, and what an earlier life left in the journal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from holdfast.core.errors import HoldfastError, RepositoryDamaged, RepositoryLocked, StoreError
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Finding, Severity
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.catalog.moment_table import HELD
from holdfast.repository.continuous.entering import Entering
from holdfast.repository.continuous.held import Ahead, Held
from holdfast.repository.continuous.journal import FOLDER, SUFFIX, Group, JournalFile
from holdfast.repository.continuous.journal_damage import damage_in, not_in_journal
from holdfast.repository.continuous.log_keeping import keep_logs
from holdfast.repository.continuous.sealing_held import HeldLost, seal_held
from holdfast.repository.continuous.small_commit import SmallCommit
from holdfast.repository.continuous.storing_ahead import store_ahead
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Followed, Record
from holdfast.repository.points.bases import followed_of
from holdfast.repository.points.sealing import drop_heads, forget

SEAL_AFTER_S = 60.0
SEAL_AT_BYTES = 64 << 20
# After a sealing that failed; each commit that has to be sealed first tries at once all the same.
_AGAIN_S = 10.0
KEEP_EVERY_S = 3_600.0
_MOST_TOLD = 20


class Continuous:
    """Of one open repository; for any thread."""

    def __init__(self, interior: Interior, home: Path) -> None:
        self._interior = interior
        self._entering = Entering(interior)
        self._folder = home / FOLDER
        self._guard = threading.Lock()
        self._held: dict[int, Held] = {}
        self._lost: deque[Finding] = deque(maxlen=_MOST_TOLD)
        self._failing: dict[int, Finding] = {}
        self._is_lock_doubted = False
        self._kept_at_s = interior.storage.clock.monotonic_s()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What could not be kept of what was held, and why sealing fails now, once for all datasets."""
        with self._guard:
            return (*self._lost, *list(self._failing.values())[:1])

    # Holding

    def of(self, dataset: DatasetId) -> Held:
        number = self._interior.catalog.number_of("datasets", dataset)
        with self._guard:
            if number not in self._held:
                self._held[number] = Held(number, dataset, self._folder)
            return self._held[number]

    def hold(self, held: Held, small: SmallCommit, record: Record, followed: Followed) -> None:
        """The commit counts, and outlives everything but this disk, when this returns. Raises `NoSpace`, `StoreError`; then nothing of it
        is there."""
        with held.guard:
            self._begin_holding(held)
            group = Group(followed, record, False, small.frames)
            try:
                self._append(held, group, small.payloads)
            except BaseException:
                self._end_holding(held)
                raise
            held.trees.take(small.trees, small.replaced)

    def tell(self, held: Held, row: CommitRow, record: Record, followed: Followed) -> None:
        """What changed with a commit that is sealed, for the next log. Raises as `hold`."""
        with held.guard:
            self._begin_holding(held)
            try:
                self._append(held, Group(followed, record, True), (), row)
            except BaseException:
                self._end_holding(held)
                raise

    def _append(self, held: Held, group: Group, payloads: Sequence[bytes], sealed: CommitRow | None = None) -> None:
        """`sealed`: the commit counts already."""
        interior, record = self._interior, group.record
        appended = held.append(group, payloads)
        try:
            with interior.catalog.transaction():
                self._entering.follow(held, group.followed)
                if sealed is None:
                    self._entering.enter(held, record)
                else:
                    interior.moments.add_gaps(held.number, record.ordinal, record.gaps)
                    if record.is_told:
                        interior.moments.mark(sealed.no, HELD, record.files, record.size_bytes)
        except BaseException:
            appended.take_back()
            raise
        held.take(group, appended.file, appended.chunks_at)

    def _begin_holding(self, held: Held) -> None:
        """While anything is held no other program prunes, nor do we take away what it needs."""
        if not held.has_lock:
            self._interior.lock.enter()
            held.has_lock = True
        self._interior.blobs.in_use.keep_for(held.number)
        if held.is_empty:
            held.since_s = self._interior.storage.clock.monotonic_s()

    def _end_holding(self, held: Held) -> None:
        if held.has_lock and held.is_empty:
            held.has_lock = False
            self._interior.blobs.in_use.let_held_go(held.number)
            self._interior.lock.leave()

    # Sealing

    def tick(self) -> None:
        """Seal what is due. Called often; never raises: what fails is in `problems` and tried again."""
        self._interior.lock.keep_fresh()
        now_s = self._interior.storage.clock.monotonic_s()
        waiting = [held for held in self._all() if not held.is_empty]
        if not waiting:
            self._is_lock_doubted = False
        due = [held for held in waiting if _is_due(held, now_s, at_once=self._is_lock_doubted)]
        for held in due:
            # What fails here fails again while sealing, and is told then.
            with suppress(HoldfastError, OSError), self._interior.blobs.in_use.writing():
                store_ahead(self._interior, held)
        self._seal_quietly(due)
        if now_s - self._kept_at_s >= KEEP_EVERY_S:
            self._kept_at_s = now_s
            with suppress(HoldfastError, OSError):
                self._keep_rules()

    def seal(self, dataset: DatasetId | None = None) -> None:
        """All that is held (of one dataset) is in the repository when this returns. Raises what the store raises."""
        chosen = [held for held in self._all() if dataset in (None, held.dataset)]
        self._seal([held for held in chosen if not held.is_empty])

    def _keep_rules(self) -> None:
        """What the rules keep no more goes, also of datasets of which nothing comes any longer."""
        interior = self._interior
        logged = interior.moments.logged()
        numbers = sorted({*logged, *interior.moments.with_logs()})
        if not numbers:
            return
        with interior.lock.session():
            interior.refresh()
            for number in numbers:
                newest = interior.commits.newest(number) if number in logged else None
                if newest is not None:
                    with interior.catalog.transaction():
                        drop_heads(interior, number, newest.no, marked=False)
                keep_logs(interior, number)

    def doubt_lock(self) -> None:
        """Somebody found the session lock lost. While anything is held nobody gets another one, so it is sealed as soon as can be."""
        self._is_lock_doubted = True

    def seal_if_possible(self) -> None:
        """Before work that would rather find everything sealed, and does its own when that fails."""
        self._seal_quietly([held for held in self._all() if not held.is_empty])

    def close(self) -> None:
        """Seal what can be, once; the rest is in the journal for the next life."""
        self.seal_if_possible()
        for held in self._all():
            with held.guard:
                held.close()

    def _seal_quietly(self, some: Sequence[Held]) -> None:
        if not some:
            return
        try:
            self._seal(some)
        except (HoldfastError, OSError) as error:
            message = error.message if isinstance(error, HoldfastError) else str(error)
            failing = Finding(
                code="sealing-fails",
                severity=Severity.WARNING,
                message=f"what is held for {self._interior.name} could not be sealed: {message}",
                hint="it is in the journal and tried again by itself",
            )
            with self._guard:
                self._failing |= {held.number: failing for held in some if not held.is_empty}

    def _seal(self, some: Sequence[Held]) -> None:
        with ExitStack() as guards:
            for held in some:
                guards.enter_context(held.guard)
                held.tried_at_s = self._interior.storage.clock.monotonic_s()
            some = [held for held in some if not held.is_empty]
            if not some:
                return
            self._seal_guarded(some)

    def _seal_guarded(self, some: Sequence[Held]) -> None:
        interior = self._interior
        self._take_lock(some)
        try:
            interior.lock.assert_held()
        except RepositoryLocked:
            self._leave_lock(some)
            self._take_lock(some)
            interior.lock.assert_held()
        try:
            with interior.blobs.in_use.writing():
                seal_held(interior, some)
        except HeldLost as error:
            self._give_up_what_is_lost(some, error)
            raise
        for held in some:
            self._drop_logs_of_old(held)
            with suppress(StoreError):
                held.clear()
            held.tried_at_s = None
            self._fails_no_more(held)
            # What is old is let go the next time where that fails now.
            with suppress(HoldfastError):
                keep_logs(interior, held.number)
            self._end_holding(held)

    def _drop_logs_of_old(self, held: Held) -> None:
        """The rules keep nothing between points any more, or no versions of single files."""
        interior, followed = self._interior, followed_of(self._interior, held.number)
        if followed is None:
            return
        going: list[bytes] = []
        if not followed.is_logged and interior.moments.has_logged(held.number):
            going += [log.id for log in interior.moments.logs(held.number)]
        if not followed.keeps_versions:
            going += [row.id for row in interior.commits.lineages(held.number)]
        if going:
            with suppress(HoldfastError), interior.catalog.transaction():
                forget(interior, going)

    def _take_lock(self, some: Sequence[Held]) -> None:
        """For those that have none, since a start or since it was lost: what others may have pruned meanwhile is looked for before anything
        is sealed. What a snapshot reaches no prune has taken, and all that is held builds on one, or brings the rest along."""
        without = [held for held in some if not held.has_lock]
        try:
            for held in without:
                self._interior.enter(at_once=True)
                held.has_lock = True
        finally:
            entered = [held for held in without if held.has_lock]
            lost = [held for held in entered if (unsealed := held.unsealed()) and not self._is_based(held, unsealed)]
            for held in lost:
                self._give_up(held, HeldLost("another program removed the state that they build on"))
            if lost:
                raise HeldLost(f"another program removed what {len(lost)} followed datasets build on")

    def _leave_lock(self, some: Sequence[Held]) -> None:
        """Another program took it away."""
        for held in some:
            held.has_lock, held.ahead = False, Ahead()
            self._interior.lock.leave()

    def _is_based(self, held: Held, unsealed: Sequence[Record]) -> bool:
        base = self._entering.base_of(held, unsealed)
        return base is not None and base.tree == unsealed[0].before

    def _give_up_what_is_lost(self, some: Sequence[Held], error: HeldLost) -> None:
        """One after the other, so that the others are sealed."""
        if len(some) > 1:
            for held in some:
                with suppress(HoldfastError):
                    self._seal_guarded([held])
            return
        held = some[0]
        self._give_up(held, error)

    def _give_up(self, held: Held, error: RepositoryDamaged) -> None:
        """The state before is the newest again, and the source offers everything once more."""
        interior = self._interior
        records = held.unsealed()
        with interior.catalog.transaction():
            for record in reversed(records):
                number = interior.commits.number_at(held.number, record.ordinal)
                if number:
                    interior.refresher.undo(number, held.number)
            interior.moments.held_to(held.number, 0)
        interior.quarantine.add((), [held.dataset])
        with suppress(OSError):
            held.set_apart()
        self._end_holding(held)
        self._fails_no_more(held)
        self._tell_lost(
            Finding(
                code="held-lost",
                severity=Severity.ERROR,
                message=f"{len(records)} held commits of {held.dataset} could not be kept: {error.message}",
                hint="their file is kept in HOME/repositories/NAME/journal; the source sends again what it still has",
            )
        )

    def _fails_no_more(self, held: Held) -> None:
        """Whoever asked for it: a run that seals all that is held each minute leaves no try of our own due."""
        with self._guard:
            self._failing.pop(held.number, None)

    def _tell_lost(self, finding: Finding) -> None:
        with self._guard:
            self._lost.append(finding)

    def _all(self) -> list[Held]:
        with self._guard:
            return [self._held[number] for number in sorted(self._held)]

    # After a start, and after the catalog was made anew

    def recover(self) -> None:
        """What an earlier life left is held again, and sealed if that can be. For the start, when nothing is being received."""
        files: dict[DatasetId, list[tuple[JournalFile, int]]] = {}
        found: dict[JournalFile, list[tuple[Group, int]]] = {}
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            file = JournalFile(path)
            scan = file.recover()
            for finding in damage_in(path, scan):
                self._tell_lost(finding)
            if scan.lacks_some and scan.groups:
                self._interior.quarantine.add((), [scan.groups[0].group.followed.dataset])
            if not scan.groups:
                file.remove()
                continue
            dataset = scan.groups[0].group.followed.dataset
            self.of(dataset).is_mended |= scan.lacks_some
            files.setdefault(dataset, []).append((file, _generation(path)))
            found[file] = [(placed.group, placed.chunks_at) for placed in scan.groups]
        for dataset, own in files.items():
            held = self.of(dataset)
            with held.guard:
                for file, generation in own:
                    held.adopt(file, generation)
                groups = [(group, at, file) for file, _ in own for group, at in found[file]]
                if self._entering.take_up(held, groups):
                    self._enter_again(held)
        self._drop_forsaken()
        self.seal_if_possible()

    def _drop_forsaken(self) -> None:
        """What the catalog knows as held and the journal has no more is nowhere."""
        for dataset, commits in self._interior.moments.held_alone().items():
            held = self.of(dataset)
            with held.guard:
                forsaken = self._entering.forsaken(held, commits)
                for number in forsaken:
                    self._interior.refresher.undo(number, held.number)
            if forsaken:
                self._interior.quarantine.add((), [dataset])
            # Damage that was met has been told.
            if forsaken and not held.is_mended:
                self._tell_lost(not_in_journal(dataset, len(forsaken)))

    def settle(self) -> None:
        """After a refresh that built datasets again from the repository alone: what is held is entered once more."""
        anew = self._interior.refresher.started_anew
        while anew:
            number = anew.pop()
            with self._guard:
                held = self._held.get(number)
            if held is not None:
                with held.guard:
                    self._enter_again(held)

    def enter_all_again(self) -> None:
        """The catalog was made anew from the repository alone."""
        for held in self._all():
            with held.guard:
                if not held.is_empty:
                    self._enter_again(held)

    def _enter_again(self, held: Held) -> None:
        try:
            self._entering.enter_again(held)
        except RepositoryDamaged as error:
            self._give_up(held, error)


def _is_due(held: Held, now_s: float, *, at_once: bool) -> bool:
    if held.tried_at_s is not None and now_s - held.tried_at_s < _AGAIN_S:
        return False
    return at_once or now_s - held.since_s >= SEAL_AFTER_S or held.journal_bytes >= SEAL_AT_BYTES


def _generation(path: Path) -> int:
    number = path.name.removesuffix(SUFFIX).rpartition(".")[2]
    return int(number) if number.isdigit() else 0
