"""A node keeps what it was told of the Master's audit log, across restarts, in bounds."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
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
    assert read_anchors(tmp_path).anchors[-1].number == 1
    kept.keep(anchor(3, timedelta(minutes=11)), at_hello=False)
    assert read_anchors(tmp_path).anchors[-1].number == 3


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
    assert read_anchors(tmp_path) == ((anchor(5),), "3 of its 4 lines are damaged")


@pytest.mark.parametrize("content", [b"\xff\n", None])
def test_a_file_that_cannot_be_read_whole_is_told_once_and_set_aside(tmp_path: Path, content: bytes | None) -> None:
    """It was passed over, or kept the node from starting; and the next that was told took its place."""
    path, said = tmp_path / NAME, list[tuple[str, str]]()
    AuditAnchors(tmp_path, no_event).keep(anchor(5), at_hello=True)
    if content is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content + path.read_bytes())
    kept = AuditAnchors(tmp_path, lambda code, *_, **facts: said.append((code, facts["left"])))
    later = anchor(6, timedelta(hours=1)), anchor(7, timedelta(hours=2))
    for each in later:
        kept.told(each, at_hello=True)
    assert said == [("audit-anchors-damaged", "0" if content is None else "1")]
    assert (tmp_path / f"{NAME}.damaged").exists()
    assert AuditAnchors(tmp_path, no_event).all == (later if content is None else (anchor(5), *later))


def test_one_that_could_not_be_read_for_a_moment_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AuditAnchors(tmp_path, no_event).keep(anchor(5), at_hello=True)

    def refuse(path: Path) -> bytes:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        kept = AuditAnchors(tmp_path, no_event)
    kept.told(anchor(5), at_hello=True)
    assert kept.all == (anchor(5),)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=300, unique=True))
def test_thinning_keeps_the_newest_and_stays_in_bounds(seconds: list[int]) -> None:
    anchors = [anchor(number, timedelta(seconds=each)) for number, each in enumerate(sorted(seconds), 1)]
    left = thinned(anchors)
    assert left[-1] == anchors[-1]
    assert len(left) <= MOST_ANCHORS
    assert set(left) <= set(anchors)
    assert thinned(left) == left
