"""Facts that wait: merged by path, bounded, and never forgotten without a gap that covers them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.host.watch import Aspect, Dirty, Gap, Reason, Scope, Who
from holdfast.host.watch.pending import Pending
from holdfast.host.watch.territory import Territory
from holdfast.model.entry import is_below

TERRITORY = Territory([b"/r", b"/s"], [b"/r/cut"])
PATHS = st.lists(st.sampled_from((b"a", b"b", b"c", b"d")), min_size=1, max_size=4).map(b"/".join)
FACTS = st.builds(
    lambda root, path, source, inode: Dirty(b"/" + root + b"/" + path, moved_from=None if source is None else b"/r/" + source, inode=inode),
    st.sampled_from((b"r", b"s", b"outside")),
    PATHS,
    st.none() | PATHS,
    st.none() | st.integers(1, 3),
)


def test_facts_of_one_path_merge() -> None:
    pending = Pending(TERRITORY, 10)
    pending.add([Dirty(b"/r/x", what=Aspect.CONTENT, who=Who(1)), Dirty(b"/r/x", Scope.TREE, Aspect.METADATA)], 1)
    assert pending.take(2).names == (Dirty(b"/r/x", Scope.TREE, Aspect.CONTENT | Aspect.METADATA, who=Who(1)),)
    assert not pending.take(3)


def test_two_files_that_bore_a_name_keep_their_inodes() -> None:
    pending = Pending(TERRITORY, 10)
    pending.add([Dirty(b"/r/x", inode=1), Dirty(b"/r/x", inode=2), Dirty(b"/r/x")], 1)
    assert [fact.inode for fact in pending.take(2).names] == [1, 2, None]


def test_a_move_that_is_made_again_stands_where_it_was_made_last() -> None:
    pending = Pending(TERRITORY, 10)
    moves = [Dirty(b"/r/b", moved_from=b"/r/a", inode=1), Dirty(b"/r/a", moved_from=b"/r/b", inode=1)]
    again = Dirty(b"/r/b", moved_from=b"/r/a", inode=2)
    pending.add([*moves, again], 1)
    assert pending.take(2).moves == (moves[1], again)


def test_the_fullest_folder_becomes_a_gap_and_the_rest_stays() -> None:
    pending = Pending(TERRITORY, 10)
    pending.add([Dirty(b"/s/quiet"), Dirty(b"/r/quiet")], 5)
    pending.add([Dirty(b"/r/busy/here/%d" % number) for number in range(20)], 7)
    batch = pending.take(9)
    assert batch.gaps == (Gap(path=b"/r/busy/here", since_ns=5, until_ns=9, reason=Reason.OVERFLOW),)
    assert {fact.path for fact in batch.names} == {b"/s/quiet", b"/r/quiet"}


def test_facts_spread_over_roots_become_a_gap_of_each() -> None:
    pending = Pending(Territory([b"/r", b"/s", b"/t"]), 5)
    pending.add([Dirty(b"/%c/%d" % (root, number)) for number in range(2) for root in b"rst"], 1)
    assert {gap.path for gap in pending.take(2).gaps} == {b"/r", b"/s", b"/t"}


def test_a_gap_of_another_kind_keeps_its_own_end() -> None:
    pending = Pending(TERRITORY, 5)
    for since_ns in (3, 2):
        pending.add_gap(Gap(path=b"/r", since_ns=since_ns, until_ns=4, reason=Reason.MOUNT))
    pending.add([Dirty(b"/r/x"), Dirty(b"/s/x")], 5)
    batch = pending.take(9)
    assert batch.gaps == (Gap(path=b"/r", since_ns=2, until_ns=4, reason=Reason.MOUNT),)
    assert [fact.path for fact in batch.names] == [b"/s/x"]


@given(st.lists(FACTS, max_size=60), st.integers(1, 20))
def test_no_place_to_look_at_is_ever_forgotten(facts: list[Dirty], most: int) -> None:
    pending = Pending(TERRITORY, most)
    for fact in facts:
        pending.add([fact], 1)
        assert len(pending) <= most + len(TERRITORY.roots) + len(facts)
    batch = pending.take(2)
    assert len(batch.names) + len(batch.moves) <= most
    gaps = {gap.path for gap in batch.gaps}
    told = {fact.subject for fact in batch.names}
    moved = {(fact.moved_from, fact.path) for fact in batch.moves}
    everywhere = gaps >= set(TERRITORY.outermost())
    for fact in facts:
        known = fact.subject in told if fact.moved_from is None else (fact.moved_from, fact.path) in moved
        assert everywhere or known or any(is_below(fact.path, gap) for gap in gaps)
