"""What `status` and `tail` say of a spool."""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.cli.spooled import spooled_lines

NOW = datetime(2026, 1, 1, 12, 2, tzinfo=UTC)


def test_one_line_for_each_receiver() -> None:
    spooled = [
        {"receiver": "vault", "runs": 12, "size_bytes": 3_145_728, "since": "2026-01-01T12:00:00Z", "error": None},
        {"receiver": "dr", "runs": 1, "size_bytes": 100, "since": "2026-01-01T12:01:30Z", "error": None},
    ]
    assert list(spooled_lines({"dataset": "files1/documents", "spooled": spooled}, NOW)) == [
        "files1/documents: 12 commits (3.0 MiB, the oldest 2m old) wait in the spool for vault",
        "files1/documents: 1 commit (100 B, the oldest 30s old) waits in the spool for dr",
    ]


def test_nothing_is_said_of_nothing() -> None:
    assert list(spooled_lines({"dataset": "files1/documents"}, NOW)) == []
    assert list(spooled_lines({"dataset": "files1/documents", "spooled": []}, NOW)) == []
