"""The machine finds what Python's own `re` finds, in one pass, and says where an expression cannot be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.model.regular_machine import Regular

SIGNS = ["a", "b", "c", "A", "é", ".", "\\.", "\\d", "\\W", "[ab]", "[^a]", "[a-c\\d]", "7", "-", "\\s", "\\x61"]
atoms = st.sampled_from(SIGNS)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "{,2}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)
anchored = st.tuples(st.sampled_from(["", "^"]), expressions, st.sampled_from(["", "$"])).map("".join)
texts = st.text(alphabet="abcA7é-. \n", max_size=12)


@given(anchored, texts)
@settings(max_examples=800, deadline=None)
def test_it_finds_what_re_finds(expression: str, text: str) -> None:
    machine = Regular(expression)
    # `re` lets `$` stand before a last line end, too; a name is one text.
    theirs = re.search(re.sub(r"\$$", r"\\Z", expression).replace("{,", "{0,"), text, re.DOTALL) is not None
    assert machine.is_in(text) == theirs
    assert machine.is_in(text) == theirs
    if theirs:
        assert all(literal in text for literal in machine.literals)


@given(anchored, texts)
@settings(max_examples=300, deadline=None)
def test_case_is_folded_on_both_sides(expression: str, text: str) -> None:
    if "é" not in expression and "\\W" not in expression and "^a" not in expression:
        theirs = re.search(re.sub(r"\$$", r"\\Z", expression).replace("{,", "{0,"), text, re.DOTALL | re.IGNORECASE) is not None
        assert Regular(expression, fold=True).is_in(text.casefold()) == theirs


@given(st.text(alphabet="ab()[]{}|*+?^$\\d,-12", max_size=14))
@settings(max_examples=600, deadline=None)
def test_any_text_is_an_expression_or_is_refused_with_its_place(text: str) -> None:
    try:
        Regular(text).is_in("ab12")
    except UsageError as caught:
        place = caught.context["place"]
    else:
        place = "name"
    assert place == "name"


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("a(b", 2),
        ("ab)", 3),
        ("[ab", 1),
        ("*a", 1),
        ("a**", 3),
        ("(?=a)", 1),
        ("a\\1", 2),
        ("x[b-a]", 3),
        ("\\", 1),
        ("a{5,2}", 2),
        ("^*", 2),
    ],
)
def test_an_error_names_the_place(expression: str, position: int) -> None:
    with pytest.raises(UsageError, match=f"at character {position}:"):
        Regular(expression)


@pytest.mark.parametrize("expression", ["(a{900}){900}", "(" * 60 + "a" + ")" * 60, "a" * 1_001, "a{2000}"])
def test_what_is_too_large_is_refused(expression: str) -> None:
    with pytest.raises(UsageError):
        Regular(expression)


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|a)*b", "(a*)*(a*)*c", "(.*a){12}x", "(a|b)*a(a|b){12}c"])
def test_no_expression_takes_for_ever(expression: str) -> None:
    """Each of these keeps a backtracking matcher busy for longer than anybody waits."""
    assert not Regular(expression).is_in("a" * 4_000 + "!")


@pytest.mark.parametrize(
    ("expression", "literals"),
    [("report_\\d+\\.pdf$", ("report_", ".pdf")), ("(abc)+", ("abc",)), ("(abc|abd)", ()), ("x(yz)w?", ("xyz",)), ("^a[bc]", ("a",))],
)
def test_what_every_match_has_is_known(expression: str, literals: tuple[str, ...]) -> None:
    assert Regular(expression).literals == literals
