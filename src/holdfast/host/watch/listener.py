"""What `Watch` asks of a kernel queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from holdfast.host.watch.facts import Dirty, Means, Shortfall
from holdfast.host.watch.ground import Ground


@dataclass(slots=True)
class Heard:
    """What one reading gave. `lost`: the queue overflowed, nobody knows what is missing. `unsettled`: look at roots and mounts."""

    facts: list[Dirty] = field(default_factory=list)
    lost: bool = False
    unsettled: bool = False


class Listener(Protocol):
    """One ground. From the moment it was made it misses nothing without saying `lost`; after that it goes on by itself."""

    means: Means
    shortfalls: frozenset[Shortfall]

    @property
    def ground(self) -> Ground: ...

    def fileno(self) -> int:
        """Readable when there is something to read."""
        ...

    def waiting(self) -> int:
        """How much there is to read, in the unit that `read` counts in."""
        ...

    def read(self) -> tuple[int, Heard]:
        """Never blocks. How much was read, 0 when nothing was there, and what it says. Raises `WatchLimited`."""
        ...

    def follow(self, ground: Ground) -> None:
        """The same file system is now met at other places. Raises `OSError` or `WatchLimited`."""
        ...

    def look(self) -> tuple[bytes, ...]:
        """Scopes that were watched no longer, and are again. Raises `OSError` or `WatchLimited`."""
        ...

    def close(self) -> None: ...
