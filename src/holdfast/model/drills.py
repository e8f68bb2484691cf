"""Drills: a part of what is stored is restored on trial and compared. How much, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.document import DrillPlan

_FILES = re.compile(r"([0-9]{1,9})(?: files?)?")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_LEAST_GRACE_S = 3_600.0


@dataclass(frozen=True)
class SampleSize:
    """So many `files`, or a part of all of them (`ratio`, up to 1). One of the two is set."""

    files: int = 0
    ratio: float = 0.0

    @property
    def is_everything(self) -> bool:
        return self.ratio >= 1


def parse_sample(text: str) -> SampleSize:
    """`100 files`, `1%` or `all`. Raises `UsageError`."""
    if text == "all":
        return SampleSize(ratio=1.0)
    if (count := _FILES.fullmatch(text)) and int(count[1]):
        return SampleSize(files=int(count[1]))
    if (share := _SHARE.fullmatch(text)) and 0 < float(share[1]) <= 100:
        return SampleSize(ratio=float(share[1]) / 100)
    raise UsageError(f"{text[:40]!r} is not a sample", hint="write it like 100 files, 1% or all")


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a point by drills. `proven_at`: when some of its files (`proven_files`) were last restored and were what they should
    be, and the check script, where there is one, was content. `doubted_at`: when they last were not. The later of the two counts."""

    proven_at: datetime | None = None
    proven_files: int = 0
    doubted_at: datetime | None = None

    @property
    def holds(self) -> bool | None:
        """None = it was never tried."""
        if self.proven_at is None:
            return None if self.doubted_at is None else False
        return self.doubted_at is None or self.proven_at > self.doubted_at


class DrillRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest drill of one dataset in one repository. `problem`: why nothing was proven, empty where it was. `note`: what else is worth
    saying, that fewer files were restored than wished for example. `proven_at`: the newest drill that proved something. `on`: the machine
    where it was made, empty = the owner's."""

    dataset: DatasetId
    label: str
    at: datetime
    problem: str = ""
    note: str = ""
    point: PointId = PointId("")
    point_at: datetime | None = None
    files: int = 0
    size_bytes: int = 0
    proven_at: datetime | None = None
    on: str = ""


class DrillStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the drills of one dataset in one repository stand. `plan`: as the rules say, null = none by itself. `last`: the newest, null =
    there was none. `proven_at`: when something of it was last proven restorable, null = never. `due_at`: when the next is due by the
    rules; it is `overdue` when that passed a while ago."""

    dataset: str
    dataset_id: DatasetId
    plan: DrillPlan | None = None
    last: DrillRecord | None = None
    proven_at: datetime | None = None
    due_at: datetime | None = None
    overdue: bool = False

    @property
    def failed(self) -> bool:
        return self.last is not None and bool(self.last.problem)


@dataclass(frozen=True, kw_only=True)
class Drilled:
    """A dataset in a repository, as its owner knows it. `oldest_at`: its oldest point or moment, None = there is none. `proven_at`: the
    newest proof that its points bear."""

    dataset: DatasetId
    label: str
    plan: DrillPlan | None
    last: DrillRecord | None
    oldest_at: datetime | None
    proven_at: datetime | None


def judge_drills(drilled: Drilled, now: datetime) -> DrillStatus:
    """Something is to be proven within each span of `plan.every_s`, counted from the newest proof, or from the oldest point."""
    known = [at for at in (drilled.proven_at, drilled.last.proven_at if drilled.last else None) if at is not None]
    proven_at = max(known, default=None)
    since = proven_at or drilled.oldest_at
    due_at = None
    overdue = False
    if drilled.plan is not None and since is not None:
        due_at = since + timedelta(seconds=drilled.plan.every_s)
        overdue = now > due_at + timedelta(seconds=max(0.1 * drilled.plan.every_s, _LEAST_GRACE_S))
    return DrillStatus(
        dataset=drilled.label,
        dataset_id=drilled.dataset,
        plan=drilled.plan,
        last=drilled.last,
        proven_at=proven_at,
        due_at=due_at,
        overdue=overdue,
    )
