"""Small continuous commits are held in the journal, known at once, and sealed later."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import ProtocolError, RepositoryLocked, RepositoryPaused
from holdfast.core.ids import DatasetId, Epoch, NodeId
from holdfast.model import rules
from holdfast.model.change import Begin, Commit, Durability, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing
from holdfast.model.point_changes import Forget, Tag
from holdfast.repository.continuous import moments
from holdfast.repository.continuous.small_commit import SmallCommit
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.repository import Repository
from holdfast.repository.tree_builder import TreeBuilder
from holdfast.testing.feeding import chunk_id
from holdfast.testing.repository_scene import DATASET, RepositoryScene, everywhere
from tests.repository.followed import CDP, FollowedSource, assert_all_is_sent_again, read_all, some_states


@everywhere
def test_a_held_commit_is_known_at_once_and_sealed_after_a_minute(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    assert source.send(repository, "backup").durability is Durability.SEALED
    states = []
    for number in range(5):
        scene.clock.advance(1)
        source.write(b"/data/one", b"state %d" % number)
        source.write(b"/data/new%d" % number, b"new %d" % number)
        told = source.send(repository)
        assert told.durability is Durability.HELD
        assert told.cursor == source.cursor
        states.append((now(scene.clock), dict(source.tree)))
    assert [row.path for row in repository.find(AskFind(pattern="new*")).rows] == [f"/data/new{number}" for number in range(5)]
    assert len(repository.history(AskHistory(path=b"/data/one")).rows) == 6
    for at, tree in states:
        listed = repository.listing(AskListing(dataset=DATASET, at=at, path=b"/data"))
        assert {row.path for row in listed.rows} == {path.decode() for path in tree if path != b"/data"}
    assert len(scene.restic.json("snapshots")) == 1
    scene.clock.advance(60)
    repository.tick()
    assert len(scene.restic.json("snapshots")) == 3
    for at, tree in states:
        point = repository.point_at(DATASET, at)
        assert read_all(repository.reader(point)) == tree
        assert read_all(repository.reader(repository.point(point.id))) == tree
    source.leave()
    scene.restic.check()
    repository.close()


def test_a_held_commit_leaves_no_trees_to_the_collector(scene: RepositoryScene) -> None:
    """It comes by seldom in a worker, and the listing of a large folder is a hundred megabytes."""
    repository = scene.open()
    source = FollowedSource(scene)
    source.send(repository, "backup")
    gc.collect()
    gc.disable()
    try:
        for number in range(3):
            scene.clock.advance(1)
            source.write(b"/data/one", b"state %d" % number)
            assert source.send(repository).durability is Durability.HELD
        assert [each for each in gc.get_objects() if isinstance(each, SmallCommit | TreeBuilder)] == []
    finally:
        gc.enable()
    source.leave()
    repository.close()


def test_every_moment_is_there_after_the_catalog_was_lost(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    states = []
    for number in range(200):
        scene.clock.advance(30)
        if number % 7 == 3:
            source.folder(b"/data/sub")
            source.write(b"/data/sub/x%d" % number, b"x")
        if number % 7 == 6:
            source.remove(b"/data/sub")
        source.write(b"/data/one", b"state %d" % number)
        source.send(repository, *(("backup",) if number % 50 == 49 else ()))
        states.append((now(scene.clock), dict(source.tree)))
        repository.tick()
    source.leave()
    for round_ in range(2):
        for at, tree in states:
            assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree, (round_, at)
        assert len(repository.moments(DATASET)) == 201
        assert repository.oldest_moment(DATASET) == states[0][0]
        repository.close()
        for path in scene.home.glob("catalog*"):
            path.unlink()
        repository = scene.open()
        assert repository.problems == repository.held_problems == ()
    before = repository.point_at(DATASET, states[0][0] - timedelta(seconds=1))
    assert before.operation == "backup"
    repository.close()
    scene.restic.check()


def _catalog_lost(scene: RepositoryScene) -> None:
    for path in scene.home.glob("catalog*"):
        path.unlink()


def _followed(scene: RepositoryScene, **more: Any) -> tuple[Repository, FollowedSource]:
    repository, source = scene.open(), FollowedSource(scene, **more)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    return repository, source


def _assert_states(repository: Repository, states: Mapping[datetime, dict[bytes, Entry]]) -> None:
    for at, tree in states.items():
        assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree


@pytest.mark.parametrize("catalog", ["kept", "lost"])
def test_what_a_killed_owner_held_is_there_after_the_start(scene: RepositoryScene, catalog: str) -> None:
    repository, source = _followed(scene)
    states = some_states(source, repository, 4)
    scene.kill(repository)
    if catalog == "lost":
        _catalog_lost(scene)
    again = scene.open()
    assert again.held_problems == ()
    # Sealed at the start already.
    assert list((scene.home / "journal").iterdir()) == []
    _assert_states(again, states)
    source.session = None
    source.scene.action(again).close()
    assert some_states(source, again, 1)
    source.leave()
    again.close()
    scene.restic.check()


def test_a_session_lock_is_held_while_anything_is_unsealed(scene: RepositoryScene) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 2)
    source.leave()
    assert len(list((scene.place / "locks").iterdir())) == 1
    repository.tick()
    assert len(list((scene.place / "locks").iterdir())) == 1
    scene.clock.advance(60)
    repository.tick()
    assert list((scene.place / "locks").iterdir()) == []
    repository.close()


def test_what_is_needed_is_sealed_first(scene: RepositoryScene) -> None:
    """Checks, prunes, repairs, rebuilds, pauses, changes of points: each finds the journal empty, or empties it."""
    repository, source = _followed(scene)
    states: dict[datetime, dict[bytes, Entry]] = {}
    doings: list[Callable[[], object]] = [
        lambda: repository.check(read_data=True),
        lambda: repository.prune(PruneOrder(grace_s=0)),
        lambda: repository.care.repair(),
        lambda: repository.care.rebuild(),
        lambda: repository.change_points(Chosen(points=(repository.points()[0].id,)), Tag(add=("kept",))),
        lambda: repository.pause(),
    ]
    for do in doings:
        states |= some_states(source, repository, 3)
        do()
        assert list((scene.home / "journal").iterdir()) == []
        _assert_states(repository, dict(list(states.items())[-4:]) if repository.paused is None else {})
    with pytest.raises(RepositoryPaused):
        source.send(repository)
    source.leave()
    assert list((scene.place / "locks").iterdir()) == []
    repository.resume()
    _assert_states(repository, states)
    repository.close()
    scene.restic.check()


def test_a_prune_leaves_what_moments_need(scene: RepositoryScene) -> None:
    repository, source = _followed(scene)
    states: dict[datetime, dict[bytes, Entry]] = {}
    for _ in range(3):
        states |= some_states(source, repository, 3)
        repository.seal()
    source.leave()
    order = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))
    repository.prune(order)
    _assert_states(repository, states)
    scene.restic.run("prune", "--max-unused", "0")
    _catalog_lost(scene)
    repository.close()
    repository = scene.open()
    _assert_states(repository, states)
    repository.close()
    scene.restic.check()


def test_stock_restic_restores_the_newest_head(scene: RepositoryScene, tmp_path: Path) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 3)
    repository.seal()
    scene.restic.restore("latest", tmp_path / "out")
    assert (tmp_path / "out/data/one").read_bytes() == b"state 2 of 3"
    (log,) = [each for each in scene.restic.json("snapshots") if each["paths"] == [f"/.holdfast/log/{DATASET}"]]
    scene.restic.restore(log["id"], tmp_path / "log")
    assert (tmp_path / "log/changes").stat().st_size > 0
    contents = {path.read_bytes() for path in (tmp_path / "log/versions").rglob("*") if path.is_file()}
    assert {b"state 0 of 1", b"state 1 of 2", b"state 2 of 3"} <= contents
    source.leave()
    repository.close()


def test_a_point_that_moments_build_on_leaves_its_tree(scene: RepositoryScene) -> None:
    """The first one: nothing says what changed with it."""
    repository, source = _followed(scene)
    states = some_states(source, repository, 2)
    (first,) = repository.points()
    repository.change_points(Chosen(points=(first.id,)), Forget(newest=True))
    assert repository.points() == ()
    _assert_states(repository, states)
    source.leave()
    order = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))
    repository.prune(order)
    _assert_states(repository, states)
    repository.change_points(Chosen(dataset=DATASET), Forget(newest=True))
    assert repository.moments(DATASET) == ()
    assert scene.restic.json("snapshots") == []
    repository.close()


def test_what_is_too_large_to_be_held_goes_the_usual_way(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.repository.continuous.small_commit.LARGEST_BYTES", 2_000)
    repository, source = _followed(scene)
    states = some_states(source, repository, 2)
    scene.clock.advance(1)
    for number in range(7):
        source.write(b"/data/large%d" % number, b"%d" % number * 700)
    assert source.send(repository).durability is Durability.SEALED
    states[now(scene.clock)] = dict(source.tree)
    states |= some_states(source, repository, 2)
    _assert_states(repository, states)
    source.leave()
    repository.close()
    _catalog_lost(scene)
    repository = scene.open()
    _assert_states(repository, states)
    repository.close()
    scene.restic.check()


def test_without_cdp_only_the_newest_state_stays(scene: RepositoryScene) -> None:
    live = rules.StoredOperation(name="live", kind="live")
    repository, source = _followed(scene, following=(live,))
    states = some_states(source, repository, 3)
    # Known while held.
    first = next(iter(states))
    assert repository.listing(AskListing(dataset=DATASET, at=first, path=b"/data")).point is not None
    repository.seal()
    assert repository.moments(DATASET) == ()
    assert len(scene.restic.json("snapshots")) == 2
    assert repository.point_at(DATASET, first).operation == "backup"
    assert source.send(repository, "live").points
    newest = repository.point_at(DATASET, None)
    assert newest.operation == "live"
    assert read_all(repository.reader(newest)) == source.tree
    source.leave()
    repository.close()
    scene.restic.check()


def test_when_the_rules_keep_no_moments_any_more_logs_go(scene: RepositoryScene) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 3)
    repository.seal()
    assert len(repository.moments(DATASET)) == 4
    assert repository.oldest_moment(DATASET) is not None
    source.leave()
    source.following = ()
    some_states(source, repository, 1)
    repository.seal()
    assert repository.moments(DATASET) == ()
    assert repository.oldest_moment(DATASET) is None
    assert len(scene.restic.json("snapshots")) == 2
    source.leave()
    repository.close()
    scene.restic.check()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_between_a_dead_source_and_the_one_in_its_place_nobody_watched(scene: RepositoryScene, *, is_replaced: bool) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 2)
    before = now(scene.clock)
    source.leave()
    scene.clock.advance(100)
    source.write(b"/data/one", b"nobody saw it come")
    if is_replaced:
        source.feeder.epoch, source.feeder.seq = Epoch("f" * 32), 0
    source.send(repository, full=is_replaced)
    gap = Gap(path=b"/data", since=before, until=now(scene.clock), reason=GapReason.RESTART)
    assert repository.gaps(DATASET) == ((gap,) if is_replaced else ())
    some_states(source, repository, 1)
    source.leave()
    repository.close()
    _catalog_lost(scene)
    again = scene.open()
    assert again.gaps(DATASET) == ((gap,) if is_replaced else ())
    again.close()


def test_gaps_are_kept_and_said(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 2)
    since = now(scene.clock)
    scene.clock.advance(100)
    gap = Gap(path=b"/data", since=since, until=now(scene.clock), reason=GapReason.OVERFLOW)
    source.write(b"/data/missed", b"seen late")
    assert source.send(repository, full=True, gaps=(gap,)).durability is Durability.SEALED
    scene.clock.advance(1)
    other = Gap(path=b"/data/one", since=now(scene.clock) - timedelta(seconds=1), until=now(scene.clock), reason=GapReason.MOUNT)
    source.write(b"/data/one", b"later")
    assert source.send(repository, gaps=(other,)).durability is Durability.HELD
    source.leave()
    for _ in range(2):
        assert repository.gaps(DATASET) == (gap, other)
        assert repository.gaps(DATASET, until=since + timedelta(seconds=1)) == (gap,)
        assert repository.listing(AskListing(dataset=DATASET, at=since + timedelta(seconds=50))).gaps == (gap,)
        assert repository.listing(AskListing(dataset=DATASET, at=since - timedelta(seconds=1))).gaps == ()
        repository.close()
        _catalog_lost(scene)
        repository = scene.open()
    # Of very many the newest are shown.
    monkeypatch.setattr(moments, "MOST_GAPS", 1)
    assert repository.gaps(DATASET) == (other,)
    repository.close()


def test_a_lost_session_lock_is_found_before_anything_is_sealed(scene: RepositoryScene) -> None:
    repository, source = _followed(scene)
    states = some_states(source, repository, 2)
    source.leave()
    for lock in (scene.place / "locks").iterdir():
        lock.unlink()
    scene.restic.run("prune", "--max-unused", "0")
    repository.seal()
    _assert_states(repository, states)
    repository.close()
    scene.restic.check()


def test_what_another_program_took_is_sent_again(scene: RepositoryScene) -> None:
    """It removed our lock, the points and the data that what is held builds on."""
    repository, source = _followed(scene)
    source.write(b"/data/untouched", b"for ever")
    source.send(repository, "backup")
    some_states(source, repository, 2)
    source.leave()
    for lock in (scene.place / "locks").iterdir():
        lock.unlink()
    scene.restic.run("forget", *[each["id"] for each in scene.restic.json("snapshots")])
    scene.restic.run("prune", "--max-unused", "0")
    scene.clock.advance(60)
    repository.tick()
    assert "held-lost" in {finding.code for finding in repository.held_problems}
    assert_all_is_sent_again(scene, repository, source)


def test_sources_go_on_after_the_lock_was_taken_away(scene: RepositoryScene) -> None:
    """While anything is held the lost lock stays the one that counts; so it is sealed at the next look, and another one taken."""
    repository, source = _followed(scene)
    some_states(source, repository, 2)
    for lock in (scene.place / "locks").iterdir():
        lock.unlink()
    scene.clock.advance(1)
    source.write(b"/data/one", b"refused")
    with pytest.raises(RepositoryLocked, match="lost"):
        source.send(repository)
    assert source.session is not None
    source.session.abort()
    source.leave()
    source.feeder.seq -= 1
    repository.tick()
    assert repository.held_problems == ()
    states = some_states(source, repository, 2)
    _assert_states(repository, states)
    source.leave()
    repository.close()
    scene.restic.check()


def test_of_a_large_file_only_what_changes_is_written_down(scene: RepositoryScene) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    parts = [b"part %d" % number for number in range(3_000)]
    source.write(b"/data/image", *parts)
    source.feeder.part_bytes = 1 << 20
    source.send(repository, "backup")
    repository.seal()
    states = {}
    for number in range(10):
        scene.clock.advance(1)
        parts[number * 250 : number * 250 + 1] = [b"other %d" % number, b"more %d" % number]
        source.write(b"/data/image", *parts)
        source.send(repository)
        states[now(scene.clock)] = dict(source.tree)
    (path,) = (scene.home / "journal").iterdir()
    assert path.stat().st_size < 10 * 2_000
    again = scene.open()
    _assert_states(again, states)
    source.session = None
    again.close()
    _catalog_lost(scene)
    again = scene.open()
    _assert_states(again, states)
    again.prune(PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0)))
    _assert_states(again, states)
    again.close()
    scene.restic.check()


def test_what_a_held_file_consists_of_is_told_to_its_source(scene: RepositoryScene) -> None:
    """Chunks that only the journal has, and chunks that a pack has, in a folder whose tree is in no pack."""
    repository, source = _followed(scene)
    source.folder(b"/data/sub")
    source.write(b"/data/sub/large", b"one", b"two", b"three")
    source.send(repository, "backup")
    source.write(b"/data/sub/large", b"one", b"other", b"three")
    source.send(repository)
    action = source.session
    assert action is not None
    action.begin(source.feeder.beginning(action.cursor()))
    assert action.recorded(b"/data/sub/large") == source.tree[b"/data/sub/large"].chunks
    assert action.recorded(b"/data/sub") == ()
    action.abort()
    source.leave()
    repository.close()


def test_the_window_goes_on_although_nothing_comes_any_more(scene: RepositoryScene) -> None:
    repository, source = _followed(scene)
    some_states(source, repository, 3)
    for _ in range(5):
        scene.clock.advance(1_700)
        repository.tick()
        some_states(source, repository, 1)
    newest = dict(source.tree)
    source.leave()
    repository.seal()
    assert len(repository.moments(DATASET)) == 9
    for _ in range(30):
        scene.clock.advance(3_600)
        repository.tick()
    # The newest state is no moment that grows old: it is what the source has, as far as anybody knows.
    assert len(repository.moments(DATASET)) <= 4
    assert read_all(repository.reader(repository.point_at(DATASET, None))) == newest
    # A point, a base and the newest head, and the logs between those.
    assert len(scene.restic.json("snapshots")) <= 5
    assert len(repository.points()) == 1
    assert list((scene.place / "locks").iterdir()) == []
    repository.close()
    scene.restic.check()


def test_a_small_commit_is_held_against_the_contract_as_any_other(scene: RepositoryScene) -> None:
    """What others have stored is not told, what was not offered cannot be named, impossible times are refused; nothing of it stays."""
    repository, source = _followed(scene)
    scene.following = ()
    other = FollowedSource(scene, (), DatasetId("e" * 32))
    other.write(b"/data/secret", b"somebody else's")
    session = scene.action(repository, sender=NodeId("f" * 32), dataset=other.dataset)
    other.session = session
    other.send(repository, "backup", full=True)
    session.close()
    scene.following = (CDP,)
    secret = ChunkRef(chunk_id(b"somebody else's"), 15)
    stolen = Entry(path=b"/data/stolen", kind=Kind.FILE, mode=0o600, size_bytes=15, chunks=(secret,))
    assert source.session is not None
    action = source.session
    begin = Begin(dataset=DATASET, label="x", epoch=source.feeder.epoch, seq=9, base=source.cursor, roots=(b"/data",), hostname="h")
    action.begin(begin)
    unknown = ChunkRef(chunk_id(b"nobody's"), 15)
    assert action.wanted(Segment(number=0, offered=(secret, unknown))) == {secret.id, unknown.id}
    action.abort()
    action.begin(begin)
    segment = Segment(number=0, changes=(Put(stolen),))
    assert action.wanted(segment) == frozenset()
    with pytest.raises(ProtocolError, match="not offered"):
        action.apply(segment, {}, frozenset())
    action.abort()
    late = Gap(path=b"/data", since=datetime(9000, 1, 1, tzinfo=UTC), until=datetime(9001, 1, 1, tzinfo=UTC), reason=GapReason.MOUNT)
    with pytest.raises(ProtocolError, match="impossible time"):
        source.send(repository, gaps=(late,))
    action.abort()
    source.feeder.seq -= 1
    assert repository.gaps(DATASET) == ()
    _assert_states(repository, some_states(source, repository, 2))
    source.leave()
    repository.close()
    scene.restic.check()


def test_segments_without_end_do_not_gather_in_memory(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.repository.continuous.small_commit._MOST_SEGMENTS", 5)
    repository, source = _followed(scene)
    assert source.session is not None
    action = source.session
    action.begin(Begin(dataset=DATASET, label="x", epoch=source.feeder.epoch, seq=9, base=source.cursor, roots=(b"/data",), hostname="h"))
    for number in range(20):
        segment = Segment(number=number)
        action.wanted(segment)
        action.apply(segment, {}, frozenset())
    told = action.commit(Commit(dataset=DATASET, epoch=source.feeder.epoch, seq=9, captured_at=now(scene.clock), continuous=True))
    assert told.durability is Durability.SEALED
    source.leave()
    repository.close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_when_stock_restic_forgets_a_log_its_moments_and_those_behind_it_are_none_any_more(scene: RepositoryScene, which: int) -> None:
    """Until the next state that some snapshot reaches as a whole. All that is still told can be had, also after the catalog was lost."""
    repository, source = _followed(scene)
    states = {now(scene.clock): dict(source.tree)}
    for number in range(3):
        states |= some_states(source, repository, 3)
        if number == 1:
            source.send(repository, "backup")
            states[now(scene.clock)] = dict(source.tree)
        repository.seal()
    source.leave()
    logs = [each for each in scene.restic.json("snapshots") if each["paths"] == [f"/.holdfast/log/{DATASET}"]]
    logs.sort(key=lambda each: str(each["time"]))
    scene.restic.run("forget", logs[which]["id"])
    for _ in range(2):
        told = repository.moments(DATASET)
        assert 3 <= len(told) <= 11
        for moment in told:
            assert read_all(repository.reader(repository.point(moment.address))) == states[moment.time]
        newest = repository.listing(AskListing(dataset=DATASET, path=b"/data"))
        assert {row.path.encode() for row in newest.rows} == source.tree.keys() - {b"/data"}
        repository.close()
        _catalog_lost(scene)
        repository = scene.open()
    source.scene.clock.advance(1)
    states |= some_states(source, repository, 2)
    _assert_states(repository, dict(list(states.items())[-2:]))
    source.leave()
    repository.close()
    scene.restic.check()
