"""What a round asks of everything it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from bench.figures import Probe

# In the order in which they are measured. The corpus is edited before `changed`, and before every run of `increments`.
STAGES = ("first", "unchanged", "changed", "restore", "check", "increments", "forget-and-prune", "cascade")


class Contender(Protocol):
    """`stages` names only what it can do. `stored_bytes` counts its repository. `close` leaves nothing running."""

    name: str

    @property
    def probe(self) -> Probe: ...

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]: ...

    def stored_bytes(self) -> int: ...

    def close(self) -> None: ...


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
