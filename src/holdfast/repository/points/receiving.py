"""One commit on its way in: chunks into packs, changes into a tree, versions into the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from holdfast.core.errors import ProtocolError
from holdfast.delivery.left_out import left_out
from holdfast.delivery.ports import VerifiedChunk
from holdfast.model.change import Begin, Put, Segment, chunks_of
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.jobs import Finding
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.catalog.version_table import VersionTable
from holdfast.repository.moment_record import Op, ops_of
from holdfast.repository.tree_builder import TreeBuilder

_FINDINGS = 100
_MOST_OPS = 5_000
# A segment has some hundred changes; SQLite does more of them at once with less.
_VERSIONS_AT_ONCE = 1_000
# They are remembered to the end of the commit; a sender that withdraws all it offers would fill the memory.
_MOST_WITHDRAWN = 4_000_000
LARGEST_CHUNK_BYTES = 8 << 20


class ChunkSink(Protocol):
    """Where the chunks of a commit go. `pending`: plain lengths of those that are there and not in the catalog yet."""

    @property
    def pending(self) -> Mapping[bytes, int]: ...

    def add_chunk(self, chunk: bytes, payload: bytes, size_bytes: int, *, compressed: bool) -> None: ...


class Borrowing(Protocol):
    """Chunks that another commit stores, as `packs.lending.Borrowed`."""

    @property
    def sizes(self) -> Mapping[bytes, int]: ...

    @property
    def additions(self) -> int: ...

    def may_have(self, additions: int) -> bool: ...

    def take(self, chunk: bytes, size_bytes: int, additions: int) -> bool: ...


@dataclass
class _Asked:
    """What was asked for a segment: `unknown` chunks to store, and `unproven` ones that are stored but this sender never sent."""

    unknown: dict[bytes, int] = field(default_factory=dict)
    unproven: dict[bytes, int] = field(default_factory=dict)
    additions: int = 0


class Receiving:
    """`sender` is the catalog's number of the sending node, `reader` the number whose claims count (None = everybody's).

    Never tells a sender that a chunk is here, nor lets it name one in a file, unless it has sent that chunk itself.
    """

    def __init__(self, begin: Begin, commit_no: int, dataset: int, *, sender: int, reader: int | None, borrowed: Borrowing) -> None:
        self.begin = begin
        self._borrowed = borrowed
        self.commit_no = commit_no
        self.dataset = dataset
        self._sender = sender
        self._reader = reader
        self._asked: dict[int, _Asked] = {}
        self._in_flight: dict[bytes, int] = {}
        self._withdrawn: set[bytes] = set()
        self.findings: list[Finding] = []
        self.left_out = 0
        self.put_count = 0
        # What has changed, as far as it is little enough to be written down; None = it is not.
        self.ops: list[Op] | None = []

    def wanted(self, segment: Segment, table: BlobTable, packer: ChunkSink) -> frozenset[bytes]:
        sizes = {ref.id: _checked(ref) for ref in segment.offered}
        additions, pending, in_flight, borrowed = self._borrowed.additions, packer.pending, self._in_flight, self._borrowed.sizes
        unsure = [chunk for chunk in sizes if chunk not in pending and chunk not in in_flight and chunk not in borrowed]
        known = table.known_chunks(unsure, self._reader)
        asked = _Asked(additions=additions)
        for chunk, size in sizes.items():
            found = known.get(chunk)
            # Of a chunk that others have stored not even its length is told: what comes is verified against what was offered.
            ours = pending.get(chunk) or in_flight.get(chunk) or borrowed.get(chunk)
            have = found.size_bytes if found is not None and found.claimed else ours
            if have is None:
                (asked.unproven if found is not None else asked.unknown)[chunk] = size
            elif have != size:
                raise ProtocolError(f"chunk {chunk.hex()} is offered with a length it does not have")
        in_flight |= asked.unknown | asked.unproven
        self._asked[segment.number] = asked
        return frozenset(asked.unknown) | frozenset(asked.unproven)

    def take_chunks(
        self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes], table: BlobTable, packer: ChunkSink
    ) -> None:
        """Store what was asked for; remember what was withdrawn."""
        asked = self._asked.pop(segment.number, None)
        if asked is None:
            raise ProtocolError(f"segment {segment.number} comes without having been asked about")
        proven: list[bytes] = []
        add_chunk, in_flight, borrow = packer.add_chunk, self._in_flight, self._borrowed.take
        may_borrow = self._borrowed.may_have(asked.additions)
        for wanted, store in ((asked.unknown, True), (asked.unproven, False)):
            for chunk_id, size in wanted.items():
                in_flight.pop(chunk_id, None)
                chunk = chunks.get(chunk_id)
                if chunk is None:
                    if chunk_id not in withdrawn:
                        raise ProtocolError(f"chunk {chunk_id.hex()} was asked for and did not come")
                    self._withdraw(chunk_id)
                    continue
                if chunk.size_bytes != size:
                    raise ProtocolError(f"chunk {chunk_id.hex()} does not have the length it was offered with")
                if self._withdrawn:
                    self._withdrawn.discard(chunk_id)
                if store:
                    if may_borrow and borrow(chunk_id, size, asked.additions):
                        continue
                    frame = chunk.frame
                    add_chunk(chunk_id, frame if frame is not None else chunk.plain, size, compressed=frame is not None)
                else:
                    proven.append(chunk_id)
        if proven:
            table.claim(proven, self._sender)

    def _withdraw(self, chunk: bytes) -> None:
        self._withdrawn.add(chunk)
        if len(self._withdrawn) > _MOST_WITHDRAWN:
            raise ProtocolError("more chunks are withdrawn than any file has", hint="see what writes to the source while it is captured")

    def take_changes(self, segment: Segment, builder: TreeBuilder, table: BlobTable, packer: ChunkSink) -> None:
        usable = self._usable(segment, table, packer)
        for change in segment.changes:
            if not isinstance(change, Put):
                builder.remove(change.path)
                continue
            entry = change.entry
            if self._is_whole(entry, usable):
                builder.put(entry)
                self.put_count += 1
            else:
                builder.keep(entry.path)

    def record_versions(self, builder: TreeBuilder, versions: VersionTable, *, at_end: bool) -> None:
        """Between segments only where enough has gathered."""
        if not at_end and len(builder.ended) + len(builder.new) < _VERSIONS_AT_ONCE:
            return
        ended, new = builder.ended, builder.new
        builder.ended, builder.new = [], []
        if self.ops is not None:
            self.ops += ops_of(ended, new)
            if len(self.ops) > _MOST_OPS:
                self.ops = None
        versions.record(self.dataset, self.commit_no, ended, new)

    def _usable(self, segment: Segment, table: BlobTable, packer: ChunkSink) -> dict[bytes, int]:
        """Plain lengths of all chunks that the segment's files may name."""
        usable = {ref.id: ref.size_bytes for ref in segment.offered if ref.id not in self._withdrawn}
        elsewhere = chunks_of(segment.changes) - usable.keys() - self._withdrawn
        unsure = []
        for chunk in elsewhere:
            size = packer.pending.get(chunk) or self._borrowed.sizes.get(chunk)
            if size is None:
                unsure.append(chunk)
            else:
                usable[chunk] = size
        usable.update({chunk: known.size_bytes for chunk, known in table.known_chunks(unsure, self._reader).items() if known.claimed})
        return usable

    def _is_whole(self, entry: Entry, usable: Mapping[bytes, int]) -> bool:
        """False when the file needs a withdrawn chunk; raises `ProtocolError` when it names one that was never sent."""
        if entry.kind is not Kind.FILE:
            if entry.chunks:
                raise ProtocolError(f"only files have chunks: {entry.path!r}")
            return True
        total = 0
        for ref in entry.chunks:
            chunk, declared = ref.id, ref.size_bytes
            size = usable.get(chunk)
            if size is None:
                if chunk not in self._withdrawn:
                    raise ProtocolError(f"{entry.path!r} names chunk {chunk.hex()}, which was not offered")
                self._note_withdrawn(entry)
                return False
            if size != declared:
                raise ProtocolError(f"{entry.path!r} names a chunk with a length it does not have")
            total += size
        if total != entry.size_bytes:
            raise ProtocolError(f"the chunks of {entry.path!r} do not make up its size")
        return True

    def _note_withdrawn(self, entry: Entry) -> None:
        self.left_out += 1
        if len(self.findings) < _FINDINGS:
            self.findings.append(left_out(entry.path))


def _checked(ref: ChunkRef) -> int:
    if len(ref.id) != 32 or not 0 < ref.size_bytes <= LARGEST_CHUNK_BYTES:
        raise ProtocolError("a chunk is offered with an impossible id or length")
    return ref.size_bytes
