"""What a cascade forwards, from points and a cursor alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.change import Cursor
from holdfast.model.points import Point
from holdfast.operations.cascade import Hop, commit_of, plan_hops

START = datetime(2026, 11, 22, tzinfo=UTC)
OLD, NEW = Epoch("0" * 32), Epoch("f" * 32)


def point(seq: int, epoch: Epoch = NEW, operation: str = "backup", *, day: int | None = None, foreign: bool = False) -> Point:
    return Point(
        id=PointId(f"{epoch[0]}{seq:08d}{operation}"),
        dataset="files1/documents",
        dataset_id=DatasetId("d" * 32),
        operation=operation,
        repository="main",
        time=START + timedelta(days=seq if day is None else day),
        files=seq,
        bytes=seq * 10,
        seq=seq,
        epoch=epoch,
        zone="Europe/Paris",
        foreign=foreign,
    )


def shape(hops: tuple[Hop, ...]) -> list[tuple[str, int, int | None]]:
    return [(hop.point.epoch[0], hop.point.seq, None if hop.base is None else hop.base.seq) for hop in hops]


def test_a_receiver_with_nothing_gets_all_and_the_first_in_full() -> None:
    assert shape(plan_hops([point(3), point(1), point(2)], None, ["backup"])) == [("f", 1, None), ("f", 2, 1), ("f", 3, 2)]


def test_only_what_is_behind_the_cursor_goes_and_builds_on_it() -> None:
    assert shape(plan_hops([point(1), point(2), point(3)], Cursor(NEW, 2), ["backup"])) == [("f", 3, 2)]
    assert plan_hops([point(1), point(2)], Cursor(NEW, 2), ["backup"]) == ()


def test_a_point_of_a_clock_that_was_ahead_holds_up_nothing() -> None:
    points = [point(1), point(2, day=1_500), point(3), point(4)]
    assert shape(plan_hops(points, None, ["backup"])) == [("f", 1, None), ("f", 2, 1), ("f", 3, 2), ("f", 4, 3)]
    assert shape(plan_hops(points, Cursor(NEW, 2), ["backup"])) == [("f", 3, 2), ("f", 4, 3)]


def test_a_cursor_whose_point_expired_gets_a_full_commit_first() -> None:
    assert shape(plan_hops([point(1), point(4), point(5)], Cursor(NEW, 2), ["backup"])) == [("f", 4, None), ("f", 5, 4)]


def test_points_of_one_commit_travel_as_its_marks() -> None:
    (hop,) = plan_hops([point(1), point(1, operation="nightly")], None, ["backup", "nightly"])
    commit = commit_of(hop, {"nightly": "backup"})
    assert [(mark.operation, mark.point) for mark in commit.marks] == [("backup", hop.points[0].id), ("nightly", hop.points[1].id)]
    assert (commit.seq, commit.files, commit.size_bytes, commit.zone, commit.captured_at) == (1, 1, 10, "Europe/Paris", hop.point.time)


def test_operations_not_carried_and_foreign_points_stay() -> None:
    points = [point(1), point(2, operation="nightly"), point(3, foreign=True)]
    assert shape(plan_hops(points, None, ["backup"])) == [("f", 1, None)]


def test_a_new_epoch_follows_an_old_one_with_a_full_commit() -> None:
    points = [point(8, OLD, day=1), point(9, OLD, day=2), point(1, NEW, day=3), point(2, NEW, day=4)]
    assert shape(plan_hops(points, Cursor(OLD, 8), ["backup"])) == [("0", 9, 8), ("f", 1, None), ("f", 2, 1)]
    assert shape(plan_hops(points, Cursor(NEW, 1), ["backup"])) == [("f", 2, 1)]


@settings(max_examples=60)
@given(st.sets(st.integers(1, 12)), st.one_of(st.none(), st.integers(0, 13)))
def test_every_point_behind_the_cursor_goes_once_in_order(seqs: set[int], at: int | None) -> None:
    hops = plan_hops([point(seq) for seq in seqs], None if at is None else Cursor(NEW, at), ["backup"])
    sent = [hop.point.seq for hop in hops]
    assert sent == sorted(seq for seq in seqs if at is None or seq > at)
    for before, hop in zip([at if at in seqs else None, *sent], hops, strict=False):
        assert (None if hop.base is None else hop.base.seq) == before
