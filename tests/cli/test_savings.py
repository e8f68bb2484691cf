"""What `repository stats` says that deduplication and compression save."""

from __future__ import annotations

import pytest

from holdfast.cli.commands.repository import savings


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(300, 100, " (compression 3.0 x)"), (100, 110, " (compression 0.9 x)"), (3, 1_000, ""), (0, 1_000, ""), (1_000, 0, "")],
)
def test_a_ratio_is_said_where_there_is_one_to_see(before: int, after: int, words: str) -> None:
    """Of a repository of a few bytes what restic's own files take is nearly all: `0.0 x` says nothing."""
    assert savings("compression", before, after) == words
