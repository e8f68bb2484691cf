"""The rest between two small runs."""

from __future__ import annotations

from holdfast.operations.following.rest import Rest


def test_a_run_is_followed_by_three_times_its_length_and_never_by_long() -> None:
    rest = Rest()
    assert rest.until_s == 0.0
    rest.ran(10.0, 10.02)
    assert abs(rest.until_s - 10.08) < 1e-9
    rest.ran(20.0, 29.0)
    assert rest.until_s == 29.2
