"""Single blobs across the wire, for an owner that has lost them: only what is asked for, whatever the other side says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest

from holdfast.core.errors import HoldfastError, NotGranted, ProtocolError, error_from
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.delivery import copies
from holdfast.delivery.copies import GiveBlobs, RemoteCopy
from holdfast.delivery.reading import serve_read
from holdfast.testing.deliveries import DATASET, RECEIVER, SOURCE
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.wire.data_messages import AskBlobs, AskChunks, BlobPiece, BlobsEnd, DataMessage, OpenCopy, OpenedRead, OpenRead, Stopped

OPENING = OpenCopy(dataset=DATASET, repository=RepositoryId("a" * 32))
PLAIN = {sha256(plain).digest(): plain for plain in (b"", b"one", b"two" * 1_000, bytes(range(256)) * 20)}
IDS = sorted(PLAIN)
ABSENT = bytes(32)


def no_reader(peer: NodeId, opening: OpenRead) -> tuple[None, None]:
    raise NotGranted("nothing to read")


def serving(channel: MemoryChannel, give: GiveBlobs | None, refused: list[str]) -> threading.Thread:
    def open_copy(peer: NodeId, opening: OpenCopy) -> GiveBlobs:
        assert (peer, opening) == (SOURCE, OPENING)
        if give is None:
            raise NotGranted("no grant")
        return give

    def serve() -> None:
        serve_read(channel, open_reader=no_reader, open_copy=open_copy, on_refused=lambda _peer, error: refused.append(error.code))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def give(ids: Sequence[bytes], trees: bool) -> Iterator[tuple[bytes, bytes]]:
    yield from ((blob_id, PLAIN[blob_id]) for blob_id in ids if blob_id in PLAIN and not trees)


def test_what_is_there_comes_in_pieces_and_the_rest_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_PIECE_BYTES", 100)
    monkeypatch.setattr(copies, "_ASK_IDS", 3)
    here, there = memory_pair(SOURCE, RECEIVER)
    refused: list[str] = []
    thread = serving(there, give, refused)
    remote = RemoteCopy(here, OPENING)
    assert dict(remote.blobs([*IDS, ABSENT], trees=False)) == PLAIN
    assert dict(remote.blobs(IDS, trees=True)) == {}
    assert dict(remote.blobs(IDS[:1], trees=False)) == {IDS[0]: PLAIN[IDS[0]]}
    here.close()
    thread.join(100)
    assert refused == []


def test_without_a_grant_nothing_is_given() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    refused: list[str] = []
    thread = serving(there, None, refused)
    with pytest.raises(NotGranted):
        RemoteCopy(here, OPENING)
    thread.join(100)
    assert refused == ["not-granted"]


def test_where_nobody_may_ask_that_is_said() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    thread = threading.Thread(target=lambda: serve_read(there, open_reader=no_reader), daemon=True)
    thread.start()
    with pytest.raises(NotGranted):
        RemoteCopy(here, OPENING)
    thread.join(100)


@pytest.mark.parametrize("message", [AskChunks(number=1, ids=(ABSENT,)), OPENING, BlobsEnd(number=1)], ids=lambda m: type(m).__name__)
def test_a_message_out_of_place_ends_the_session(message: DataMessage) -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    refused: list[str] = []
    thread = serving(there, give, refused)
    here.send(OPENING)
    assert isinstance(here.receive(10), OpenedRead)
    here.send(message)
    answer = here.receive(10)
    assert isinstance(answer, Stopped)
    assert error_from(answer.error).code == "protocol"
    thread.join(100)
    assert refused == ["protocol"]


ONE, TWO = IDS[0], IDS[1]
HOSTILE: dict[str, list[DataMessage]] = {
    "not asked for": [BlobPiece(number=1, id=ABSENT, data=b"x", last=True)],
    "given twice": [BlobPiece(number=1, id=ONE, data=b"x", last=True), BlobPiece(number=1, id=ONE, data=b"x", last=True)],
    "two mixed": [BlobPiece(number=1, id=ONE, data=b"x"), BlobPiece(number=1, id=TWO, data=b"x", last=True)],
    "cut off": [BlobPiece(number=1, id=ONE, data=b"x"), BlobsEnd(number=1)],
    "nothing without end": [BlobPiece(number=1, id=ONE, data=b"")],
    "of another question": [BlobPiece(number=7, id=ONE, data=b"x", last=True)],
    "the end of another question": [BlobsEnd(number=7)],
    "another message": [AskBlobs(number=1, ids=())],
    "larger than anything": [BlobPiece(number=1, id=ONE, data=b"x" * 60), BlobPiece(number=1, id=ONE, data=b"x" * 60)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_owner_in_wrong_hands_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_LARGEST_BYTES", 100)
    here, there = memory_pair(SOURCE, RECEIVER)
    there.send(OpenedRead())
    remote = RemoteCopy(here, OPENING)
    for message in HOSTILE[name]:
        there.send(message)
    with pytest.raises(ProtocolError):
        list(remote.blobs([ONE, TWO], trees=False))


def test_an_owner_that_stops_says_why() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    there.send(Stopped(error=NotGranted("revoked").facts()))
    with pytest.raises(HoldfastError, match="revoked"):
        RemoteCopy(here, OPENING)
