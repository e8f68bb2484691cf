"""Which links were used: once, over restarts and clocks; a file goes on where it broke off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import NotGranted
from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.downloads import LINK_LIFETIME, DownloadOrder
from holdfast.node.downloads.book import CONTINUED_FOR, OVERLAP_BYTES, DownloadBook
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 11, 26, tzinfo=UTC)
ORDER = DownloadOrder(
    id="0" * 32,
    owner=NodeId("1" * 32),
    repository=RepositoryId("2" * 32),
    dataset=DatasetId("3" * 32),
    point=PointId("4" * 32),
    path=b"/srv",
    format="auto",
    user="ann",
    expires_at=START + LINK_LIFETIME,
)
FAR = 10 * OVERLAP_BYTES


def test_a_link_is_good_once_even_after_a_restart(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    book = DownloadBook(tmp_path / "book", clock=clock)
    book.begin(ORDER, 0, is_file=False)
    with pytest.raises(NotGranted, match="used before"):
        book.begin(ORDER, 0, is_file=False)
    book.close()
    book = DownloadBook(tmp_path / "book", clock=clock)
    with pytest.raises(NotGranted, match="used before"):
        book.begin(ORDER, 0, is_file=False)
    book.begin(msgspec.structs.replace(ORDER, id="9" * 32), 0, is_file=False)
    book.close()


def test_a_file_goes_on_where_it_broke_off_and_not_before(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    book = DownloadBook(tmp_path / "book", clock=clock)
    book.begin(ORDER, 0, is_file=True)
    book.reached(ORDER, FAR)
    for start in (0, 1, FAR - OVERLAP_BYTES - 1):
        with pytest.raises(NotGranted, match="given before"):
            book.begin(ORDER, start, is_file=True)
    clock.advance((LINK_LIFETIME + CONTINUED_FOR).total_seconds() - 60)
    book.begin(ORDER, FAR - OVERLAP_BYTES, is_file=True)
    book.reached(ORDER, FAR + 5, is_done=True)
    with pytest.raises(NotGranted):
        book.begin(ORDER, FAR, is_file=True)
    book.close()


def test_a_link_that_has_ended_or_lasts_too_long_is_refused(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    book = DownloadBook(tmp_path / "book", clock=clock)
    with pytest.raises(NotGranted, match="longer than any"):
        book.begin(msgspec.structs.replace(ORDER, expires_at=START + timedelta(hours=1)), 0, is_file=True)
    clock.advance(LINK_LIFETIME.total_seconds())
    with pytest.raises(NotGranted, match="ended at"):
        book.begin(ORDER, 0, is_file=True)
    book.close()


def test_a_used_link_does_not_come_back_with_the_clock(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    book = DownloadBook(tmp_path / "book", clock=clock)
    book.begin(ORDER, 0, is_file=False)
    clock.advance(timedelta(days=2).total_seconds())
    later = msgspec.structs.replace(ORDER, id="9" * 32, expires_at=START + timedelta(days=2) + LINK_LIFETIME)
    book.begin(later, 0, is_file=False)
    book.close()
    book = DownloadBook(tmp_path / "book", clock=VirtualClock(START))
    with pytest.raises(NotGranted, match="not known any more"):
        book.begin(ORDER, 0, is_file=False)
    book.close()


def test_a_damaged_book_makes_no_link_good_again(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    (tmp_path / "book").write_bytes(b"no database" * 1000)
    book = DownloadBook(tmp_path / "book", clock=clock)
    with pytest.raises(NotGranted, match="not known any more"):
        book.begin(ORDER, 0, is_file=False)
    book.close()
