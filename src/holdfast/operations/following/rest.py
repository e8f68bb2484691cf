"""How long the follower rests between two small runs, so that a steady stream of changes does not become a run for each few of them.

Names settle one by one: at 200 changes a second something is due all the time, and a run costs as much for one name as for twenty. Resting
as long as three runs took leaves three quarters of a core free, and what comes meanwhile goes with the next run. Pure.
"""

from __future__ import annotations

_FACTOR, _MOST_S = 3.0, 0.2


class Rest:
    """`until_s`: monotonic seconds; after a quiet time it lies in the past, and a change is taken as soon as it has settled."""

    def __init__(self) -> None:
        self.until_s = 0.0

    def ran(self, began_s: float, ended_s: float) -> None:
        """A small run took so long."""
        self.until_s = ended_s + min(_MOST_S, _FACTOR * (ended_s - began_s))
