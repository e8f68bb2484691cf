"""Claims: datasets that share paths are run one at a time, all others at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from holdfast.core.errors import Cancelled
from holdfast.core.ids import DatasetId
from holdfast.model.document import Classification
from holdfast.model.rules import DatasetRule
from holdfast.operations.following.claims import Claims, groups_apart
from holdfast.testing.waiting import wait_for


def rule(name: str, *paths: str) -> DatasetRule:
    return DatasetRule(id=DatasetId(name), label=name, policy=name, classification=Classification(paths=paths), operations=())


DOCUMENTS, LETTERS, FILMS = rule("documents", "/srv/documents"), rule("letters", "/srv/documents/letters"), rule("films", "/srv/films")


def free_in(claims: Claims, *rules: DatasetRule) -> Sequence[DatasetRule]:
    with claims.free_of(rules) as free:
        return free


def test_what_shares_paths_with_what_is_claimed_is_not_free() -> None:
    claims = Claims()
    with claims.all_of((DOCUMENTS,)):
        assert free_in(claims, DOCUMENTS, LETTERS, FILMS) == (FILMS,)
    assert free_in(claims, DOCUMENTS, LETTERS, FILMS) == (DOCUMENTS, LETTERS, FILMS)


def test_who_waits_goes_before_small_runs() -> None:
    claims, got = Claims(), threading.Event()

    def scan() -> None:
        with claims.all_of((DOCUMENTS, FILMS)):
            got.set()

    with claims.free_of((LETTERS,)):
        waits = threading.Thread(target=scan)
        waits.start()
        wait_for(lambda: not free_in(claims, FILMS))
        assert not got.is_set()
    waits.join()
    assert got.is_set()
    assert free_in(claims, DOCUMENTS) == (DOCUMENTS,)


def test_what_was_let_go_before_the_end_is_free_and_stays_with_who_takes_it_then() -> None:
    claims = Claims()
    with claims.all_of((DOCUMENTS,)) as let_go, claims.all_of((FILMS,)):
        let_go()
        assert free_in(claims, LETTERS, FILMS) == (LETTERS,)
        with claims.all_of((DOCUMENTS,)):
            let_go()
            assert free_in(claims, LETTERS) == ()
    assert free_in(claims, DOCUMENTS, FILMS) == (DOCUMENTS, FILMS)


def test_who_waits_can_give_up() -> None:
    claims = Claims()

    def gives_up() -> None:
        raise Cancelled("no more")

    with claims.all_of((FILMS,)):
        with pytest.raises(Cancelled), claims.all_of((FILMS,), gives_up):
            pass
        assert free_in(claims, FILMS, DOCUMENTS) == (DOCUMENTS,)
    assert free_in(claims, FILMS) == (FILMS,)


def test_groups_are_apart() -> None:
    everything = rule("everything", "/srv")
    assert groups_apart((LETTERS, FILMS, DOCUMENTS)) == ((LETTERS, DOCUMENTS), (FILMS,))
    assert groups_apart((LETTERS, FILMS, everything)) == ((LETTERS, FILMS, everything),)
    assert groups_apart(()) == ()
