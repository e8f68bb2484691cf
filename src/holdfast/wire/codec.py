"""Bytes to messages and back: msgpack by msgspec, then the checks a type cannot express.

Whatever is wrong with bytes from outside ends as a `ProtocolError` that names the field. A decoded message holds only clean absolute paths,
32-byte chunk ids, sizes within range and short texts without control characters; what it means is for the layers above to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sized
from functools import lru_cache
from typing import TypeVar

import msgspec

from holdfast.core.errors import ErrorFacts, ProtocolError
from holdfast.model.audit import MOST_ANCHORS, Anchor
from holdfast.model.change import Begin, Commit, Cursor, Payload, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, check_path
from holdfast.model.moments import is_lineage_address
from holdfast.wire import hub_messages
from holdfast.wire.data_messages import (
    AskBlobs,
    AskChunks,
    AskEntries,
    AskFolders,
    BlobPiece,
    BlobsEnd,
    Carried,
    Closed,
    Closing,
    DataMessage,
    DrillOutcome,
    Entries,
    Needed,
    Open,
    OpenArchive,
    OpenCopy,
    Opened,
    OpenRead,
    PutArchive,
    Recall,
    Segmented,
    Started,
    Stopped,
)
from holdfast.wire.hub_messages import HubMessage, Spoken
from holdfast.wire.skew import unread

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CHUNK_BYTES = 8 * 1024 * 1024
MAX_ASKED_CHUNKS = 4_096
MAX_ARCHIVED_FILES = 2_000
# Roots of a classification, actions of a delivery, points of a commit: a document has a few; each one costs the receiver work.
_MAX_ROOTS = 10_000
_MAX_ACTIONS = 1_000
_MAX_GAPS, _MAX_MOVES = 1_000, 10_000
_MAX_MARKS = 100
_MAX_SIZE = 2**63 - 1
_MOST_CHUNKS = 2**32
# With room above it in the records: a node's next rules are numbered above all that it has seen.
_MOST_GENERATION = 2**53
_MAX_TEXT = 4_096
_PLACE_BYTES = 8
_TOKEN = re.compile(r"[0-9A-Za-z_.:-]{0,128}")
_TIME = re.compile(r"[0-9T:.+Z-]{10,40}")
_CONTEXT_KEY = re.compile(r"(?!(?:self|message|hint)\Z)[A-Za-z_][A-Za-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

M = TypeVar("M")


@lru_cache(maxsize=1)
def _encoder() -> msgspec.msgpack.Encoder:
    return msgspec.msgpack.Encoder()


@lru_cache(maxsize=1)
def _data_decoder() -> msgspec.msgpack.Decoder[DataMessage]:
    return msgspec.msgpack.Decoder(DataMessage)


@lru_cache(maxsize=1)
def _hub_decoder() -> msgspec.msgpack.Decoder[Spoken]:
    return msgspec.msgpack.Decoder(Spoken)


def encode(message: DataMessage | HubMessage) -> bytes:
    """Raises `ProtocolError` when the message would be larger than the peer accepts."""
    data = _encoder().encode(message)
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a {type(message).__name__} of {len(data)} bytes is too large to send", hint="the limit is 64 MiB")
    return data


def decode_data(data: bytes) -> DataMessage:
    return check_data(decode_unchecked(data))


def decode_unchecked(data: bytes | bytearray | memoryview) -> DataMessage:
    """Types are right, values are not yet checked: for a transport that puts payload bytes in afterwards."""
    return _decode(_data_decoder(), data)


def decode_hub(data: bytes) -> HubMessage:
    try:
        message = _decode(_hub_decoder(), data)
    except ProtocolError:
        if (unknown := unread(data)) is None:
            raise
        return unknown
    if isinstance(message, hub_messages.Hello):
        _check_texts("Hello", message.version, message.data_address, message.name)
        _check_count("Hello.epoch", message.epoch)
        _check_count("Hello.generation", message.generation, _MOST_GENERATION)
        _check_token("Hello.node", message.node)
        _check_length("Hello.anchors", message.anchors, MOST_ANCHORS)
        for anchor in message.anchors:
            _check_anchor("Hello.anchors", anchor)
    elif isinstance(message, hub_messages.Welcome | hub_messages.Received):
        if message.audit is not None:
            _check_anchor(f"{type(message).__name__}.audit", message.audit)
        if isinstance(message, hub_messages.Welcome):
            _check_count("Welcome.epoch", message.epoch)
            _check_count("Welcome.since_ns", message.since_ns)
    elif isinstance(message, hub_messages.Farewell):
        _check_error(message.error)
    elif isinstance(message, hub_messages.Confirmed):
        for problem in message.problems:
            _check_error(problem)
    return message


def _check_anchor(what: str, anchor: Anchor) -> None:
    _check_count(f"{what}.number", anchor.number)
    _check_token(f"{what}.digest", anchor.digest)


def _decode(decoder: msgspec.msgpack.Decoder[M], data: bytes | bytearray | memoryview) -> M:
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message of {len(data)} bytes is larger than 64 MiB", hint=_HINT)
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise ProtocolError(f"bytes that are no message: {error}", hint=_HINT) from None


_HINT = "both machines must run versions of Holdfast that understand each other; otherwise somebody else is talking to this port"


def check_data(message: DataMessage) -> DataMessage:
    """The message itself, its values checked; raises `ProtocolError`."""
    if isinstance(message, Segmented):
        _check_segment(message.segment)
        for runs in message.known:
            for run in runs:
                if not (0 <= run.at <= _MOST_CHUNKS and 0 <= run.first <= _MOST_CHUNKS and 1 <= run.count <= _MOST_CHUNKS):
                    raise ProtocolError(f"Segmented.known: a run of {run.count} chunks from {run.first} at {run.at}")
    elif isinstance(message, Carried):
        _check_carried(message)
    elif isinstance(message, Needed):
        _check_ids("Needed.ids", message.ids)
        _check_count("Needed.number", message.number)
    elif isinstance(message, AskChunks):
        _check_ids("AskChunks.ids", message.ids)
        _check_count("AskChunks.number", message.number)
        if len(message.ids) > MAX_ASKED_CHUNKS:
            raise ProtocolError(f"AskChunks: {len(message.ids)} ids, the limit is {MAX_ASKED_CHUNKS}")
    elif isinstance(message, Entries):
        for entry in message.entries:
            _check_entry(entry)
        if message.places and len(message.places) != _PLACE_BYTES * sum(len(entry.chunks) for entry in message.entries):
            raise ProtocolError(f"Entries.places: {len(message.places)} bytes, not one place for each chunk")
        for folder in message.lost:
            check_path(folder.path)
            _check_texts("Entries.lost", folder.reason)
        _check_count("Entries.total_bytes", message.total_bytes)
    elif isinstance(message, AskEntries | AskFolders):
        _check_paths(message.paths)
    elif isinstance(message, AskBlobs | BlobPiece | BlobsEnd):
        _check_blobs(message)
    else:
        _check_control(message)
    return message


def _check_control(message: DataMessage) -> None:
    """The rare messages: no need to be fast."""
    if isinstance(message, Stopped):
        _check_error(message.error)
    elif isinstance(message, Open):
        _check_length("Open.actions", message.actions, _MAX_ACTIONS)
        _check_token("Open", message.dataset, *message.actions)
        _check_count("Open.generation", message.generation)
    elif isinstance(message, OpenRead):
        _check_token("OpenRead", message.repository, message.dataset)
        _check_point("OpenRead", message.point)
    elif isinstance(message, OpenArchive):
        _check_token("OpenArchive", message.action, message.dataset)
    elif isinstance(message, PutArchive):
        _check_archive(message)
    elif isinstance(message, OpenCopy):
        _check_token("OpenCopy", message.repository, message.mirror, message.dataset)
    elif isinstance(message, Opened):
        for state in message.actions:
            _check_token("Opened.action", state.action)
            _check_cursor(state.cursor)
            _check_error(state.error)
    elif isinstance(message, DrillOutcome):
        _check_token("DrillOutcome.job", message.job)
        _check_count("DrillOutcome.files", message.files)
        _check_count("DrillOutcome.size_bytes", message.size_bytes)
    elif isinstance(message, Recall):
        check_path(message.path)
        _check_ids("Recall.digest", (message.digest,))
    elif isinstance(message, Started):
        _check_length("Started.actions", message.actions, _MAX_ACTIONS)
        _check_token("Started", *message.actions)
        _check_begin(message.begin)
    elif isinstance(message, Closing):
        _check_commit(message.commit)
    elif isinstance(message, Closed):
        for acknowledgement in message.acknowledgements:
            _check_token("Closed.action", acknowledgement.action, *acknowledgement.points)
            _check_cursor(acknowledgement.cursor)
            _check_error(acknowledgement.error)
            _check_count("Closed.stored_bytes", acknowledgement.stored_bytes)


def _check_segment(segment: Segment) -> None:
    _check_count("Segment.number", segment.number)
    _check_refs("Segment.offered", segment.offered)
    for part in segment.parts:
        check_path(part.path)
        _check_count("Part.offset", part.offset)
        _check_refs("Part.chunks", part.chunks)
    for change in segment.changes:
        if isinstance(change, Put):
            _check_entry(change.entry)
        else:
            check_path(change.path)


def _check_entry(entry: Entry) -> None:
    """Ranges of what a kernel could have said; anything else would only fail later, where it is harder to place.

    Comes for each file that travels. A number is in range when nothing is left of it above its bits; of a negative one, all ones are.
    """
    path = entry.path
    check_path(path)
    if entry.mode >> 12 or (entry.uid | entry.gid) >> 32 or entry.size_bytes >> 63:
        raise ProtocolError(f"Entry: mode, owner or size out of range at {path!r}")
    if (entry.inode | entry.device | entry.device_number) >> 64 or entry.links < 0:
        raise ProtocolError(f"Entry: inode, device or link count out of range at {path!r}")
    if (abs(entry.mtime_ns) | abs(entry.atime_ns) | abs(entry.ctime_ns)) >> 63:
        raise ProtocolError(f"Entry: a time out of range at {path!r}")
    if len(entry.user) > _MAX_TEXT or len(entry.group) > _MAX_TEXT:
        raise ProtocolError(f"Entry: a name of an owner too long at {path!r}")
    if entry.chunks:
        _check_refs("Entry.chunks", entry.chunks)
    if entry.link_target or entry.xattrs or entry.holes:
        _check_rarities(entry, path)


def _check_rarities(entry: Entry, path: bytes) -> None:
    if entry.link_target and (b"\x00" in entry.link_target or len(entry.link_target) > 4_096):
        raise ProtocolError(f"Entry: not a link target at {path!r}")
    for xattr in entry.xattrs:
        if not xattr.name or len(xattr.name) > 255 or b"\x00" in xattr.name or len(xattr.value) > 65_536:
            raise ProtocolError(f"Entry: not an extended attribute at {path!r}")
    for hole in entry.holes:
        if hole.offset < 0 or hole.size_bytes < 0 or hole.offset + hole.size_bytes > entry.size_bytes:
            raise ProtocolError(f"Entry: a hole outside the file at {path!r}")


def _check_carried(message: Carried) -> None:
    _check_count("Carried.number", message.number)
    _check_ids("Carried.withdrawn", message.withdrawn)
    if message.reasons:
        _check_texts("Carried.reasons", *message.reasons)
        if len(message.reasons) != len(message.withdrawn):
            raise ProtocolError("Carried.reasons: not one for each chunk that is withdrawn")
    for payload in message.payloads:
        check_payload(payload)


def check_payload(payload: Payload) -> None:
    if len(payload.id) != 32 or not 0 <= payload.size_bytes <= MAX_CHUNK_BYTES:
        raise ProtocolError(f"Payload: an id of {len(payload.id)} bytes, a size of {payload.size_bytes}")
    if not payload.compressed and len(payload.data) != payload.size_bytes:
        raise ProtocolError(f"Payload {payload.id.hex()}: {len(payload.data)} plain bytes, declared {payload.size_bytes}")


def _check_begin(begin: Begin) -> None:
    _check_token("Begin", begin.dataset, begin.epoch)
    _check_texts("Begin", begin.label, begin.hostname)
    _check_count("Begin.seq", begin.seq)
    _check_cursor(begin.base)
    _check_length("Begin.roots", begin.roots, _MAX_ROOTS)
    _check_paths(begin.roots)
    _check_length("Begin.moves", begin.moves, _MAX_MOVES)
    _check_paths(path for move in begin.moves for path in (move.moved_from, move.path))


def _check_commit(commit: Commit) -> None:
    _check_token("Commit", commit.dataset, commit.epoch)
    _check_texts("Commit.zone", commit.zone)
    _check_length("Commit.marks", commit.marks, _MAX_MARKS)
    for mark in commit.marks:
        _check_token("Mark", mark.operation, mark.kind, mark.point)
    for value in (commit.seq, commit.files, commit.size_bytes, commit.warnings):
        _check_count("Commit", value)
    if commit.captured_at.tzinfo is None:
        raise ProtocolError("Commit.captured_at: a time without a zone")
    _check_length("Commit.gaps", commit.gaps, _MAX_GAPS)
    for gap in commit.gaps:
        check_path(gap.path)
        if gap.since.tzinfo is None or gap.until.tzinfo is None:
            raise ProtocolError("Gap: a time without a zone")


def _check_cursor(cursor: Cursor | None) -> None:
    if cursor is not None:
        _check_token("Cursor.epoch", cursor.epoch)
        _check_count("Cursor.seq", cursor.seq)


def _check_blobs(message: AskBlobs | BlobPiece | BlobsEnd) -> None:
    _check_count("blobs.number", message.number)
    if isinstance(message, AskBlobs):
        _check_ids("AskBlobs.ids", message.ids)
        _check_length("AskBlobs.ids", message.ids, MAX_ASKED_CHUNKS)
    elif isinstance(message, BlobPiece):
        _check_ids("BlobPiece.id", (message.id,))
        _check_length("BlobPiece.data", message.data, MAX_CHUNK_BYTES)


def _check_archive(message: PutArchive) -> None:
    for value in (message.number, message.archived_ns, *(file.size_bytes for file in message.files)):
        _check_count("PutArchive", value)
    _check_length("PutArchive.files", message.files, MAX_ARCHIVED_FILES)
    _check_paths(file.path for file in message.files)
    _check_ids("PutArchive.digest", (file.digest for file in message.files))
    if any(file.path == b"/" or abs(file.mtime_ns) >> 63 for file in message.files):
        raise ProtocolError("PutArchive: no path of a file, or a time out of range")


def _check_error(error: ErrorFacts | None) -> None:
    """Keys become keyword arguments when the error is raised again, so they must not collide with ours."""
    if error is not None and not all(_CONTEXT_KEY.fullmatch(key) for key in error.context):
        raise ProtocolError("ErrorFacts.context: not a key")


def _check_refs(where: str, refs: Iterable[ChunkRef]) -> None:
    for ref in refs:
        if len(ref.id) != 32 or not 0 <= ref.size_bytes <= MAX_CHUNK_BYTES:
            raise ProtocolError(f"{where}: an id of {len(ref.id)} bytes, a size of {ref.size_bytes}")


def _check_ids(where: str, ids: Iterable[bytes]) -> None:
    for chunk_id in ids:
        if len(chunk_id) != 32:
            raise ProtocolError(f"{where}: an id of {len(chunk_id)} bytes")


def _check_paths(paths: Iterable[bytes]) -> None:
    for path in paths:
        check_path(path)


def _check_length(where: str, items: Sized, limit: int) -> None:
    if len(items) > limit:
        raise ProtocolError(f"{where}: {len(items)} of them, the limit is {limit}")


def _check_count(where: str, value: int, most: int = _MAX_SIZE) -> None:
    if not 0 <= value <= most:
        raise ProtocolError(f"{where}: {value} is out of range")


def _check_token(where: str, *texts: str) -> None:
    """Ids and names: they become file names and snapshot tags, so nothing but plain characters."""
    for text in texts:
        if _TOKEN.fullmatch(text) is None:
            raise ProtocolError(f"{where}: {text[:80]!r} is no id or name")


def _check_point(where: str, point: str) -> None:
    """A point's id, or what stands for one (`model.moments`): a moment's address, or the versions of a dataset's files."""
    dataset, at, time = point.partition("@")
    _check_token(where, dataset)
    if at and not is_lineage_address(point) and _TIME.fullmatch(time) is None:
        raise ProtocolError(f"{where}: {time[:80]!r} is no time of a moment")


def _check_texts(where: str, *texts: str) -> None:
    for text in texts:
        if len(text) > _MAX_TEXT or _CONTROL.search(text):
            raise ProtocolError(f"{where}: a text too long or with control characters")
