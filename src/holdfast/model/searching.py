"""A search put to the owners of repositories, their answers, and how these become pages of one list.

The order is that of names, as bytes; of paths with one name, that in which their repository first saw them. A page ends anywhere, and the
next goes on behind it: `Place` says where, for each repository by itself, so that pages stay in step while versions come and go.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts, UsageError
from holdfast.model.points import Listing
from holdfast.model.search import Search
from holdfast.model.sight import Within

MOST_ROWS = 10_000
_LONGEST_CURSOR = 100_000


class Place(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Everything up to this name and, of the paths that have it, up to this number has been seen."""

    name: bytes
    path: int


FIRST = Place(b"", 0)
"""Before everything."""


class Hit(Listing, frozen=True, kw_only=True, omit_defaults=True):
    """A path that fits: its newest version that does. `versions`: how many the path has in all. `exists`: it is in the newest state of its
    dataset; `seen_at`: when the newest state that has it was captured."""

    versions: int = 0
    exists: bool = False
    seen_at: datetime | None = None


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """A hit, and where it stands in its repository's order."""

    place: Place
    hit: Hit


class AskSearch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Paths that ever had a version that fits, in each repository here (or one, by name or id), of one dataset (label or id) or all.

    `places`: behind which place to begin, by the repository's id; null = it has nothing more. An owner answers within about `within_s`,
    with what it has found by then. `within`: only of these, null = of all.
    """

    search: Search
    dataset: str = ""
    repository: str = ""
    limit: int = 100
    within_s: float = 2.0
    places: dict[str, Place | None] = {}
    within: Within | None = None


class FoundIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one repository (its id and name) has. `seen`: how far it has looked, null = there is nothing more. `error`: why it cannot be
    searched."""

    id: str
    repository: str
    hits: tuple[Placed, ...] = ()
    seen: Place | None = None
    error: ErrorFacts | None = None


class FoundHere(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """What each repository of a node has."""

    parts: tuple[FoundIn, ...]


class HitPage(msgspec.Struct, frozen=True, kw_only=True):
    """`cursor`: ask again with it for what follows; empty = that is all. There may be more behind a page without hits, where owners did
    not get to the end in time."""

    hits: tuple[Hit, ...]
    cursor: str = ""


def page_of(parts: Sequence[FoundIn], before: Mapping[str, Place | None], limit: int) -> HitPage:
    """The next page: the first `limit` hits of all that are sure to come next. `before`: the places that were asked from.

    A repository with an error keeps its place, so that it is asked again.
    """
    sound = [part for part in parts if part.error is None]
    # Behind what somebody has not looked at yet nothing is sure.
    frontier = min((part.seen for part in sound if part.seen is not None), default=None)
    found = [(placed.place, part.repository, placed.hit) for part in sound for placed in part.hits]
    found.sort(key=lambda each: each[:2])
    page = [each for each in found if frontier is None or each[0] <= frontier][:limit]
    places = dict(before)
    for part in sound:
        shown = [place for place, repository, _ in page if repository == part.repository]
        places[part.id] = _place_behind(part, shown, before.get(part.id))
    for part in parts:
        if part.error is not None:
            places.setdefault(part.id, FIRST)
    is_all = all(places[part.id] is None for part in sound)
    return HitPage(hits=tuple(hit for _, _, hit in page), cursor="" if is_all else encode_cursor(places))


def _place_behind(part: FoundIn, shown: Sequence[Place], before: Place | None) -> Place | None:
    """How far of this repository everything is on the page or before it."""
    if len(shown) == len(part.hits):
        return part.seen
    return shown[-1] if shown else before or FIRST


def encode_cursor(places: Mapping[str, Place | None]) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(dict(sorted(places.items())))).decode().rstrip("=")


def decode_cursor(cursor: str) -> dict[str, Place | None]:
    """Raises `UsageError`. Empty = from the beginning."""
    if not cursor:
        return {}
    try:
        if len(cursor) > _LONGEST_CURSOR or not cursor.isascii():
            raise ValueError("too long")
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(packed, type=dict[str, Place | None])
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise UsageError(
            "the cursor is not one that a search gave", hint="use the cursor of the page before as it is", place="cursor"
        ) from error
