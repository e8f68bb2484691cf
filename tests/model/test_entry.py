"""Paths and their one order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.model.entry import check_path, display_path, is_below, path_of, raw_of, walk_key

name = st.binary(min_size=1, max_size=6).filter(lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b".."))
path = st.lists(name, min_size=1, max_size=5).map(lambda parts: b"/" + b"/".join(parts))


@given(st.lists(path, max_size=20))
def test_walk_key_sorts_like_a_depth_first_walk(paths: list[bytes]) -> None:
    assert sorted(paths, key=walk_key) == sorted(paths, key=lambda p: p.split(b"/"))


@given(path)
def test_walk_key_comes_back(one: bytes) -> None:
    assert path_of(walk_key(one)) == one == check_path(one)


@pytest.mark.parametrize("wrong", [b"", b"a", b"/a/../b", b"/a/./b", b"//a", b"/a/", b"/a\0b", b"/" + b"x" * 256])
def test_unclean_paths_are_refused(wrong: bytes) -> None:
    with pytest.raises(ProtocolError):
        check_path(wrong)


def test_is_below() -> None:
    assert is_below(b"/a/b", b"/a")
    assert is_below(b"/a", b"/a")
    assert is_below(b"/a", b"/")
    assert not is_below(b"/ab", b"/a")


@given(st.binary(max_size=20))
def test_display_is_always_one_printable_line(raw: bytes) -> None:
    assert display_path(raw).isprintable()


@given(st.binary(max_size=20))
def test_a_path_comes_back_from_what_is_shown_and_what_goes_with_it(raw: bytes) -> None:
    assert (raw_of(raw) or display_path(raw).encode()) == raw
