"""The store action: what a repository does with the commits of one delivery. Implements `delivery.ports.Action`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from holdfast.core.clock import ns_of
from holdfast.core.errors import Conflict, NotGranted, ProtocolError
from holdfast.core.ids import ActionId
from holdfast.delivery.ports import VerifiedChunk
from holdfast.model import rules
from holdfast.model.change import Acknowledgement, Amount, Begin, Commit, Cursor, Durability, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.jobs import Finding, Severity
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.damage_met import Read
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Op
from holdfast.repository.packs.lending import Borrowed
from holdfast.repository.packs.packer import Packer
from holdfast.repository.packs.trees import Trees
from holdfast.repository.points.admission import check_commit
from holdfast.repository.points.holding import hold_locked
from holdfast.repository.points.receiving import Receiving
from holdfast.repository.points.sealing import Sealing, apply_keep_rules, drop_heads, points_of, summary_of, write_snapshot
from holdfast.repository.tree_builder import TreeBuilder

OnPoints = Callable[[Commit, tuple[str, ...], Amount], None]
"""The commit, the operations that it became points of, and what it changed."""


class StoreAction:
    """One session's view of the repository. The session lock is taken at the first call and given back by `close`."""

    def __init__(self, interior: Interior, action: rules.StoreAction, receive: rules.Receive, on_points: OnPoints) -> None:
        self._interior = interior
        self._action = action
        self._receive = receive
        self._on_points = on_points
        self._amount = Amount()
        self._dataset = 0
        self._sender = 0
        self._joined = False
        self._base: CommitRow | None = None
        self._receiving: Receiving | None = None
        self._repeated: Begin | None = None
        self._packer: Packer | None = None
        self._borrowed: Borrowed | None = None
        self._builder: TreeBuilder | None = None
        self.told: tuple[Op, ...] | None = None
        """What changed with the commit that was sealed last; None = too much to be written down."""
        self._met = interior.damage_met(Read(receive.dataset, receive.label))

    @property
    def id(self) -> ActionId:
        return self._action.id

    @property
    def reads_plain(self) -> bool:
        return False

    def cursor(self) -> Cursor | None:
        """None also where damage took what the source may still have: told so, it offers everything."""
        self._join()
        if self._interior.quarantine.is_owed(self._receive.dataset):
            return None
        newest = self._interior.commits.newest(self._dataset)
        return newest.cursor if newest is not None else None

    def begin(self, begin: Begin) -> None:
        """Raises `Conflict` when the commit does not follow what is here, `RepositoryLocked` when another session delivers the dataset."""
        self.take(begin)
        try:
            self.go_on(begin)
        except BaseException:
            self._interior.release_dataset(self._dataset)
            raise

    def take(self, begin: Begin) -> None:
        """The first half of `begin`: the dataset is this session's. Raises what `begin` raises."""
        if begin.dataset != self._receive.dataset:
            raise NotGranted("the commit is of another dataset than the grant", hint="compile and activate the flow again")
        if self._receiving is not None or self._repeated is not None:
            raise ProtocolError("a commit begins before the one before it has ended")
        self._join()
        self._interior.lock.settle()
        self._interior.take_dataset(self._dataset)

    def base_of(self, begin: Begin) -> CommitRow | None:
        """The newest commit here. Raises `Conflict` when this one does not follow it."""
        newest = self._interior.commits.newest(self._dataset)
        here = newest.cursor if newest is not None else None
        if here == Cursor(epoch=begin.epoch, seq=begin.seq):
            return newest
        if here is not None and here.epoch == begin.epoch and here.seq > begin.seq:
            raise Conflict(f"commit {begin.seq} is older than what is here ({here.seq})", hint="the source asks for the cursor again")
        # Changes since an earlier commit than ours are fine: a delivery's stream starts where the furthest behind of its actions stands.
        if begin.base is not None and (here is None or here.epoch != begin.base.epoch or here.seq < begin.base.seq):
            raise Conflict("the commit builds on another state than what is here", hint="the source asks for the cursor again")
        return newest

    def go_on(self, begin: Begin) -> None:
        """The second half, after `take`."""
        interior = self._interior
        self._amount = Amount()
        self._base = newest = self.base_of(begin)
        if newest is not None and newest.cursor == Cursor(epoch=begin.epoch, seq=begin.seq):
            self._repeated = begin
            return
        number = interior.commits.open(self._dataset, newest.ordinal + 1 if newest else 1, Cursor(epoch=begin.epoch, seq=begin.seq))
        reader = None if self._receive.trust == "repository" else self._sender
        self._packer = Packer(interior.storage, interior.blobs, interior.pool, self._sender)
        interior.packers.add(self._packer)
        self._borrowed = Borrowed(interior.packers, self._packer, interior.blobs, self._sender)
        self._receiving = Receiving(begin, number, self._dataset, sender=self._sender, reader=reader, borrowed=self._borrowed)
        self._builder = TreeBuilder(
            Trees(interior.storage, interior.blobs, self._met),
            self._packer.add_tree,
            newest.tree if newest is not None else None,
            full=begin.base is None,
        )

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        base = self._base
        return () if base is None else Trees(self._interior.storage, self._interior.blobs, self._met).content_at(base.tree, path, {})

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        if self._repeated is not None:
            return frozenset()
        receiving, packer, _ = self._open()
        return receiving.wanted(segment, self._interior.blobs, packer)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        if self._repeated is not None:
            return
        size_bytes = sum(ref.size_bytes for ref in segment.offered)
        self._amount = Amount(self._amount.changes + len(segment.changes), self._amount.size_bytes + size_bytes)
        receiving, packer, builder = self._open()
        receiving.take_chunks(segment, chunks, withdrawn, self._interior.blobs, packer)
        receiving.take_changes(segment, builder, self._interior.blobs, packer)
        receiving.record_versions(builder, self._interior.versions, at_end=False)
        packer.checkpoint()
        self._settle_borrowed(at_end=False)

    def commit(self, commit: Commit) -> Acknowledgement:
        begin = self._repeated or self._open()[0].begin
        self.check_identity(begin, commit)
        check_commit(commit, self._interior.commits, self._dataset)
        if self._repeated is not None:
            findings, stored = self._seal_again(begin, commit), 0
        else:
            findings, stored = self._seal(commit)
        self._end()
        marked = self.own_marks(commit)
        findings += apply_keep_rules(self._interior, self._dataset, [op for op in self._action.operations if op.name in marked])
        if any(operation.lock_s for operation in marked.values()):
            findings += self._hold_locked(commit)
        if marked:
            self._on_points(commit, tuple(marked), self._amount)
        return Acknowledgement(
            action=self.id,
            durability=Durability.SEALED,
            cursor=Cursor(epoch=commit.epoch, seq=commit.seq),
            points=tuple(mark.point for mark in commit.marks if mark.operation in marked),
            stored_bytes=stored,
            findings=findings,
        )

    @staticmethod
    def check_identity(begin: Begin, commit: Commit) -> None:
        """Raises `ProtocolError`."""
        if (commit.dataset, commit.epoch, commit.seq) != (begin.dataset, begin.epoch, begin.seq):
            raise ProtocolError("a commit is closed with another identity than it was begun with")

    def _hold_locked(self, commit: Commit) -> tuple[Finding, ...]:
        made = {mark.point for mark in commit.marks}
        points = points_of(self._interior.commits.listed(self._dataset), self._interior.name)
        return hold_locked(self._interior, [point for point in points if point.id in made])

    def own_marks(self, commit: Commit) -> dict[str, rules.StoredOperation]:
        """The operations whose points it makes here."""
        stored = {operation.name: operation for operation in self._action.operations}
        return {mark.operation: stored[mark.operation] for mark in commit.marks if mark.operation in stored}

    def _seal(self, commit: Commit) -> tuple[tuple[Finding, ...], int]:
        receiving, packer, builder = self._open()
        interior, base = self._interior, self._base
        tree = builder.finish()
        receiving.record_versions(builder, interior.versions, at_end=True)
        packer.flush()
        self._settle_borrowed(at_end=True)
        interior.lock.assert_held()
        sealing = Sealing(
            begin=receiving.begin,
            label=self._receive.label,
            # A point says of itself what is not in it, also what got lost on the way.
            commit=msgspec.structs.replace(commit, warnings=commit.warnings + receiving.left_out),
            dataset=self._dataset,
            sender=self._receive.sender,
            ordinal=base.ordinal + 1 if base else 1,
            tree=tree,
            parent=self._parent(),
            added_bytes=packer.stored_bytes,
            summary=summary_of(commit, packer, receiving.put_count, interior.storage.clock.now_ns()),
            inherited=self._receive.tags,
        )
        with interior.catalog.transaction():
            marked = self._write_marks(sealing, receiving.commit_no, self._here_already(commit))
            interior.commits.seal(receiving.commit_no, ns_of(commit.captured_at), tree)
        self._drop_heads(receiving.commit_no, marked=marked)
        self.told = None if receiving.ops is None else tuple(receiving.ops)
        return (*receiving.findings, *self._settle_debt(receiving.begin)), packer.stored_bytes

    def _settle_debt(self, begin: Begin) -> tuple[Finding, ...]:
        """After a full commit: the source has offered all it has, and what was damaged is here again where it still had it."""
        quarantine = self._interior.quarantine
        if begin.base is not None or not quarantine.is_owed(begin.dataset):
            return ()
        healed = quarantine.healed(self._interior.blobs)
        # If it cannot be written down, the source offers everything once more next time, which does no harm.
        with suppress(OSError):
            quarantine.paid(begin.dataset)
        message = f"the repository had damage and got everything offered once more; {healed} of its damaged blobs are whole again"
        hint = f"`holdfast repository repair {self._interior.name}` takes what is damaged away"
        return (Finding(code="damage-healed", severity=Severity.INFO, message=message, hint=hint),)

    def _seal_again(self, begin: Begin, commit: Commit) -> tuple[Finding, ...]:
        """A repeated commit: only points that are not here yet are written, onto the tree that is."""
        base = self._base
        assert base is not None
        self._interior.lock.assert_held()
        have = frozenset(point.id for point in points_of(self._interior.commits.listed_of_commit(base), self._interior.name))
        marked = self.own_marks(commit)
        if any(mark.point not in have for mark in commit.marks if mark.operation in marked):
            sealing = Sealing(
                begin=begin,
                label=self._receive.label,
                commit=commit,
                dataset=self._dataset,
                sender=self._receive.sender,
                ordinal=base.ordinal,
                tree=base.tree,
                parent=self._parent(),
                inherited=self._receive.tags,
            )
            with self._interior.catalog.transaction():
                marks_written = self._write_marks(sealing, base.no, have)
            self._drop_heads(base.no, marked=marks_written)
        return ()

    def _here_already(self, commit: Commit) -> frozenset[str]:
        """A cascade that begins anew sends commits again that are here further back. What was kept of them stays as it is."""
        commits = self._interior.commits
        return frozenset(mark.point for mark in commit.marks if commits.cursors_of_point(mark.point, self._dataset))

    def _write_marks(self, sealing: Sealing, commit_no: int, have: frozenset[str]) -> bool:
        """True when the commit has a point now, and no head."""
        marked = self.own_marks(sealing.commit)
        new = [mark for mark in sealing.commit.marks if mark.operation in marked and mark.point not in have]
        for mark in new:
            write_snapshot(self._interior, sealing, commit_no, mark, marked[mark.operation])
        if not new:
            write_snapshot(self._interior, sealing, commit_no, None, None)
        return bool(new)

    def _drop_heads(self, commit_no: int, *, marked: bool) -> None:
        # The commit is sealed; a head too many does no harm and goes with the next commit.
        with suppress(Exception), self._interior.catalog.transaction():
            drop_heads(self._interior, self._dataset, commit_no, marked=marked)

    def _parent(self) -> str | None:
        if self._base is None:
            return None
        rows = self._interior.commits.listed_of_commit(self._base)
        return rows[-1].id.hex() if rows else None

    def abort(self) -> None:
        receiving, packer = self._receiving, self._packer
        if packer is not None:
            packer.abort()
        if receiving is not None:
            # If the catalog fails here, the unsealed commit is undone at the next start.
            with suppress(Exception):
                self._interior.refresher.undo(receiving.commit_no, self._dataset)
        self._end()

    def close(self) -> None:
        try:
            self.abort()
        finally:
            if self._joined:
                self._joined = False
                self._interior.leave()

    def join(self) -> tuple[int, int]:
        """Take part in the session lock; gives the catalog's numbers of dataset and sender."""
        self._join()
        return self._dataset, self._sender

    def _join(self) -> None:
        if not self._joined:
            self._interior.enter(at_once=True)
            self._joined = True
            self._dataset = self._interior.catalog.number_of("datasets", self._receive.dataset)
            self._sender = self._interior.catalog.number_of("nodes", self._receive.sender)

    def _open(self) -> tuple[Receiving, Packer, TreeBuilder]:
        if self._receiving is None or self._packer is None or self._builder is None:
            raise ProtocolError("no commit is open")
        return self._receiving, self._packer, self._builder

    def _settle_borrowed(self, *, at_end: bool) -> None:
        if self._borrowed is not None:
            self._borrowed.settle() if at_end else self._borrowed.checkpoint()

    def _end(self) -> None:
        if self._packer is not None:
            self._interior.packers.remove(self._packer)
        if self._receiving is not None or self._repeated is not None:
            self._receiving = self._repeated = self._packer = self._borrowed = self._builder = self._base = None
            self._met.settle()
            self._interior.release_dataset(self._dataset)
