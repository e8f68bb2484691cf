"""How long what cannot be read of a spool is tried again."""

from __future__ import annotations

from holdfast.core.clock import Clock
from holdfast.delivery.spool.cipher import SpoolUnread

GIVEN_UP_AFTER_S = 600.0
"""What the disk has refused for so long is taken for what it refuses for ever: nothing after it could be delivered."""


class Patience:
    """With one spool."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: float | None = None

    @property
    def is_over(self) -> bool:
        return self._since_s is not None and self._clock.monotonic_s() - self._since_s >= GIVEN_UP_AFTER_S

    def has_ended(self, error: SpoolUnread) -> bool:
        """It has failed once more; whether that was the last time. What is no fault of the file is tried for ever."""
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        return error.is_of_disk and self.is_over

    def renew(self) -> None:
        """It was read."""
        self._since_s = None
