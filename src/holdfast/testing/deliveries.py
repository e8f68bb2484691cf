"""Deliveries between memory and memory: streams made by hand, and receivers that serve in a thread."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from holdfast.core.errors import NotGranted
from holdfast.core.ids import ActionId, DatasetId, Epoch, NodeId, PointId
from holdfast.delivery.ports import Action, Opening
from holdfast.delivery.receiver import serve_delivery
from holdfast.delivery.verify import Verifier
from holdfast.model.change import Begin, Change, Commit, Cursor, Mark, Part, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.jobs import Finding
from holdfast.model.stream import ChunkSource, Outgoing, offered_by
from holdfast.testing.memory_action import MemoryChunks
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import Open

DATASET, EPOCH = DatasetId("d" * 32), Epoch("e" * 32)
SOURCE, RECEIVER = NodeId("5" * 32), NodeId("c" * 32)
ROOT = b"/data"


def opening_of(*actions: str, dataset: DatasetId = DATASET) -> Open:
    return Open(dataset=dataset, actions=tuple(map(ActionId, actions)), generation=1)


def begin_of(seq: int, base: int | None = None, dataset: DatasetId = DATASET) -> Begin:
    cursor = None if base is None else Cursor(EPOCH, base)
    return Begin(dataset=dataset, label="files1/documents", epoch=EPOCH, seq=seq, base=cursor, roots=(ROOT,), hostname="files1")


def commit_of(seq: int, dataset: DatasetId = DATASET) -> Commit:
    mark = Mark(operation="backup", kind="backup", point=PointId(f"{seq:032x}"))
    return Commit(dataset=dataset, epoch=EPOCH, seq=seq, captured_at=datetime(2026, 1, 1, tzinfo=UTC), marks=(mark,))


def chunk_ref(plain: bytes) -> ChunkRef:
    return ChunkRef(hashlib.sha256(plain).digest(), len(plain))


def file_of(path: bytes, *pieces: bytes) -> Entry:
    """A file whose chunks are these pieces."""
    return Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=sum(map(len, pieces)), chunks=tuple(map(chunk_ref, pieces)))


def folder_of(path: bytes) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY, mode=0o755)


def outgoing_of(
    number: int, changes: Sequence[Change], chunks: ChunkSource | Mapping[bytes, bytes], *, run: int = 1, parts: Sequence[Part] = ()
) -> Outgoing:
    """A segment whose rows all changed in `run`. Files of which a part is given here travel ahead."""
    segment = Segment(number=number, parts=tuple(parts), changes=tuple(changes))
    ahead = {part.path for part in parts}
    offered = offered_by(segment, ahead)
    source = MemoryChunks(chunks) if isinstance(chunks, Mapping) else chunks
    full = Segment(number=number, parts=segment.parts, changes=segment.changes, offered=offered)
    return Outgoing(full, (run,) * len(changes), (run,) * len(parts), source)


def puts_of(number: int, files: Mapping[bytes, bytes], *, run: int = 1, first: bool = False) -> Outgoing:
    """A segment of one-chunk files."""
    changes: list[Change] = [Put(folder_of(ROOT))] if first else []
    changes += [Put(file_of(path, plain) if plain else file_of(path)) for path, plain in sorted(files.items())]
    return outgoing_of(number, changes, {chunk_ref(plain).id: plain for plain in files.values()}, run=run)


class ServedDelivery:
    """`serve_delivery` in a thread over one end of a channel; `wait` returns what it found."""

    def __init__(self, channel: Channel, actions: Sequence[Action], *, granted: bool = True) -> None:
        self.findings: list[Finding] = []
        self._actions = tuple(actions)
        self._granted = granted
        self._verifier = Verifier(2)
        self._thread = threading.Thread(target=self._serve, args=(channel,), daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float = 10.0) -> list[Finding]:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise AssertionError("the receiver did not end")
        with suppress(RuntimeError):
            self._verifier.close()
        return self.findings

    def _serve(self, channel: Channel) -> None:
        serve_delivery(channel, open_actions=self._open, verifier=self._verifier, on_finding=self.findings.append)

    def _open(self, sender: NodeId, opening: Open) -> Opening:
        if not self._granted:
            raise NotGranted(f"no grant for {sender} to deliver {opening.dataset}", hint="activate the flow again")
        return Opening(self._actions)
