"""What every service of the Master stands on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.ids import new_id
from holdfast.master.config import MasterConfig
from holdfast.master.feed import Feed
from holdfast.master.news import News
from holdfast.master.records.database import Database
from holdfast.master.records.documents import Environment
from holdfast.master.records.restorations import Restoration
from holdfast.wire.authority import Authority


@dataclass(frozen=True)
class Foundation:
    database: Database
    authority: Authority
    environment: Environment
    clock: Clock
    entropy: Entropy
    config: MasterConfig
    restoration: Restoration | None = None
    news: News = field(default_factory=News)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "feed", Feed(self.entropy.token_bytes(4).hex()))

    @property
    def epoch(self) -> int:
        """Of two Masters of an environment nodes follow the one with the higher."""
        return 0 if self.restoration is None else self.restoration.epoch

    def now(self) -> datetime:
        return now(self.clock)

    def new_id(self) -> str:
        return new_id(self.entropy)
