"""Waiting for real processes: look again and again until it is so. Only for what no virtual clock reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], timeout_s: float = 60, *, again_s: float = 0.01) -> T:
    """The first truthy thing `look` gives. `AssertionError` when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s:g} s in vain"
        time.sleep(again_s)
    return found
