"""Driving a receiving action as a session would: the difference of two states as a stream, with only the wanted chunks given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from holdfast.core.ids import DatasetId, Epoch
from holdfast.delivery.ports import Action
from holdfast.model.change import Acknowledgement, Begin, Change, Commit, Cursor, Move, Part, Put, Remove, Segment
from holdfast.model.entry import Entry, walk_key
from holdfast.model.stream import offered_by

States = Mapping[bytes, Entry]
_EPOCH = Epoch("e" * 32)


@dataclass(frozen=True)
class PlainChunk:
    """A `VerifiedChunk` that came uncompressed."""

    id: bytes
    plain: bytes
    frame: bytes | None = None

    @property
    def size_bytes(self) -> int:
        return len(self.plain)


@dataclass
class Feeder:
    """Sends states of one dataset. `given` counts the bytes that had to travel; `withdrawn` are ids the source cannot give any more."""

    dataset: DatasetId
    roots: tuple[bytes, ...]
    chunks: dict[bytes, bytes]
    epoch: Epoch = _EPOCH
    segment_changes: int = 3
    part_bytes: int = 10_000
    withdrawn: set[bytes] = field(default_factory=set)
    given: int = 0
    seq: int = 0
    on_segment: Callable[[int], None] | None = None
    continuous: bool = False
    scanned: int = 0

    def send(self, action: Action, old: States | None, new: States, *, window: int = 2, moves: tuple[Move, ...] = ()) -> Acknowledgement:
        """One commit from `old` (None = full) to `new`. `window` segments are asked for ahead of being applied."""
        action.begin(self.beginning(None if old is None else action.cursor(), moves))
        waiting: list[tuple[Segment, frozenset[bytes]]] = []
        for segment in self.segments(changes(old, new)):
            waiting.append((segment, action.wanted(segment)))
            if len(waiting) > window:
                self._apply(action, *waiting.pop(0))
        for segment, wanted in waiting:
            self._apply(action, segment, wanted)
        return action.commit(self.commit())

    def beginning(self, base: Cursor | None, moves: tuple[Move, ...] = ()) -> Begin:
        """Of the next commit."""
        self.seq += 1
        return Begin(
            dataset=self.dataset, label="test", epoch=self.epoch, seq=self.seq, base=base, roots=self.roots, hostname="h", moves=moves
        )

    def commit(self) -> Commit:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        return Commit(
            dataset=self.dataset,
            epoch=self.epoch,
            seq=self.seq,
            captured_at=moment,
            continuous=self.continuous,
            scanned=self.scanned,
        )

    def _apply(self, action: Action, segment: Segment, wanted: frozenset[bytes]) -> None:
        assert wanted <= {ref.id for ref in segment.offered}
        if self.on_segment is not None:
            self.on_segment(segment.number)
        gone = frozenset(wanted & self.withdrawn)
        given = {chunk_id: PlainChunk(chunk_id, self.chunks[chunk_id]) for chunk_id in wanted - gone}
        self.given += sum(chunk.size_bytes for chunk in given.values())
        action.apply(segment, given, gone)

    def segments(self, stream: list[Change]) -> Iterator[Segment]:
        number, batch = 0, list[Change]()
        for change in stream:
            if isinstance(change, Put) and change.entry.size_bytes > self.part_bytes:
                if batch:
                    yield segment_of(number, changes=tuple(batch))
                    number, batch = number + 1, []
                for part in self._parts(change.entry):
                    yield segment_of(number, parts=(part,))
                    number += 1
                yield Segment(number=number, changes=(change,))
                number += 1
                continue
            batch.append(change)
            if len(batch) >= self.segment_changes:
                yield segment_of(number, changes=tuple(batch))
                number, batch = number + 1, []
        if batch:
            yield segment_of(number, changes=tuple(batch))

    @staticmethod
    def _parts(entry: Entry) -> Iterator[Part]:
        offset = 0
        for index in range(0, len(entry.chunks), 2):
            refs = entry.chunks[index : index + 2]
            yield Part(entry.path, offset, refs)
            offset += sum(ref.size_bytes for ref in refs)


def segment_of(number: int, *, parts: tuple[Part, ...] = (), changes: tuple[Change, ...] = ()) -> Segment:
    plain = Segment(number=number, parts=parts, changes=changes)
    return Segment(number=number, parts=parts, changes=changes, offered=offered_by(plain, set()))


def changes(old: States | None, new: States) -> list[Change]:
    """In walk order: puts of what is new or other, removes of what is gone."""
    before = old or {}
    stream: list[Change] = []
    for path in sorted(before.keys() | new.keys(), key=walk_key):
        if path not in new:
            stream.append(Remove(path))
        elif before.get(path) != new[path]:
            stream.append(Put(new[path]))
    return stream


def cursor_of(feeder: Feeder) -> Cursor:
    return Cursor(feeder.epoch, feeder.seq)


def chunk_id(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
