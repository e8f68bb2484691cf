"""What holds on this machine at the moment, for whoever answers questions about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.model.audit import Anchor
from holdfast.model.doctor import Examined
from holdfast.model.downloads import AskDownloadPort, DownloadPort
from holdfast.model.following import Following
from holdfast.model.jobs import Finding
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What holds on this machine at the moment: rules in force, its limits, its standing problems, what is followed, and what it keeps of
    the Master's audit log. `limits` raises what `load_limits` raises; `examine` blocks."""

    name: str
    current_rules: Callable[[], Rules | None]
    limits: Callable[[], Limits]
    findings: Callable[[], tuple[Finding, ...]]
    following: Callable[[], tuple[Following, ...]]
    download_port: Callable[[AskDownloadPort], DownloadPort]
    anchors: Callable[[], tuple[Anchor, ...]]
    examine: Callable[[], Examined]

    @property
    def rules(self) -> Rules | None:
        return self.current_rules()
