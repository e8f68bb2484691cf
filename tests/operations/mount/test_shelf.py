"""Many points in one mount: what their folders are called, and what becomes of them as points come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import NotReachable, UnknownName
from holdfast.operations.mount.naming import folders_of, names_of, time_named
from holdfast.operations.mount.shelf import IDLE_S, Link, Made, ManyPoints, OnePoint, Stored
from tests.operations.mount.trees import START, TreeOwner, clock_at, point


@pytest.fixture
def owner(tmp_path: Path) -> TreeOwner:
    trees = {}
    for number in (1, 2):
        folder = tmp_path / f"state{number}"
        folder.mkdir()
        (folder / "file").write_bytes(b"state %d" % number)
        trees[point(number)] = folder
    other = tmp_path / "other"
    other.mkdir()
    trees[point(3, dataset="files1/web")] = other
    return TreeOwner(trees)


def names(view: ManyPoints, path: bytes) -> list[bytes]:
    return [name for name, _ in view.listing(path)]


def text(number: int) -> bytes:
    return (START + timedelta(hours=number)).astimezone().isoformat(timespec="seconds").encode()


def test_a_repository_shows_a_folder_for_each_dataset_and_point(owner: TreeOwner) -> None:
    view = ManyPoints(owner, clock_at())
    assert names(view, b"/") == [b"files1"]
    assert names(view, b"/files1") == [b"documents", b"web"]
    assert names(view, b"/files1/documents") == [text(1), text(2), b"latest"]
    assert isinstance(view.find(b"/files1/documents"), Made)
    assert isinstance(view.find(b"/files1/documents/" + text(2)), Stored)
    latest = view.find(b"/files1/documents/latest")
    assert isinstance(latest, Link)
    assert latest.target == text(2)
    assert view.find(b"/files1/documents/never") is None
    assert view.find(b"/nobody") is None
    with pytest.raises(UnknownName):
        view.listing(b"/nobody")


def test_a_dataset_shows_its_points_and_files_below_them(owner: TreeOwner, tmp_path: Path) -> None:
    view = ManyPoints(owner, clock_at(), point(1).dataset_id)
    assert names(view, b"/") == [text(1), text(2), b"latest"]
    found = view.find(b"/" + text(1) + bytes(tmp_path) + b"/state1/file")
    assert isinstance(found, Stored)
    assert found.entry.size_bytes == 7
    assert not owner.readers[1:], "a point is opened when somebody looks into it"


def test_a_time_is_opened_by_name(owner: TreeOwner) -> None:
    view = ManyPoints(owner, clock_at(), point(1).dataset_id)
    asked = (START + timedelta(hours=1, minutes=30)).strftime("@%Y-%m-%dT%H:%MZ").encode()
    found = view.find(b"/" + asked)
    assert isinstance(found, Stored)
    assert found.tree.point.id == point(1).id
    assert view.find(b"/@2020-01-01") is None, "before the first point"
    assert view.find(b"/@2099-01-01") is None, "what is to come nobody knows"
    assert view.find(b"/@yesterday") is None


def test_new_points_are_seen_and_old_ones_go_when_nobody_reads_them(owner: TreeOwner, tmp_path: Path) -> None:
    clock = clock_at()
    view = ManyPoints(owner, clock, point(1).dataset_id)
    kept = b"/" + text(1) + bytes(tmp_path) + b"/state1/file"
    assert view.find(kept)
    newer = point(5)
    owner.trees[newer] = tmp_path / "state2"
    for number in (1, 2):
        del owner.trees[point(number)]
    clock.advance(10)
    assert names(view, b"/") == [text(1), text(5), b"latest"], "somebody reads the first"
    assert view.find(kept)
    clock.advance(IDLE_S + 1)
    view.keep()
    assert owner.readers[0].closed
    assert names(view, b"/") == [text(5), b"latest"]
    assert view.find(kept) is None


def test_the_latest_is_the_newest_while_somebody_reads_it(owner: TreeOwner, tmp_path: Path) -> None:
    """It led to the point before, and once that was read, too, to the one before that: whoever walked it lost his way, or got old files."""
    clock = clock_at()
    owner.trees[point(5)] = tmp_path / "state2"
    view = ManyPoints(owner, clock, point(1).dataset_id)
    for number in (5, 2):
        assert view.find(b"/" + text(number) + bytes(tmp_path) + b"/state2/file")
        clock.advance(10)
        assert names(view, b"/") == [text(1), text(2), text(5), b"latest"]
        latest = view.find(b"/latest")
        assert isinstance(latest, Link)
        assert latest.target == text(5)


def test_an_unknown_name_makes_it_look_for_new_points(owner: TreeOwner, tmp_path: Path) -> None:
    clock = clock_at()
    view = ManyPoints(owner, clock, point(1).dataset_id)
    owner.trees[point(7)] = tmp_path / "state2"
    clock.advance(10)
    assert isinstance(view.find(b"/" + text(7)), Stored)


def test_one_point_is_held_whatever_becomes_of_it(owner: TreeOwner, tmp_path: Path) -> None:
    clock = clock_at()
    view = OnePoint(owner, point(1), clock)
    clock.advance(10 * IDLE_S)
    view.keep()
    assert not owner.readers[0].closed
    owner.restart()
    view.keep()
    assert len(owner.readers) == 2
    found = view.find(bytes(tmp_path) + b"/state1/file")
    assert isinstance(found, Stored)
    view.close()
    assert owner.readers[1].closed


def test_an_owner_that_is_away_is_said_and_keeping_goes_on(owner: TreeOwner) -> None:
    view = OnePoint(owner, point(1), clock_at())
    owner.away = True
    view.keep()
    with pytest.raises(NotReachable):
        view.listing(b"/elsewhere")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=12))
def test_every_state_has_one_name_and_names_are_in_order(given_points: list[tuple[int, int, bool]]) -> None:
    points = [
        point(number, time=START + timedelta(seconds=seconds, microseconds=500_000 * half), seq=seq)
        for number, (seconds, seq, half) in enumerate(given_points)
    ]
    found = names_of(points, ZoneInfo("Europe/Berlin"))
    assert len(found) == len({each.seq for each in points})
    assert all(b"/" not in name and name.startswith(b"2026-03-01T13:00:0") for name in found)
    times = [each.time for each in found.values()]
    assert times == sorted(times)


def test_an_hour_that_comes_twice_has_two_names() -> None:
    twice = [point(1, time=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)]
    both = names_of([twice[0], point(2, time=twice[1].time)], ZoneInfo("Europe/Berlin"))
    assert list(both) == [b"2026-10-25T02:30:00+02:00", b"2026-10-25T02:30:00+01:00"]


def test_labels_that_are_no_names_of_files_do_no_harm() -> None:
    points = [point(1, dataset="a//b"), point(2, dataset="../../etc"), point(3, dataset="")]
    assert set(folders_of(points)) == {(b"a", b"b"), (b"_..", b"_..", b"etc"), (b"id-of-",)}


@pytest.mark.parametrize(
    ("name", "time"),
    [
        (b"@2026-03-01T12:00", datetime(2026, 3, 1, 11, 0, tzinfo=UTC)),
        (b"@2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, 0, tzinfo=UTC)),
        (b"@2026-03-01", datetime(2026, 2, 28, 23, 0, tzinfo=UTC)),
        (b"@2026-13-01", None),
        (b"@now", None),
        (b"@", None),
        (b"2026-03-01", None),
        (b"@2026-03-03", None),
    ],
)
def test_times_as_names(name: bytes, time: datetime | None) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert time_named(name, now, ZoneInfo("Europe/Berlin")) == time
