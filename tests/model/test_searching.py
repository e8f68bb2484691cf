"""Pages of several repositories: each hit once, in order, whatever the owners have ready and whoever is away for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ErrorFacts, UsageError
from holdfast.model.searching import FIRST, FoundIn, Hit, Place, Placed, decode_cursor, encode_cursor, page_of

AWAY = ErrorFacts("store-error", "the disk is gone")
places = st.builds(Place, st.binary(max_size=3), st.integers(1, 5))
stocks = st.lists(st.lists(places, max_size=12, unique=True).map(sorted), min_size=1, max_size=4)


def hit(repository: int, place: Place) -> Hit:
    return Hit(path=f"{repository}/{place.name.hex()}/{place.path}", kind="file", mode=0, size_bytes=0, mtime_ns=0)


@given(stocks, st.data())
def test_every_hit_comes_once_and_in_order(stock: list[list[Place]], data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 5))
    cursor, shown, failures = "", list[str](), 0
    while True:
        before = decode_cursor(cursor)
        parts = []
        for number, mine in enumerate(stock):
            after = before.get(str(number), FIRST)
            if after is None:
                continue
            if data.draw(st.integers(0, 9)) == 0:
                parts.append(FoundIn(id=str(number), repository=f"r{number}", error=AWAY))
                failures += 1
                continue
            # An owner gives what it finds in time, at least one more.
            ahead = [place for place in mine if place > after]
            some = ahead[: data.draw(st.integers(1, limit))]
            seen = some[-1] if len(some) < len(ahead) else None
            parts.append(FoundIn(id=str(number), repository=f"r{number}", hits=tuple(Placed(p, hit(number, p)) for p in some), seen=seen))
        page = page_of(parts, before, limit)
        assert len(page.hits) <= limit
        shown += [each.path for each in page.hits]
        cursor = page.cursor
        if not cursor:
            break
    everything = {hit(number, place).path for number, mine in enumerate(stock) for place in mine}
    assert len(shown) == len(set(shown))
    assert set(shown) <= everything
    assert failures or set(shown) == everything


@given(stocks, st.integers(1, 5))
def test_pages_are_the_whole_in_its_order(stock: list[list[Place]], limit: int) -> None:
    cursor, shown = "", list[str]()
    while True:
        before = decode_cursor(cursor)
        parts = []
        for number, mine in enumerate(stock):
            after = before.get(str(number), FIRST)
            ahead = [place for place in mine if after is not None and place > after]
            hits = tuple(Placed(place, hit(number, place)) for place in ahead[:limit])
            parts.append(FoundIn(id=str(number), repository=f"r{number}", hits=hits, seen=hits[-1].place if len(ahead) > limit else None))
        page = page_of(parts, before, limit)
        shown += [each.path for each in page.hits]
        cursor = page.cursor
        if not cursor:
            break
    expected = sorted((place, f"r{number}", hit(number, place).path) for number, mine in enumerate(stock) for place in mine)
    assert shown == [path for _, _, path in expected]


@given(st.dictionaries(st.text(max_size=4), st.none() | places, max_size=4))
def test_a_cursor_is_read_as_it_was_written(before: dict[str, Place | None]) -> None:
    assert decode_cursor(encode_cursor(before)) == before


@pytest.mark.parametrize("cursor", ["x", "äö", "AAAA", "gaFh", "a" * 200_000, "!!!!"])
def test_any_other_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode_cursor(cursor)
    assert caught.value.context["place"] == "cursor"
