"""One target of a mirror action through its commits: stage, pin, write down the intention, place, move the cursor."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError, NoSpace, ProtocolError, StoreError
from holdfast.core.local_database import is_full
from holdfast.delivery.ports import VerifiedChunk
from holdfast.host.tree_writer import sync_paths
from holdfast.mirror.inspecting import Inspection, Looks
from holdfast.mirror.moves import Hints, Moves
from holdfast.mirror.moving import plan_moves
from holdfast.mirror.placing import Placing, changed_underneath, clean_temp, pin
from holdfast.mirror.removals import Removals, purge, stamp_of
from holdfast.mirror.rows import Intention
from holdfast.mirror.soundness import mirror_errors
from holdfast.mirror.staging import Staging
from holdfast.mirror.target import TEMP, Contents, Target, temp_path
from holdfast.mirror.writeback import Writeback
from holdfast.model.change import Begin, Commit, Cursor, Segment
from holdfast.model.entry import ChunkRef, display_path, walk_key
from holdfast.model.jobs import Finding

_logger = logging.getLogger(__name__)
_PURGE_EVERY_S = 600.0


@dataclass(frozen=True)
class Outcome:
    findings: tuple[Finding, ...] = ()
    stored_bytes: int = 0


class MirrorTree:
    """Steps of a commit, in the order that makes a crash harmless:

    1. changes are staged, contents complete in the side folder; the mirror is untouched
    2. contents durable, then the intention durable
    3. changes are placed, each file replaced in one step; durable
    4. records and cursor moved; durable
    A crash before the intention leaves the mirror as it was; after it, `recover` finishes the commit.
    """

    def __init__(self, target: Target, *, keep_s: float | None, clock: Clock, findings: list[Finding]) -> None:
        self.target = target
        self._records = target.records
        self._contents = Contents(target)
        self._keep_s = keep_s
        self._clock = clock
        self._findings = findings
        self._purged = datetime.min.replace(tzinfo=UTC)
        self._begin: Begin | None = None
        self._staging: Staging | None = None
        self._hints = Hints((), target.root)
        self._writeback = Writeback(target.side.root)
        self._had_no_room = False
        # Contents that were on their way then.
        self._in_use: frozenset[int] = frozenset()

    @property
    def errors(self) -> AbstractContextManager[None]:
        return mirror_errors(self.target)

    def cursor(self) -> Cursor | None:
        """None also when the target is gone although it should be there."""
        text = self._records.fact("cursor")
        if text is None or (self._records.has_entries() and self.target.writer.stat(self.target.base) is None):
            return None
        return msgspec.json.decode(text, type=Cursor)

    def recover(self) -> None:
        """Finish a commit whose intention is written down; else what was staged becomes spare."""
        self._records.forget()
        text = self._records.fact("intention")
        if text is not None:
            self._carry_out(msgspec.json.decode(text, type=Intention))
        self._take_back()
        clean_temp(self.target)

    def begin(self, begin: Begin) -> None:
        """Raises `ProtocolError` when it does not build on what is here."""
        # What an earlier commit had staged and could not take back, as on a full disk, would be taken for this one's.
        self._roll_back()
        self._look_again()
        if self._records.fact("intention") is not None:
            # The disk failed in the midst of placing, and the same session goes on.
            self.recover()
        at = self.cursor()
        if begin.base is not None and (at is None or at.epoch != begin.base.epoch or at.seq < begin.base.seq):
            raise ProtocolError(f"the mirror stands at {at}, the commit builds on {begin.base}", hint="send a full commit")
        self._begin = begin
        if at is not None and begin.base is not None and at.epoch == begin.epoch and begin.seq <= at.seq:
            return
        clean_temp(self.target)
        self._contents.reset()
        self._hints = Hints(begin.moves if begin.base is not None else (), self.target.root)
        adopting = self._records.fact("adopting") is not None
        self._staging = Staging(self.target, self._contents, self._hints, adopting=adopting)

    def _look_again(self) -> None:
        """A session may be open for hours, and what it has open may have been renamed by somebody since. Raises `StoreError`."""
        for writer in (self.target.writer, self.target.side):
            if not writer.look_again():
                raise StoreError(
                    f"{display_path(writer.root)} was moved away or replaced while the mirror was open",
                    hint="bring it back; the next run opens the mirror anew",
                    path=display_path(writer.root),
                )

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        """By the records alone; whether it still stands there is seen when its chunks are used."""
        known = self._records.entry(walk_key(path)) if self.target.covers(path) else None
        return known.entry.chunks if known is not None else ()

    def wanted(self, segment: Segment) -> set[bytes]:
        return set() if self._staging is None else self._staging.wanted(segment)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        if self._staging is not None:
            with self._minding_room():
                self._staging.apply(segment, chunks, withdrawn)
            self._writeback.written(len(segment.changes))

    def commit(self, commit: Commit) -> Outcome:
        """Returns when everything is in place and durable. Raises `StoreError` when the mirror turned out changed: repeat the commit."""
        begin, staging = self._begin, self._staging
        if begin is None or (begin.dataset, begin.epoch, begin.seq) != (commit.dataset, commit.epoch, commit.seq):
            raise ProtocolError("a commit that was not begun")
        if staging is None:
            return Outcome()
        staging.drop()
        staging.part_shared()
        if staging.broken:
            self._records.save()
            raise changed_underneath(self.target, self.target.relative(staging.broken[0]))
        if begin.base is None:
            self._records.stage_missing_as_removed()
        intention = Intention(
            dataset=begin.dataset,
            cursor=Cursor(begin.epoch, begin.seq),
            full=begin.base is None,
            stamp=stamp_of(self._clock),
            keep_s=self._keep_s,
            # Of a large file that is on its way more comes after a small commit.
            keeps_spares=commit.continuous,
            moves=plan_moves(self.target, self._contents, self._hints).trees,
            captured_at=commit.captured_at,
            files=commit.files,
            size_bytes=commit.size_bytes,
        )
        if not self._records.has_changes() and not intention.full:
            self._end(intention)
        else:
            with self._minding_room():
                self._intend(intention)
            self._carry_out(intention)
        self._purge()
        self._inspect(intention, commit)
        self._begin = self._staging = None
        findings = (*self._findings, *staging.findings)
        self._findings.clear()
        return Outcome(findings, staging.stored_bytes)

    def _purge(self) -> None:
        """Not at each of many small commits: it looks at every commit of which something is kept."""
        moment = now(self._clock)
        if abs((moment - self._purged).total_seconds()) >= _PURGE_EVERY_S:
            self._purged = moment
            purge(self.target, self._keep_s, moment)

    def _inspect(self, intention: Intention, commit: Commit) -> None:
        """A run of the source that looked at everything: then so does the mirror. A full commit has just done it."""
        looks, started_s = Looks(self.target, self._clock), self._clock.monotonic_s()
        if self._records.fact("cursor") is None or not looks.is_owed(commit) or not looks.is_due():
            return
        if not intention.full:
            removals = Removals(self.target, self._contents, self._keep_s, intention.stamp)
            inspection = Inspection(self.target, self._contents, removals)
            inspection.run()
            self._findings.extend(removals.findings + inspection.findings)
            if inspection.incomplete:
                self._records.set_fact("cursor", None)
        looks.note(started_s, commit)
        self._records.save(durable=True)

    def _intend(self, intention: Intention) -> None:
        try:
            pin(self.target, self._contents, Moves(intention.moves))
        except HoldfastError:
            self._records.save()
            raise
        self._records.save()
        if intention.full:
            self.target.writer.sync()
        else:
            sync_paths(self.target.side, [*(temp_path(n) for n in self._records.staged_in_side()), TEMP])
        self._records.set_fact("intention", msgspec.json.encode(intention).decode())
        self._records.save(durable=True)

    def _carry_out(self, intention: Intention) -> None:
        self._contents.reset()
        removals = Removals(self.target, self._contents, intention.keep_s, intention.stamp)
        placing = Placing(self.target, self._contents, removals, Moves(intention.moves), full=intention.full)
        placing.run()
        self._findings.extend(removals.findings + placing.findings)
        placing.make_durable()
        self._end(intention, incomplete=bool(placing.findings))

    def _end(self, intention: Intention, *, incomplete: bool = False) -> None:
        self._records.merge_staged(full=intention.full, keeps_spares=intention.keeps_spares)
        self._records.set_fact("dataset", intention.dataset)
        self._records.set_fact("cursor", None if incomplete else msgspec.json.encode(intention.cursor).decode())
        self._records.set_fact("stand", None if intention.stand is None else msgspec.json.encode(intention.stand).decode())
        self._records.set_fact("intention", None)
        self._records.set_fact("adopting", None)
        self._records.save(durable=True)
        self._contents.reset()
        clean_temp(self.target)

    def abort(self) -> None:
        """The mirror is untouched; what was staged becomes spare. Never raises."""
        try:
            self._roll_back()
        except Exception:
            _logger.exception("a mirror could not be rolled back now; it is at its next commit or opening")

    def _roll_back(self) -> None:
        staging, self._staging, self._begin = self._staging, None, None
        self._contents.reset()
        self._records.forget()
        if staging is not None:
            if self._had_no_room:
                staging.cut_back()
            staging.drop()
        if self._records.fact("intention") is not None:
            return
        if self._had_no_room:
            clean_temp(self.target)
        self._take_back()

    def _take_back(self) -> None:
        """What was staged becomes spare. Where not a byte is left for the records, the newest content makes room: of all that is in the
        side folder it is what is missed least."""
        try:
            self._unstage()
        except sqlite3.OperationalError:
            self._records.forget()
            contents = [name for name, _ in self.target.side.names(TEMP) if name.isdigit()]
            if not contents:
                raise
            self.target.side.remove(temp_path(max(map(int, contents))))
            self._unstage()
        self._had_no_room, self._in_use = False, frozenset()

    def _unstage(self) -> None:
        if self._had_no_room:
            self._drop_old_spares()
        self._records.unstage()
        self._records.save()

    @contextmanager
    def _minding_room(self) -> Iterator[None]:
        """Around what fills the side folder."""
        try:
            yield
        except (NoSpace, sqlite3.Error) as error:
            if isinstance(error, NoSpace) or is_full(error, os.fsdecode(self.target.side.root + b"/" + TEMP)):
                self._had_no_room = True
                self._in_use = frozenset() if self._staging is None else self._staging.growing
            raise

    def _drop_old_spares(self) -> None:
        """Where the disk was too small, what commits before had brought and this one did not use makes room: the source may not have it any
        more, and then nobody else would take it away. Files first, for without room the records cannot be written."""
        spares = self._records.spares() - self._in_use
        for n in spares:
            self.target.side.remove(temp_path(n))
        self._records.drop_files(spares)

    def close(self) -> None:
        self.abort()
        self._writeback.join()
        self._contents.close()
        self._records.close()
        self.target.writer.close()
        self.target.side.close()
