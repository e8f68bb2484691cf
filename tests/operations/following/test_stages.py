"""Much that changed is captured in stages: nothing is left out or torn apart, and what may be destruction stays whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.capture.ports import Moved, Place
from holdfast.operations.following.stages import stages_of
from holdfast.operations.run_order import SmallRun

ROOT = b"/data"
_paths = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), min_size=1, max_size=3).map(lambda names: b"/".join([ROOT, *names]))


def _folder(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _small(names: list[bytes], pairs: list[tuple[bytes, bytes]]) -> SmallRun:
    """As a backlog gives it: a move names both its ends, and the folders they are in."""
    places = dict.fromkeys(names, False) | {_folder(end): False for pair in pairs for end in pair} | {end: True for p in pairs for end in p}
    moves = tuple(Moved(old, new, number) for number, (old, new) in enumerate(pairs))
    return SmallRun(places=tuple(Place(path, below) for path, below in sorted(places.items())), moves=moves)


@given(st.lists(_paths, max_size=30), st.lists(st.tuples(_paths, _paths), max_size=6), st.integers(1, 6))
def test_every_place_is_looked_at_once_and_what_moved_goes_with_both_its_ends(
    names: list[bytes], pairs: list[tuple[bytes, bytes]], most: int
) -> None:
    small = _small(names, pairs)
    stages = stages_of(small, [ROOT], lambda _: True, most)
    assert sorted(place.path for stage in stages for place in stage.places) == sorted(place.path for place in small.places)
    assert sorted(move.inode for stage in stages for move in stage.moves) == list(range(len(pairs)))
    for stage in stages:
        here = {place.path for place in stage.places}
        assert [move.inode for move in stage.moves] == sorted(move.inode for move in stage.moves)
        for move in stage.moves:
            ends = (move.path, move.moved_from)
            # And all that is told of in the trees that moved.
            below = {place.path for place in small.places if any((place.path + b"/").startswith(end + b"/") for end in ends)}
            assert below <= here


def test_what_may_be_destruction_stays_whole() -> None:
    names = [b"/data/%05d" % number for number in range(1_000)]
    small = _small(names, [])
    assert len(stages_of(small, [ROOT], lambda _: True, 100)) == 10
    assert stages_of(small, [ROOT], lambda path: path > b"/data/00600", 100) == (small,)
    assert stages_of(small, [b"/elsewhere"], lambda _: True, 100) != (small,)
    moved_out = _small(names, [(b"/data/tree", b"/elsewhere/tree")])
    assert stages_of(moved_out, [ROOT], lambda _: True, 100) == (moved_out,)
