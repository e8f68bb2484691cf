"""The error tree: every code once, facts survive a wire."""

from __future__ import annotations

from holdfast.cli.exit_codes import exit_code_of
from holdfast.core import errors
from holdfast.core.errors import ErrorFacts, HoldfastError, NoSpace, error_from, facts_of


def _all(root: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [root, *(c for child in root.__subclasses__() if child.__module__ == errors.__name__ for c in _all(child))]


def test_every_class_has_its_own_code_and_stands_in_the_docstring() -> None:
    classes = _all(HoldfastError)
    codes = [kind.code for kind in classes]
    assert len(set(codes)) == len(codes)
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in classes)


def test_facts_survive_the_wire() -> None:
    raised = NoSpace("disk full", hint="make room", path="/srv")
    again = error_from(raised.facts())
    assert type(again) is NoSpace
    assert again.facts() == raised.facts()


def test_an_unknown_code_keeps_its_words() -> None:
    error = error_from(ErrorFacts("from-the-future", "words", "do this"))
    assert (error.message, error.hint) == ("words", "do this")


def test_a_foreign_exception_is_named() -> None:
    assert "ZeroDivisionError" in facts_of(ZeroDivisionError("x")).message


def test_exit_codes_follow_restic_where_it_has_one() -> None:
    assert [exit_code_of(c) for c in ("repository-missing", "repository-locked", "wrong-password")] == [10, 11, 12]
    assert exit_code_of("anything else") == 1
