"""What a store worker says of moments: the newest of all its repositories, and what it held is sealed in time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import UnknownName
from holdfast.core.ids import ActionId, DatasetId, NodeId, RepositoryId
from holdfast.delivery.ports import Action
from holdfast.model import rules
from holdfast.model.change import Durability
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.listing_questions import AskListing, Listings, Points
from holdfast.model.moments import AskMoment, AskMoments, Moments, address_of
from holdfast.model.questions import Failed
from holdfast.node.drills.book import DrillBook
from holdfast.node.owned.repositories import Repositories
from holdfast.node.store.questions import answer, find_point
from holdfast.node.watches import sealing as sealing_watch
from holdfast.node.watches.sealing import SealingWatch, held_findings
from holdfast.testing.feeding import chunk_id
from holdfast.testing.repository_scene import FollowingFeeder
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
DATASET = DatasetId("d" * 32)
STORED = (rules.StoredOperation(name="cdp", kind="cdp", within_s=86_400.0), rules.StoredOperation(name="backup", kind="backup"))


def _session(repositories: Repositories, rule: rules.RepositoryRule) -> Action:
    action = rules.StoreAction(id=ActionId("b" * 32), repository=rule.id, operations=STORED)
    receive = rules.Receive(dataset=DATASET, label="files1/documents", sender=NodeId("a" * 32), actions=(action,))
    session = repositories.get(rule.id).store_action(action, receive, lambda *_: None)
    session.cursor()
    return session


def _tree(content: bytes) -> dict[bytes, Entry]:
    refs = (ChunkRef(chunk_id(content), len(content)),)
    file = Entry(path=b"/data/one", kind=Kind.FILE, mode=0o644, size_bytes=len(content), mtime_ns=len(content), chunks=refs)
    return {b"/data": Entry(path=b"/data", kind=Kind.DIRECTORY, mode=0o755), b"/data/one": file}


def test_a_moment_is_found_in_the_repository_that_has_the_newest(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    repositories = Repositories(tmp_path / "home", clock=clock, entropy=SeededEntropy("moments"))
    drills = DrillBook(tmp_path / "home")
    named = [
        rules.RepositoryRule(id=RepositoryId(f"{n}" * 32), name=f"r{n}", location=str(tmp_path / f"{n}"), scrub_ratio=0) for n in (1, 2)
    ]
    assert repositories.configure(tuple(named)) == ()
    contents = {chunk_id(content): content for content in (b"first", b"second..", b"third......")}
    trees = [_tree(content) for content in contents.values()]
    sessions = [_session(repositories, rule) for rule in named]
    feeders = [FollowingFeeder(dataset=DATASET, roots=(b"/data",), chunks=contents, clock=clock) for _ in named]
    for session, feeder in zip(sessions, feeders, strict=True):
        feeder.marks = ("backup",)
        feeder.send(session, None, trees[0])
        feeder.marks = ()
    clock.advance(10)
    assert feeders[0].send(sessions[0], trees[0], trees[1]).durability is Durability.HELD
    clock.advance(10)
    assert feeders[1].send(sessions[1], trees[0], trees[2]).durability is Durability.HELD
    for at, place, tree in ((10, 0, trees[1]), (19, 0, trees[1]), (20, 1, trees[2])):
        moment = START + timedelta(seconds=at)
        repository, point = find_point(repositories, f"files1/documents@{moment.isoformat()}")
        assert (repository.name, point.id) == (f"r{place + 1}", address_of(DATASET, START + timedelta(seconds=at // 10 * 10)))
        told = answer(AskMoment(dataset="files1/documents", at=moment), repositories, None, drills)
        assert isinstance(told, Points)
        assert max(told.points, key=lambda each: each.time) == point
        listed = answer(AskListing(point=point.id, path=b"/data"), repositories, None, drills)
        assert isinstance(listed, Listings)
        assert [row.size_bytes for row in listed.rows] == [tree[b"/data/one"].size_bytes]
    told = answer(AskMoments(dataset=DATASET, limit=2), repositories, None, drills)
    assert isinstance(told, Moments)
    assert [(moment.time, len(moment.points)) for moment in told.moments] == [(START + timedelta(seconds=each), 0) for each in (20, 10)]
    assert told.more
    # A moment that is a point says how much it is, as the point does.
    every = answer(AskMoments(dataset=DATASET, limit=9), repositories, None, drills)
    assert isinstance(every, Moments)
    assert {(len(moment.points), moment.files) for moment in every.moments} == {(0, 3), (1, 3)}
    repository, point = find_point(repositories, f"files1/documents@{START.isoformat()}")
    assert point.files == 3
    assert [find_point(repositories, point.id, name)[0].name for name in ("r1", "r2")] == ["r1", "r2"]
    late = f"files1/documents@{(START + timedelta(seconds=20)).isoformat()}"
    sizes = []
    for name in ("r1", "r2"):
        listed = answer(AskListing(point=late, repository=name, path=b"/data"), repositories, None, drills)
        assert isinstance(listed, Listings)
        sizes += [row.size_bytes for row in listed.rows]
    assert sizes == [tree[b"/data/one"].size_bytes for tree in trees[1:]]
    with pytest.raises(UnknownName):
        find_point(repositories, point.id, "nobody's")
    assert isinstance(answer(AskMoment(dataset="nobody's"), repositories, None, drills), Failed)
    for session in sessions:
        session.close()
    repositories.close()


def test_of_a_point_the_repository_that_has_all_of_it_is_asked(tmp_path: Path) -> None:
    """A cascade that forwards a part of it (`only`) keeps its id."""
    repositories = Repositories(tmp_path / "home", clock=VirtualClock(START), entropy=SeededEntropy("parts"))
    named = [rules.RepositoryRule(id=RepositoryId(n * 32), name=n, location=str(tmp_path / n), scrub_ratio=0) for n in ("a", "b", "c")]
    assert repositories.configure(tuple(named)) == ()
    folder = Entry(path=b"/data/in", kind=Kind.DIRECTORY, mode=0o755)
    whole = {**_tree(b"first"), folder.path: folder}
    part = {path: whole[path] for path in (b"/data", folder.path)}
    for rule, roots, tree in zip(named, ((b"/data/in",), (b"/data",), (b"/data/in",)), (part, whole, part), strict=True):
        session = _session(repositories, rule)
        feeder = FollowingFeeder(dataset=DATASET, roots=roots, chunks={chunk_id(b"first"): b"first"}, marks=("backup",))
        feeder.seq = 16 if rule.name == "c" else 0
        feeder.send(session, None, tree)
        session.close()
    (point,), (other,) = (repositories.named(name).points() for name in ("b", "c"))
    assert find_point(repositories, point.id)[0].name == "b"
    assert find_point(repositories, point.id, "a")[1].paths == ("/data/in",)
    assert point.id[:9] == other.id[:9] != point.id
    with pytest.raises(UnknownName, match="several"):
        find_point(repositories, point.id[:9])
    repositories.close()


def test_the_watch_has_what_was_held_sealed(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    repositories = Repositories(tmp_path / "home", clock=clock, entropy=SeededEntropy("moments"))
    rule = rules.RepositoryRule(id=RepositoryId("c" * 32), name="main", location=str(tmp_path / "store"))
    assert repositories.configure((rule,)) == ()
    contents = {chunk_id(content): content for content in (b"first", b"second..")}
    session, feeder = _session(repositories, rule), FollowingFeeder(dataset=DATASET, roots=(b"/data",), chunks=contents, clock=clock)
    feeder.send(session, None, _tree(b"first"))
    clock.advance(1)
    feeder.send(session, _tree(b"first"), _tree(b"second.."))
    session.close()
    journal = tmp_path / "home/repositories/main/journal"
    assert list(journal.iterdir())
    assert held_findings(repositories) == ()
    clock.advance(60)
    watch = SealingWatch(repositories, every_s=0.01)
    watch.start()
    waiting = threading.Event()
    for _ in range(1_000):
        if not list(journal.iterdir()):
            break
        waiting.wait(0.01)
    watch.stop(5)
    assert list(journal.iterdir()) == []
    assert repositories.get(rule.id).point_at(DATASET, now(clock)).time == START + timedelta(seconds=1)
    repositories.close()
    assert sealing_watch.LOOK_EVERY_S >= 1
