"""A backlog loses nothing: whatever was told is looked at in time, in whatever portions it is taken, put back and folded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.capture.ports import Moved, Place
from holdfast.host.watch import Aspect, Batch, Dirty, Gap, Reason, Scope
from holdfast.model.entry import walk_key
from holdfast.operations.following.backlog import BURST_NAMES, MOST_S, OPEN_S, SETTLE_S, Backlog, Work

ROOT = b"/data"
paths = st.lists(st.sampled_from([b"a", b"b", b"c\xff", b"a.txt"]), min_size=0, max_size=3).map(lambda parts: b"/".join([ROOT, *parts]))
aspects = st.sampled_from(
    [Aspect.CONTENT, Aspect.CONTENT | Aspect.CLOSED, Aspect.ENTRY, Aspect.METADATA, Aspect.ENTRY | Aspect.CONTENT | Aspect.CLOSED]
)
names = st.builds(Dirty, path=paths, scope=st.sampled_from(Scope), what=aspects, inode=st.one_of(st.none(), st.integers(1, 3)))
moves = st.builds(
    Dirty,
    path=paths,
    scope=st.just(Scope.TREE),
    what=st.just(Aspect.MOVED),
    moved_from=paths,
    inode=st.one_of(st.none(), st.integers(1, 9)),
)
gaps = st.builds(Gap, path=paths, since_ns=st.integers(0, 10**9), until_ns=st.integers(10**9, 2 * 10**9), reason=st.sampled_from(Reason))
batches = st.builds(
    Batch,
    gaps=st.lists(gaps, max_size=1).map(tuple),
    moves=st.lists(moves, max_size=2).map(tuple),
    names=st.lists(names, max_size=5).map(tuple),
)
steps = st.lists(st.one_of(batches, st.floats(0.01, 3.0), st.sampled_from(["put back", "all"])), max_size=25)


def file(path: bytes, what: Aspect = Aspect.CONTENT | Aspect.CLOSED) -> Dirty:
    return Dirty(path, Scope.NAME, what)


def is_covered(path: bytes, places: list[Place], *, below: bool) -> bool:
    return any(
        (place.path == path and (place.below or not below)) or (place.below and path.startswith(place.path + b"/")) for place in places
    )


@given(steps, st.sampled_from([3, 1_000]))
def test_all_that_was_told_is_looked_at(told: list[Batch | float | str], most_names: int) -> None:
    backlog, now_s = Backlog([ROOT], most_names), 0.0
    due: list[tuple[bytes, bool]] = []
    looked: list[Place] = []
    healed: list[bytes] = []
    inodes: set[int] = set()
    # At last as often as there are portions.
    for step in [*told, OPEN_S + MOST_S, *([0.0] * 80)]:
        if isinstance(step, Batch):
            backlog.add(step, now_s)
            due += [(gap.path, True) for gap in step.gaps]
            due += [(path, True) for move in step.moves for path in (move.path, move.moved_from) if path is not None]
            due += [(fact.path, fact.scope is Scope.TREE) for fact in step.names]
            continue
        now_s += step if isinstance(step, float) else 0.0
        work = backlog.take(now_s, everything=step == "all")
        if step == "put back":
            backlog.put_back(work)
        else:
            looked += work.places
            healed += [gap.path for gap in work.gaps]
            inodes |= work.inodes
    for path, below in due:
        assert is_covered(path, looked, below=below), (path, below, looked)
    assert sorted(healed) == sorted(gap.path for step in told if isinstance(step, Batch) for gap in step.gaps)
    assert len(backlog) == 0
    assert backlog.oldest_s is None
    assert backlog.next_s() is None


@given(steps)
def test_places_are_in_walk_order_and_none_lies_in_another(told: list[Batch | float | str]) -> None:
    backlog = Backlog([ROOT])
    for step in told:
        if isinstance(step, Batch):
            backlog.add(step, 0.0)
    places = backlog.take(0.0, everything=True).places
    assert [place.path for place in places] == sorted({place.path for place in places}, key=walk_key)
    for place in places:
        assert not any(other.below and place.path.startswith(other.path + b"/") for other in places)


def test_a_name_is_due_when_it_is_quiet_and_at_last_when_it_never_is() -> None:
    backlog = Backlog([ROOT])
    backlog.add(Batch(names=(file(b"/data/quiet"),)), 0.0)
    assert not backlog.take(SETTLE_S / 2)
    assert backlog.take(SETTLE_S).places == (Place(b"/data/quiet"),)
    for tenth in range(25):
        backlog.add(Batch(names=(file(b"/data/busy"),)), tenth * 0.05)
    assert backlog.next_s() is not None
    taken = [at for at in range(60) if backlog.take(at * 0.05)]
    assert taken
    assert taken[0] * 0.05 <= MOST_S


def test_what_nobody_closes_waits_longer_and_what_came_new_brings_its_folder() -> None:
    backlog = Backlog([ROOT])
    backlog.add(Batch(names=(file(b"/data/log", Aspect.CONTENT), file(b"/data/new", Aspect.ENTRY))), 0.0)
    assert backlog.take(1.0).places == (Place(b"/data"), Place(b"/data/new"))
    assert not backlog.take(OPEN_S - 0.1)
    assert backlog.take(OPEN_S).places == (Place(b"/data/log"),)


def test_a_move_is_due_at_once_with_both_its_ends() -> None:
    backlog = Backlog([ROOT])
    backlog.add(Batch(moves=(Dirty(b"/data/to", Scope.TREE, Aspect.MOVED, moved_from=b"/data/from", inode=7),)), 5.0)
    work = backlog.take(5.0)
    assert work.moves == (Moved(b"/data/from", b"/data/to", 7),)
    assert work.places == (Place(b"/data"), Place(b"/data/from", True), Place(b"/data/to", True))


def test_what_is_put_back_keeps_its_age() -> None:
    backlog = Backlog([ROOT])
    backlog.add(Batch(names=(file(b"/data/old"),)), 1.0)
    work = backlog.take(2.0)
    backlog.add(Batch(names=(file(b"/data/young"),)), 9.0)
    backlog.put_back(work)
    assert backlog.oldest_s == 1.0
    backlog.put_back(Work())
    assert backlog.oldest_s == 1.0


def test_in_a_burst_names_are_gathered_until_it_calms_down() -> None:
    backlog = Backlog([ROOT])
    for step in range(10):
        backlog.add(Batch(names=tuple(file(b"/data/%d-%d" % (step, number)) for number in range(BURST_NAMES))), step * 0.05)
        assert backlog.next_s() == (SETTLE_S if not step else step * 0.05 + SETTLE_S)
    assert len(backlog.take(0.45 + SETTLE_S).places) == 10 * BURST_NAMES


def test_a_burst_without_an_end_is_taken_after_the_longest_time_a_name_may_wait() -> None:
    backlog = Backlog([ROOT])
    now_s = 0.0
    while (next_s := backlog.next_s()) is None or next_s > now_s:
        backlog.add(Batch(names=tuple(file(b"/data/%f-%d" % (now_s, number)) for number in range(BURST_NAMES))), now_s)
        now_s += 0.05
    assert MOST_S <= now_s <= MOST_S + 0.05
    assert backlog.take(now_s)


def test_a_burst_goes_on_as_long_as_more_is_about_to_be_told() -> None:
    backlog = Backlog([ROOT])
    backlog.add(Batch(names=tuple(file(b"/data/%d" % number) for number in range(BURST_NAMES))), 0.0)
    backlog.expect(0.4)
    assert backlog.next_s() == 0.4 + SETTLE_S
    backlog.expect(5.0)
    assert backlog.next_s() == MOST_S


def test_few_names_wait_for_no_others() -> None:
    backlog = Backlog([ROOT])
    for step in range(10):
        backlog.add(Batch(names=(file(b"/data/%d" % step),)), step * 0.05)
        backlog.expect(step * 0.05)
    assert backlog.next_s() == SETTLE_S


def test_a_move_waits_for_what_may_come_with_it_and_a_gap_for_nothing() -> None:
    backlog = Backlog([ROOT])
    for number, told_s in enumerate((5.0, 5.05)):
        to, origin = b"/data/to%d" % number, b"/data/from%d" % number
        backlog.add(Batch(moves=(Dirty(to, Scope.TREE, Aspect.MOVED, moved_from=origin, inode=7),)), told_s)
        assert backlog.next_s() == 5.0 + SETTLE_S
    backlog.add(Batch(gaps=(Gap(path=ROOT, since_ns=1, until_ns=2, reason=Reason.OVERFLOW),)), 5.06)
    assert backlog.next_s() == 0.0
