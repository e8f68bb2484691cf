"""Reading a dataset's state across the wire: both ends of a Read session."""

from __future__ import annotations

import logging
import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, RepositoryDamaged, facts_of
from holdfast.core.ids import NodeId
from holdfast.delivery.archiving import PutFiles, refuse_archive, take_files
from holdfast.delivery.asking import next_answer, open_session, out_of_place
from holdfast.delivery.copies import GiveBlobs, give_blobs, refuse_copy
from holdfast.delivery.receiver import IDLE_S, OPENING_S
from holdfast.delivery.trials import take_outcome
from holdfast.model.change import Cursor, Payload
from holdfast.model.entry import Entry, display_path, parent_of, walk_key
from holdfast.model.reading import Answer, Listed, Lost, PointReader
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import (
    PROTOCOL,
    AskChunks,
    AskEntries,
    AskFolders,
    AskMore,
    Carried,
    DataMessage,
    DrillOutcome,
    Entries,
    OpenArchive,
    OpenCopy,
    OpenedRead,
    OpenRead,
    Stopped,
)

# Ids per question where the asker does not say, and questions ahead; what is on its way is bounded by the channel's own queues.
_ASK_IDS = 256
_ASKS_AHEAD = 4
_ENTRIES_PER_MESSAGE = 2_000
_BYTES_PER_MESSAGE = 1 << 20
_RECENT_IDS = 65_536
_MAX_RUNS = 8
_head_of = struct.Struct(">Q24x").unpack
logger = logging.getLogger(__name__)


class _Question:
    """One question on its way; answers come in the order of the questions. `given_up`: nobody waits for them any more."""

    def __init__(self, number: int = -1, ids: Sequence[bytes] = ()) -> None:
        self.number = number
        self.left = dict.fromkeys(ids)
        self.answers: deque[Entries | Carried] = deque()
        self.given_up = False


class RemoteReader:
    """A `model.reading.PointReader` over a Read session. For one thread; several of its iterators may be open at a time.

    `answer_s`: where no answer comes for so long, `NotReachable` is raised (None = waits). The constructor raises what the owner answers:
    `NotGranted`, `UnknownName`, ... `cursor` is the commit the entries belong to,
    None when the owner holds nothing.

    What an owner in wrong hands may send is held against what was asked: an entry outside the paths, a chunk nobody asked for or a message
    that brings nothing is a `ProtocolError`. Payloads are as they came; whoever takes them verifies them.
    """

    def __init__(self, channel: Channel, opening: OpenRead, *, answer_s: float | None = None) -> None:
        self._channel = channel
        self._answer_s = answer_s
        self._waiting: deque[_Question] = deque()
        self._number = 0
        self.cursor: Cursor | None = open_session(channel, opening, answer_s).cursor

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for listed in self.listing(paths):
            for entry in listed.entries:
                if not all(ref.size_bytes for ref in entry.chunks):
                    lost = next(ref.id for ref in entry.chunks if not ref.size_bytes)
                    raise self._missing(f"chunk {lost.hex()} is in no index of {self._channel.peer}")
                yield entry
            if listed.lost:
                raise self._missing(f"{display_path(listed.lost[0].path)}: {listed.lost[0].reason}")

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        return self._listed(AskEntries(paths=tuple(paths)), _Within(paths))

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        asked = frozenset(folders)
        for listed in self._listed(AskFolders(paths=tuple(folders)), _Within(folders)):
            for entry in listed.entries:
                if parent_of(entry.path) not in asked and entry.path not in asked:
                    raise ProtocolError(f"{self._channel.peer} gives {display_path(entry.path)}, which was not asked for")
                yield entry

    def _listed(self, asked: AskEntries | AskFolders, within: _Within) -> Iterator[Listed]:
        question = self._ask(asked, _Question())
        try:
            while True:
                answer = self._answer(question)
                if not isinstance(answer, Entries):
                    raise out_of_place(self._channel, answer)
                if not answer.entries and not answer.lost and not answer.last:
                    raise ProtocolError(f"{self._channel.peer} gives entries without end that are none")
                if not within.is_everything:
                    for path in (*(entry.path for entry in answer.entries), *(folder.path for folder in answer.lost)):
                        if not within.holds(path):
                            raise ProtocolError(f"{self._channel.peer} gives {display_path(path)}, which was not asked for")
                if not answer.last:
                    # The next message comes while this one is worked on.
                    question = self._ask(AskMore(), _Question())
                yield Listed(answer.entries, _unpacked(answer.places), answer.lost, answer.total_bytes)
                if answer.last:
                    return
        finally:
            question.given_up = True

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        wanted = iter(dict.fromkeys(ids))
        for answer in self.answers(iter(lambda: list(islice(wanted, _ASK_IDS)), [])):
            yield from answer.payloads
            if answer.lost:
                raise self._missing(answer.lost[0].reason)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        source = iter(questions)
        asked: deque[_Question] = deque()
        try:
            while True:
                while len(asked) < _ASKS_AHEAD and (ids := next(source, None)) is not None:
                    self._number += 1
                    asked.append(self._ask(AskChunks(number=self._number, ids=tuple(ids)), _Question(self._number, ids)))
                if not asked:
                    return
                yield from self._given(asked[0])
                asked.popleft()
        finally:
            for question in asked:
                question.given_up = True

    def close(self) -> None:
        self._channel.close()

    def _given(self, question: _Question) -> Iterator[Answer]:
        while True:
            answer = self._answer(question)
            if not isinstance(answer, Carried) or answer.number != question.number:
                raise out_of_place(self._channel, answer)
            if not answer.payloads and not answer.withdrawn and not answer.last:
                raise ProtocolError(f"{self._channel.peer} gives an answer without end that brings nothing")
            for payload in answer.payloads:
                # Not asked for, or given twice.
                if question.left.pop(payload.id, payload) is payload:
                    raise ProtocolError(f"{self._channel.peer} gives chunk {payload.id.hex()}, which was not asked for")
            reasons = answer.reasons or ("",) * len(answer.withdrawn)
            lost = [Lost(chunk, reason or self._cannot(chunk)) for chunk, reason in zip(answer.withdrawn, reasons, strict=True)]
            for one in lost:
                question.left.pop(one.id, None)
            if answer.last:
                lost += [Lost(chunk, self._cannot(chunk)) for chunk in question.left]
            yield Answer(answer.payloads, lost, answer.last)
            if answer.last:
                return

    def _cannot(self, chunk: bytes) -> str:
        return f"chunk {chunk.hex()} cannot be had from {self._channel.peer}"

    def _missing(self, reason: str) -> RepositoryDamaged:
        return RepositoryDamaged(reason, hint=f"run `holdfast repository check` on {self._channel.peer}")

    def _ask(self, message: DataMessage, question: _Question) -> _Question:
        self._channel.send(message)
        self._waiting.append(question)
        return question

    def _answer(self, question: _Question) -> Entries | Carried:
        """The next answer to this question; those to others are kept for them."""
        while not question.answers:
            message = next_answer(self._channel, self._answer_s)
            if not self._waiting or not isinstance(message, Entries | Carried):
                raise out_of_place(self._channel, message)
            head = self._waiting[0]
            if not head.given_up:
                head.answers.append(message)
            if isinstance(message, Entries) or message.last:
                self._waiting.popleft()
        return question.answers.popleft()


