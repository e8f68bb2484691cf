"""Small recent changes go before what is large, and nothing waits for ever."""

from __future__ import annotations

from holdfast.core.clock import utc
from holdfast.host.watch import Aspect, Batch, Dirty
from holdfast.model.gaps import Gap, GapReason
from holdfast.operations.following.backlog import PORTION_BYTES, SETTLE_S, SMALL_BYTES, Backlog, Work

SIZES: dict[bytes, int] = {}
LARGE = [b"/data/film%02d" % number for number in range(20)]


def backlog() -> Backlog:
    SIZES.clear()
    SIZES.update(dict.fromkeys(LARGE, PORTION_BYTES // 2))
    return Backlog((b"/data",), size_bytes_of=lambda path: SIZES.get(path, 10))


def written(*paths: bytes) -> Batch:
    return Batch(names=tuple(Dirty(path, what=Aspect.CONTENT | Aspect.CLOSED) for path in paths))


def names(work: Work) -> list[bytes]:
    return [place.path for place in work.places]


def test_a_large_backlog_does_not_hold_back_what_is_small_and_new() -> None:
    held = backlog()
    held.add(written(*LARGE), 0.0)
    held.add(written(b"/data/letter"), 0.0)
    assert names(held.take(SETTLE_S)) == [b"/data/letter"]
    gone, now_s = list[bytes](), 1.0
    while held.next_s() is not None:
        held.add(written(b"/data/note%d" % now_s), now_s)
        taken = names(held.take(now_s + SETTLE_S))
        assert b"/data/note%d" % now_s in taken
        gone += [name for name in taken if name in LARGE]
        assert sum(SIZES[name] for name in taken if name in LARGE) <= PORTION_BYTES
        if len(gone) == len(LARGE):
            break
        now_s += 1.0
    # What waits longest goes first, two to a portion.
    assert gone == LARGE
    assert now_s <= 2 * len(LARGE)


def test_one_that_is_larger_than_a_portion_goes_alone() -> None:
    held = backlog()
    SIZES[b"/data/disk"] = 50 * PORTION_BYTES
    held.add(written(b"/data/disk", *LARGE[:2]), 0.0)
    taken = [names(held.take(1.0)) for _ in range(3)]
    assert taken == [[b"/data/disk"], LARGE[:2], []]


def test_much_that_is_small_comes_in_portions_the_newest_first() -> None:
    held = backlog()
    many = [b"/data/%05d" % number for number in range(100)]
    SIZES.update(dict.fromkeys(many, SMALL_BYTES - 1))
    for number, name in enumerate(many):
        held.add(written(name), number / 1000)
    first = names(held.take(1.0))
    assert first == many[-len(first) :]
    assert 30 <= len(first) <= 33
    rest = [name for _ in range(3) for name in names(held.take(1.0))]
    assert sorted([*first, *rest]) == many


def test_what_is_put_back_and_what_is_left_keep_their_age() -> None:
    held = backlog()
    held.add(written(*LARGE[:5]), 5.0)
    work = held.take(7.0)
    assert held.oldest_s == 5.0
    held.put_back(work)
    assert (held.oldest_s, len(held)) == (5.0, 5)
    assert len(held.take(8.0, everything=True).places) == 5
    assert held.oldest_s is None


def test_with_a_gap_all_goes_at_once() -> None:
    held = backlog()
    gap = Gap(path=b"/data", since=utc(0), until=utc(10), reason=GapReason.OVERFLOW)
    held.add(written(b"/data/letter", *LARGE), 0.0)
    held.add_gap(gap, 0.0)
    work = held.take(1.0)
    assert (names(work), work.gaps, len(held)) == ([b"/data"], (gap,), 0)


def test_both_ends_of_a_move_travel_together_with_it() -> None:
    held = backlog()
    moved = Dirty(b"/data/new/film", what=Aspect.MOVED, moved_from=b"/data/old/film", inode=7)
    SIZES[b"/data/new/film"] = 9 * PORTION_BYTES
    held.add(Batch(moves=(moved,), names=written(b"/data/letter").names), 0.0)
    work = held.take(1.0)
    assert len(work.moves) == 1
    assert {b"/data/new/film", b"/data/old/film", b"/data/letter"} <= set(names(work))
