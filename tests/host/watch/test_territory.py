"""Roots and cuts: which paths are watched, and that the quick answer for a folder agrees with the slow one for each name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.host.watch.territory import Stance, Territory, folders_of, joined
from holdfast.model.entry import is_below

PATHS = st.lists(st.sampled_from((b"a", b"b", b"c")), max_size=4).map(lambda parts: b"/" + b"/".join(parts))


def test_the_longest_decides() -> None:
    territory = Territory([b"/srv", b"/srv/data/tmp/kept", b"/etc/hosts"], [b"/srv/data/tmp"])
    held = (b"/srv", b"/srv/x", b"/srv/data/tmpx", b"/srv/data/tmp/kept", b"/srv/data/tmp/kept/x", b"/etc/hosts")
    assert all(map(territory.holds, held))
    assert not any(map(territory.holds, (b"/", b"/srvx", b"/etc", b"/etc/hosts2", b"/srv/data/tmp", b"/srv/data/tmp/x")))
    assert territory.outermost() == (b"/etc/hosts", b"/srv", b"/srv/data/tmp/kept")


def test_a_cut_wins_over_a_root_of_its_path() -> None:
    assert Territory([b"/a", b"/b"], [b"/b"]).roots == (b"/a",)


@pytest.mark.parametrize("path", [b"a", b"", b"/a/", b"/a//b", b"/a/../b", b"/.", b"/a\0b"])
def test_paths_that_are_not_plain_are_refused(path: bytes) -> None:
    with pytest.raises(UsageError):
        Territory([path])
    with pytest.raises(UsageError):
        Territory([b"/"], [path])


@pytest.mark.parametrize(("roots", "cuts"), [([], []), ([b"/a"], [b"/a"])])
def test_a_watch_of_nothing_is_refused(roots: list[bytes], cuts: list[bytes]) -> None:
    with pytest.raises(UsageError, match="nothing"):
        Territory(roots, cuts)


@given(st.lists(PATHS, min_size=1, max_size=4), st.lists(PATHS, max_size=4), PATHS, st.sampled_from((b"a", b"b")))
def test_the_stance_of_a_folder_agrees_with_every_name_in_it(roots: list[bytes], cuts: list[bytes], folder: bytes, name: bytes) -> None:
    if set(roots) <= set(cuts):
        return
    territory = Territory(roots, cuts)
    path = joined(folder, name)
    nearest = max((known for known in {*roots, *cuts} if is_below(path, known)), key=len, default=None)
    assert territory.holds(path) == (nearest is not None and nearest not in cuts)
    stance = territory.stance(folder)
    if stance is not Stance.MIXED:
        assert territory.holds(path) == (stance is Stance.INSIDE)
        assert territory.holds(joined(path, b"c")) == (stance is Stance.INSIDE)


def test_folders_of() -> None:
    assert list(folders_of(b"/a/b/c")) == [b"/a/b", b"/a", b"/"]
    assert list(folders_of(b"/")) == []
