"""What is answered when owners were asked: what they said, merged, and which repositories gave no answer."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.master.answers.comparing import ComparedBy
from holdfast.master.answers.mirror_states import MirrorRow
from holdfast.model.differences import Difference, Totals
from holdfast.model.explanations import Explanation, MirrorCopy
from holdfast.model.gaps import Gap
from holdfast.model.moments import Moment
from holdfast.model.point_changes import ChangedPoint
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.refusals import Refusal
from holdfast.model.searching import HitPage


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """A repository whose owner gave no answer: what it holds is missing from the result."""

    repository: str
    node: str
    error: ErrorFacts


class FoundPoints(msgspec.Struct, frozen=True, kw_only=True):
    """Newest last. `refusal`, of what was before a deletion: the source is refused, and what it is now is kept by nobody."""

    points: tuple[Point, ...]
    unreachable: tuple[Unreachable, ...] = ()
    refusal: Refusal | None = None


class FoundRows(msgspec.Struct, frozen=True, kw_only=True):
    """`more` = a limit cut the answer. `point`, of a listing: what was listed. `lost`: folders below it whose own listing is damaged.
    `gaps`: of a listing at a time, spans around it in which protection was not what the rules promise."""

    rows: tuple[Listing, ...]
    more: bool = False
    point: Point | None = None
    lost: tuple[LostListing, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()
    gaps: tuple[Gap, ...] = ()


class FoundHits(HitPage, frozen=True, kw_only=True):
    """Of all repositories together; each path once for each repository that has it."""

    unreachable: tuple[Unreachable, ...] = ()


class FoundMoments(msgspec.Struct, frozen=True, kw_only=True):
    """Moments newest first, gaps oldest first. `more` = the limit cut the moments. `oldest_at`: since when every state can be restored but
    for what the gaps hide, whatever span was asked for; null = no moments are kept."""

    moments: tuple[Moment, ...]
    gaps: tuple[Gap, ...] = ()
    more: bool = False
    oldest_at: datetime | None = None
    unreachable: tuple[Unreachable, ...] = ()


class FoundDifferences(msgspec.Struct, frozen=True, kw_only=True):
    """As `Differences`, but for what owners did not answer: of moments they might have newer ones.

    `by`: `trees` by an owner that has both; where two have one each, only listings are compared: `content` by recorded hashes of what is in
    files, `metadata` where not all that were read for these rows have one: those by size and time.
    """

    rows: tuple[Difference, ...]
    a: Point
    b: Point
    more: bool = False
    totals: Totals | None = None
    lost: tuple[LostListing, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()
    by: ComparedBy = "trees"


class ChangedPoints(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each point, or with `dry_run` would become. In repositories that are `unreachable` nothing did."""

    changes: tuple[ChangedPoint, ...]
    unreachable: tuple[Unreachable, ...] = ()
    dry_run: bool = False


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why a version is there, by repository and dataset; `mirrors` have the newest version of the path, or will have it."""

    rows: tuple[Explanation, ...]
    mirrors: tuple[MirrorCopy, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()


class FoundMirrors(msgspec.Struct, frozen=True, kw_only=True):
    """Every mirror of the active flows, by dataset and name."""

    mirrors: tuple[MirrorRow, ...]
