"""What may be asked about archived files: what there is and until when, what would be archived now, and legal holds."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.core.units import format_duration, format_size
from holdfast.model.archiving import ArchivedFile
from holdfast.model.rules import ArchiveRule

MOST_FILES = 10_000


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class AskArchive(_Message, frozen=True, kw_only=True):
    """What is archived of a dataset (label or id; empty = of all, without their files): versions at or below `path`, oldest first."""

    dataset: str = ""
    repository: str = ""
    path: bytes = b"/"
    limit: int = 1_000


class AskArchiveHold(_Message, frozen=True, kw_only=True):
    """A legal hold on all that is archived at or below `path`, now or later; with `release` the one of that name ends."""

    dataset: str
    name: str
    path: bytes = b"/"
    repository: str = ""
    release: bool = False
    by: str = ""


class AskArchivePlan(_Message, frozen=True, kw_only=True):
    """What the archive operations of this machine's datasets (label or id; empty = of all) would take now; nothing is done."""

    dataset: str = ""
    limit: int = 20


class HoldView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A legal hold. `path_raw` where `path` does not spell it."""

    name: str
    since: datetime
    path: str
    path_raw: bytes = b""


class ArchivedDataset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is archived of one dataset in one repository. `operation` is empty, and nothing expires, where no rule in force archives it any
    more. `why` says in words which files are taken. `keep_s` None = for ever."""

    dataset: str
    dataset_id: DatasetId
    repository: str
    files: int
    size_bytes: int
    operation: str = ""
    why: str = ""
    keep_s: float | None = None
    holds: tuple[HoldView, ...] = ()


class ArchiveTold(_Message, frozen=True, kw_only=True):
    """`more` = the limit cut the files."""

    datasets: tuple[ArchivedDataset, ...] = ()
    files: tuple[ArchivedFile, ...] = ()
    more: bool = False


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`path_raw` where `path` does not spell it."""

    path: str
    size_bytes: int
    modified_at: datetime
    path_raw: bytes = b""


class PlannedArchive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one archive operation would take: by what was captured last. `first`: some of the files, in walk order."""

    dataset: str
    dataset_id: DatasetId
    operation: str
    why: str
    leave: str
    files: int
    size_bytes: int
    first: tuple[PlannedFile, ...] = ()


class ArchivePlanned(_Message, frozen=True, kw_only=True):
    plans: tuple[PlannedArchive, ...] = ()


ArchiveQuestion = AskArchive | AskArchiveHold | AskArchivePlan
ArchiveAnswer = ArchiveTold | ArchivePlanned


def why_of(rule: ArchiveRule | None) -> str:
    """In words: `older than 365d, larger than 1 GiB`."""
    if rule is None:
        return ""
    older = f"older than {format_duration(rule.older_than_s)}" if rule.older_than_s is not None else ""
    larger = f"larger than {format_size(rule.larger_than_bytes)}" if rule.larger_than_bytes is not None else ""
    return ", ".join(part for part in (older, larger) if part)
