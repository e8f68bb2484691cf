"""Moments: states of a followed dataset that can be restored, point or not, and how they are named.

A moment's address is DATASET@TIME: the newest state captured at or before the time. Wherever a point may be named, an address may be, too.
DATASET@versions are the older versions of single files, each as NAME@TIME in its folder. DATASET@archive are the files that were archived,
each as TIME/PATH (`model.archiving`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.gaps import Gap
from holdfast.model.refusals import Refusal

_AT = "@"
_VERSIONS, _ARCHIVE = "versions", "archive"


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One commit of a followed dataset. `files` and `size_bytes` are of the whole dataset. `points`: ids of the points that it is."""

    address: PointId
    time: datetime
    seq: int
    files: int
    size_bytes: int
    points: tuple[PointId, ...] = ()


def time_text(time: datetime) -> str:
    """In UTC, always of one length."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def address_of(dataset: DatasetId, time: datetime) -> PointId:
    return PointId(f"{dataset}{_AT}{time_text(time)}")


def versions_of(dataset: DatasetId) -> PointId:
    """What the older versions of a dataset's single files are called: listed and restored as if they were a point."""
    return PointId(f"{dataset}{_AT}{_VERSIONS}")


def dataset_of_versions(text: str) -> str:
    """Of `DATASET@versions` the dataset (label or id); empty for everything else."""
    dataset, _, what = text.rpartition(_AT)
    return dataset if what == _VERSIONS else ""


def archive_of(dataset: DatasetId) -> PointId:
    """What the archived files of a dataset are called: listed, read and restored as if they were a point."""
    return PointId(f"{dataset}{_AT}{_ARCHIVE}")


def dataset_of_archive(text: str) -> str:
    """Of `DATASET@archive` the dataset (label or id); empty for everything else."""
    dataset, _, what = text.rpartition(_AT)
    return dataset if what == _ARCHIVE else ""


def is_lineage_address(text: str) -> bool:
    """Whether it names single files that are kept, and no state at a time."""
    return bool(dataset_of_versions(text) or dataset_of_archive(text))


def is_address(text: str) -> bool:
    return _AT in text


def parse_address(text: str) -> tuple[str, datetime]:
    """Dataset (label or id) and time, UTC where it says no zone. Raises `UnknownName`."""
    dataset, _, when = text.rpartition(_AT)
    try:
        time = datetime.fromisoformat(when)
        return dataset, (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnknownName(f"{when[:40]!r} is no time", hint="write DATASET@2026-01-31T12:00:00Z") from None


class AskMoment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """What a dataset (label or id) was at a time, None = now: of each repository the newest point or moment captured at or before it. With
    `versions` the older versions of its single files, with `archive` those that were archived: both are listed and read as a point is.
    `before_deletion`: the newest that has this path and all that was below it, before it was deleted; in place of `at`. `refusal`: of the
    source as it is now, whose deletion nobody keeps."""

    dataset: str
    at: datetime | None = None
    repository: str = ""
    versions: bool = False
    archive: bool = False
    before_deletion: bytes = b""
    refusal: Refusal | None = None


class AskMoments(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """The states of a followed dataset that can be restored, newest first, and the gaps between; of a span, both ends with it."""

    dataset: str
    repository: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 1_000


class Moments(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`more` = the limit cut the moments. `oldest_at`: of all there are, whatever was asked for; since then every state can be restored but
    for what the gaps hide."""

    moments: tuple[Moment, ...]
    gaps: tuple[Gap, ...] = ()
    more: bool = False
    oldest_at: datetime | None = None
