"""Windows of a followed dataset's movers: who is left out, and when nothing has to be captured."""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.model.rate_table import RateLine, RateTable
from holdfast.operations.following.openings import Openings

NIGHT = (RateTable(lines=(RateLine(window="22:00-06:00"),)),)
NOON, MIDNIGHT = datetime(2026, 11, 26, 12, tzinfo=UTC), datetime(2026, 11, 27, 0, tzinfo=UTC)


def test_a_closed_mirror_is_left_out_and_a_closed_repository_of_moments_is_not() -> None:
    openings = Openings({"store": NIGHT, "mirror": NIGHT}, keeping=frozenset({"store"}))
    assert not openings.look(NOON)
    assert (openings.are_all_closed, openings.is_at_rest, openings.left_out) == (True, False, {"mirror"})
    assert openings.first_opening(NOON) == datetime(2026, 11, 26, 22, tzinfo=UTC)
    assert openings.look(MIDNIGHT)
    assert (openings.closed, openings.left_out) == (frozenset(), frozenset())


def test_where_nobody_keeps_moments_closed_windows_are_rest() -> None:
    openings = Openings({"one": NIGHT, "two": NIGHT})
    openings.look(NOON)
    assert (openings.is_at_rest, openings.left_out) == (True, {"one", "two"})
    half = Openings({"one": NIGHT, "two": ()})
    half.look(NOON)
    assert (half.are_all_closed, half.is_at_rest, half.left_out) == (False, False, {"one"})
