"""The journal's file: what is written is read again, what was cut off is no more, what is damaged is named."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.ids import DatasetId, Epoch
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.repository.continuous.journal import ChunkFrame, Group, JournalFile, Rest, frame_of, scan
from holdfast.repository.moment_record import Followed, Gone, Op, Record, Written
from holdfast.testing.feeding import chunk_id

FOLLOWED = Followed(dataset=DatasetId("d" * 32), label="files1/documents", sender="a" * 32, hostname="h", roots=(b"/data", b"/\xff"))
names = st.binary(min_size=1, max_size=9).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))


def _written(name: bytes, content: bytes) -> Written:
    refs = (ChunkRef(chunk_id(content), len(content)),) if content else ()
    return Written(Entry(path=b"/data/" + name, kind=Kind.FILE, mode=0o640, size_bytes=len(content), chunks=refs), bool(content))


ops: st.SearchStrategy[Op] = st.one_of(
    st.builds(_written, names, st.binary(max_size=30)), st.builds(lambda name: Gone(b"/data/" + name), names)
)


@st.composite
def groups(draw: st.DrawFn) -> tuple[Group, list[bytes]]:
    payloads = draw(st.lists(st.binary(min_size=1, max_size=50), max_size=3))
    frames = tuple(ChunkFrame(chunk_id(payload), len(payload), len(payload), draw(st.booleans())) for payload in payloads)
    record = Record(
        ordinal=draw(st.integers(1, 1 << 40)),
        epoch=Epoch("e" * 32),
        seq=draw(st.integers(0, 1 << 40)),
        captured_ns=draw(st.integers(0, 1 << 62)),
        before=bytes(32),
        tree=draw(st.binary(min_size=32, max_size=32)),
        ops=tuple(draw(st.lists(ops, max_size=4))),
    )
    return Group(FOLLOWED, record, draw(st.booleans()), frames), payloads


@given(st.lists(groups(), min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_that_was_cut_anywhere_has_all_whole_groups_before(written: list[tuple[Group, list[bytes]]], data: st.DataObject) -> None:
    frames = [frame_of(group, payloads) for group, payloads in written]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    found = scan(whole[:cut])
    ends = [sum(map(len, frames[: number + 1])) for number in range(len(frames))]
    count = sum(end <= cut for end in ends)
    assert [placed.group for placed in found.groups] == [group for group, _ in written[:count]]
    assert found.damaged == ()
    assert found.end == (ends[count - 1] if count else 0)
    assert found.rest is (Rest.NOTHING if cut in (0, *ends) else Rest.CUT)
    for placed, (group, payloads) in zip(found.groups, written, strict=False):
        offset = placed.chunks_at
        for chunk, payload in zip(group.chunks, payloads, strict=True):
            assert whole[offset : offset + chunk.stored_bytes] == payload
            offset += chunk.stored_bytes


@given(st.lists(groups(), min_size=2, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_damage_in_one_group_takes_only_that_one(written: list[tuple[Group, list[bytes]]], data: st.DataObject) -> None:
    frames = [bytearray(frame_of(group, payloads)) for group, payloads in written]
    number = data.draw(st.integers(0, len(frames) - 1))
    place = data.draw(st.integers(0, len(frames[number]) - 1))
    frames[number][place] ^= data.draw(st.integers(1, 255))
    found = scan(b"".join(frames))
    assert [placed.group for placed in found.groups] == [group for at, (group, _) in enumerate(written) if at != number]
    is_last = number == len(frames) - 1
    assert found.damaged == (() if is_last else (sum(map(len, frames[:number])),))
    assert found.rest is (Rest.UNREADABLE if is_last else Rest.NOTHING)


def _frame_of_before(group: Group, payloads: list[bytes]) -> bytes:
    """Without a sum of the lengths."""
    new = frame_of(group, payloads)
    body = b"\xf5HJ1" + new[4:16] + new[20:-16]
    return body + blake2b(body, digest_size=16).digest()


@given(st.lists(groups(), min_size=1, max_size=3), groups())
@settings(max_examples=30, deadline=None)
def test_frames_of_before_are_read_and_others_follow_them(
    written: list[tuple[Group, list[bytes]]], last: tuple[Group, list[bytes]]
) -> None:
    old = b"".join(_frame_of_before(*each) for each in written)
    found = scan(old + frame_of(*last))
    assert [placed.group for placed in found.groups] == [group for group, _ in (*written, last)]
    assert (found.damaged, found.rest) == ((), Rest.NOTHING)
    for placed, (group, payloads) in zip(found.groups, (*written, last), strict=True):
        sizes = sum(chunk.stored_bytes for chunk in group.chunks)
        assert (old + frame_of(*last))[placed.chunks_at : placed.chunks_at + sizes] == b"".join(payloads)
    cut = scan(old[:-1])
    assert (len(cut.groups), cut.rest) == (len(written) - 1, Rest.CUT)


@pytest.mark.parametrize("place", range(4, 20))
def test_a_length_that_has_become_larger_is_damage_and_no_frame_that_was_cut_off(place: int) -> None:
    first, second = (
        frame_of(Group(FOLLOWED, Record(number, Epoch("e"), number, number, bytes(32), bytes(32)), False), ()) for number in (1, 2)
    )
    rotten = bytearray(second)
    rotten[place] ^= 1
    found = scan(first + bytes(rotten))
    assert (len(found.groups), found.rest) == (1, Rest.UNREADABLE)
    # Those of before cannot tell it.
    old = bytearray(_frame_of_before(Group(FOLLOWED, Record(1, Epoch("e"), 1, 1, bytes(32), bytes(32)), False), []))
    old[5] ^= 0x40
    assert scan(bytes(old)).rest is Rest.CUT


@given(st.binary(max_size=400))
def test_anything_else_is_no_group(data: bytes) -> None:
    assert scan(data).groups == ()


def test_a_torn_end_is_removed_and_the_file_goes_on(tmp_path: Path) -> None:
    record = Record(1, Epoch("e"), 1, 1, bytes(32), bytes(32))
    path = tmp_path / "home" / "journal" / "x.held"
    path.parent.mkdir(parents=True)
    file = JournalFile(path)
    first = file.append(Group(FOLLOWED, record, False, (ChunkFrame(chunk_id(b"abc"), 3, 3, False),)), [b"abc"])
    assert file.read(first.chunks_at, 3) == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600
    file.close()
    with path.open("ab") as tail:
        tail.write(frame_of(Group(FOLLOWED, record, False), ())[:-3])
    again = JournalFile(path)
    found = again.recover()
    assert (len(found.groups), found.rest) == (1, Rest.CUT)
    second = again.append(Group(FOLLOWED, record, True), ())
    again.close()
    assert second.begins_at == first.chunks_at + 3 + 16
    assert [placed.group.is_sealed for placed in JournalFile(path).recover().groups] == [False, True]


@pytest.mark.parametrize(
    "tail", [b"\0" * 4096, b"x", frame_of(Group(FOLLOWED, Record(2, Epoch("e"), 2, 2, bytes(32), bytes(32)), False), ())[:-1] + b"?"]
)
def test_what_looks_like_no_beginning_of_a_frame_is_not_taken_for_one_that_was_cut(tail: bytes) -> None:
    """Zeros are what a power cut leaves where the length came before the content."""
    first = frame_of(Group(FOLLOWED, Record(1, Epoch("e"), 1, 1, bytes(32), bytes(32)), False), ())
    found = scan(first + tail)
    assert (len(found.groups), found.end, found.rest) == (1, len(first), Rest.UNREADABLE)


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_file_has_nothing(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.held"
    path.write_bytes(b"x" * size)
    assert JournalFile(path).recover().groups == ()
