"""The tree a dataset had at one of its moments: the nearest one before it that a snapshot reaches, and what logs say has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from holdfast.core.errors import ProtocolError, RepositoryDamaged
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.catalog.moment_table import MomentTable
from holdfast.repository.log_files import LogReader
from holdfast.repository.moment_record import Gone, Merged, Op, Record, Spliced, merge
from holdfast.repository.packs.storage import Storage
from holdfast.repository.packs.trees import Trees
from holdfast.repository.tree_builder import TreeBuilder

_NOTHING_ANEW: frozenset[bytes] = frozenset()


class PastState(NamedTuple):
    """`beside`: the plain bytes of those of its trees that are in no pack. `reached_by`: trees in packs that together reach the rest."""

    tree: bytes
    beside: Mapping[bytes, bytes]
    reached_by: tuple[bytes, ...]


class PastStates:
    """For one thread."""

    def __init__(self, storage: Storage, blobs: BlobTable, moments: MomentTable) -> None:
        self._storage = storage
        self._blobs = blobs
        self._moments = moments
        self._logs = LogReader(storage, blobs)

    def of(self, row: CommitRow) -> PastState:
        """Raises `RepositoryDamaged` when it cannot be had any more."""
        base = self._moments.base_of(row)
        if base is None:
            raise RepositoryDamaged("nothing is left that this moment could be made from", hint="choose a later one")
        if base.no == row.no or base.tree == row.tree:
            return PastState(row.tree, {}, (row.tree,))
        logs = self._moments.logs(row.dataset, base.ordinal + 1, row.ordinal)
        records = list(self._between(base.ordinal, row.ordinal, [log.tree for log in logs]))
        if not is_chain(records, base.tree, row.tree):
            raise RepositoryDamaged("what changed up to this moment is not all here any more", hint="choose another one")
        beside: dict[bytes, bytes] = {}
        rebuild(Trees(self._storage, self._blobs), beside, base.tree, records)
        return PastState(row.tree, beside, (base.tree, *(log.tree for log in logs)))

    def _between(self, behind: int, last: int, logs: Iterable[bytes]) -> Iterator[Record]:
        """The records of these ordinals, each once."""
        for tree in logs:
            for part in self._logs.parts(tree):
                for record in part.records:
                    if behind < record.ordinal <= last:
                        behind = record.ordinal
                        yield record


def is_chain(records: Sequence[Record], before: bytes, tree: bytes) -> bool:
    """Whether each record builds on the one before, from one tree to the other."""
    for record in records:
        if record.before != before or not record.is_told:
            return False
        before = record.tree
    return before == tree


def rebuild(trees: Trees, beside: dict[bytes, bytes], before: bytes, records: Sequence[Record]) -> None:
    """Put the trees that these records led to into `beside`. Raises `RepositoryDamaged` when another tree comes of them."""
    if not records:
        return
    # All at once is many times faster; should it ever come out wrong, each by itself is what happened then.
    with suppress(ProtocolError):
        if _built(trees, beside, before, merge(records)) == records[-1].tree:
            return
    for record in records:
        if _built(trees.with_beside(beside), beside, before, Merged(record.ops, _NOTHING_ANEW)) != record.tree:
            raise RepositoryDamaged("what changed does not lead to the tree that was", hint="choose another moment")
        before = record.tree


def apply_op(builder: TreeBuilder, op: Op, *, anew: bool = False) -> None:
    """Raises `ProtocolError` when it does not fit what is there."""
    if isinstance(op, Gone):
        builder.remove(op.path)
    elif isinstance(op, Spliced):
        builder.put(op.entry, pieces=op.pieces)
    else:
        builder.put(op.entry, anew=anew)


def _built(trees: Trees, beside: dict[bytes, bytes], before: bytes, merged: Merged) -> bytes | None:
    """The tree that comes of it."""
    builder = TreeBuilder(trees, beside.__setitem__, before, full=False)
    try:
        for op in merged.ops:
            apply_op(builder, op, anew=op.path in merged.anew)
        return builder.finish()
    except ProtocolError:
        return None
