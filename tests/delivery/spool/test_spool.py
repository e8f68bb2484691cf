"""The spool by itself: what it keeps once, how it makes room, what nobody else can read, and what a damaged file costs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.core.clock import ns_of
from holdfast.core.errors import NoSpace, StoreError
from holdfast.delivery.spool.bundles import MOST_RUNS, together
from holdfast.delivery.spool.cipher import KEY_FILE, SpoolLost, load_key
from holdfast.delivery.spool.run_file import RunFile
from holdfast.delivery.spool.spool import Spool
from holdfast.delivery.spool.stand import Stand
from holdfast.delivery.spool.thinning import Size, thinned, to_join
from holdfast.delivery.spool.writing import SpoolSession
from holdfast.model.change import Cursor, Put
from holdfast.model.gaps import Gap, GapReason
from holdfast.testing.deliveries import EPOCH, RECEIVER, begin_of, chunk_ref, commit_of, file_of, folder_of, outgoing_of, puts_of
from holdfast.testing.memory_action import MemoryChunks
from holdfast.testing.virtual_clock import SeededEntropy
from tests.delivery.row_source import Edit
from tests.delivery.spool.spooled_source import KEY, NothingRecorded, Spooling, time_of


def put(name: bytes, *pieces: bytes) -> Edit:
    return "put", b"/data/" + name, pieces


@pytest.fixture
def scene(tmp_path: Path) -> Spooling:
    found = Spooling(tmp_path)
    found.first([put(b"a", b"first")])
    found.align()
    return found


def test_a_chunk_is_kept_once(scene: Spooling) -> None:
    large = bytes(range(256)) * 200
    sizes = []
    for number in range(3):
        scene.edit([put(b"a", large, b"tail %d" % number)])
        assert scene.keep()
        sizes.append(scene.spool.size_bytes)
    assert sizes[1] - sizes[0] < 1_500
    assert sizes[2] - sizes[1] < 1_500
    scene.send()
    assert [commit.seq for commit in scene.receiver.commits] == [1, 2, 3, 4]


def test_chunks_that_the_receiver_has_are_not_kept(tmp_path: Path) -> None:
    class All:
        def chunks_before(self, path: bytes) -> frozenset[bytes]:
            assert path == b"/data/x"
            return frozenset({chunk_ref(b"old").id})

    scene = Spooling(tmp_path)
    scene.first([put(b"x", b"old")])
    scene.align()
    scene.edit([put(b"x", b"old", b"new")])
    session = SpoolSession(scene.spool, begin_of(2, 1), All(), "off", RECEIVER)
    for outgoing in scene.source.segments(9):
        session.send(outgoing)
    session.commit(commit_of(2))
    (run,) = scene.spool.next_bundle()
    assert set(run.chunks) == {chunk_ref(b"new").id}
    scene.send()
    assert scene.receiver.content(b"/data/x") == b"oldnew"


def test_the_oldest_states_go_first_and_no_point_does(scene: Spooling) -> None:
    scene.share_bytes = 9_000
    for number in range(40):
        scene.edit([put(b"a", b"%d" % number * 50), put(b"b", b"kept")], marked=number == 5)
        assert scene.keep(), number
    assert scene.spool.size_bytes <= 9_000
    scene.send()
    had = [commit.seq for commit in scene.receiver.commits]
    assert had[-1] == 41
    assert 7 in had
    assert len(had) < 30
    assert had[-3:] == [39, 40, 41]
    scene.check_told()


def test_a_run_that_is_larger_than_all_of_it_is_not_taken_and_what_was_there_stays(scene: Spooling) -> None:
    scene.share_bytes = 6_000
    scene.edit([put(b"a", b"small")])
    assert scene.keep()
    scene.edit([put(b"b", *[bytes([number]) * 50 + b"%d" % number for number in range(200)])])
    assert not scene.keep()
    scene.edit([put(b"a", b"small again")])
    assert not scene.keep()
    assert scene.spool.unsent().runs == 1
    scene.send()
    scene.catch_up()
    (gap,) = scene.receiver.commits[-1].gaps
    assert (gap.path, gap.since, gap.until, gap.reason) == (b"/data", time_of(3), time_of(4), GapReason.THINNED)
    scene.edit([put(b"a", b"once more")])
    assert scene.keep()


def test_what_is_held_and_not_sealed_goes_before_anything_is_thinned(scene: Spooling) -> None:
    scene.share_bytes = 12_000
    for number in range(4):
        scene.edit([put(b"a", b"%d" % number * 50)])
        assert scene.keep()
    scene.send()
    assert not scene.spool.is_empty
    for number in range(5):
        scene.edit([put(b"c", b"%d" % number * 50)])
        assert scene.keep()
    assert scene.spool.unsent().runs == 5
    scene.send()
    assert [commit.seq for commit in scene.receiver.commits] == list(range(1, 11))


def test_what_was_held_and_lost_is_missed_also_when_nothing_else_was_left_here(scene: Spooling) -> None:
    scene.edit([put(b"a", b"held")])
    assert scene.keep()
    scene.send()
    scene.share_bytes = 1_000
    scene.edit([put(b"a", os.urandom(9_000))])
    assert not scene.keep()
    assert scene.spool.is_empty
    scene.lose_journal()
    scene.catch_up()
    scene.check_told()
    scene.seal()
    scene.align()
    assert scene.spool.gaps((b"/data",), time_of(9)) == ()


def test_what_an_owner_loses_is_sent_again_until_it_is_sealed(scene: Spooling) -> None:
    for number in range(3):
        scene.edit([put(b"a", b"state %d" % number)])
        assert scene.keep()
    scene.send()
    assert not scene.spool.has_unsent
    scene.lose_journal()
    scene.align()
    assert scene.spool.unsent().runs == 3
    scene.send()
    assert [commit.seq for commit in scene.receiver.commits] == [1, 2, 3, 4]
    scene.seal()
    scene.align()
    assert scene.spool.is_empty
    assert scene.spool.cursor == scene.receiver.position


def test_a_receiver_of_another_epoch_gets_the_state_and_hears_what_it_misses(scene: Spooling) -> None:
    scene.edit([put(b"a", b"one")])
    assert scene.keep()
    scene.spool.align(None, None)
    assert scene.spool.is_empty
    (gap,) = scene.spool.gaps(begin_of(3).roots, time_of(9))
    assert gap.since == time_of(2)


def test_a_gap_of_a_run_that_nobody_kept_is_told_with_the_next(scene: Spooling) -> None:
    gap = Gap(path=b"/data", since=time_of(1), until=time_of(2), reason=GapReason.RESTART)
    scene.spool.missed(time_of(2), (gap,))
    scene.crash()
    assert scene.spool.gaps((b"/data",), time_of(9)) == (gap, *thinned((b"/data",), time_of(2), time_of(9)))
    scene.spool.healed()
    scene.crash()
    assert scene.spool.gaps((b"/data",), time_of(9)) == ()


def test_of_very_many_gaps_the_oldest_become_one() -> None:
    gaps = [Gap(path=b"/data", since=time_of(n), until=time_of(n + 1), reason=GapReason.RESTART) for n in range(300)]
    stand = Stand().lacking(time_of(900), gaps)
    assert (len(stand.untold), stand.missed_since) == (200, time_of(0))


@pytest.mark.parametrize(("has", "misses"), [(Cursor(EPOCH, 7), None), (Cursor(EPOCH, 8), None), (Cursor(EPOCH, 6), 7), (None, 7)])
@pytest.mark.parametrize("keeps", [False, True])
def test_who_has_less_than_was_presumed_is_told_that_it_misses_it(
    tmp_path: Path, has: Cursor | None, misses: int | None, keeps: bool
) -> None:
    scene = Spooling(tmp_path)
    for number in range(7):
        scene.edit([put(b"a", b"state %d" % number)])
    scene.spool.presume(scene.commit(), 8)
    scene.edit([put(b"a", b"later")])
    assert not keeps or scene.keep()
    scene.crash()
    scene.spool.align(has, has)
    told = [gap.since for gap in scene.spool.gaps((b"/data",), time_of(99))]
    assert told == ([] if misses is None else [time_of(misses)])
    assert not scene.spool.is_astray
    scene.spool.presume(scene.commit(), 8)
    assert scene.spool.cursor == (Cursor(EPOCH, 8) if keeps and misses is None else has)


@pytest.mark.parametrize("keeps", [False, True])
def test_who_knows_runs_that_were_not_made_yet_gets_none_of_what_has_their_numbers_now(tmp_path: Path, keeps: bool) -> None:
    scene = Spooling(tmp_path)
    for number in range(7):
        scene.edit([put(b"a", b"state %d" % number)])
    scene.spool.presume(scene.commit(), 7)
    scene.edit([put(b"a", b"later")])
    assert not keeps or scene.keep()
    scene.crash()
    scene.spool.align(Cursor(EPOCH, 8), Cursor(EPOCH, 8))
    assert scene.spool.is_astray
    assert not scene.spool.has_unsent
    assert [gap.since for gap in scene.spool.gaps((b"/data",), time_of(99))] == [time_of(7)]
    scene.crash()
    assert scene.spool.is_astray
    scene.spool.set_right()
    assert not scene.spool.is_astray


def test_a_row_whose_first_run_cannot_be_read_is_missed_since_it_was_written(scene: Spooling) -> None:
    scene.edit([put(b"a", b"one")])
    assert scene.keep()
    (path,) = (scene.folder / "spool").glob("*.run")
    path.write_bytes(b"")
    os.utime(path, ns=(0, ns_of(time_of(5))))
    scene.crash()
    assert [gap.since for gap in scene.spool.gaps((b"/data",), time_of(9))] == [time_of(5)]


def test_nothing_in_the_files_can_be_read_without_the_key(scene: Spooling) -> None:
    scene.edit([put(b"secret name", b"secret content, secret content")])
    assert scene.keep()
    folder = scene.folder / "spool"
    for path in folder.iterdir():
        data = path.read_bytes()
        assert b"secret" not in data
        assert chunk_ref(b"secret content, secret content").id not in data
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SpoolLost):
        RunFile(next(folder.glob("*.run")), b"x" * 32, "delivery")
    with pytest.raises(SpoolLost):
        RunFile(next(folder.glob("*.run")), KEY, "another delivery")


def test_a_damaged_run_ends_the_row_and_is_said_to_be_missed(scene: Spooling) -> None:
    for number in range(4):
        scene.edit([put(b"a", b"state %d" % number)])
        assert scene.keep()
    path = scene.folder / "spool" / f"{4:016d}.run"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    scene.crash()
    assert scene.spool.unsent().runs == 2
    scene.send()
    scene.catch_up()
    (gap,) = scene.receiver.commits[-1].gaps
    assert gap.since == time_of(3)


def test_a_damaged_chunk_is_found_when_it_is_asked_for(scene: Spooling) -> None:
    scene.edit([put(b"a", b"0123456789" * 9)])
    assert scene.keep()
    (run,) = scene.spool.next_bundle()
    (chunk,) = run.facts.chunks
    data = bytearray(run.path.read_bytes())
    data[chunk.frame.at] ^= 1
    run.path.write_bytes(data)
    with pytest.raises(SpoolLost):
        scene.spool.payload([run], chunk.ref.id)
    with pytest.raises(SpoolLost):
        scene.spool.payload([run], chunk_ref(b"never kept").id)


def test_a_large_file_goes_in_parts_again(tmp_path: Path) -> None:
    pieces = [bytes([number]) * (1 << 20) for number in range(10)]
    scene = Spooling(tmp_path)
    scene.first([put(b"a", b"x")])
    scene.align()
    scene.edit([put(b"big", *pieces), put(b"small", b"s")])
    assert scene.keep()
    (run,) = scene.spool.next_bundle()
    segments = [outgoing.segment for outgoing in scene.spool.outgoing([run])]
    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert sum(bool(segment.parts) for segment in segments) == 3
    assert all(sum(ref.size_bytes for ref in segment.offered) <= 4 << 20 for segment in segments)
    scene.spool.sent_or_not()
    scene.send()


def test_what_the_source_withdraws_stays_withdrawn(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", (KEY, "delivery"), SeededEntropy(1), lambda: 1 << 30)
    spool.align(begin_of(1, 0).base, None)
    session = SpoolSession(spool, begin_of(1, 0), NothingRecorded(), "auto", RECEIVER)
    outgoing = puts_of(0, {b"/data/a": b"gone"})
    gone = frozenset(ref.id for ref in outgoing.segment.offered)
    from dataclasses import replace

    session.send(replace(outgoing, chunks=MemoryChunks({}, gone)))
    session.commit(commit_of(1))
    (run,) = spool.next_bundle()
    (chunk,) = gone
    assert spool.payload([run], chunk) is None


def test_runs_build_on_one_another(scene: Spooling) -> None:
    with pytest.raises(StoreError):
        scene.spool.begin(begin_of(5, 3))
    with pytest.raises(StoreError):
        scene.spool.begin(begin_of(5))
    assert scene.spool.cursor is not None
    assert scene.spool.cursor.epoch == EPOCH


def test_no_share_is_no_spool(scene: Spooling) -> None:
    scene.share_bytes = 0
    scene.edit([put(b"a", b"x")])
    with pytest.raises(NoSpace):
        SpoolSession(scene.spool, begin_of(2, 1), NothingRecorded(), "auto", RECEIVER).send(scene.source.segments(9)[0])


def test_the_key_is_made_once_and_belongs_to_its_owner(tmp_path: Path) -> None:
    key = load_key(tmp_path / "keys", SeededEntropy(1))
    assert load_key(tmp_path / "keys", SeededEntropy(2)) == key
    assert (tmp_path / "keys" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / "keys" / KEY_FILE).write_text("no key")
    assert load_key(tmp_path / "keys", SeededEntropy(2)) != key


def test_about_a_quarter_becomes_one_and_never_a_point() -> None:
    plain, point = Size(10, False), Size(10, True)
    assert to_join([plain] * 8, 80) == (0, 2)
    assert to_join([plain, plain], 1_000) == (0, 1)
    assert to_join([point, plain, plain], 30) == (1, 2)
    assert to_join([plain, point, plain], 30) == (0, 1)
    assert to_join([point, point], 20) == (0, 0)
    assert to_join([plain], 10) == (0, 0)
    assert to_join([], 0) == (0, 0)


def test_folders_and_replaced_kinds_survive_joining(scene: Spooling) -> None:
    scene.share_bytes = 5_000
    stories: list[list[Edit]] = [
        [put(b"d/x", b"1")],
        [("remove", b"/data/d", ())],
        [put(b"d", b"now a file")],
        [put(b"d/y", b"a folder again")],
    ]
    for _ in range(4):
        for edits in stories:
            scene.edit(edits)
            assert scene.keep()
    scene.send()
    assert scene.receiver.entries[b"/data/d"] == folder_of(b"/data/d")
    assert scene.receiver.entries[b"/data/d/y"] == file_of(b"/data/d/y", b"a folder again")
    scene.check_told()


def test_joined_runs_are_one_commit_up_to_each_point(scene: Spooling) -> None:
    for number in range(1, 9):
        scene.edit([put(b"a", b"%d" % number * 90), put(b"n%d" % number, b"new")], marked=number in (3, 4))
        assert scene.keep()
    scene.send(together=100)
    assert [commit.seq for commit in scene.receiver.commits] == [1, 4, 5, 9]
    scene.check_told()
    scene.seal()
    scene.align()
    assert scene.spool.is_empty


def test_a_chunk_that_a_later_run_borrows_is_not_passed_over(scene: Spooling) -> None:
    """`a` has a content for one run only, which comes back under another name when the runs between are sent and gone."""
    for pieces in (b"lent" * 50, b"other" * 50):
        scene.edit([put(b"a", pieces)])
        assert scene.keep()
    scene.edit([put(b"b", b"lent" * 50)])
    assert scene.keep()
    assert [run.seq for run in scene.spool.next_bundle(2, joining=True)] == [2]
    assert [run.seq for run in scene.spool.next_bundle(9, joining=True)] == [2, 3, 4]
    scene.edit([put(b"c", b"lent" * 50)])
    assert scene.keep()
    scene.send(3, together=3)
    scene.seal()
    scene.align()
    scene.send()


def test_a_chunk_that_a_later_run_borrows_outlives_the_thinned_run_that_has_it(tmp_path: Path) -> None:
    """The state that had named it is thinned away, so the receiver does not ask for it with the run that was left."""
    scene = Spooling(tmp_path)
    scene.first([])
    scene.align()
    for name, pieces in ((b"a", b"lent" * 90), (b"a", b"other" * 50), (b"b", b"lent" * 90)):
        scene.edit([put(name, pieces)])
        assert scene.keep()
    with scene.spool.lock:
        scene.share_bytes = scene.spool.size_bytes - 1
        scene.spool.make_room(0)
        scene.share_bytes = 1 << 30
    assert [run.seq for run in scene.spool.next_bundle(9)] == [3, 4]
    scene.spool.sent_or_not()
    scene.send(1)
    scene.seal()
    scene.align()
    scene.send()
    scene.check_told()
    scene.seal()
    scene.align()
    assert scene.spool.is_empty


def test_a_chunk_of_a_file_that_could_not_be_given_whole_is_kept_for_who_borrows_it(tmp_path: Path) -> None:
    """The receiver leaves the file out, and seals nothing of it."""
    spool = Spool(tmp_path / "spool", (KEY, "delivery"), SeededEntropy(1), lambda: 1 << 30)
    spool.align(Cursor(EPOCH, 0), None)
    plain = {chunk_ref(piece).id: piece for piece in (b"lent", b"gone", b"new")}
    for seq, pieces in ((1, (b"lent", b"gone")), (2, (b"lent", b"new"))):
        session = SpoolSession(spool, begin_of(seq, seq - 1), NothingRecorded(), "off", RECEIVER)
        chunks = MemoryChunks(plain, frozenset({chunk_ref(b"gone").id}))
        session.send(outgoing_of(0, [Put(file_of(b"/data/a", *pieces))], chunks, run=seq))
        session.commit(commit_of(seq))
    spool.align(Cursor(EPOCH, 1), Cursor(EPOCH, 1))
    (second,) = spool.next_bundle()
    payload = spool.payload([second], chunk_ref(b"lent").id)
    assert payload is not None
    assert payload.data == b"lent"
    spool.align(Cursor(EPOCH, 2), Cursor(EPOCH, 2))
    assert spool.is_empty


def test_a_bundle_leaves_room_for_what_comes_meanwhile() -> None:
    plain, point = Size(10, False), Size(10, True)
    assert together([plain] * 9, 1_000) == 9
    assert together([plain, point, plain], 1_000) == 2
    assert together([plain] * 9, 80) == 2
    assert together([plain] * 9, 0) == 1
    assert together([Size(10, False, 400)] * 3, 1_000) == 1
    assert together([plain] * 999, 1 << 30) == MOST_RUNS
    assert together([], 80) == 0
