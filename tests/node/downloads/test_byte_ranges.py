"""Which part of a file is meant (RFC 9110, section 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.node.downloads.byte_ranges import OutOfRange, Span, span_of

WHOLE = Span(0, 100, partial=False)


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("", WHOLE),
        ("bytes=0-", Span(0, 100, partial=True)),
        ("bytes=10-19", Span(10, 20, partial=True)),
        ("bytes=90-1000", Span(90, 100, partial=True)),
        ("bytes=-10", Span(90, 100, partial=True)),
        ("bytes=-1000", Span(0, 100, partial=True)),
        ("bytes=20-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("lines=1-2", WHOLE),
        ("bytes=1e3-", WHOLE),
    ],
)
def test_parts(asked: str, span: Span) -> None:
    assert span_of(asked, "", '"t"', 100) == span


@pytest.mark.parametrize(("asked", "size"), [("bytes=100-", 100), ("bytes=0-", 0), ("bytes=-0", 100), ("bytes=-5", 0)])
def test_parts_that_are_not_there(asked: str, size: int) -> None:
    with pytest.raises(OutOfRange):
        span_of(asked, "", '"t"', size)


def test_a_part_of_what_has_changed_is_all_of_it() -> None:
    assert span_of("bytes=10-", '"other"', '"t"', 100) == WHOLE
    assert span_of("bytes=10-", '"t"', '"t"', 100) == Span(10, 100, partial=True)


@given(st.text(max_size=30), st.integers(0, 1000))
def test_whatever_is_asked_the_span_is_in_the_file(asked: str, size: int) -> None:
    try:
        span = span_of("bytes=" + asked, "", "", size)
    except OutOfRange:
        return
    assert 0 <= span.start <= span.end <= size
