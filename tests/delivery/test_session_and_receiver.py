"""One delivery, both ends real: what arrives, what is refused, and who is spared when somebody fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from holdfast.core.errors import Cancelled, NoSpace, NotGranted, NotReachable, ProtocolError, error_from
from holdfast.core.ids import ActionId, Epoch, NodeId
from holdfast.delivery.limit import Limit
from holdfast.delivery.ports import Opening
from holdfast.delivery.reading import serve_read
from holdfast.delivery.receiver import serve_delivery
from holdfast.delivery.session import DeliverySession
from holdfast.delivery.verify import Verifier
from holdfast.model.change import Cursor, Part, Payload, Put, Remove, Segment
from holdfast.model.entry import Kind
from holdfast.model.stream import Before, Outgoing
from holdfast.testing.channel_suite import WAIT_S
from holdfast.testing.deliveries import (
    DATASET,
    RECEIVER,
    ROOT,
    SOURCE,
    ServedDelivery,
    begin_of,
    chunk_ref,
    commit_of,
    file_of,
    folder_of,
    opening_of,
    outgoing_of,
    puts_of,
)
from holdfast.testing.memory_action import MemoryAction, MemoryChunks, payload_of
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.wire.channel import Channel
from holdfast.wire.codec import encode
from holdfast.wire.data_messages import (
    PROTOCOL,
    Carried,
    Closed,
    Closing,
    DataMessage,
    KnownRun,
    Needed,
    Open,
    Opened,
    OpenRead,
    Recall,
    Segmented,
    Started,
    Stopped,
)


def connect(*actions: MemoryAction, granted: bool = True, trusted: bool = False) -> tuple[MemoryChannel, ServedDelivery]:
    here, there = memory_pair(SOURCE, RECEIVER, trusted=trusted)
    return here, ServedDelivery(there, actions, granted=granted)


def opened(*actions: MemoryAction, window_bytes: int = 1 << 20) -> tuple[DeliverySession, ServedDelivery]:
    here, served = connect(*actions)
    session = DeliverySession(here, window_bytes=window_bytes)
    session.open(opening_of(*(action.id for action in actions)))
    return session, served


def deliver(session: DeliverySession, seq: int, base: int | None, files: dict[bytes, bytes], *actions: MemoryAction) -> None:
    session.begin(begin_of(seq, base), [action.id for action in actions])
    session.send(puts_of(0, files, run=seq, first=True))
    session.commit(commit_of(seq))


def test_files_arrive_and_every_action_acknowledges() -> None:
    store, mirror = MemoryAction("store"), MemoryAction("mirror")
    session, served = opened(store, mirror)
    session.begin(begin_of(1), [store.id, mirror.id])
    files = {b"/data/%03d" % n: bytes([n]) * (n * 300) for n in range(100)}
    for number in range(10):
        slice_ = dict(sorted(files.items())[number * 10 : number * 10 + 10])
        session.send(puts_of(number, slice_, first=number == 0))
    acknowledgements = session.commit(commit_of(1))
    session.close()
    assert served.wait() == []
    for action, acknowledgement in zip((store, mirror), acknowledgements, strict=True):
        assert {path: action.content(path) for path in files} == files
        assert acknowledgement.error is None
        assert acknowledgement.cursor == Cursor(begin_of(1).epoch, 1)
        assert acknowledgement.points == (commit_of(1).marks[0].point,)
        assert action.closed == 1
    assert session.counters.files == 100
    assert session.counters.changed == 101
    assert 0 < session.counters.sent_bytes < session.counters.offered_bytes == sum(map(len, files.values()))


def test_chunks_the_receiver_has_are_not_sent_again_and_old_rows_not_at_all() -> None:
    action = MemoryAction()
    session, served = opened(action)
    deliver(session, 1, None, {b"/data/a": b"A" * 1000}, action)
    session.begin(begin_of(2, 1), [action.id])
    chunks = MemoryChunks({chunk_ref(plain).id: plain for plain in (b"A" * 1000, b"B" * 1000)})
    session.send(outgoing_of(0, [Put(folder_of(ROOT)), Put(file_of(b"/data/a", b"A" * 1000))], chunks, run=1))
    session.send(outgoing_of(1, [Put(file_of(b"/data/b", b"A" * 1000, b"B" * 1000)), Remove(b"/data/c")], chunks, run=2))
    session.commit(commit_of(2))
    session.close()
    assert served.wait() == []
    assert chunks.asked == [chunk_ref(b"B" * 1000).id]
    assert (session.counters.changed, session.counters.removed, session.counters.files) == (1, 1, 1)
    assert action.content(b"/data/b") == b"A" * 1000 + b"B" * 1000


def test_large_files_travel_ahead_and_payloads_are_split() -> None:
    action = MemoryAction()
    session, served = opened(action)
    pieces = [bytes([n]) * 1_500_000 for n in range(6)]
    chunks = {chunk_ref(piece).id: piece for piece in pieces}
    entry = file_of(b"/data/big", *pieces)
    session.begin(begin_of(1), [action.id])
    for number in range(3):
        part = Part(entry.path, number * 3_000_000, entry.chunks[number * 2 : number * 2 + 2])
        session.send(outgoing_of(number, [], chunks, parts=[part]))
    session.send(outgoing_of(3, [Put(folder_of(ROOT)), Put(entry)], chunks))
    assert session.commit(commit_of(1))[0].error is None
    session.close()
    assert served.wait() == []
    assert action.content(b"/data/big") == b"".join(pieces)


class Counted(MemoryChannel):
    """Counts the bytes of what goes out."""

    sent_bytes = 0

    def send(self, message: DataMessage) -> None:
        self.sent_bytes += len(encode(message))
        super().send(message)


@pytest.mark.parametrize("is_there", [True, False])
def test_of_a_large_file_the_receiver_has_only_what_differs_is_said(*, is_there: bool) -> None:
    """Of 300 chunks one is another. Where the receiver has lost the version that the source believes it has, all is said."""
    first = [b"%04d" % n * 10 for n in range(300)]
    pieces = [*first[:150], b"changed", *first[151:]]
    before, after = file_of(b"/data/big", *first), file_of(b"/data/big", *pieces)
    action = MemoryAction()
    action.chunks = {chunk_ref(piece).id: piece for piece in first}
    action.entries = {ROOT: folder_of(ROOT), before.path: before if is_there else file_of(before.path, *first[1:])}
    action.position = Cursor(begin_of(1).epoch, 1)
    plain, served = connect(action)
    here = Counted(RECEIVER, outbox=plain.outbox, inbox=plain.inbox, trusted=False)
    session = DeliverySession(here)
    session.open(opening_of(action.id))
    session.begin(begin_of(2, 1), [action.id])
    source = MemoryChunks({chunk_ref(piece).id: piece for piece in pieces})
    part = Part(after.path, 0, after.chunks)
    outgoing = outgoing_of(0, [], source, parts=[part], run=2)
    session.send(Outgoing(outgoing.segment, (), (2,), source, Before(before.path, before.chunks)))
    session.send(Outgoing(Segment(number=1, changes=(Put(after),)), (2,), (), source))
    assert session.commit(commit_of(2))[0].error is None
    session.close()
    assert served.wait() == []
    assert action.content(after.path) == b"".join(pieces)
    assert source.asked == [chunk_ref(b"changed").id]
    # A chunk that is named takes 36 bytes.
    assert (here.sent_bytes < 36 * 100) is is_there


def test_a_withdrawn_chunk_leaves_its_file_as_it_was() -> None:
    action = MemoryAction()
    session, served = opened(action)
    deliver(session, 1, None, {b"/data/a": b"old", b"/data/b": b"same"}, action)
    session.begin(begin_of(2, 1), [action.id])
    chunks = MemoryChunks({}, withdrawn=frozenset({chunk_ref(b"new").id}))
    session.send(outgoing_of(0, [Put(file_of(b"/data/a", b"new"))], chunks, run=2))
    assert session.commit(commit_of(2))[0].error is None
    session.close()
    assert served.wait() == []
    assert action.content(b"/data/a") == b"old"


@pytest.mark.parametrize("step", ["begin", "wanted", "apply", "commit"])
def test_an_action_that_fails_spares_the_others(step: str) -> None:
    good = MemoryAction("good")
    bad = MemoryAction("bad", fail_at=step, failure=NoSpace("the disk is full", hint="make room"))
    session, served = opened(bad, good)
    deliver_to = [bad.id, good.id]
    session.begin(begin_of(1), deliver_to)
    session.send(puts_of(0, {b"/data/a": b"A"}, first=True))
    failed, fine = session.commit(commit_of(1))
    assert failed.error is not None
    assert (failed.action, failed.error.code, failed.cursor, fine.error) == ("bad", "no-space", None, None)
    assert bad.aborted == 1
    bad.failure = None
    session.begin(begin_of(2), deliver_to)
    session.send(puts_of(0, {b"/data/a": b"A"}, run=2, first=True))
    assert [acknowledgement.error for acknowledgement in session.commit(commit_of(2))] == [None, None]
    session.close()
    assert served.wait() == []
    assert bad.content(b"/data/a") == good.content(b"/data/a") == b"A"


def test_an_action_that_cannot_tell_its_cursor_is_unavailable() -> None:
    good, bad = MemoryAction("good"), MemoryAction("bad", fail_at="cursor", failure=NoSpace("full"))
    here, served = connect(good, bad)
    session = DeliverySession(here)
    states = session.open(opening_of("good", "bad", "unknown"))
    assert [state.error and state.error.code for state in states] == [None, "no-space", "not-granted"]
    session.close()
    assert served.wait() == []


def test_a_commit_on_a_base_the_action_has_not_reached_is_refused() -> None:
    action = MemoryAction()
    session, served = opened(action)
    for begin in (begin_of(5, 4), begin_of(5, 4)):
        session.begin(begin, [action.id])
        acknowledgement = session.commit(commit_of(5))[0]
        assert acknowledgement.error is not None
        assert acknowledgement.error.code == "conflict"
    action.position = None
    session.close()
    assert served.wait() == []
    assert action.commits == []


def test_no_grant_is_told_and_recorded() -> None:
    here, served = connect(granted=False)
    session = DeliverySession(here)
    with pytest.raises(NotGranted, match="no grant"):
        session.open(opening_of("store"))
    session.close()
    assert [finding.code for finding in served.wait()] == ["not-granted"]


def test_a_sender_that_goes_away_or_aborts_leaves_nothing() -> None:
    for how in ("kill", "abort", "close"):
        action = MemoryAction()
        here, served = connect(action)
        session = DeliverySession(here)
        session.open(opening_of(action.id))
        session.begin(begin_of(1), [action.id])
        session.send(puts_of(0, {b"/data/a": b"A"}, first=True))
        if how == "kill":
            here.kill()
        elif how == "abort":
            session.abort(Cancelled("enough"))
        else:
            session.close()
        assert served.wait() == []
        assert (action.entries, action.position, action.closed) == ({}, None, 1)
        # A power cut may come before the receiver has even heard of the commit.
        assert action.aborted == 1 or how == "kill"


def test_a_receiver_that_goes_away_is_noticed_by_the_sender() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    session = DeliverySession(here)
    there.send(Opened(actions=()))
    session.open(opening_of())
    session.begin(begin_of(1), [])
    there.kill()
    with pytest.raises(NotReachable):
        session.commit(commit_of(1))


def test_a_receiver_that_asks_for_what_was_not_offered_is_refused() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    session = DeliverySession(here)
    there.send(Opened(actions=()))
    session.open(opening_of())
    session.begin(begin_of(1), [])
    there.send(Needed(number=0, ids=(bytes(32),)))
    with pytest.raises(ProtocolError, match="not offered"):
        deliver(session, 1, None, {b"/data/a": b"A"})


def test_the_receivers_reason_wins_over_a_broken_pipe() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    session = DeliverySession(here)
    there.send(Opened(actions=()))
    session.open(opening_of())
    there.send(Stopped(error=NoSpace("the disk is full").facts()))
    there.close()
    with pytest.raises(NoSpace):
        deliver(session, 1, None, {b"/data/a": b"A"})


PLAIN = b"hostile" * 100
REF = chunk_ref(PLAIN)
SEGMENT = Segmented(
    segment=Segment(number=0, changes=(Put(folder_of(ROOT)), Put(file_of(b"/data/x", PLAIN))), offered=(REF,)),
)
FRAME = payload_of(PLAIN, compressed=True).data
START = Started(begin=begin_of(1), actions=(ActionId("action"),))


def _carried(data: bytes, *, compressed: bool = True, size: int = len(PLAIN), chunk: bytes = REF.id) -> list[DataMessage]:
    return [START, SEGMENT, Carried(number=0, payloads=(Payload(chunk, size, compressed, data),), last=True)]


def _segments(*segments: Segment) -> list[DataMessage]:
    return [START, *(Segmented(segment=segment) for segment in segments)]


FILE = Put(file_of(b"/data/x", PLAIN))
HOSTILE: dict[str, list[DataMessage]] = {
    "wrong hash": _carried(bytes(len(PLAIN)), compressed=False),
    "two frames": _carried(FRAME + FRAME),
    "trailing bytes": _carried(FRAME + b"\0"),
    "lying size": _carried(FRAME, size=len(PLAIN) - 1),
    "not asked for": _carried(FRAME, chunk=bytes(32)),
    "missing chunks": [START, SEGMENT, Carried(number=0, last=True)],
    "endless nothing": [START, SEGMENT, Carried(number=0)],
    "the same chunk twice": [START, SEGMENT, *[Carried(number=0, payloads=(payload_of(PLAIN),))] * 2],
    "withdrawn and given": [START, SEGMENT, Carried(number=0, payloads=(payload_of(PLAIN),), withdrawn=(REF.id,))],
    "segment before start": [SEGMENT],
    "closing before start": [Closing(commit=commit_of(1))],
    "start twice": [START, START],
    "start of another dataset": [Started(begin=begin_of(1, dataset=type(DATASET)("f" * 32)), actions=(ActionId("action"),))],
    "an action not opened": [Started(begin=begin_of(1), actions=(ActionId("other"),))],
    "closing too early": [START, SEGMENT, Closing(commit=commit_of(1))],
    "closing another commit": [START, Closing(commit=commit_of(2))],
    "chunks of another segment": [START, SEGMENT, Carried(number=3, last=True)],
    "a receiver's message": [Closed(acknowledgements=())],
    "open again": [opening_of("action")],
    "numbers going back": _segments(Segment(number=1, changes=(Remove(b"/data/a"),)), Segment(number=1, changes=(Remove(b"/data/b"),))),
    "an empty segment": _segments(Segment(number=0)),
    "out of walk order": _segments(Segment(number=0, changes=(Remove(b"/data/b"), Remove(b"/data/a")))),
    "a path twice": _segments(Segment(number=0, changes=(Remove(b"/data/a"), Remove(b"/data/a")))),
    "outside the roots": _segments(Segment(number=0, changes=(Put(file_of(b"/etc/passwd")),))),
    "a chunk of somebody else": _segments(Segment(number=0, changes=(FILE,))),
    "a version asked for before start": [Recall(path=b"/data/x", digest=bytes(32))],
    "a version asked for while a segment waits": [START, SEGMENT, Recall(path=b"/data/x", digest=bytes(32))],
    "a part of a version not asked for": [
        START,
        Segmented(segment=Segment(number=0, parts=(Part(b"/data/x", 0, ()),)), known=((KnownRun(0, 0, 1),),)),
    ],
    "a file larger than its parts": _segments(
        Segment(
            number=0,
            parts=(Part(b"/data/x", 0, (REF,)),),
            changes=(Put(type(FILE.entry)(path=b"/data/x", kind=Kind.FILE, mode=0, size_bytes=len(PLAIN) + 1)),),
        )
    ),
    "a chunk offered twice": _segments(Segment(number=0, changes=(FILE,), offered=(REF, REF))),
    "another size than its chunks": _segments(
        Segment(number=0, changes=(Put(type(FILE.entry)(path=b"/data/x", kind=Kind.FILE, mode=0, size_bytes=1)),))
    ),
    "a folder with chunks": _segments(
        Segment(number=0, changes=(Put(type(FILE.entry)(path=b"/data", kind=Kind.DIRECTORY, mode=0, chunks=(REF,))),), offered=(REF,))
    ),
    "a flood of parts": _segments(
        *(Segment(number=n, parts=tuple(Part(b"/data/%d-%05d" % (n, m), 0, ()) for m in range(60_000))) for n in range(9))
    ),
    "a flood of segments": _segments(*(Segment(number=n, changes=(Remove(b"/data/%05d" % n),)) for n in range(70))),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_sender_is_refused_and_others_go_on(what: str) -> None:
    spared = MemoryAction()
    other, other_served = opened(spared)
    other.begin(begin_of(1), [spared.id])

    action = MemoryAction()
    here, served = connect(action)
    here.send(opening_of("action"))
    assert isinstance(here.receive(WAIT_S), Opened)
    for message in HOSTILE[what]:
        try:
            here.send(message)
        except NotReachable:
            break
    last = _last(here)
    assert isinstance(last, Stopped)
    assert error_from(last.error).code == "protocol"
    assert [finding.code for finding in served.wait()] == ["protocol"]
    assert (action.entries, action.commits, action.closed) == ({}, [], 1)

    other.send(puts_of(0, {b"/data/a": b"A"}, first=True))
    assert other.commit(commit_of(1))[0].error is None
    other.close()
    assert other_served.wait() == []


def _last(channel: MemoryChannel) -> DataMessage | None:
    last = None
    while (message := channel.receive(WAIT_S)) is not None:
        last = message
    return last


def test_a_session_must_begin_with_an_open_of_our_protocol() -> None:
    for first in (START, Open(dataset=DATASET, actions=(), generation=1, protocol=PROTOCOL + 1)):
        here, served = connect(MemoryAction())
        here.send(first)
        assert isinstance(here.receive(WAIT_S), Stopped)
        assert [finding.code for finding in served.wait()] == ["protocol"]


def test_a_full_commit_replaces_everything_and_another_epoch_needs_one() -> None:
    action = MemoryAction()
    action.position = Cursor(Epoch("0" * 32), 99)
    action.entries = {b"/data/stale": file_of(b"/data/stale")}
    session, served = opened(action)
    deliver(session, 1, None, {b"/data/a": b"A"}, action)
    session.close()
    assert served.wait() == []
    assert set(action.entries) == {ROOT, b"/data/a"}


class OneByOne:
    """A chunk source that gives its chunks in another order and some it was not asked for."""

    def __init__(self, plain: Sequence[bytes]) -> None:
        self._plain = plain

    def payloads(self, ids: Sequence[bytes], compression: object) -> Iterator[Payload]:
        for plain in reversed(self._plain):
            yield payload_of(plain)


def test_chunks_may_come_in_any_order_and_what_never_comes_is_withdrawn() -> None:
    action = MemoryAction()
    session, served = opened(action)
    session.begin(begin_of(1), [action.id])
    changes = [Put(folder_of(ROOT)), *(Put(file_of(b"/data/" + name, name)) for name in (b"a", b"b", b"lost"))]
    session.send(outgoing_of(0, changes, OneByOne([b"a", b"b", b"extra"])))
    assert session.commit(commit_of(1))[0].error is None
    session.close()
    assert served.wait() == []
    assert set(action.entries) == {ROOT, b"/data/a", b"/data/b"}


def test_trusted_chunks_are_not_hashed_again() -> None:
    action = MemoryAction()
    here, served = connect(action, trusted=True)
    session = DeliverySession(here)
    # Only the receiving end's trust counts, and a memory pair has it on both.
    session.open(opening_of(action.id))
    deliver(session, 1, None, {b"/data/a": b"A" * 100}, action)
    session.close()
    assert served.wait() == []
    assert hashlib.sha256(action.content(b"/data/a")).digest() == chunk_ref(b"A" * 100).id


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ns(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_limit_holds_over_time() -> None:
    time = Time()
    limit = Limit(1_000_000, clock=time, wait=time.wait)
    for size in (100, 5_000_000, 0, 300_000, 700_000):
        limit.take(size)
    assert time.now_s == pytest.approx(6.0 - 0.25, abs=0.01)
    time.now_s += 100
    before = time.now_s
    limit.take(250_000)
    assert time.now_s == before


def test_a_limited_session_is_as_slow_as_it_should_be() -> None:
    time, action = Time(), MemoryAction()
    here, served = connect(action)
    session = DeliverySession(here, compression="off", limit=Limit(100_000, clock=time, wait=time.wait))
    session.open(opening_of(action.id))
    deliver(session, 1, None, {b"/data/%d" % n: bytes([n]) * 100_000 for n in range(10)}, action)
    session.close()
    assert served.wait() == []
    assert 9.5 < time.now_s < 10.5
    assert session.counters.sent_bytes == 1_000_000


def test_who_says_nothing_keeps_no_place() -> None:
    for serve in (_serve_a_delivery, _serve_a_read):
        ours, theirs = memory_pair(NodeId("1" * 32), NodeId("2" * 32))
        serve(theirs)
        ours.close()


def _serve_a_delivery(channel: Channel) -> None:
    def refuse(peer: NodeId, opening: Open) -> Opening:
        raise AssertionError((peer, opening))

    verifier = Verifier()
    serve_delivery(channel, open_actions=refuse, verifier=verifier, idle_s=0.01)
    verifier.close()


def _serve_a_read(channel: Channel) -> None:
    def refuse(peer: NodeId, opening: OpenRead) -> tuple[None, None]:
        raise AssertionError((peer, opening))

    serve_read(channel, open_reader=refuse, idle_s=0.01)
