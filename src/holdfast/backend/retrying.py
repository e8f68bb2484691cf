"""Trying again what a network broke, with growing waits; and sending no faster than allowed. Clock, randomness and waiting are injected."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import NotReachable

T = TypeVar("T")
Wait = Callable[[float], object]
"""Lets some seconds pass."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """`first_attempts` hold until the other side has answered once: who never answered is most likely named wrongly, or down.

    After `longest_s` in all no further try begins: one that hangs costs a whole time limit each time.
    """

    attempts: int = 7
    first_attempts: int = 2
    first_wait_s: float = 0.25
    longest_wait_s: float = 8.0
    longest_s: float = 90.0

    def wait_s(self, failures: int, chance: float) -> float:
        """Before the next try, after so many failures (from 1). Doubling, and by `chance` (0 to 1) up to half of it less, so that many
        machines do not come back together."""
        return min(self.first_wait_s * 2.0 ** (failures - 1), self.longest_wait_s) * (1 - chance / 2)


class Retrying:
    """Runs steps that may be repeated without harm. `NotReachable` is tried again; every other error is raised at once. Thread-safe."""

    def __init__(self, policy: RetryPolicy, clock: Clock, entropy: Entropy, wait: Wait) -> None:
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._wait = wait
        self._has_answered = False

    def run(self, what: str, step: Callable[[int], T], *, patient: bool = True) -> T:
        """`step` is told how many tries have failed before. Raises the last error when none is left; who is not patient has one."""
        failures, began_s = 0, self._clock.monotonic_s()
        while True:
            try:
                result = step(failures)
            except NotReachable as error:
                failures += 1
                if not patient or failures >= self._most() or self._clock.monotonic_s() - began_s > self._policy.longest_s:
                    raise
                chance = self._entropy.token_bytes(1)[0] / 255
                wait_s = self._policy.wait_s(failures, chance)
                facts = {"what": what, "error": error.message, "failures": failures, "wait_s": round(wait_s, 2)}
                logger.info("trying again", extra={"facts": facts})
                self._wait(wait_s)
            else:
                self._has_answered = True
                return result

    def _most(self) -> int:
        return self._policy.attempts if self._has_answered else self._policy.first_attempts


class Pace:
    """Holds callers back so that all together stay below a rate. `rate_bytes_s` None = no limit. Thread-safe."""

    def __init__(self, rate_bytes_s: int | None, clock: Clock, wait: Wait) -> None:
        self._rate_bytes_s = rate_bytes_s
        self._clock = clock
        self._wait = wait
        self._guard = threading.Lock()
        self._free_at_s = 0.0

    def spend(self, size_bytes: int) -> None:
        """Returns when these bytes may go. They then go as fast as they can; the next wait for the time they should have taken."""
        if self._rate_bytes_s is None or size_bytes == 0:
            return
        with self._guard:
            now_s = self._clock.monotonic_s()
            start_s = max(now_s, self._free_at_s)
            self._free_at_s = start_s + size_bytes / self._rate_bytes_s
        if start_s > now_s:
            self._wait(start_s - now_s)
