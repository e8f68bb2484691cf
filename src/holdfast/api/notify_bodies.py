"""Bodies of the calls about notifications."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from holdfast.api.schemas import Body
from holdfast.model.jobs import Severity
from holdfast.model.notifications import LONGEST_S, NotifyRule

Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Words = Annotated[list[Word], Field(default=[], max_length=100)]
Seconds = Annotated[float, Field(default=0.0, ge=0, le=LONGEST_S)]


class NotifyRuleWanted(Body):
    """What is empty chooses everything. `kinds`, `nodes` and `datasets` may hold `*`. `place` from 0 in the order of the rules; null =
    where it is, a new one last."""

    to: list[Word] = Field(min_length=1, max_length=20)
    kinds: Words
    severity: Literal["info", "warning", "error"] = "warning"
    nodes: Words
    flows: Words
    datasets: Words
    tags: Words
    stop: bool = False
    after_s: Seconds
    digest_s: Seconds
    repeat_s: Seconds
    quiet: Words
    zone: str = Field(default="UTC", max_length=64)
    recovery: bool = True
    enabled: bool = True
    place: int | None = Field(default=None, ge=0, le=10_000)

    def named(self, name: str) -> NotifyRule:
        return NotifyRule(
            name=name,
            to=tuple(self.to),
            kinds=tuple(self.kinds),
            severity=Severity(self.severity),
            nodes=tuple(self.nodes),
            flows=tuple(self.flows),
            datasets=tuple(self.datasets),
            tags=tuple(self.tags),
            stop=self.stop,
            after_s=self.after_s,
            digest_s=self.digest_s,
            repeat_s=self.repeat_s,
            quiet=tuple(self.quiet),
            zone=self.zone,
            recovery=self.recovery,
            enabled=self.enabled,
        )


class ChannelWanted(Body):
    """`secret_url`: an address as apprise takes it, such as `mailto://USER:PASSWORD@HOST?to=WHOM`; or `script://NAME`, a script that root
    has put into the Master's home."""

    secret_url: str = Field(min_length=1, max_length=4_000)
