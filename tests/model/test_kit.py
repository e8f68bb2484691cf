"""The code of a recovery kit: what was printed is read back from any spelling, and a typo is found and its group named."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.model.kit import GROUP_CHARACTERS, GROUPS, last_group, looks_like_code, new_code, read_code, read_group
from holdfast.testing.virtual_clock import SeededEntropy

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODES = st.integers(0, 1 << 32).map(lambda seed: new_code(SeededEntropy(f"kit {seed}")))
LETTERS = re.sub("-", "", "-".join("X" * GROUP_CHARACTERS for _ in range(GROUPS)))


def _swap(text: str, first: int, second: int) -> str:
    characters = list(text)
    characters[first], characters[second] = characters[second], characters[first]
    return "".join(characters)


@given(CODES)
def test_a_code_looks_as_printed_and_is_read_back(code: str) -> None:
    assert re.fullmatch(rf"([{ALPHABET}]{{5}}-){{6}}[{ALPHABET}]{{5}}", code)
    assert read_code(code) == code
    assert looks_like_code(code)
    assert read_group(last_group(code), GROUPS - 1) == last_group(code)


@given(CODES, st.sampled_from(["", " ", "-", " - ", "\t", "–", ".", "/"]), st.randoms(use_true_random=False))
def test_any_spelling_is_read(code: str, separator: str, chance: object) -> None:
    assert read_code(f" {code.lower().replace('-', separator)}\n") == code
    alike = {"0": "0oO", "1": "1iIlL"}
    typed = "".join(chance.choice(alike.get(each, each + each.lower())) for each in code)  # type: ignore[attr-defined]
    assert read_code(typed) == code


@given(CODES, st.integers(0, len(LETTERS) - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_and_its_group_named(code: str, place: int, wrong: str) -> None:
    characters = list(code.replace("-", ""))
    if characters[place] == wrong:
        return
    characters[place] = wrong
    with pytest.raises(UsageError, match=f"typo in group {place // GROUP_CHARACTERS + 1} "):
        read_code("".join(characters))


@given(CODES, st.integers(0, GROUPS - 1), st.lists(st.integers(0, GROUP_CHARACTERS - 1), min_size=2, max_size=2, unique=True))
def test_two_characters_that_changed_places_are_found(code: str, group: int, places: list[int]) -> None:
    plain = code.replace("-", "")
    first, second = (group * GROUP_CHARACTERS + place for place in places)
    if plain[first] != plain[second]:
        with pytest.raises(UsageError, match=f"typo in group {group + 1} "):
            read_code(_swap(plain, first, second))


@given(CODES, st.lists(st.integers(0, GROUPS - 1), min_size=2, max_size=2, unique=True))
def test_two_groups_that_changed_places_are_found(code: str, places: list[int]) -> None:
    groups = code.split("-")
    groups[places[0]], groups[places[1]] = groups[places[1]], groups[places[0]]
    if groups != code.split("-"):
        with pytest.raises(UsageError, match=f"typo in group {min(places) + 1} "):
            read_code("-".join(groups))


@given(CODES, st.integers(0, len(LETTERS) - 1))
def test_a_character_too_few_is_said_with_the_group_where_it_can_be(code: str, place: int) -> None:
    groups = code.split("-")
    number, within = divmod(place, GROUP_CHARACTERS)
    groups[number] = groups[number][:within] + groups[number][within + 1 :]
    with pytest.raises(UsageError, match=rf"1 character too few, in group {number + 1}$"):
        read_code("-".join(groups))
    with pytest.raises(UsageError, match=r"1 character too few$"):
        read_code("".join(groups))
    assert looks_like_code("".join(groups))


def test_what_is_no_code() -> None:
    code = new_code(SeededEntropy("one"))
    with pytest.raises(UsageError, match=r"group 1 .* holds 'U'"):
        read_code("U" + code[1:])
    with pytest.raises(UsageError, match="too few"):
        read_code("")
    with pytest.raises(UsageError, match="too many"):
        read_code(code + "7")
    for password in ("correct horse battery staple", "f" * 64, "", "é" * 35, "!" * 35):
        assert not looks_like_code(password)


@given(st.text(max_size=80))
def test_nothing_typed_does_more_than_be_refused(text: str) -> None:
    looks_like_code(text)
    with suppress(UsageError):
        assert re.fullmatch(rf"[{ALPHABET}-]{{41}}", read_code(text))


def test_codes_are_random_in_every_place() -> None:
    codes = [new_code(SeededEntropy(f"{number}")) for number in range(400)]
    assert len(set(codes)) == len(codes)
    for place in range(len(codes[0])):
        if codes[0][place] != "-":
            assert len({code[place] for code in codes}) > 20
