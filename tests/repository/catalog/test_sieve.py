"""The sieve never says of an id that was added that it is not there."""

from __future__ import annotations

from hashlib import sha256

from holdfast.repository.catalog.sieve import Sieve


def test_all_that_was_added_passes_and_hardly_anything_else() -> None:
    ids = [sha256(b"%d" % number).digest() for number in range(20_000)]
    sieve = Sieve()
    sieve.add(ids[:10_000])
    assert sieve.passing(ids[:10_000]) == ids[:10_000]
    assert len(sieve.passing(ids[10_000:])) < 100


def test_an_empty_one_lets_nothing_pass() -> None:
    assert Sieve().passing([bytes(32), b"\xff" * 32]) == []
