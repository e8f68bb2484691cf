"""Every message survives the codec; nothing else does, and whatever is wrong is a ProtocolError."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import ErrorFacts, NotGranted, ProtocolError
from holdfast.core.ids import ActionId, DatasetId, EnvironmentId, Epoch, JobId, NodeId, PointId, RepositoryId
from holdfast.model.archiving import ToArchive, Verdict
from holdfast.model.bottleneck import ReceiverTimes
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Mark, Move, Part, Payload, Put, Remove, Segment
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.reading import LostFolder
from holdfast.wire.codec import MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES, decode_data, decode_hub, encode
from holdfast.wire.data_messages import (
    ActionState,
    ArchiveVerdicts,
    AskBlobs,
    AskChunks,
    AskEntries,
    AskFolders,
    AskMore,
    BlobPiece,
    BlobsEnd,
    Carried,
    Closed,
    Closing,
    DataMessage,
    DrillOutcome,
    Entries,
    KnownRun,
    LineTaken,
    Needed,
    Open,
    OpenArchive,
    OpenCopy,
    Opened,
    OpenedRead,
    OpenLine,
    OpenRead,
    OutcomeTaken,
    PutArchive,
    Recall,
    Recalled,
    Segmented,
    Spending,
    Started,
    Stopped,
)
from holdfast.wire.hub_messages import Farewell, Hello

ID, CHUNK, WHEN = "d" * 32, b"\x01" * 32, datetime(2026, 1, 2, 3, tzinfo=UTC)
CURSOR = Cursor(Epoch("e" * 32), 7)
ENTRY = Entry(
    path=b"/data/\xff\n",
    kind=Kind.FILE,
    mode=0o4755,
    size_bytes=10,
    mtime_ns=-1,
    chunks=(ChunkRef(CHUNK, 10),),
    holes=(Hole(0, 4),),
    xattrs=(Xattr(b"user.a", b"\0"),),
)
BEGIN = Begin(dataset=DatasetId(ID), label="files1/documents", epoch=CURSOR.epoch, seq=8, base=CURSOR, roots=(b"/data",), hostname="files1")
COMMIT = Commit(
    dataset=DatasetId(ID), epoch=CURSOR.epoch, seq=8, captured_at=WHEN, marks=(Mark(operation="backup", kind="backup", point=PointId(ID)),)
)
FACTS = NotGranted("no", hint="yes", node="x").facts()
GAP = Gap(path=b"/data", since=WHEN, until=WHEN, reason=GapReason.OVERFLOW)
MESSAGES: list[DataMessage] = [
    Open(dataset=DatasetId(ID), actions=(ActionId(ID),), generation=1),
    Opened(actions=(ActionState(action=ActionId(ID), cursor=CURSOR), ActionState(action=ActionId(ID), error=FACTS))),
    Started(begin=BEGIN, actions=(ActionId(ID),)),
    Segmented(
        segment=Segment(
            number=1,
            parts=(Part(b"/data/big", 0, (ChunkRef(CHUNK, 10),)),),
            changes=(Put(ENTRY), Remove(b"/data/gone")),
            offered=(ChunkRef(CHUNK, 10),),
        ),
        known=((KnownRun(0, 7, 2),),),
    ),
    Recall(path=b"/data/big", digest=CHUNK),
    Recalled(is_known=True),
    Needed(number=1, ids=(CHUNK,)),
    Carried(number=1, payloads=(Payload(CHUNK, 3, False, b"abc"), Payload(CHUNK, 9, True, b"frame")), withdrawn=(CHUNK,), last=True),
    Closing(commit=COMMIT),
    Spending(spent=ReceiverTimes(5, 4, 3, 2, 1)),
    Closed(acknowledgements=(Acknowledgement(action=ID, cursor=CURSOR, points=(PointId(ID),)), Acknowledgement(action=ID, error=FACTS))),
    Stopped(error=FACTS),
    OpenRead(repository=RepositoryId(ID), dataset=DatasetId(ID)),
    OpenRead(repository=RepositoryId(ID), dataset=DatasetId(ID), point=PointId(f"{ID}@2026-01-01T00:00:00.000000Z")),
    OpenRead(repository=RepositoryId(ID), dataset=DatasetId(ID), point=PointId(f"{ID}@versions")),
    OpenedRead(cursor=CURSOR),
    AskEntries(paths=(b"/", b"/data")),
    AskFolders(paths=(b"/", b"/data")),
    AskMore(),
    Entries(entries=(ENTRY,), last=True, lost=(LostFolder(b"/data/lost", "tree 00 is in no index"),)),
    AskChunks(number=1, ids=(CHUNK,)),
    OpenCopy(dataset=DatasetId(ID), mirror=ActionId(ID)),
    AskBlobs(number=1, ids=(CHUNK,), trees=True),
    BlobPiece(number=1, id=CHUNK, data=b"abc", last=True),
    BlobsEnd(number=1),
    OpenArchive(dataset=DatasetId(ID), action=ActionId(ID)),
    PutArchive(number=1, archived_ns=1_700_000_000_000_000_000, files=(ToArchive(b"/data/old", 3, 1_600_000_000_000_000_000, CHUNK),)),
    ArchiveVerdicts(number=1, verdicts=(Verdict.ARCHIVED, Verdict.CHANGED)),
    OpenLine(peer=NodeId(ID)),
    LineTaken(),
    DrillOutcome(job=JobId(ID), files=3, size_bytes=12, problem="no room", note="fewer"),
    OutcomeTaken(),
]


def test_every_message_of_the_union_has_an_example() -> None:
    assert {type(message) for message in MESSAGES} == set(DataMessage.__args__)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message: DataMessage) -> None:
    assert decode_data(encode(message)) == message


def _segment(**changes: Any) -> Segmented:
    return Segmented(segment=Segment(number=1, changes=(Put(msgspec.structs.replace(ENTRY, **changes)),)))


WRONG: dict[str, DataMessage] = {
    "short chunk id": Needed(number=1, ids=(b"\x01" * 31,)),
    "negative number": Needed(number=-1, ids=()),
    "relative path": _segment(path=b"data"),
    "parent in path": _segment(path=b"/data/../etc"),
    "NUL in path": _segment(path=b"/a\0b"),
    "trailing slash": Segmented(segment=Segment(number=1, changes=(Remove(b"/data/"),))),
    "folder that is no path": AskFolders(paths=(b"data/..",)),
    "long name": AskEntries(paths=(b"/" + b"x" * 256,)),
    "mode with type bits": _segment(mode=0o100644),
    "negative owner": _segment(uid=-1),
    "negative size": _segment(size_bytes=-1),
    "hole outside": _segment(holes=(Hole(8, 4),)),
    "NUL in link target": _segment(link_target=b"a\0"),
    "empty xattr name": _segment(xattrs=(Xattr(b"", b""),)),
    "negative inode": _segment(inode=-1),
    "huge chunk": _segment(chunks=(ChunkRef(CHUNK, MAX_CHUNK_BYTES + 1),)),
    "huge offer": Segmented(segment=Segment(number=1, offered=(ChunkRef(CHUNK, MAX_CHUNK_BYTES + 1),))),
    "a run of nothing": Segmented(segment=Segment(number=1), known=((KnownRun(0, 0, 0),),)),
    "a run from before the beginning": Segmented(segment=Segment(number=1), known=((KnownRun(0, -1, 1),),)),
    "a version of a short digest": Recall(path=b"/data/big", digest=b"x"),
    "negative part": Segmented(segment=Segment(number=1, parts=(Part(b"/a", -1, ()),))),
    "plain bytes of another size": Carried(number=1, payloads=(Payload(CHUNK, 4, False, b"abc"),)),
    "huge payload": Carried(number=1, payloads=(Payload(CHUNK, MAX_CHUNK_BYTES + 1, True, b"abc"),)),
    "comma in a point": Closing(
        commit=msgspec.structs.replace(COMMIT, marks=(Mark(operation="a", kind="a", point=PointId("a,hf:lock=2000")),))
    ),
    "slash in an id": Open(dataset=DatasetId("../../etc"), actions=(), generation=1),
    "newline in a label": Started(begin=msgspec.structs.replace(BEGIN, label="a\nb"), actions=()),
    "a time beyond 64 bits": _segment(mtime_ns=2**63),
    "an owner's name without end": _segment(user="x" * 5_000),
    "a time without a zone": Closing(commit=msgspec.structs.replace(COMMIT, captured_at=WHEN.replace(tzinfo=None))),
    "a gap outside": Closing(commit=msgspec.structs.replace(COMMIT, gaps=(msgspec.structs.replace(GAP, path=b"../etc"),))),
    "a gap without a zone": Closing(
        commit=msgspec.structs.replace(COMMIT, gaps=(msgspec.structs.replace(GAP, until=WHEN.replace(tzinfo=None)),))
    ),
    "gaps without end": Closing(commit=msgspec.structs.replace(COMMIT, gaps=(GAP,) * 1_001)),
    "a move outside": Started(begin=msgspec.structs.replace(BEGIN, moves=(Move(b"/a", b"b"),)), actions=()),
    "a moment at no time": OpenRead(repository=RepositoryId(ID), dataset=DatasetId(ID), point=PointId(f"{ID}@yesterday")),
    "a moment of no dataset": OpenRead(repository=RepositoryId(ID), dataset=DatasetId(ID), point=PointId("../x@versions")),
    "an error that shadows ours": Stopped(error=ErrorFacts("usage", "x", context={"message": "y"})),
    "too many blobs asked": AskBlobs(number=1, ids=(CHUNK,) * 4_097),
    "a short id of a blob": AskBlobs(number=1, ids=(b"short",)),
    "a huge piece": BlobPiece(number=1, id=CHUNK, data=bytes(MAX_CHUNK_BYTES + 1)),
    "a lost folder outside": Entries(entries=(), lost=(LostFolder(b"../etc", ""),)),
    "a reason with control characters": Entries(entries=(), lost=(LostFolder(b"/a", "\x1b[2J"),)),
    "a slash in a mirror": OpenCopy(dataset=DatasetId(ID), mirror=ActionId("../x")),
    "a slash in an archive": OpenArchive(dataset=DatasetId(ID), action=ActionId("../x")),
    "archived outside": PutArchive(number=1, archived_ns=1, files=(ToArchive(b"../etc", 3, 1, CHUNK),)),
    "archived before time": PutArchive(number=1, archived_ns=1, files=(ToArchive(b"/a", 3, 2**63, CHUNK),)),
    "archived by half a digest": PutArchive(number=1, archived_ns=1, files=(ToArchive(b"/a", 3, 1, b"short"),)),
    "too many archived": PutArchive(number=1, archived_ns=1, files=(ToArchive(b"/a", 3, 1, CHUNK),) * 2_001),
    "a drill of less than no files": DrillOutcome(job=JobId(ID), files=-1, size_bytes=3),
    "a drill of absurd size": DrillOutcome(job=JobId(ID), files=1, size_bytes=-1),
    "a drill by a job without end": DrillOutcome(job=JobId("7" * 129), files=1, size_bytes=3),
    "too many asked": AskChunks(number=1, ids=(CHUNK,) * 4_097),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_values_are_refused(what: str) -> None:
    with pytest.raises(ProtocolError):
        decode_data(msgspec.msgpack.encode(WRONG[what]))


def test_unknown_tags_and_foreign_unions_are_refused() -> None:
    for data in (b"", b"\xc1", msgspec.msgpack.encode({"type": "Nonsense"}), encode(Farewell(error=FACTS))):
        with pytest.raises(ProtocolError):
            decode_data(data)
    with pytest.raises(ProtocolError):
        decode_hub(encode(MESSAGES[0]))
    # A generation above which no other can be written would be the end of every activation with this node.
    for node, generation in (("a/b", 1), ("c" * 32, -1), ("c" * 32, 2**63 - 1)):
        hello = Hello(environment=EnvironmentId("e" * 32), node=NodeId(node), generation=generation, version="1", time_ns=1)
        with pytest.raises(ProtocolError):
            decode_hub(encode(hello))
    assert isinstance(decode_hub(encode(Farewell(error=FACTS))), Farewell)


def test_oversized_messages_are_refused_both_ways() -> None:
    with pytest.raises(ProtocolError, match="larger"):
        decode_data(bytes(MAX_MESSAGE_BYTES + 1))
    payload = Payload(CHUNK, 5, True, bytes(MAX_MESSAGE_BYTES))
    with pytest.raises(ProtocolError, match="too large"):
        encode(Carried(number=1, payloads=(payload,)))


def test_deeply_nested_bytes_are_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_data(b"\x81\xa4type" + b"\x91" * 100_000)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    for decode in (decode_data, decode_hub):
        try:
            decode(data)
        except ProtocolError:
            continue


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.data())
def test_damaged_messages_never_raise_anything_else(message: DataMessage, data: st.DataObject) -> None:
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_data(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except ProtocolError:
        return
    assert decode_data(encode(decoded)) == decoded
