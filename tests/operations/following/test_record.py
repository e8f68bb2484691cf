"""What was seen is kept over restarts; a broken record only costs a look at everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.ids import DatasetId
from holdfast.operations.following.record import Record


def test_it_is_known_in_the_next_life(tmp_path: Path) -> None:
    record = Record(tmp_path / "followed.json")
    assert record.seen_until_ns(DatasetId("one")) is None
    record.write({DatasetId("one"): 1})
    record.write({DatasetId("one"): 17})
    record.settle()
    again = Record(tmp_path / "followed.json")
    assert again.seen_until_ns(DatasetId("one")) == 17
    assert again.knows([DatasetId("one")])
    assert not again.knows([])


def test_that_something_is_followed_is_on_disk_before_it_is(tmp_path: Path) -> None:
    record = Record(tmp_path / "followed.json")
    for followed in ({DatasetId("one"): 1}, {DatasetId("one"): 2, DatasetId("two"): 2}, {DatasetId("two"): 3}):
        record.write(followed)
        assert Record(tmp_path / "followed.json").knows(followed)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"one": "never"}', b"\xff\xfe", b'{"one": 1e400}'])
def test_one_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "followed.json").write_bytes(content)
    assert Record(tmp_path / "followed.json").seen_until_ns(DatasetId("one")) is None


def test_a_disk_that_takes_nothing_does_not_stop_the_following(tmp_path: Path) -> None:
    record = Record(tmp_path / "missing" / "followed.json")
    record.write({DatasetId("one"): 17})
    record.settle()
    assert record.seen_until_ns(DatasetId("one")) == 17
