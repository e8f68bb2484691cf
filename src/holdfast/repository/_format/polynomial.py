"""Irreducible polynomials over GF(2) of degree 53. Stock restic refuses a repository whose config has no such `chunker_polynomial`.

Ben-Or's test: f of degree n is irreducible when gcd(x^(2^i) - x, f) = 1 for i = 1 .. n/2.
"""

from __future__ import annotations

from holdfast.core.entropy import Entropy

DEGREE = 53


def _remainder(value: int, divisor: int) -> int:
    size = divisor.bit_length()
    while (excess := value.bit_length() - size) >= 0:
        value ^= divisor << excess
    return value


def _square(value: int, modulus: int) -> int:
    """The square spreads the bits: bit i goes to 2i."""
    spread = int(f"{value:b}".replace("0", "00").replace("1", "01"), 2) if value else 0
    return _remainder(spread, modulus)


def _gcd(left: int, right: int) -> int:
    while right:
        left, right = right, _remainder(left, right)
    return left


def is_irreducible(polynomial: int) -> bool:
    if polynomial < 2:
        return False
    power = 2
    for _ in range((polynomial.bit_length() - 1) // 2):
        power = _square(power, polynomial)
        if _gcd(polynomial, power ^ 2) != 1:
            return False
    return True


def random_irreducible(entropy: Entropy) -> int:
    """One in about 27 candidates fits; each trial takes well under a millisecond."""
    while True:
        candidate = int.from_bytes(entropy.token_bytes(7), "big") & ((1 << DEGREE) - 1) | (1 << DEGREE) | 1
        if is_irreducible(candidate):
            return candidate
