"""What the bodies of calls that change points, and of a prune, may hold."""

from __future__ import annotations

from pydantic import Field

from holdfast.api.schemas import Body


class PointsNamed(Body):
    """`points`: ids or their beginnings. In every repository that has them, or in `repository` alone. `dry_run`: only tell."""

    points: list[str] = Field(min_length=1, max_length=1_000)
    repository: str = ""
    dry_run: bool = False


class TagPoints(PointsNamed):
    add: list[str] = Field(default=[], max_length=100)
    remove: list[str] = Field(default=[], max_length=100)


class LockPoints(PointsNamed):
    """`until` (ISO 8601), or `duration` from now on, like `30d`: one of the two."""

    until: str = Field(default="", max_length=100)
    duration: str = Field(default="", max_length=100)


class ExpirePoints(PointsNamed):
    """`at`: ISO 8601, `now`, or empty for never."""

    at: str = Field(default="now", max_length=100)


class ForgetPoints(PointsNamed):
    """`newest`: also the newest point of a dataset."""

    newest: bool = False


class ForgetDataset(Body):
    """All points of a dataset (label or id) in one repository. Those that are locked stay, and the answer says which."""

    dataset: str = Field(min_length=1, max_length=1_000)
    repository: str = Field(min_length=1)
    dry_run: bool = False


class PruneWanted(Body):
    """`max_unused`: so much of what stays may be needless, as a part of what is needed. `grace_s`: for how long packs stay that are taken
    out of use (0 = they go at once)."""

    max_unused: float = Field(default=0.05, ge=0, le=1_000)
    max_repack_bytes: int | None = Field(default=None, ge=0, le=1 << 62)
    grace_s: float = Field(default=82_800, ge=0, le=3.2e9)
    dry_run: bool = False
