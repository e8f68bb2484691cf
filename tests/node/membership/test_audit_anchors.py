"""A node keeps what it was told of the Master's audit log, across restarts, in bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.audit import MOST_ANCHORS, Anchor
from holdfast.node.membership.audit_anchors import NAME, AuditAnchors, read_anchors, thinned

AT = datetime(2026, 3, 4, 5, tzinfo=UTC)


def no_event(*told: object, **facts: str) -> None:
    raise AssertionError(told)


def anchor(number: int, after: timedelta = timedelta(0)) -> Anchor:
    return Anchor(number=number, digest=f"{number:064x}", at=AT + after)


def test_what_was_told_at_a_hello_is_there_in_the_next_life(tmp_path: Path) -> None:
    kept = AuditAnchors(tmp_path, no_event)
    assert kept.keep(None, at_hello=True) is None
    assert kept.keep(anchor(3), at_hello=True) is None
    assert kept.keep(anchor(9, timedelta(hours=2)), at_hello=True) is None
    assert AuditAnchors(tmp_path, no_event).all == (anchor(3), anchor(9, timedelta(hours=2)))


def test_between_hellos_it_is_on_disk_every_ten_minutes(tmp_path: Path) -> None:
    kept = AuditAnchors(tmp_path, no_event)
    kept.keep(anchor(1), at_hello=True)
    kept.keep(anchor(2, timedelta(minutes=5)), at_hello=False)
    assert kept.all[-1].number == 2
    assert read_anchors(tmp_path)[-1].number == 1
    kept.keep(anchor(3, timedelta(minutes=11)), at_hello=False)
    assert read_anchors(tmp_path)[-1].number == 3


def test_a_log_that_became_shorter_is_told_and_forgets_nothing(tmp_path: Path) -> None:
    kept = AuditAnchors(tmp_path, no_event)
    kept.keep(anchor(5), at_hello=True)
    assert kept.keep(anchor(4), at_hello=True) == anchor(5)
    assert kept.keep(None, at_hello=True) == anchor(5)
    assert kept.all == (anchor(5),)


def test_it_is_said_once_that_the_log_became_shorter(tmp_path: Path) -> None:
    said: list[object] = []
    kept = AuditAnchors(tmp_path, lambda code, *_, **facts: said.append((code, facts["record"])))
    for told in (anchor(5), anchor(4), None):
        kept.told(told, at_hello=True)
    assert said == [("audit-went-back", "5")]


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    AuditAnchors(tmp_path, no_event).keep(anchor(5), at_hello=True)
    path = tmp_path / NAME
    path.write_bytes(b"\xff\n{}\n" + path.read_bytes() + b'{"number"')
    assert read_anchors(tmp_path) == (anchor(5),)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=300, unique=True))
def test_thinning_keeps_the_newest_and_stays_in_bounds(seconds: list[int]) -> None:
    anchors = [anchor(number, timedelta(seconds=each)) for number, each in enumerate(sorted(seconds), 1)]
    left = thinned(anchors)
    assert left[-1] == anchors[-1]
    assert len(left) <= MOST_ANCHORS
    assert set(left) <= set(anchors)
    assert thinned(left) == left
