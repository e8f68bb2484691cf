"""How fast a figure rises just now."""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0


class Pace:
    """The rate of a figure that only rises, over the last `WINDOW_S` seconds rather than since it began: what stalls says so.

    A figure that falls has begun anew. Not thread-safe.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def rate(self, now_s: float, figure: float) -> float:
        """Per second, with `figure` as it stands at `now_s` (monotonic); 0 at the first call."""
        if self._samples and figure < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now_s, figure))
        # The oldest one kept is at or before the window's start, so that the whole window counts.
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - WINDOW_S:
            self._samples.popleft()
        since_s, before = self._samples[0]
        return (figure - before) / (now_s - since_s) if now_s > since_s else 0.0
