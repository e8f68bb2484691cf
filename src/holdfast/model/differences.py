"""What differs between two points or moments: the question, and its answer by rows."""

from __future__ import annotations

from enum import Enum

import msgspec

from holdfast.model.jobs import Finding
from holdfast.model.points import Listing, LostListing, Point


class AskDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """From `a` to `b`, each a point (an id or its beginning) or a moment (`DATASET@TIME`); both in repositories of the node that is asked.

    The direct children of the folder `path` (empty = the roots), a folder with differences in it as one row; or with `recursive` every
    difference below, in walk order. `after`: rows up to this path are left out.
    """

    a: str
    b: str
    path: bytes = b""
    recursive: bool = False
    limit: int = 1_000
    after: bytes = b""


class Change(str, Enum):
    """`inside`: of the folder itself nothing changed, but of what is below it. `moved`: it was at another path; it may have changed too.
    `unknown`: of the folder itself nothing changed, and there is too much below it to have been compared."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    INSIDE = "inside"
    UNKNOWN = "unknown"


class Fact(str, Enum):
    """What of a path is another. `content`: the bytes of a file; `target` that of a symbolic link, `device` the number of a device."""

    TYPE = "type"
    CONTENT = "content"
    TARGET = "target"
    DEVICE = "device"
    MODE = "mode"
    OWNER = "owner"
    TIME = "mtime"
    ATTRIBUTES = "xattrs"


class Totals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many entries differ, folders counted, and the bytes of the files among them before and after."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    moved: int = 0
    before_bytes: int = 0
    after_bytes: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path that differs. `path` is that of `b`, of what was removed that of `a` (inside of a folder that moved: where it would be now);
    `path_raw` (base64 in JSON) is set when it does not spell it. `before.path` of what moved is where it was. `inside`, of a folder: what
    differs below it; null = nothing, or not counted."""

    path: str
    change: Change
    path_raw: bytes = b""
    facts: tuple[Fact, ...] = ()
    before: Listing | None = None
    after: Listing | None = None
    inside: Totals | None = None


class Differences(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`a` and `b`: what was compared; go on with their ids. `totals`: of all below the path, not of these rows; null = too many to count:
    then nothing is shown as moved. `lost`: folders whose listing is damaged at one of the two, so that nothing below them was compared.
    `partly`: as of `Listings`, of either."""

    rows: tuple[Difference, ...]
    a: Point
    b: Point
    more: bool = False
    totals: Totals | None = None
    lost: tuple[LostListing, ...] = ()
    partly: tuple[Finding, ...] = ()
