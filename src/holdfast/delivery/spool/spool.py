"""The spool of one delivery. Its runs build on one another: the first on where the receiver stands, each other one on the run before it.

What is on disk is all there is to know: after a crash every run counts as unsent until the receiver has said where it stands (`align`).
Files go from the oldest on, so what is there is always without a hole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, NoSpace, StoreError
from holdfast.delivery.spool.bundles import BundleChunks, has_unasked, together, without_loss
from holdfast.delivery.spool.cipher import HINT, SpoolLost, SpoolUnread
from holdfast.delivery.spool.joining import write_joined
from holdfast.delivery.spool.replay import replayed
from holdfast.delivery.spool.run_file import PART, RunFile, RunWriter, runs_in, written_at
from holdfast.delivery.spool.stand import Stand, is_behind, load_stand, save_stand
from holdfast.delivery.spool.thinning import joined_changes, thinned, to_join
from holdfast.model.change import Begin, Commit, Cursor, Payload
from holdfast.model.gaps import Gap
from holdfast.model.stream import Outgoing


class Filled(NamedTuple):
    """What is unsent: how many runs and bytes, and when the oldest was captured; None = nothing is."""

    runs: int
    size_bytes: int
    since: datetime | None


class Spool:
    """Any thread; one run is written and one is sent at a time. `share_bytes` is asked how much it may hold.

    Raises `NoSpace`, `StoreError` where its disk fails; then what was there is there still.
    """

    def __init__(
        self, folder: Path, seal: tuple[bytes, str], entropy: Entropy, share_bytes: Callable[[], int], *, is_patient: bool = True
    ) -> None:
        """`seal`: the node's spool key, and the delivery's id. Raises `SpoolUnread` where what is there cannot be read now, and gives up
        nothing of it then; `is_patient` False = it does where the disk refuses it."""
        self._folder, self._seal, self._entropy, self._share_bytes = folder, seal, entropy, share_bytes
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self._stand = load_stand(folder)
        self._runs: list[RunFile] = []
        self._sent_seq = self._passed_seq = -1
        self._sending: tuple[RunFile, ...] = ()
        # What the receiver held and had not sealed when it had to make room here.
        self._dropped: list[Commit] = []
        self._writing: RunWriter | None = None
        self._borrowed: set[bytes] = set()
        self._holders: dict[bytes, RunFile] | None = None
        self._total_bytes = 0
        self.is_teed = False
        """A run goes to the receiver itself as well: until that has ended nobody else sends anything."""
        self.answers = 0
        """How often the receiver has said where it stands."""
        self.is_closed = False
        """A run could not be kept: no other is taken until the receiver has got what is here."""
        self._load(is_patient=is_patient)

    # What is there

    @property
    def cursor(self) -> Cursor | None:
        """Where a receiver stands that has all of it; None = not known."""
        with self.lock:
            if not self._runs:
                return self._stand.cursor
            return self._runs[-1].cursor

    @property
    def size_bytes(self) -> int:
        with self.lock:
            return self._total_bytes

    @property
    def is_empty(self) -> bool:
        with self.lock:
            return not self._runs

    def unsent(self) -> Filled:
        with self.lock:
            left = [run for run in self._runs if run.seq > self._sent_seq]
            return Filled(len(left), sum(run.size_bytes for run in left), left[0].facts.commit.captured_at if left else None)

    @property
    def reached(self) -> Cursor | None:
        """Where the receiver stands by what it said last; None = not known, or it is only what the first run builds on."""
        with self.lock:
            sent = [run.cursor for run in self._runs if run.seq <= self._sent_seq]
            if sent or not self._runs:
                return sent[-1] if sent else self._stand.cursor
            return self._runs[0].facts.begin.base

    @property
    def has_unsent(self) -> bool:
        with self.lock:
            return bool(self._runs) and self._runs[-1].seq > self._sent_seq

    def tee(self, *, on: bool) -> None:
        with self.changed:
            self.is_teed = on
            self.changed.notify_all()

    # Writing: see `writing.SpoolSession`

    def begin(self, begin: Begin) -> RunWriter:
        """The next run. Raises `StoreError` when it does not build on what is here."""
        with self.lock:
            if begin.base is None or begin.base != self.cursor or begin.epoch != begin.base.epoch or self.is_closed:
                raise StoreError("the spool holds nothing that this run builds on", hint=HINT)
            self._writing = RunWriter(self._folder, begin.seq, self._seal, self._entropy)
            self._borrowed = set()
            return self._writing

    def lends(self, chunk: bytes) -> bool:
        """Whether an earlier run has brought the chunk; it is kept for the one that is being written. Nothing is lent of a run whose state
        the receiver may never have asked for, because it got it in a bundle."""
        with self.lock:
            holder = self._holding().get(chunk)
            if holder is None or holder.seq <= self._passed_seq:
                return False
            self._borrowed.add(chunk)
            return True

    def make_room(self, size_bytes: int) -> None:
        """For so much more in the run that is being written: what the receiver holds goes first, then the oldest runs become one. Raises
        `NoSpace` when that is not enough."""
        with self.lock:
            own_bytes = 0 if self._writing is None else self._writing.size_bytes
            share_bytes = self._share_bytes()
            while self._total_bytes + own_bytes + size_bytes > share_bytes:
                if self._runs and self._runs[0].seq <= self._sent_seq and self._done_with(1):
                    self._dropped.append(self._runs[0].facts.commit)
                    self._drop(1)
                elif not self._thin():
                    raise NoSpace(
                        "the spool of this machine is full",
                        hint="give it more by `spool` in limits.toml; receivers that are away are caught up from the state",
                    )

    def add(self, begin: Begin, commit: Commit, withdrawn: set[bytes]) -> None:
        """The run that is being written is whole; it is kept when this returns."""
        with self.changed:
            writer = self._writing
            if writer is None:
                raise StoreError("no run is being written", hint="this is a fault in Holdfast; the log has the details")
            self.make_room(writer.waiting_bytes)
            self._writing = None
            writer.finish(begin, commit, self._borrowed, withdrawn)
            self._set_runs([*self._runs, RunFile(writer.path, *self._seal)])
            self.healed()
            self.changed.notify_all()

    def discard(self) -> None:
        """The run that is being written is not to be. Never raises."""
        with self.lock:
            writer, self._writing = self._writing, None
            if writer is not None:
                writer.discard()

    # Sending

    def next_bundle(self, most: int = 1, *, joining: bool = False) -> tuple[RunFile, ...]:
        """The oldest of the unsent, `most` of them, which stay as they are until `sent_or_not`. `joining`: they go as one."""
        with self.lock:
            unsent = [run for run in self._runs if run.seq > self._sent_seq]
            count = together([run.size for run in unsent[:most]], self._share_bytes())
            bundle: Sequence[RunFile] = unsent[:count]
            if joining:
                bundle = without_loss(bundle, lambda found: self._lent(unsent[len(found) :]))
            if joining and len(bundle) > 1:
                self._passed_seq = max(self._passed_seq, bundle[-1].seq)
            self._sending = tuple(bundle)
            return self._sending

    def sent_or_not(self) -> None:
        """Nothing is being sent now."""
        with self.lock:
            self._sending = ()

    def outgoing(self, runs: Sequence[RunFile]) -> Iterator[Outgoing]:
        """These as one."""
        chunks = BundleChunks(lambda chunk: self.payload(runs, chunk))
        return replayed(joined_changes([run.changes() for run in runs]), runs[-1].seq, chunks)

    def payload(self, runs: Sequence[RunFile], chunk: bytes) -> Payload | None:
        """None = the source could not give it. Raises `SpoolLost` when it should be here and is not."""
        with self.lock:
            holder = self._holding().get(chunk)
            if holder is not None:
                return holder.payload(holder.chunks[chunk])
            if any(chunk in run.facts.withdrawn for run in runs):
                return None
            raise SpoolLost("the spool lacks a chunk that the receiver asks for", hint=HINT)

    # What the receiver says

    def align(self, cursor: Cursor | None, sealed: Cursor | None) -> None:
        """The receiver stands there, and what it has until `sealed` outlives the loss of its disk. What is of no use for it goes."""
        with self.changed:
            self.answers += 1
            self._dropped = [commit for commit in self._dropped if is_behind(sealed, commit)]
            if not self._runs and not (self._dropped and is_behind(cursor, self._dropped[-1])):
                was_presumed, self._stand = self._stand.presumed_at is not None, self._stand.has_answered(cursor)
                if was_presumed:
                    self._save_stand()
                self.is_closed = False
                return
            if self._stand.strays_with(cursor):
                self._stand = msgspec.structs.replace(self._stand, is_astray=True)
                self.give_up(cursor)
                return
            if not self._runs or cursor is None or cursor.epoch != self._runs[-1].cursor.epoch or cursor.seq < self._runs[0].base_seq:
                self.give_up(cursor)
                return
            self._sent_seq = cursor.seq
            if self.answers == 1:
                # What was sent in an earlier life may have gone in bundles.
                self._passed_seq = cursor.seq
            if self._stand.presumed_at is not None:
                self._stand = msgspec.structs.replace(self._stand, presumed_at=None)
                self._save_stand()
            if cursor.seq > self._runs[-1].seq:
                self._leave(msgspec.structs.replace(self._stand, cursor=cursor))
                return
            if sealed is not None and sealed.epoch == cursor.epoch:
                self._drop(self._done_with(sum(1 for run in self._runs if run.seq <= min(sealed.seq, cursor.seq))))
            if not self.has_unsent:
                self.is_closed = False
            self.changed.notify_all()

    def give_up(self, cursor: Cursor | None) -> None:
        """What is here cannot be delivered any more: the receiver gets the newest state, and is told what it misses."""
        with self.lock:
            is_less = cursor is not None and bool(self._runs) and cursor.epoch == self._runs[-1].cursor.epoch
            has_seq = min(cursor.seq, self._sent_seq) if cursor is not None and is_less else self._sent_seq
            known, self._dropped = [*self._dropped, *(run.facts.commit for run in self._runs)], []
            lost = [commit for commit in known if commit.seq > has_seq] or known[:1]
            if lost:
                self.missed(self._stand.presumed_at or lost[0].captured_at, [gap for commit in lost for gap in commit.gaps])
            self._leave(msgspec.structs.replace(self._stand, cursor=cursor, presumed_at=None))

    # Runs that nobody kept

    @property
    def is_astray(self) -> bool:
        """Whether numbers of runs mean something else to the receiver: it needs a commit of a new epoch. Say so with `set_right`."""
        return self._stand.is_astray

    def set_right(self) -> None:
        with self.lock:
            self._stand = msgspec.structs.replace(self._stand, is_astray=False)
            self._save_stand()

    def presume(self, commit: Commit, given_seq: int) -> None:
        """The receiver has not said anything yet in this life, and cannot be asked: as far as is known it has the newest commit, so what
        comes after it can be kept. Should it turn out to have less, it is told that it misses states since then. `given_seq`: the last
        number that was given to a run."""
        with self.lock:
            cursor = Cursor(commit.epoch, commit.seq)
            is_open = self.answers == 0 and not self._runs and self._stand.presumed_at is None
            if is_open and self._stand.cursor != cursor:
                self._stand = msgspec.structs.replace(self._stand, cursor=cursor, presumed_at=commit.captured_at, presumed_seq=given_seq)
                self._save_stand()

    def missed(self, captured_at: datetime, gaps: Iterable[Gap] = ()) -> None:
        """The receiver did not get the run of this time, with these gaps, nor is it kept."""
        with self.lock:
            found = self._stand.lacking(captured_at, gaps)
            if found != self._stand:
                self._stand = found
                self._save_stand()

    def gaps(self, roots: Iterable[bytes], captured_at: datetime) -> tuple[Gap, ...]:
        """What the next commit for the receiver has to say of runs that were missed."""
        with self.lock:
            since = self._stand.missed_since
            return (*self._stand.untold, *(() if since is None else thinned(roots, since, captured_at)))

    def healed(self) -> None:
        """A commit with these gaps is kept, or the receiver has it."""
        with self.lock:
            if self._stand.is_missing:
                self._stand = msgspec.structs.replace(self._stand, missed_since=None, untold=())
                self._save_stand()

    # Files

    def _load(self, *, is_patient: bool) -> None:
        """A run that cannot be read ends the row: what comes after it builds on it."""
        with suppress(OSError):
            for part in self._folder.glob(f"*{PART}"):
                part.unlink()
        found, paths = list[RunFile](), runs_in(self._folder)
        for place, path in enumerate(paths):
            try:
                run = RunFile(path, *self._seal)
            except (SpoolLost, SpoolUnread) as error:
                if isinstance(error, SpoolUnread) and (is_patient or not error.is_of_disk):
                    raise
                # When it was captured only the file can tell, by when it was written.
                self.missed(found[-1].facts.commit.captured_at if found else written_at(path))
                self._remove(paths[place:])
                break
            found.append(run)
        # Runs were joined, and the crash came before the old ones were gone: the newer one counts.
        kept: list[RunFile] = []
        for run in reversed(found):
            if not kept or run.cursor == kept[-1].facts.begin.base:
                kept.append(run)
            elif run.seq < kept[-1].base_seq:
                self.missed(run.facts.commit.captured_at, run.facts.commit.gaps)
        self._set_runs(kept[::-1])
        self._passed_seq = kept[0].seq if kept else -1
        self._remove([run.path for run in found if run not in kept])

    def _set_runs(self, runs: list[RunFile]) -> None:
        self._runs = runs
        self._holders = None
        self._total_bytes = sum(run.size_bytes for run in runs)

    def _holding(self) -> dict[bytes, RunFile]:
        """Which run brought each chunk."""
        if self._holders is None:
            self._holders = {chunk: run for run in reversed(self._runs) for chunk in run.chunks}
        return self._holders

    def _lent(self, runs: Iterable[RunFile]) -> set[bytes]:
        """Chunks that these have borrowed, or the one that is being written."""
        own = self._borrowed if self._writing is not None else ()
        return set(own).union(*(run.facts.borrowed for run in runs))

    def _done_with(self, most: int) -> int:
        """How many of the oldest nothing to come needs, `most` at most."""
        lent = self._lent(run for run in self._runs if run.seq > self._sent_seq) if most else set()
        return next((place for place, run in enumerate(self._runs[:most]) if has_unasked(run, lent)), most)

    def _drop(self, count: int) -> None:
        """The receiver has the oldest of them for good."""
        if count and count == len(self._runs):
            self._leave(msgspec.structs.replace(self._stand, cursor=self.cursor))
            return
        going = self._runs[:count]
        self._set_runs(self._runs[count:])
        self._remove([run.path for run in going])

    def _leave(self, stand: Stand) -> None:
        going, self._stand, self._passed_seq = self._runs, stand, -1
        self._set_runs([])
        self.is_closed = False
        self._save_stand()
        self._remove([run.path for run in going])
        self.changed.notify_all()

    def _save_stand(self) -> None:
        """A disk that takes nothing does not undo what is known meanwhile."""
        with suppress(HoldfastError):
            save_stand(self._folder, self._stand)

    def _remove(self, paths: list[Path]) -> None:
        """From the oldest on. One that stays is found again at the next start, where it is known to be of no use."""
        with suppress(OSError):
            for path in paths:
                path.unlink(missing_ok=True)

    def _thin(self) -> bool:
        """Whether there are fewer runs now."""
        is_free = [run.seq > self._sent_seq and run not in self._sending for run in self._runs]
        begin = is_free.index(True) if any(is_free) else len(is_free)
        free = self._runs[begin:]
        first, last = to_join([run.size for run in free], self.size_bytes)
        if first == last:
            return False
        self._join(begin + first, begin + last)
        return True

    def _join(self, first: int, last: int) -> None:
        """These runs become one, under the name of the last: what a crash leaves of the others is newer than what it builds on."""
        going, later = self._runs[first : last + 1], self._runs[last + 1 :]
        writer = RunWriter(self._folder, going[-1].seq, self._seal, self._entropy)
        try:
            write_joined(going, writer, self._lent(later))
        finally:
            # It may have got its name although its folder could not be made durable; then it is the one that can be read.
            joined = RunFile(writer.path, *self._seal)
            if joined.base_seq == going[0].base_seq:
                self._set_runs([*self._runs[:first], joined, *later])
        self._remove([run.path for run in going[:-1]])