class _Within:
    """Whether a path is one of those asked for, or below one; none asked = everything."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._keys: list[bytes] = []
        for key in sorted(set(map(walk_key, paths))):
            # One below another would hide it from the search.
            if not self._keys or (self._keys[-1] and not key.startswith(self._keys[-1] + b"\x00")):
                self._keys.append(key)
        self.is_everything = not self._keys or not self._keys[0]

    def holds(self, path: bytes) -> bool:
        if self.is_everything:
            return True
        key = walk_key(path)
        at = bisect_right(self._keys, key) - 1
        return at >= 0 and (key == self._keys[at] or key.startswith(self._keys[at] + b"\x00"))


def _unpacked(places: bytes) -> array[int]:
    found = array("Q", places)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _packed(places: Iterable[int]) -> bytes:
    found = array("Q", places)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


class NamedIds:
    """Chunk ids that entries named, compactly: 64 bits each, in sorted runs.

    A false match would need a chunk whose SHA-256 agrees in its first 64 bits with one that was named, and whose id the reader knows.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._runs: list[array[int]] = []

    def add(self, entry: Entry) -> None:
        self.add_all((entry,))

    def add_all(self, entries: Iterable[Entry]) -> None:
        self._recent.update([_head_of(ref.id)[0] for entry in entries for ref in entry.chunks])
        if len(self._recent) >= _RECENT_IDS:
            self._runs.append(array("Q", sorted(self._recent)))
            self._recent.clear()
            if len(self._runs) > _MAX_RUNS:
                self._runs = [array("Q", sorted({value for run in self._runs for value in run}))]

    def __contains__(self, chunk_id: bytes) -> bool:
        value = _head_of(chunk_id)[0]
        if value in self._recent:
            return True
        for run in self._runs:
            at = bisect_left(run, value)
            if at < len(run) and run[at] == value:
                return True
        return False


OpenReader = Callable[[NodeId, OpenRead], tuple[Cursor | None, PointReader | None]]


