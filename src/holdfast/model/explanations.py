"""Why a version of a path is still there: which points hold it, and what keeps each of them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.ids import DatasetId, PointId


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class Keeper(_Value, frozen=True, kw_only=True):
    """A point that holds the version. `reasons`: the keep rules that keep it as things stand (`daily`, `all` where there are no rules),
    `locked`, `newest`; none = the next run lets it go. `no-rules`: no rules in force name its operation, so nothing removes it.

    `goes_at`: the run that lets it go, if runs go on as often as they came lately, every `every_s` seconds (null = too few points tell);
    null = none does, as far as the rules can say. If no run comes any more, nothing goes, whatever the rules are."""

    point: PointId
    operation: str
    time: datetime
    reasons: tuple[str, ...]
    locked_until: datetime | None = None
    expires_at: datetime | None = None
    goes_at: datetime | None = None
    every_s: float | None = None


class MomentKeeper(_Value, frozen=True, kw_only=True):
    """States between points that hold the version: all from `since` until before `until` (null = it is so still), restored by `address` or
    any later one. `operation` keeps them for `within_s`; the last of them goes at `goes_at`, and not much later (null = not while it is
    the newest, or no rules in force name an end)."""

    operation: str
    address: PointId
    since: datetime
    until: datetime | None = None
    within_s: float | None = None
    goes_at: datetime | None = None


class Explanation(_Value, frozen=True, kw_only=True):
    """One version of a path in one repository, and its keepers, newest first. `path_raw` is set where `path` does not spell it. `current`:
    the newest point of the dataset holds it, or where moments are kept the newest state. `moments`: the states between points that hold
    it; with no keepers, only those do."""

    repository: str
    dataset: str
    dataset_id: DatasetId
    path: str
    path_raw: bytes = b""
    kind: str
    size_bytes: int
    mtime_ns: int
    current: bool
    keepers: tuple[Keeper, ...]
    moments: MomentKeeper | None = None


class MirrorCopy(_Value, frozen=True, kw_only=True):
    """A mirror that is kept equal to the dataset: the newest version of the path lies there, at `path`. `name` is what `restore --from`
    calls the mirror; `stands_at`: which moment it is equal to, null = none now, or nobody knows."""

    node: str
    path: str
    online: bool
    name: str = ""
    stands_at: datetime | None = None


class AskExplain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Why the version of this path is there that was the newest at a time (None = now)."""

    path: bytes
    dataset: str = ""
    repository: str = ""
    at: datetime | None = None


class Explanations(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    rows: tuple[Explanation, ...]
