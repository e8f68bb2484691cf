"""What is said without the Master of a copy that is, or may be, a part of its point."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from holdfast.core.clock import utc
from holdfast.core.ids import DatasetId, PointId, RepositoryId
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.entry import Entry, Kind
from holdfast.model.jobs import Severity
from holdfast.model.listing_questions import AskListing, Listings
from holdfast.model.points import Point
from holdfast.model.rules import Receive, RepositoryRule, StoreAction, StoredOperation
from holdfast.node.drills.book import DrillBook
from holdfast.node.owned.repositories import Repositories
from holdfast.node.store.parts_here import how_much_is_here
from holdfast.node.store.questions import answer
from holdfast.testing.node_rules import DOCUMENTS, FILES1, STORE, store_rules
from holdfast.testing.repository_scene import FollowingFeeder
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

REPOSITORY = RepositoryId("r" * 32)
STORED = StoreAction(id=STORE, repository=REPOSITORY, operations=())
RECEIVE = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(STORED,), comes_by="cascade")
RULES = msgspec.structs.replace(store_rules(), receives=(RECEIVE,))
PART = msgspec.structs.replace(RULES, receives=(msgspec.structs.replace(RECEIVE, part=("/srv/a/x",)),))
POINT = Point(
    id=PointId("a" * 32),
    dataset=RECEIVE.label,
    dataset_id=RECEIVE.dataset,
    operation="backup",
    repository="main",
    time=utc(0),
    files=1,
    bytes=1,
    paths=("/srv/a/x",),
)


def test_a_part_is_said_unless_all_that_is_wanted_is_in_it() -> None:
    told = how_much_is_here(PART, REPOSITORY, POINT, ())
    assert told is not None
    assert (told.code, told.severity) == ("only-a-part", Severity.WARNING)
    assert "/srv/a/x" in told.message
    assert how_much_is_here(PART, REPOSITORY, POINT, (b"/srv/a/x/one",)) is None
    assert how_much_is_here(PART, REPOSITORY, POINT, (b"/srv/a/x/one", b"/srv/b")) is not None


def test_the_whole_is_not_spoken_of() -> None:
    assert how_much_is_here(RULES, REPOSITORY, POINT, ()) is None
    # Restic's own.
    assert how_much_is_here(PART, REPOSITORY, msgspec.structs.replace(POINT, dataset_id=DatasetId("")), ()) is None


def test_where_no_rule_speaks_of_the_dataset_it_is_said_that_nobody_knows() -> None:
    told = how_much_is_here(msgspec.structs.replace(RULES, receives=()), REPOSITORY, POINT, ())
    assert told is not None
    assert (told.code, told.severity) == ("whole-not-known", Severity.INFO)


def test_a_listing_and_a_comparison_say_what_is_only_a_part(tmp_path: Path) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    repositories = Repositories(tmp_path / "home", clock=clock, entropy=SeededEntropy("parts"))
    rule = RepositoryRule(id=REPOSITORY, name="main", location=str(tmp_path / "main"), scrub_ratio=0)
    assert repositories.configure((rule,)) == ()
    stored = StoreAction(id=STORE, repository=REPOSITORY, operations=(StoredOperation(name="backup", kind="backup"),))
    receive = msgspec.structs.replace(RECEIVE, actions=(stored,))
    session = repositories.get(REPOSITORY).store_action(stored, receive, lambda *_: None)
    session.cursor()
    feeder = FollowingFeeder(dataset=DOCUMENTS, roots=(b"/srv",), chunks={}, clock=clock)
    feeder.marks = ("backup",)
    paths = (b"/srv", b"/srv/b")
    trees = [{path: Entry(path=path, kind=Kind.DIRECTORY, mode=0o755) for path in paths[:count]} for count in (1, 2)]
    feeder.send(session, None, trees[0])
    clock.advance(10)
    feeder.send(session, trees[0], trees[1])
    old, new = (point.id for point in sorted(repositories.opened()[0].points(), key=lambda point: point.time))
    part = msgspec.structs.replace(RULES, receives=(msgspec.structs.replace(receive, part=("/srv",)),))
    whole = msgspec.structs.replace(RULES, receives=(receive,))
    drills = DrillBook(tmp_path / "home")
    at_a_time = AskListing(dataset="files1/documents")
    for question, inside in (
        (AskListing(point=new), AskListing(point=new, path=b"/srv/b")),
        (at_a_time, msgspec.structs.replace(at_a_time, path=b"/srv")),
        (AskDiff(a=old, b=new), AskDiff(a=old, b=new, path=b"/srv")),
    ):
        told = answer(question, repositories, part, drills)
        assert isinstance(told, Listings | Differences), told
        assert [finding.code for finding in told.partly] == ["only-a-part"]
        for asked, by in ((inside, part), (question, whole), (question, None)):
            told = answer(asked, repositories, by, drills)
            assert isinstance(told, Listings | Differences), told
            assert told.partly == ()
    repositories.close()
