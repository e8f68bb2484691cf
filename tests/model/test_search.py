"""What is looked for: read from parameters, written as such, and refused with the parameter's name where nobody could look for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.model.search import KINDS_OF_TYPE, PARAMETERS, Match, Search, Span, State, check_search, parameters_of, search_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

moments = st.none() | st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))
spans = st.tuples(moments, moments).map(lambda pair: Span(*sorted(pair)) if None not in pair else Span(*pair))  # type: ignore[type-var]
sizes = st.none() | st.integers(0, 1 << 50)
size_pairs = st.tuples(sizes, sizes).map(lambda pair: tuple(sorted(pair)) if None not in pair else pair)  # type: ignore[type-var]
searches = st.builds(
    lambda pair, **rest: Search(size_from=pair[0], size_to=pair[1], **rest),
    size_pairs,
    name=st.text(alphabet="ab*?[]/.é\udcff ", max_size=8),
    match=st.sampled_from([Match.GLOB, Match.PART]),
    ignore_case=st.booleans(),
    under=st.sampled_from([b"", b"/srv", b"/srv/a b", b"/\xff%/x"]),
    modified=spans,
    existed=spans,
    owner=st.sampled_from(["", "ann", "1000"]),
    types=st.lists(st.sampled_from(sorted(KINDS_OF_TYPE)), unique=True).map(tuple),
    ending=st.sampled_from(["", "pdf", "tar.gz"]),
    state=st.sampled_from([None, *State]),
).filter(lambda search: search != Search(match=search.match, ignore_case=search.ignore_case))


@given(searches)
def test_what_is_written_is_read_as_the_same(search: Search) -> None:
    written = parameters_of(search)
    assert set(written) <= set(PARAMETERS)
    assert search_of(written, NOW) == search


@given(st.dictionaries(st.sampled_from([*PARAMETERS, "other"]), st.text(alphabet="0129MBdago .:<>=-T/*(a,", max_size=12)))
def test_any_text_is_read_or_refused_with_its_place(parameters: dict[str, str]) -> None:
    try:
        search = search_of(parameters, NOW)
    except UsageError as caught:
        place = caught.context["place"] if caught.hint else ""
    else:
        place = "name"
        assert search_of(parameters_of(search), NOW) == search
    assert place in (*PARAMETERS, "other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">1MB", (1_000_001, None)),
        (">=1MB", (1_000_000, None)),
        ("<4KiB", (None, 4_095)),
        ("<=4KiB", (None, 4_096)),
        ("1k..2k", (1_000, 2_000)),
        ("..5", (None, 5)),
        ("0", (0, 0)),
    ],
)
def test_sizes(text: str, expected: tuple[int | None, int | None]) -> None:
    search = search_of({"size": text}, NOW)
    assert (search.size_from, search.size_to) == expected


def test_a_date_as_an_end_means_all_of_that_day() -> None:
    day = datetime(2026, 4, 30, tzinfo=UTC)
    last = day + timedelta(days=1) - timedelta(microseconds=1)
    assert search_of({"modified": "2026-04-30"}, NOW).modified == Span(day, last)
    assert search_of({"modified": "..2026-04-30"}, NOW).modified == Span(None, last)
    assert search_of({"existed": "2h ago..now"}, NOW).existed == Span(NOW - timedelta(hours=2), NOW)
    assert search_of({"existed": "2026-04-30T10:00"}, NOW).existed == Span(*[datetime(2026, 4, 30, 10, tzinfo=UTC)] * 2)


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({}, "name"),
        ({"match": "part"}, "name"),
        ({"name": "a(", "match": "regex"}, "name"),
        ({"name": "x" * 5_000}, "name"),
        ({"name": "x", "match": "fuzzy"}, "match"),
        ({"name": "x", "case": "maybe"}, "case"),
        ({"under": "srv"}, "under"),
        ({"size": "large"}, "size"),
        ({"size": "2MB..1MB"}, "size"),
        ({"size": "<0"}, "size"),
        ({"modified": "soon"}, "modified"),
        ({"existed": "2026-05-01..2026-04-01"}, "existed"),
        ({"existed": ".."}, "existed"),
        ({"type": "file,socket"}, "type"),
        ({"ending": "a/b"}, "ending"),
        ({"state": "lost"}, "state"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_refusal_names_the_parameter(parameters: dict[str, str], place: str) -> None:
    with pytest.raises(UsageError) as caught:
        search_of(parameters, NOW)
    assert caught.value.context["place"] == place
    assert caught.value.hint


def test_a_search_that_came_over_the_wire_is_checked_too() -> None:
    with pytest.raises(UsageError):
        check_search(Search(name="(", match=Match.REGEX))
