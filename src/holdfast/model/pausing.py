"""A paused repository: nobody begins work in it, so that stock tools which want it for themselves find it free."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from holdfast.model.jobs import Finding, Severity


class Pause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`until`: when it ends by itself (null = when it is resumed). `by`: who paused it. `sessions`: how many that began before are still at
    work; at 0 the repository is free."""

    since: datetime
    until: datetime | None = None
    by: str = ""
    sessions: int = 0


class AskPause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Pause a repository (name or id), or resume it. One that is paused already stays as it is, unless `for_s` (seconds from now) says
    until when. `look`: only say how it stands. `by`: who asks; the Master says it, a machine's own user needs not."""

    repository: str
    paused: bool = True
    for_s: float | None = None
    look: bool = False
    by: str = ""


class PauseTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """How the repository (its name) stands now; `pause` null = it works. `changed`: it stood otherwise before."""

    repository: str
    pause: Pause | None = None
    changed: bool = False


def pause_findings(repositories: Iterable[tuple[str, Pause | None]]) -> tuple[Finding, ...]:
    """What stands in `status` while a repository (name, pause) is paused: nothing is protected there meanwhile."""
    return tuple(
        Finding(
            code="repository-paused",
            severity=Severity.WARNING,
            message=f"{name} is paused since {pause.since:%Y-%m-%d %H:%M} UTC"
            + (f", until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else "")
            + (f", by {pause.by}" if pause.by else ""),
            hint=f"runs wait for it; `holdfast repository resume {name}` ends it",
        )
        for name, pause in repositories
        if pause is not None
    )