def serve_read(
    channel: Channel,
    *,
    open_reader: OpenReader,
    open_copy: Callable[[NodeId, OpenCopy], GiveBlobs] = refuse_copy,
    open_archive: Callable[[NodeId, OpenArchive], PutFiles] = refuse_archive,
    on_refused: Callable[[NodeId, HoldfastError], None] = lambda peer, error: None,
    idle_s: float = IDLE_S,
) -> None:
    """The owner's side; serves one session to its end and never raises what the peer did wrong.

    `open_reader` raises `NotGranted` when the peer may not read this, and gives (None, None) when there is nothing of the dataset;
    `open_copy` when it may not ask for blobs of it, `open_archive` when it may not archive it here.
    """
    reader: PointReader | None = None
    try:
        opening = channel.receive(min(OPENING_S, idle_s))
        if opening is None:
            return
        if not isinstance(opening, OpenRead | OpenCopy | OpenArchive) or opening.protocol != PROTOCOL:
            raise ProtocolError(
                f"the session does not begin with an OpenRead of protocol {PROTOCOL}", hint="bring both machines to the same version"
            )
        if isinstance(opening, OpenCopy):
            give_blobs(channel, open_copy(channel.peer, opening), idle_s)
            return
        if isinstance(opening, OpenArchive):
            take_files(channel, open_archive(channel.peer, opening), idle_s)
            return
        cursor, reader = open_reader(channel.peer, opening)
        channel.send(OpenedRead(cursor=cursor))
        owner = _Owner(channel, reader)
        while (message := channel.receive(idle_s)) is not None and not isinstance(message, Stopped):
            owner.answer(message)
    except NotReachable as error:
        logger.info("a read broke off", extra={"facts": {"peer": channel.peer, "error": str(error)}})
    except HoldfastError as error:
        on_refused(channel.peer, error)
        _stop(channel, error)
    except Exception as error:
        logger.exception("a read failed", extra={"facts": {"peer": channel.peer}})
        _stop(channel, error)
    finally:
        if reader is not None:
            reader.close()
        channel.close()


class _Owner:
    def __init__(self, channel: Channel, reader: PointReader | None) -> None:
        self._channel = channel
        self._reader = reader
        self._named = NamedIds()
        self._listing: Iterator[Entries] | None = None
        self._next: Entries | None = None

    def answer(self, message: DataMessage) -> None:
        if isinstance(message, AskEntries):
            self._listing = iter(()) if self._reader is None else _messages(self._reader.listing(message.paths))
            self._next = next(self._listing, Entries(entries=()))
            self._send_entries()
        elif isinstance(message, AskFolders):
            self._listing = iter(()) if self._reader is None else _messages(_folders_of(self._reader, message.paths))
            self._next = next(self._listing, Entries(entries=()))
            self._send_entries()
        elif isinstance(message, AskMore):
            self._send_entries()
        elif isinstance(message, AskChunks):
            self._send_chunks(message)
        elif isinstance(message, DrillOutcome):
            take_outcome(self._channel, self._reader, message)
        else:
            raise ProtocolError(f"{type(message).__name__} has no place in a read")

    def _send_entries(self) -> None:
        if self._listing is None or self._next is None:
            raise ProtocolError("AskMore without an AskEntries that has more")
        entries = self._next
        self._named.add_all(entries.entries)
        self._next = next(self._listing, None)
        self._channel.send(entries if self._next is not None else msgspec.structs.replace(entries, last=True))

    def _send_chunks(self, message: AskChunks) -> None:
        if self._reader is None or any(chunk_id not in self._named for chunk_id in message.ids):
            raise ProtocolError("chunks were asked for that no entry of this session named")
        for answer in self._reader.answers((message.ids,)):
            for carried in _carried(message.number, answer):
                self._channel.send(carried)


def _folders_of(reader: PointReader, paths: Sequence[bytes]) -> Iterator[Listed]:
    children = reader.children(paths)
    while some := list(islice(children, _ENTRIES_PER_MESSAGE)):
        yield Listed(some)


def _messages(listing: Iterator[Listed]) -> Iterator[Entries]:
    for listed in listing:
        chunk = 0
        for start in range(0, len(listed.entries), _ENTRIES_PER_MESSAGE):
            entries = tuple(listed.entries[start : start + _ENTRIES_PER_MESSAGE])
            places = listed.places
            if places and len(entries) < len(listed.entries):
                count = sum(len(entry.chunks) for entry in entries)
                places, chunk = places[chunk : chunk + count], chunk + count
            yield Entries(entries=entries, places=_packed(places), total_bytes=listed.total_bytes)
        if listed.lost:
            yield Entries(entries=(), lost=tuple(listed.lost))


def _carried(number: int, answer: Answer) -> Iterator[Carried]:
    """Messages of about `_BYTES_PER_MESSAGE`: at most that and one chunk."""
    some: list[Payload] = []
    size = 0
    for payload in answer.payloads:
        if some and size + len(payload.data) > _BYTES_PER_MESSAGE:
            yield Carried(number=number, payloads=tuple(some))
            some, size = [], 0
        some.append(payload)
        size += len(payload.data)
    if not (some or answer.lost or answer.last):
        return
    lost, reasons = tuple(lost.id for lost in answer.lost), tuple(lost.reason for lost in answer.lost)
    yield Carried(number=number, payloads=tuple(some), withdrawn=lost, reasons=reasons, last=answer.last)


def _stop(channel: Channel, error: BaseException) -> None:
    try:
        channel.send(Stopped(error=facts_of(error)))
    except HoldfastError:
        # It has gone: nobody to tell.
        logger.info("a read ended", extra={"facts": {"peer": channel.peer, "error": str(error)}})
