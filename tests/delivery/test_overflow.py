"""What a slow receiver does not take waits on disk: the run goes on, and the receiver gets all of it, in order and as it was captured."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.capture.chunks import Chunk, FileOrigin, SegmentChunks, chunks_of
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import StoreError
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.overflow import Overflow, OverflowRoom
from holdfast.model.change import Cursor, Put, Segment
from holdfast.model.entry import ChunkRef, Entry
from holdfast.model.stream import Outgoing, Withdrawn
from holdfast.testing.deliveries import DATASET, EPOCH, chunk_ref, commit_of, file_of, puts_of
from holdfast.testing.memory_action import MemoryAction
from tests.delivery.test_fanout_lanes import CLOCK, FILES, Gated, Lane, arrived, send_all


def room_of(folder: Path, limit_bytes: int = 1 << 30) -> OverflowRoom:
    return OverflowRoom(folder, SystemEntropy(), lambda: limit_bytes)


def test_a_run_does_not_wait_for_who_overflows_and_he_gets_everything(tmp_path: Path) -> None:
    room = room_of(tmp_path)
    slow, good = Lane(Gated("slow")), Lane(MemoryAction("good"))
    work = FanOutSession(DATASET, slow.session, overflow=Overflow(room, "auto"))
    fanout = FanOut({"slow": work, "good": good.work}, clock=CLOCK, queue_bytes=100_000)
    send_all(fanout)
    assert room.used_bytes > 0
    assert list(tmp_path.iterdir()) == [], "it has no name that could be left behind"
    fanout.close({DATASET: commit_of(9)})
    assert fanout.wait(["good"])["good"].error is None
    assert fanout.figures()["slow"].is_live
    slow.action.gate.set()  # type: ignore[attr-defined]
    result = fanout.wait(["slow"])["slow"]
    assert result.acknowledgements[0].cursor == Cursor(EPOCH, 9)
    assert arrived(slow.action) == arrived(good.action) == FILES
    assert room.used_bytes == 0
    slow.end()
    good.end()


def file_in(folder: Path, name: str, size_bytes: int = 1_000) -> Entry:
    path = folder / name
    path.write_bytes(content := os.urandom(size_bytes))
    status = path.stat()
    return Entry(
        path=os.fsencode(path),
        kind=file_of(b"/data/any", b"").kind,
        mode=0o644,
        size_bytes=size_bytes,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        chunks=(chunk_ref(content),),
    )


def outgoing(*entries: Entry, at_hand: bytes = b"") -> tuple[Outgoing, list[bytes]]:
    """Read again when somebody asks; with `at_hand`, that in memory. And which paths turned out to be gone."""
    gone: list[bytes] = []
    chunks = {chunk.id: chunk for entry in entries for chunk in chunks_of(entry, FileOrigin(entry, lambda _: None, gone.append))}
    if at_hand:
        chunks = {sha256(at_hand).digest(): Chunk(sha256(at_hand).digest(), len(at_hand), at_hand)}
        entries = (file_of(b"/data/at hand", at_hand),)
    refs: tuple[ChunkRef, ...] = tuple(ref for entry in entries for ref in entry.chunks)
    segment = Segment(number=3, changes=tuple(Put(entry) for entry in entries), offered=refs)
    return Outgoing(segment, (9,) * len(entries), (), SegmentChunks(chunks)), gone


def contents(sent: Outgoing) -> dict[bytes, bytes | None]:
    found = sent.chunks.payloads([ref.id for ref in sent.segment.offered], "off")
    return {item.id: None if isinstance(item, Withdrawn) else item.data for item in found}


@pytest.mark.parametrize("is_known", [False, True])
def test_what_has_no_room_or_is_known_there_is_read_again_later(tmp_path: Path, is_known: bool) -> None:
    one, two = file_in(tmp_path, "one"), file_in(tmp_path, "two")
    given, gone = outgoing(one, two)
    overflow = Overflow(room_of(tmp_path, 1 << 30 if is_known else 2_000), "off")
    kept = overflow.put(given, is_known=is_known)
    assert kept is not None
    (tmp_path / "two").write_bytes(b"written meanwhile")
    taken = overflow.take(kept)
    assert (taken.segment, taken.change_runs) == (given.segment, given.change_runs)
    first, second = contents(taken).values()
    assert (first, second) == ((tmp_path / "one").read_bytes(), None)
    assert gone == [two.path]
    overflow.close()


def test_what_has_room_is_kept_as_it_was(tmp_path: Path) -> None:
    one = file_in(tmp_path, "one")
    before = (tmp_path / "one").read_bytes()
    overflow = Overflow(room_of(tmp_path), "auto")
    kept = overflow.put(outgoing(one)[0])
    assert kept is not None
    (tmp_path / "one").write_bytes(b"written meanwhile")
    assert list(contents(overflow.take(kept)).values()) == [before]
    assert not overflow.is_used
    overflow.close()


def test_without_room_for_what_is_in_memory_alone_it_is_waited(tmp_path: Path) -> None:
    overflow = Overflow(room_of(tmp_path, 2_000), "off")
    assert overflow.put(outgoing(at_hand=os.urandom(5_000))[0]) is None
    assert overflow.put(puts_of(0, {b"/data/x": os.urandom(5_000)}, run=9)) is None
    overflow.close()


def test_what_cannot_be_read_back_fails_the_delivery_and_nothing_else(tmp_path: Path) -> None:
    overflow = Overflow(room := room_of(tmp_path), "off")
    kept = overflow.put(outgoing(file_in(tmp_path, "one"))[0])
    assert kept is not None
    os.pwrite(overflow._file, b"x", 5)
    with pytest.raises(StoreError):
        overflow.take(kept)
    overflow.close()
    assert room.used_bytes == 0
    assert overflow.put(outgoing(file_in(tmp_path, "two"))[0]) is None
