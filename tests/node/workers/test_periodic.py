"""What a worker looks at now and then goes on being looked at, whatever a look meets."""

from __future__ import annotations

import threading

import pytest

from holdfast.node.workers.periodic import Periodic


class _Watch(Periodic):
    def __init__(self) -> None:
        super().__init__("watch", 0.001, at_once=True)
        self.looks = 0
        self.is_well = threading.Event()

    def look(self) -> None:
        self.looks += 1
        if self.looks < 5:
            raise KeyError("nobody foresaw this")
        self.is_well.set()


def test_a_look_that_fails_is_made_again_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = _Watch()
    watch.start()
    try:
        assert watch.is_well.wait(20)
    finally:
        watch.stop(20)
    assert [record.getMessage() for record in caplog.records] == ["a look at watch failed; it is made again"]
