"""Parts of a file that could not be read to its end are void; nothing of them shows in what is put."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.mirror.mirror import Mirror, MirrorStore
from holdfast.model.change import Begin, Part, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.feeding import Feeder, PlainChunk, chunk_id
from holdfast.testing.virtual_clock import VirtualClock

DATASET = DatasetId("d" * 32)
SIZE = 8192
ZEROS, NOISE, OTHER = bytes(SIZE), os.urandom(SIZE), os.urandom(SIZE)
CHUNKS = {chunk_id(data): data for data in (ZEROS, NOISE, OTHER)}


def refs(*contents: bytes) -> tuple[ChunkRef, ...]:
    return tuple(ChunkRef(chunk_id(data), len(data)) for data in contents)


def send(mirror: Mirror, feeder: Feeder, segments: list[Segment]) -> None:
    feeder.seq += 1
    roots = feeder.roots
    mirror.begin(Begin(dataset=DATASET, label="test", epoch=feeder.epoch, seq=feeder.seq, base=None, roots=roots, hostname="h"))
    for segment in segments:
        wanted = mirror.wanted(segment)
        mirror.apply(segment, {i: PlainChunk(i, CHUNKS[i]) for i in wanted}, frozenset())
    assert mirror.commit(feeder.commit()).error is None


@pytest.mark.parametrize(
    ("void", "put", "in_parts"),
    [
        ((NOISE, OTHER), (ZEROS, OTHER), True),
        ((NOISE, OTHER), (ZEROS,), True),
        ((NOISE, OTHER), (ZEROS,), False),
        ((NOISE,), (NOISE, ZEROS, OTHER), True),
        ((OTHER, NOISE, OTHER), (NOISE, ZEROS), False),
    ],
)
@pytest.mark.parametrize("held", [False, True], ids=["new here", "held here"])
def test_void_parts(tmp_path: Path, void: tuple[bytes, ...], put: tuple[bytes, ...], in_parts: bool, held: bool) -> None:
    source, target = b"/source", tmp_path / "copy"
    action = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(source), str(target)),))
    receive = Receive(dataset=DATASET, label="l", sender=NodeId("n" * 32), actions=(action,))
    mirror = MirrorStore(tmp_path / "home").open_mirror(action, receive, clock=VirtualClock(datetime(2026, 11, 22, tzinfo=UTC)))
    feeder = Feeder(DATASET, (source,), CHUNKS)
    path = source + b"/big"
    root = Put(Entry(path=source, kind=Kind.DIRECTORY, mode=0o755))
    if held:
        old = Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=len(void) * SIZE, chunks=refs(*void))
        send(mirror, feeder, [Segment(number=0, changes=(root, Put(old)), offered=tuple(dict.fromkeys(refs(*void))))])
    entry = Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=len(put) * SIZE, chunks=refs(*put), mtime_ns=5)
    segments = [Segment(number=1, parts=(Part(path, 0, refs(*void)),), offered=tuple(dict.fromkeys(refs(*void))))]
    if in_parts:
        segments.append(Segment(number=2, parts=(Part(path, 0, refs(*put)),), offered=tuple(dict.fromkeys(refs(*put)))))
    segments.append(Segment(number=3, changes=(root, Put(entry)), offered=() if in_parts else tuple(dict.fromkeys(refs(*put)))))
    try:
        send(mirror, feeder, segments)
        assert (target / "big").read_bytes() == b"".join(put)
    finally:
        mirror.close()


def test_what_went_ahead_of_its_commit_outlives_small_commits_and_is_continued(tmp_path: Path) -> None:
    source, target = b"/source", tmp_path / "copy"
    action = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(source), str(target)),))
    receive = Receive(dataset=DATASET, label="l", sender=NodeId("n" * 32), actions=(action,))
    feeder = Feeder(DATASET, (source,), CHUNKS)
    path, contents = source + b"/big", (NOISE, OTHER, ZEROS, NOISE)
    given: list[bytes] = []

    def step(segments: list[Segment], *, commit: bool) -> None:
        """A session of its own, as after each small change."""
        mirror = MirrorStore(tmp_path / "home").open_mirror(action, receive, clock=VirtualClock(datetime(2026, 11, 22, tzinfo=UTC)))
        try:
            base = mirror.cursor()
            feeder.seq += 1
            begin = Begin(dataset=DATASET, label="l", epoch=feeder.epoch, seq=feeder.seq, base=base, roots=(source,), hostname="h")
            mirror.begin(begin)
            for segment in segments:
                wanted = mirror.wanted(segment)
                given.extend(wanted)
                mirror.apply(segment, {i: PlainChunk(i, CHUNKS[i]) for i in wanted}, frozenset())
            if commit:
                assert mirror.commit(msgspec.structs.replace(feeder.commit(), continuous=True)).error is None
            else:
                mirror.abort()
        finally:
            mirror.close()

    root = Put(Entry(path=source, kind=Kind.DIRECTORY, mode=0o755))
    step([Segment(number=0, changes=(root,))], commit=True)
    for number, data in enumerate(contents[:3]):
        step([Segment(number=0, parts=(Part(path, number * SIZE, refs(data)),), offered=refs(data))], commit=False)
        if number == 1:
            # A process that was killed had written more than it had recorded. Zeros come next, which are not written.
            with next((tmp_path / ".holdfast-copy" / "tmp").iterdir()).open("ab") as file:
                file.write(NOISE)
        small = Entry(path=source + b"/small%d" % number, kind=Kind.FILE, mode=0o644, size_bytes=0)
        step([Segment(number=0, changes=(Put(small),))], commit=True)
    assert len(list((tmp_path / ".holdfast-copy" / "tmp").iterdir())) == 1
    assert len(given) == 3
    entry = Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=4 * SIZE, chunks=refs(*contents))
    offered = tuple(dict.fromkeys(refs(*contents)))
    step(
        [Segment(number=0, parts=(Part(path, 0, refs(*contents)),), offered=offered), Segment(number=1, changes=(Put(entry),))], commit=True
    )
    assert (target / "big").read_bytes() == b"".join(contents)
    assert len(given) == 3
    assert list((tmp_path / ".holdfast-copy" / "tmp").iterdir()) == []
