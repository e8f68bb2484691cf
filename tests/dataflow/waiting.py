"""The one place where data-flow tests wait for what nobody tells them: the doings of another process."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S = 30.0


def wait_for(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.01)
