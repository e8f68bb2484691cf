"""The code of a recovery kit: a strong password that people can print, read aloud and type, and that names the group with a typo.

Seven groups of five characters of Crockford's base 32 (https://www.crockford.com/base32.html): four carry 20 random bits, the fifth
checks them. 140 bits in all. The code as printed, capitals and hyphens included, is the password itself, so stock restic takes it.
"""

from __future__ import annotations

import re
from functools import reduce

from holdfast.core.entropy import Entropy
from holdfast.core.errors import UsageError

GROUPS = 7
GROUP_CHARACTERS = 5
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_DATA_CHARACTERS = GROUP_CHARACTERS - 1
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212._/]+")
# x^5 + x^2 + 1, irreducible and primitive over GF(2): five bits are one element, and 2 generates all of them.
_FIELD = 0b100101


def new_code(entropy: Entropy) -> str:
    """A fresh code; 140 random bits."""
    bits = int.from_bytes(entropy.token_bytes(18), "big")
    values = [(bits >> (5 * n)) & 31 for n in range(GROUPS * _DATA_CHARACTERS)]
    return "-".join(_group(values[n * _DATA_CHARACTERS : (n + 1) * _DATA_CHARACTERS], n) for n in range(GROUPS))


def read_code(text: str) -> str:
    """The code as printed, from what somebody typed: small letters, O for 0, I and L for 1, any separators or none.

    Raises `UsageError`, which names the group where the typo is.
    """
    characters = _SEPARATORS.sub("", text).upper()
    missing = GROUPS * GROUP_CHARACTERS - len(characters)
    if missing:
        much = f"{abs(missing)} {'character' if abs(missing) == 1 else 'characters'} too {'few' if missing > 0 else 'many'}"
        raise UsageError(f"the code has {much}{_where_length(text)}", hint=f"it has {GROUPS} groups of {GROUP_CHARACTERS}")
    groups = [characters[n : n + GROUP_CHARACTERS] for n in range(0, len(characters), GROUP_CHARACTERS)]
    return "-".join(read_group(group, number) for number, group in enumerate(groups))


def read_group(text: str, number: int) -> str:
    """One group of a code, by its number from 0; as `read_code`."""
    characters = _SEPARATORS.sub("", text).upper()
    if len(characters) != GROUP_CHARACTERS:
        raise UsageError(f"group {number + 1} has {len(characters)} characters", hint=f"it has {GROUP_CHARACTERS}")
    for character in characters:
        if character not in _VALUES:
            raise UsageError(f"group {number + 1} ({_shown(characters)}) holds {character!r}, which no code has", hint=_HINT)
    values = [_VALUES[character] for character in characters]
    right = _group(values[:_DATA_CHARACTERS], number)
    if _VALUES[right[-1]] != values[-1]:
        raise UsageError(f"there is a typo in group {number + 1} ({_shown(characters)})", hint=_HINT)
    return right


def last_group(code: str) -> str:
    """What is asked for when somebody says that the kit is kept."""
    return code.rpartition("-")[2]


def looks_like_code(text: str) -> bool:
    """Whether somebody most likely meant to type a code, with a typo or two: then a typo is worth naming."""
    characters = _SEPARATORS.sub("", text).upper()
    strange = sum(character not in _VALUES for character in characters)
    return abs(len(characters) - GROUPS * GROUP_CHARACTERS) <= 2 and strange <= 2


_HINT = "compare it with the paper; capital or small letters are all the same"


def _group(values: list[int], number: int) -> str:
    """Four values and what checks them: the sum of each times its own power of the generator, and of one for the place of the group.

    Two characters of a group that changed places have different powers, and two groups that did have different places, so both are found;
    one wrong character always is.
    """
    check = reduce(lambda total, pair: total ^ _times(pair[1], _power(pair[0] + 1)), enumerate(values), _power(number))
    return "".join(_ALPHABET[value] for value in (*values, check))


def _power(exponent: int) -> int:
    return reduce(lambda value, _: _times(value, 2), range(exponent), 1)


def _times(left: int, right: int) -> int:
    """In the field of 32 elements."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        right >>= 1
        left <<= 1
        if left & 32:
            left ^= _FIELD
    return product


def _where_length(text: str) -> str:
    """Which group is too short or too long, where the separators tell."""
    groups = [group for group in _SEPARATORS.split(text.strip()) if group]
    wrong = [number for number, group in enumerate(groups, 1) if len(group) != GROUP_CHARACTERS]
    return f", in group {wrong[0]}" if len(wrong) == 1 and len(groups) == GROUPS else ""


def _shown(characters: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in characters)
