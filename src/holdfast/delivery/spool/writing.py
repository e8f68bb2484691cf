"""A run on its way into the spool: for the fan-out a session like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import NodeId
from holdfast.delivery.spool.run_file import RunWriter
from holdfast.delivery.spool.spool import Spool
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Durability, Put, Remove, Segment
from holdfast.model.entry import Kind
from holdfast.model.jobs import Counters
from holdfast.model.stream import Compression, Outgoing, Withdrawn, narrow

ACTION = "spool"


class Recorded(Protocol):
    """What the source has recorded before the run."""

    def chunks_before(self, path: bytes) -> frozenset[bytes]:
        """Chunks of the version of this path that the receiver has once it has all that is in the spool."""
        ...


class SpoolSession:
    """A `sending.Sending` of one commit. Chunks that the receiver has, or an earlier run brought, are left out."""

    is_limited = is_committing = False
    pending_bytes = 0

    def __init__(self, spool: Spool, begin: Begin, recorded: Recorded, compression: Compression, peer: NodeId) -> None:
        """Raises what `Spool.begin` raises."""
        self.peer = peer
        self.progress = 0
        self._spool, self._begin, self._recorded, self._compression = spool, begin, recorded, compression
        self._writer: RunWriter = spool.begin(begin)
        self._ahead: set[bytes] = set()
        self._withdrawn: set[bytes] = set()
        self._known: tuple[bytes, frozenset[bytes]] = (b"", frozenset())
        self._counters = Counters()

    @property
    def counters(self) -> Counters:
        return self._counters

    def tell_arrivals(self, on_arrival: Callable[[], None]) -> None:
        """Nothing arrives: what is sent is answered at once."""

    def answer(self) -> None:
        """Nobody has asked."""

    def send(self, outgoing: Outgoing) -> None:
        """Raises `NoSpace`, `StoreError`; then the run is not kept."""
        base = self._begin.base
        segment = narrow(outgoing, None if base is None else base.seq, self._ahead)
        needed = self._needed(segment)
        sizes = {ref.id: ref for ref in segment.offered}
        for item in outgoing.chunks.payloads(needed, self._compression) if needed else ():
            if isinstance(item, Withdrawn):
                self._withdrawn.add(item.id)
                continue
            with self._spool.lock:
                self._spool.make_room(len(item.data))
                self._writer.chunk(sizes[item.id], item.data, is_frame=item.compressed)
        with self._spool.lock:
            self._spool.make_room(0)
            for change in segment.changes:
                self._writer.change(change)
        self._count(segment)

    def commit(self, commit: Commit) -> tuple[Acknowledgement, ...]:
        """The run is kept when this returns."""
        self._spool.add(self._begin, commit, self._withdrawn - set(self._writer.chunks))
        return (Acknowledgement(action=ACTION, durability=Durability.HELD, cursor=Cursor(commit.epoch, commit.seq)),)

    def abort(self, error: HoldfastError | None = None) -> None:
        del error
        self._spool.discard()

    def close(self) -> None:
        self._spool.discard()

    def _needed(self, segment: Segment) -> list[bytes]:
        left = {ref.id for ref in segment.offered if ref.id not in self._writer.chunks}
        if not left:
            return []
        known: set[bytes] = set()
        for path in (*(part.path for part in segment.parts), *(put.entry.path for put in segment.changes if isinstance(put, Put))):
            known |= self._chunks_before(path)
        return [ref.id for ref in segment.offered if ref.id in left and ref.id not in known and not self._spool.lends(ref.id)]

    def _chunks_before(self, path: bytes) -> frozenset[bytes]:
        """Of a large file it is asked for each part."""
        if self._known[0] != path:
            self._known = (path, self._recorded.chunks_before(path))
        return self._known[1]

    def _count(self, segment: Segment) -> None:
        self.progress += 1
        puts = [change for change in segment.changes if isinstance(change, Put)]
        done = self._counters
        self._counters = Counters(
            files=done.files + sum(put.entry.kind is Kind.FILE for put in puts),
            changed=done.changed + len(puts),
            removed=done.removed + sum(isinstance(change, Remove) for change in segment.changes),
            offered_bytes=done.offered_bytes + sum(ref.size_bytes for ref in segment.offered),
            sent_bytes=self._writer.size_bytes,
        )
