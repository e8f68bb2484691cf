"""A store that is away holds up nobody else's status, and its own answer is told when it comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from holdfast.core.ids import RepositoryId
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned import far_status
from holdfast.node.owned.far_status import FRESH_S, FarStatus
from holdfast.testing.repository_scene import START
from holdfast.testing.virtual_clock import VirtualClock

NEAR = RepositoryRule(id=RepositoryId("a" * 32), name="near", location="/srv/near")
FAR = RepositoryRule(id=RepositoryId("b" * 32), name="far", location="s3://bucket/far?endpoint=https://s3.example.net")


class Asked:
    """Answers of the far one wait for `come`."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.come = threading.Event()
        self.count = 0
        self.status = FarStatus(self.ask, self.clock)

    def ask(self, rule: RepositoryRule) -> RepositoryStatus:
        if rule is FAR:
            self.count += 1
            self.come.wait()
        return RepositoryStatus(id=rule.id, name=rule.name, location=rule.location, points=self.count)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    monkeypatch.setattr(far_status, "PATIENCE_S", 0.05)
    asked = Asked()
    yield asked
    asked.come.set()
    asked.status.close()


def test_a_store_that_answers_is_asked_each_time(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_status, "PATIENCE_S", 60)
    asked.come.set()
    for number in (1, 2, 3):
        near, far = asked.status.of((NEAR, FAR))
        assert (near.name, far.name, far.error, far.points) == ("near", "far", None, number)


def test_one_that_is_away_is_said_to_be(asked: Asked) -> None:
    for _ in range(3):
        near, far = asked.status.of((NEAR, FAR))
        assert near.error is None
        assert far.error is not None
        assert far.error.code == "not-reachable"
    assert asked.count == 1


@pytest.mark.parametrize("is_old", [False, True])
def test_a_late_answer_is_told_unless_it_is_too_old(asked: Asked, monkeypatch: pytest.MonkeyPatch, is_old: bool) -> None:
    assert asked.status.of((FAR,))[0].error is not None
    asked.come.set()
    asked.status._asked[FAR].result()
    monkeypatch.setattr(far_status, "PATIENCE_S", 60)
    asked.clock.advance(FRESH_S + 1 if is_old else FRESH_S - 1)
    assert asked.status.of((FAR,))[0].points == (2 if is_old else 1)


def test_what_goes_wrong_is_the_answer(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_status, "PATIENCE_S", 60)

    def broken(_: RepositoryRule) -> RepositoryStatus:
        raise ZeroDivisionError

    status = FarStatus(broken, asked.clock)
    (far,) = status.of((FAR,))
    assert far.error is not None
    assert far.error.code == "internal"
    status.close()
