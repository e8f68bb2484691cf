"""The store action of a dataset that may be followed: a small commit of a continuous stream is held, everything else is stored as ever."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from holdfast.core.clock import ns_of
from holdfast.core.errors import HoldfastError, ProtocolError, RepositoryLocked
from holdfast.core.ids import ActionId
from holdfast.delivery.ports import VerifiedChunk
from holdfast.model import rules
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Durability, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.gaps import Gap, GapReason
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.continuous.continuous import SEAL_AT_BYTES, Continuous
from holdfast.repository.continuous.held import Held
from holdfast.repository.continuous.small_commit import Applied, SmallCommit
from holdfast.repository.damage_met import Read
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.log_files import LARGEST_RECORD_BYTES
from holdfast.repository.moment_record import KEEPING_KINDS, Followed, Op, Record, encode
from holdfast.repository.packs.packer import WORTH_KEEPING_BYTES, Packer
from holdfast.repository.points.admission import check_commit
from holdfast.repository.points.store_action import OnPoints, StoreAction

_CONTINUOUS_KINDS = (*KEEPING_KINDS, "live")


class FollowingAction:
    """One session. While a commit is open it is either `_small`, in memory, or the inner action's."""

    def __init__(
        self, interior: Interior, continuous: Continuous, action: rules.StoreAction, receive: rules.Receive, on_points: OnPoints
    ) -> None:
        self._interior = interior
        self._continuous = continuous
        self._action = action
        self._receive = receive
        self._inner = StoreAction(interior, action, receive, on_points)
        self._met = interior.damage_met(Read(receive.dataset, receive.label))
        self._held: Held | None = None
        self._small: SmallCommit | None = None
        self._begin: Begin | None = None
        self._base: CommitRow | None = None

    @property
    def id(self) -> ActionId:
        return self._action.id

    @property
    def reads_plain(self) -> bool:
        return self._inner.reads_plain

    def cursor(self) -> Cursor | None:
        self._join()
        return self._inner.cursor()

    def sealed(self) -> Cursor | None:
        """The newest commit that a snapshot reaches."""
        held = self._held
        if held is None:
            return None
        with held.guard:
            unsealed = held.unsealed()
            if not unsealed:
                return self._inner.cursor()
            row = self._interior.commits.before_ordinal(held.number, unsealed[0].ordinal)
            return None if row is None else row.cursor

    def begin(self, begin: Begin) -> None:
        """Raises what `StoreAction.begin` raises, and where something held has to be sealed first, what that raises."""
        held = self._join()
        if self._small is not None:
            raise ProtocolError("a commit begins before the one before it has ended")
        if self._may_be_held(held):
            # Such a session has no end of its own, so a pause ends it here.
            self._interior.pausing.check(self._interior.name)
        self._inner.take(begin)
        try:
            base = self._inner.base_of(begin)
            _, sender = self._inner.join()
            self._base, self._begin = base, begin
            is_repeated = base is not None and base.cursor == Cursor(epoch=begin.epoch, seq=begin.seq)
            is_others = not held.is_empty and held.sender != sender
            if begin.base is None or base is None or is_repeated or is_others or not self._may_be_held(held):
                self._continuous.seal(held.dataset)
                self._inner.go_on(begin)
                return
            with held.guard:
                held.sender = sender
                reader = None if self._receive.trust == "repository" else sender
                self._small = SmallCommit(self._interior, held, begin, base, reader, self._met)
                held.opens()
        except BaseException:
            self._close_small()
            self._interior.release_dataset(held.number)
            raise

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        return self._small.recorded(path) if self._small is not None else self._inner.recorded(path)

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        return self._small.wanted(segment) if self._small is not None else self._inner.wanted(segment)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        small = self._small
        if small is None:
            self._inner.apply(segment, chunks, withdrawn)
            return
        small.apply(Applied(segment, chunks, withdrawn))
        if not small.is_small:
            self._go_the_usual_way(small)

    def commit(self, commit: Commit) -> Acknowledgement:
        try:
            return self._commit(commit)
        except RepositoryLocked:
            self._continuous.doubt_lock()
            raise

    def _commit(self, commit: Commit) -> Acknowledgement:
        small, base = self._small, self._base
        commit = self._with_time_before(commit, base)
        if commit.continuous and self._held is not None:
            self._held.was_continuous = True
        if small is not None and commit.continuous and not self._inner.own_marks(commit) and (held := self._hold(small, commit)):
            return held
        if self._small is not None:
            self._go_the_usual_way(self._small)
        told = self._inner.commit(commit)
        self._tell(commit, base)
        return told

    def _with_time_before(self, commit: Commit, base: CommitRow | None) -> Commit:
        """A source that begins anew, such as a machine in the place of a dead one, does not know since when nobody watched. Here that is
        known."""
        begin = self._begin
        assert begin is not None
        if base is None or base.epoch == commit.epoch or not self._followed(begin, commit).is_logged:
            return commit
        since, until = sorted((moment_of(base.captured_ns), commit.captured_at))
        gaps = (Gap(path=root, since=since, until=until, reason=GapReason.RESTART) for root in begin.roots)
        return msgspec.structs.replace(commit, gaps=(*commit.gaps, *gaps))

    def abort(self) -> None:
        small = self._small
        was_small = small is not None
        self._close_small()
        if small is not None and small.size_bytes >= WORTH_KEEPING_BYTES:
            self._keep(small)
        self._inner.abort()
        if was_small and self._held is not None:
            self._interior.release_dataset(self._held.number)

    def _keep(self, small: SmallCommit) -> None:
        """What came of a commit that does not is not sent again: content of a large file goes ahead like this. Never raises."""
        packer = Packer(self._interior.storage, self._interior.blobs, self._interior.pool, self._inner.join()[1])
        try:
            for frame, payload in zip(small.frames, small.payloads, strict=True):
                packer.add_chunk(frame.id, payload, frame.size_bytes, compressed=frame.is_frame)
            packer.flush()
        except Exception:  # noqa: BLE001 the commit has ended already, and is sent again
            packer.abort()

    def close(self) -> None:
        try:
            self.abort()
        finally:
            self._inner.close()

    def _join(self) -> Held:
        self._inner.join()
        self._continuous.settle()
        if self._held is None:
            self._held = self._continuous.of(self._receive.dataset)
        return self._held

    def _may_be_held(self, held: Held) -> bool:
        """Only the end of a commit says what it is. Where none was ever continuous, nothing is gathered in vain."""
        return held.was_continuous or any(operation.kind in _CONTINUOUS_KINDS for operation in self._action.operations)

    def _hold(self, small: SmallCommit, commit: Commit) -> Acknowledgement | None:
        """None where it is too large to be written down as one record, or the journal has enough."""
        held, interior = self._held, self._interior
        assert held is not None
        self._inner.check_identity(small.begin, commit)
        check_commit(commit, interior.commits, held.number)
        if held.journal_bytes >= SEAL_AT_BYTES:
            return None
        tree, ops = small.finish()
        told = msgspec.structs.replace(commit, warnings=commit.warnings + small.receiving.left_out)
        record = _record(small.base.ordinal + 1, told, small.base.tree, tree, ops)
        if len(encode(record)) > LARGEST_RECORD_BYTES:
            return None
        interior.lock.assert_held()
        self._continuous.hold(held, small, record, self._followed(small.begin, commit))
        self._close_small()
        interior.release_dataset(held.number)
        return Acknowledgement(
            action=self.id,
            durability=Durability.HELD,
            cursor=Cursor(epoch=commit.epoch, seq=commit.seq),
            sealed=self.sealed(),
            stored_bytes=sum(chunk.stored_bytes for chunk in small.frames),
            findings=tuple(small.receiving.findings),
        )

    def _go_the_usual_way(self, small: SmallCommit) -> None:
        """What is held is sealed; then the inner action hears all that was heard so far."""
        assert self._held is not None
        self._continuous.seal(self._held.dataset)
        self._inner.go_on(small.begin)
        self._close_small()
        for segment in small.asked:
            self._inner.wanted(segment)
        for applied in small.applied:
            self._inner.apply(applied.segment, applied.chunks, applied.withdrawn)

    def _close_small(self) -> None:
        # What is open may be another session's.
        if self._held is not None and self._small is not None:
            self._held.ends()
        self._small = None
        self._met.settle()

    def _tell(self, commit: Commit, base: CommitRow | None) -> None:
        """What changed with a commit that is sealed goes into the next log. Where that fails its tree is kept instead."""
        held, begin = self._held, self._begin
        assert held is not None
        assert begin is not None
        followed = self._followed(begin, commit)
        if not followed.is_logged and not commit.gaps:
            return
        with suppress(HoldfastError):
            row = self._interior.commits.newest(held.number)
            if row is None or row.cursor != Cursor(epoch=commit.epoch, seq=commit.seq) or row.moment:
                return
            ops = self._inner.told
            record = _record(row.ordinal, commit, base.tree if base is not None else b"", row.tree, ops or ())
            if base is None or ops is None or not followed.is_logged or len(encode(record)) > LARGEST_RECORD_BYTES:
                record = _record(row.ordinal, commit, base.tree if base is not None else b"", row.tree, None)
            if held.is_empty:
                held.sender = self._inner.join()[1]
            self._continuous.tell(held, row, record, followed)

    def _followed(self, begin: Begin, commit: Commit) -> Followed:
        return Followed(
            dataset=self._receive.dataset,
            label=self._receive.label,
            sender=self._receive.sender,
            hostname=begin.hostname,
            roots=begin.roots,
            zone=commit.zone,
            operations=tuple(operation for operation in self._action.operations if operation.kind in KEEPING_KINDS),
        )


def _record(ordinal: int, commit: Commit, before: bytes, tree: bytes, ops: tuple[Op, ...] | None) -> Record:
    return Record(
        ordinal=ordinal,
        epoch=commit.epoch,
        seq=commit.seq,
        captured_ns=ns_of(commit.captured_at),
        before=before,
        tree=tree,
        ops=ops or (),
        files=commit.files,
        size_bytes=commit.size_bytes,
        warnings=commit.warnings,
        zone=commit.zone,
        gaps=commit.gaps,
        is_told=ops is not None,
    )
