"""Who is silent, and who is only busy."""

from __future__ import annotations

from holdfast.core.signs_of_life import SignsOfLife


def test_who_says_nothing_is_asked_and_is_silent_when_nothing_comes() -> None:
    signs = SignsOfLife(quiet_looks=2, patience_looks=2)
    assert not any(signs.look() for _ in range(2))
    assert not signs.wants_asking
    assert not signs.look()
    assert signs.wants_asking
    signs.asked()
    assert not signs.wants_asking
    assert [signs.look() for _ in range(4)] == [False, True, False, False]
    assert signs.is_silent
    assert signs.quiet == 7


def test_any_word_is_a_sign_of_life() -> None:
    signs = SignsOfLife(quiet_looks=0, patience_looks=1)
    for _ in range(3):
        assert not signs.look()
        assert signs.wants_asking
        signs.asked()
        assert not signs.heard(), "it answered in time"
    signs.look()
    signs.asked()
    assert signs.look()
    assert signs.is_silent
    assert signs.heard()
    assert not signs.is_silent
    assert not signs.wants_asking


def test_who_was_never_asked_is_not_silent() -> None:
    signs = SignsOfLife(quiet_looks=1, patience_looks=1)
    assert not any(signs.look() for _ in range(100))
    assert not signs.is_silent
    assert signs.wants_asking
