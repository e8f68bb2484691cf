"""Segments on the wire and back: nothing is lost, little is said, and no lie passes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.delivery.abridging import Abridger, Restorer, digest_of
from holdfast.model.change import Change, Part, Put, Remove, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.wire.codec import decode_data, encode
from holdfast.wire.data_messages import KnownRun, Segmented

PATH = b"/data/disk.img"
PARTS_OF = 16


def ref(number: int) -> ChunkRef:
    return ChunkRef(hashlib.sha256(b"%d" % number).digest(), 1 + number % 7)


def file_of(refs: Sequence[ChunkRef], path: bytes = PATH) -> Entry:
    return Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=sum(ref.size_bytes for ref in refs), chunks=tuple(refs))


def stream(entry: Entry, *, sent: Sequence[ChunkRef] | None = None, others: Sequence[Change] = ()) -> list[Segment]:
    """A file in parts and its put. `sent`: what the parts brought, where that was not the file."""
    segments, offset = [], 0
    refs = entry.chunks if sent is None else sent
    for start in range(0, len(refs), PARTS_OF):
        some = tuple(refs[start : start + PARTS_OF])
        segments.append(Segment(number=len(segments), parts=(Part(entry.path, offset, some),), offered=tuple(dict.fromkeys(some))))
        offset += sum(ref.size_bytes for ref in some)
    offered = tuple(dict.fromkeys(set(entry.chunks) - set(refs)))
    segments.append(Segment(number=len(segments), changes=(*others, Put(entry)), offered=offered))
    return segments


def passed(segments: Sequence[Segment], before: Sequence[ChunkRef] = ()) -> tuple[list[Segment], int]:
    """What arrives of them, and in how many bytes, where both sides know the version before."""
    abridger, restorer = Abridger(), Restorer()
    abridger.begin()
    restorer.begin()
    if before:
        abridger.know(PATH, before)
        restorer.know(PATH, before)
    arrived, size_bytes = [], 0
    for segment in segments:
        data = encode(abridger.abridge(segment))
        size_bytes += len(data)
        message = decode_data(data)
        assert isinstance(message, Segmented)
        arrived.append(restorer.restore(message))
    return arrived, size_bytes


def assert_same(arrived: Sequence[Segment], sent: Sequence[Segment]) -> None:
    assert [(each.number, each.parts, each.changes, set(each.offered)) for each in arrived] == [
        (each.number, each.parts, each.changes, set(each.offered)) for each in sent
    ]
    assert all(len(each.offered) == len(set(each.offered)) for each in arrived)


lists = st.lists(st.integers(0, 30).map(ref), max_size=80)


@given(after=lists, before=lists, sent=st.none() | lists)
def test_what_arrives_is_what_was_sent(after: list[ChunkRef], before: list[ChunkRef], sent: list[ChunkRef] | None) -> None:
    segments = stream(file_of(after), sent=sent, others=(Remove(b"/data/a"),))
    assert_same(passed(segments, before)[0], segments)


def test_parts_that_became_void_count_no_more() -> None:
    first, second = [ref(n) for n in range(40)], [ref(n) for n in range(40, 90)]
    void = stream(file_of(first))[:-1]
    segments = [*void, *stream(file_of(second))]
    assert_same(passed(segments)[0], segments)


def test_a_file_that_builds_on_no_beginning_is_said_in_full() -> None:
    refs = tuple(ref(n) for n in range(4))
    segments = [Segment(number=0, parts=(Part(PATH, 9, refs),), offered=refs), Segment(number=1, changes=(Put(file_of(refs)),))]
    assert_same(passed(segments)[0], segments)


def test_a_list_of_chunks_travels_once_and_of_a_known_version_only_what_differs() -> None:
    before = [ref(n) for n in range(26_000)]
    after = [*before[:9_000], ref(-1), *before[9_001:20_000], ref(-2), ref(-3), *before[20_000:]]
    segments = stream(file_of(after))
    in_full = sum(len(encode(Segmented(segment=segment))) for segment in segments)
    once, difference = passed(segments)[1], passed(segments, before)[1]
    assert_same(passed(segments, before)[0], segments)
    assert once < 0.4 * in_full
    assert difference < 0.06 * in_full


def message_of(*runs: KnownRun, own: Sequence[ChunkRef] = (), parts: int = 1) -> Segmented:
    segment = Segment(number=0, parts=(Part(PATH, 0, tuple(own)),) * parts)
    return Segmented(segment=segment, known=(runs,))


LIES = {
    "more than there is": message_of(KnownRun(0, 290, 11)),
    "from behind the end": message_of(KnownRun(0, 301, 1)),
    "a place that nothing fills": message_of(KnownRun(5, 0, 1)),
    "runs over each other": message_of(KnownRun(0, 0, 10), KnownRun(5, 0, 10)),
    "not one for each part": message_of(KnownRun(0, 0, 1), parts=2),
    "a bomb": message_of(*(KnownRun(300 * n, 0, 300) for n in range(400))),
    "another file": Segmented(segment=Segment(number=0, parts=(Part(b"/data/other", 0, ()),)), known=((KnownRun(0, 0, 1),),)),
}


@pytest.mark.parametrize("what", LIES)
def test_runs_that_cannot_be_are_refused(what: str) -> None:
    restorer = Restorer()
    restorer.begin()
    restorer.know(PATH, [ref(n) for n in range(300)])
    with pytest.raises(ProtocolError):
        restorer.restore(LIES[what])


def test_a_version_is_known_for_one_commit_only() -> None:
    restorer = Restorer()
    restorer.know(PATH, [ref(0)])
    restorer.begin()
    with pytest.raises(ProtocolError, match="was not asked for"):
        restorer.restore(message_of(KnownRun(0, 0, 1)))


def test_the_digest_of_a_list_tells_its_order() -> None:
    assert digest_of([ref(1), ref(2)]) != digest_of([ref(2), ref(1)])
