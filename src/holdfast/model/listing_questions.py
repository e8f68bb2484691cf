"""What lies in the repositories of a node, now and over time: points, folders of a point, versions by name or path."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from holdfast.model.gaps import Gap
from holdfast.model.jobs import Finding
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.sight import Within


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class AskPoints(_Message, frozen=True, kw_only=True):
    """Points of this node's repositories; empty filters match all. `dataset` is a label or an id; `tag` was given by hand or inherited."""

    repository: str = ""
    dataset: str = ""
    tag: str = ""


class AskListing(_Message, frozen=True, kw_only=True):
    """The direct children of a folder at a point (`path` empty = the roots), or with `recursive` everything below, in walk order.

    `point` may be a unique prefix of an id, at least 4 characters. In its place: `dataset` (label or id), for its newest point that was
    captured at or before `at`, None = of all; `repository` empty = of any. `content`: say of files which content they have, where that is
    known.
    """

    point: str = ""
    dataset: str = ""
    at: datetime | None = None
    repository: str = ""
    path: bytes = b""
    recursive: bool = False
    limit: int = 10_000
    after: bytes = b""
    content: bool = False


class AskFind(_Message, frozen=True, kw_only=True):
    """Versions whose name (or, if the pattern holds a `/`, path) matches a glob, over all time: some, where the limit cuts. `within`: only
    of these, None = of all."""

    pattern: str
    repository: str = ""
    dataset: str = ""
    ignore_case: bool = False
    limit: int = 1_000
    within: Within | None = None


class AskHistory(_Message, frozen=True, kw_only=True):
    """Every version of one path, by dataset, newest first, with the points that hold it. `within` as in `AskFind`."""

    path: bytes
    repository: str = ""
    dataset: str = ""
    limit: int = 1_000
    within: Within | None = None


class Points(_Message, frozen=True, kw_only=True):
    points: tuple[Point, ...]


class Listings(_Message, frozen=True, kw_only=True):
    """`more`: the limit cut it, go on with `after` = the last path. `point`: what was listed. `lost`: folders on the way whose listing is
    damaged, nothing below is told; the first ones. `gaps`, of a time: when not all was protected. `partly`: part, by the owner's rules."""

    rows: tuple[Listing, ...]
    more: bool = False
    point: Point | None = None
    lost: tuple[LostListing, ...] = ()
    gaps: tuple[Gap, ...] = ()
    partly: tuple[Finding, ...] = ()


def listed_age(answer: Listings) -> tuple[datetime, int, str]:
    """Of several answers to "this dataset at this time" the one with the greatest is right: it lists the newest point."""
    point = answer.point
    return (point.time, point.seq, point.id) if point is not None else (datetime.min.replace(tzinfo=UTC), 0, "")
