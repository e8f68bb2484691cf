"""Held commits in the catalog, which knows them at once; and again, after a start and after the catalog was made anew."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from holdfast.core.errors import ProtocolError, RepositoryDamaged
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.catalog.moment_table import HELD
from holdfast.repository.continuous.held import Ahead, Held
from holdfast.repository.continuous.journal import Group, JournalFile
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Followed, Record, encode, versions_of
from holdfast.repository.packs.trees import Trees
from holdfast.repository.past_state import apply_op
from holdfast.repository.tree_builder import TreeBuilder


class Entering:
    """To be used with the guard of what is held."""

    def __init__(self, interior: Interior) -> None:
        self._interior = interior

    def enter(self, held: Held, record: Record) -> None:
        """The catalog knows the commit at once."""
        interior = self._interior
        number = interior.commits.open(held.number, record.ordinal, record.cursor)
        interior.commits.seal(number, record.captured_ns, record.tree)
        interior.moments.mark(number, HELD, record.files, record.size_bytes)
        interior.versions.record(held.number, number, *versions_of(record.ops))
        interior.moments.add_gaps(held.number, record.ordinal, record.gaps)

    def follow(self, held: Held, followed: Followed) -> None:
        if held.followed == followed:
            return
        facts, moments = encode(followed), self._interior.moments
        if moments.facts(held.number) != facts:
            moments.follow(held.number, facts, logged=followed.is_logged)

    def take_up(self, held: Held, groups: Sequence[tuple[Group, int, JournalFile]]) -> bool:
        """What an earlier life has left in the journal is held again; False when all of it is sealed."""
        interior = self._interior
        held.sender = interior.catalog.number_of("nodes", groups[-1][0].followed.sender)
        covered, logged = interior.commits.last_reached(held.number), interior.moments.last_logged(held.number)
        # Of two in one place the later counts: the earlier was refused, and its disk would not let it be taken back.
        for group, at, file in {found[0].record.ordinal: found for found in groups}.values():
            record = group.record
            needs_log = record.ordinal > logged and group.followed.is_logged
            if record.ordinal <= covered and not needs_log:
                continue
            is_sealed = group.is_sealed or record.ordinal <= covered
            held.take(Group(group.followed, record, is_sealed, group.chunks), file, at)
        if held.is_empty:
            held.clear()
            return False
        interior.blobs.in_use.begin_held(held.number)
        held.since_s = interior.storage.clock.monotonic_s()
        return True

    def _follow_again(self, held: Held) -> None:
        followed = held.followed
        assert followed is not None
        self._interior.moments.follow(held.number, encode(followed), logged=followed.is_logged)

    def enter_again(self, held: Held) -> None:
        """The catalog gets what it lacks of the held commits, and memory their trees. Raises `RepositoryDamaged` when what they build on is
        gone."""
        interior = self._interior
        held.trees.clear()
        held.ahead = Ahead()
        unsealed = held.unsealed()
        with interior.catalog.transaction():
            self._follow_again(held)
            for record in held.records[: len(held.records) - len(unsealed)]:
                interior.moments.add_gaps(held.number, record.ordinal, record.gaps)
                row = interior.commits.at_ordinal(held.number, record.ordinal)
                if row is not None and row.tree == record.tree and record.is_told:
                    interior.moments.mark(row.no, HELD, record.files, record.size_bytes)
            if unsealed:
                self._enter_unsealed(held, unsealed)

    def _enter_unsealed(self, held: Held, records: Sequence[Record]) -> None:
        interior = self._interior
        before = self.base_of(held, records)
        if before is None or (before.tree != records[0].before and not held.is_mended):
            raise RepositoryDamaged("the state that held commits build on is gone")
        tree, last = before.tree, before.ordinal
        for place, record in enumerate(records, len(held.records) - len(records)):
            built = self._build(held, tree, record)
            if (record.before, record.tree, record.ordinal) != (tree, built, last + 1):
                # One before it was damaged: what this one did to its own paths is as true as ever.
                record = held.records[place] = replace(record, before=tree, tree=built, ordinal=last + 1)
            tree, last = built, record.ordinal
            row = interior.commits.at_ordinal(held.number, record.ordinal)
            if row is not None and (row.cursor, row.tree) == (record.cursor, record.tree):
                interior.moments.mark(row.no, HELD, record.files, record.size_bytes)
                continue
            if row is not None:
                interior.refresher.undo(row.no, held.number)
            self.enter(held, record)
        held.unsealed_from = before.ordinal + 1

    def forsaken(self, held: Held, commits: Sequence[CommitRow]) -> list[int]:
        """The numbers of those that are not held, the newest first. To be asked before anything of an earlier life is sealed."""
        known = {(record.ordinal, record.cursor) for record in held.records}
        return [row.no for row in reversed(commits) if (row.ordinal, row.cursor) not in known]

    def base_of(self, held: Held, unsealed: Sequence[Record]) -> CommitRow | None:
        """The commit before the first that is not sealed, if a snapshot still reaches it."""
        row = self._interior.commits.before_ordinal(held.number, unsealed[0].ordinal)
        return row if row is not None and self._interior.commits.listed_of_commit(row) else None

    def _build(self, held: Held, before: bytes, record: Record) -> bytes:
        interior = self._interior
        added: list[tuple[bytes, bytes]] = []
        trees = Trees(interior.storage, interior.blobs, None, held.trees)
        builder = TreeBuilder(trees, lambda tree, plain: added.append((tree, plain)), before, full=False)
        try:
            for op in record.ops:
                apply_op(builder, op)
            tree = builder.finish()
        except ProtocolError as error:
            raise RepositoryDamaged(f"what a held commit builds on is gone: {error.message}") from error
        held.trees.take(added, builder.replaced)
        return tree
