"""Seeding: what a cascade would send travels on a disk that somebody carries. The questions to the two owners, and the answer.

Only over the local socket: the disk stands at the machine, and its password leaves it no other way than in somebody's head.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import PointId


class AskSeed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`export`: all that the cascades of `repository` carry, into a repository of its own at `path`, opened by `password`. `import`: what
    lies there, into `repository`. Either goes on where it was broken off. `dry_run`: only say what would go."""

    verb: Literal["export", "import"]
    repository: str
    path: str
    password: str
    dry_run: bool = False

    def __repr__(self) -> str:
        return f"AskSeed(verb={self.verb!r}, repository={self.repository!r}, ...)"


class SeededDataset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`points` went, or with `dry_run` would go; `sent_bytes` is what of their content was not there yet. `receiver`: the node that a
    carried dataset is for, or the node that it came from."""

    dataset: str
    receiver: str
    points: int = 0
    sent_bytes: int = 0
    error: ErrorFacts | None = None


class SeedRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a dataset last got from a carried disk, at `at`: all up to `point`, captured at `until`. `sender`: where it came from."""

    dataset: str
    sender: str
    at: datetime
    point: PointId
    until: datetime


class Seeded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    repository: str
    path: str
    datasets: tuple[SeededDataset, ...] = ()
    dry_run: bool = False
