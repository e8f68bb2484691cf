"""When a path was last there: the state of its dataset just before it was deleted, and all that was below it before that began."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.clock import ns_of
from holdfast.core.errors import UnknownName, UsageError
from holdfast.core.units import format_utc
from holdfast.model.entry import display_path
from holdfast.model.refusals import Refusal
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.version_table import folder_key
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior

# A deletion may be seen as several commits: what goes within a minute of each other went in one go.
_ONE_GO_NS = 60 * 1_000_000_000

# Where a version has not ended, in place of the commit that ended it; above all of them.
_NOT_ENDED = 9223372036854775807

# The commits by which something at or below a folder was removed, not replaced, the newest first.
_REMOVALS = """
SELECT DISTINCT v.to_no FROM folders f JOIN paths p ON p.folder = f.no JOIN versions v ON v.path = p.no
 WHERE f.dataset = ?1 AND ((f.key >= ?2 AND f.key < ?3) OR p.no = ?4) AND v.to_no <= ?5
   AND NOT EXISTS (SELECT 1 FROM versions w WHERE w.path = v.path AND w.from_no = v.to_no) ORDER BY v.to_no DESC
"""


def before_deletion(interior: Interior, dataset: str, path: bytes, refusal: Refusal | None = None) -> datetime | None:
    """When the newest state was captured that has the path and nothing below it gone yet; None = that is the newest of all, since its
    source is refused. Raises `UnknownName` where it never was, `UsageError` where it is still there."""
    path = path.rstrip(b"/")
    catalog = interior.catalog
    for number in interior.commits.known_as(dataset):
        found = _path(catalog, number, path)
        if found is None:
            continue
        ended = catalog.row("SELECT max(coalesce(to_no, ?)) FROM versions WHERE path = ?", (_NOT_ENDED, found))
        if ended is None or ended[0] is None:
            continue
        if ended[0] < _NOT_ENDED:
            first = _begin(catalog, number, path, found, (ended[0], _captured(catalog, ended[0])))
        elif refusal is None:
            raise _still_there(catalog, number, path)
        else:
            since_ns = None if refusal.since is None else ns_of(refusal.since)
            first = _begin(catalog, number, path, found, (_NOT_ENDED, since_ns))
        if first == _NOT_ENDED:
            return None
        before = catalog.row(
            "SELECT captured_ns FROM commits WHERE dataset = ? AND no < ? AND sealed = 1 ORDER BY no DESC LIMIT 1", (number, first)
        )
        if before is not None:
            return moment_of(before[0])
    raise UnknownName(f"{display_path(path)} is in no point of {dataset!r}", hint="`holdfast find NAME` shows what is")


def _still_there(catalog: Catalog, dataset: int, path: bytes) -> UsageError:
    """It may be gone from the source all the same, since that was captured last."""
    newest = catalog.row("SELECT max(captured_ns) FROM commits WHERE dataset = ?", (dataset,))
    of = f", of {format_utc(moment_of(newest[0]))}" if newest is not None and newest[0] is not None else ""
    return UsageError(
        f"{display_path(path)} is still there in the newest state kept{of}",
        hint="if it was deleted since, take that state: leave --before-deletion out; what was deleted below it is named by its own path",
    )


def _begin(catalog: Catalog, dataset: int, path: bytes, number: int, end: tuple[int, int | None]) -> int:
    """The first of the commits that removed it and what was below it in one go, the last of which is `end`, of a time."""
    key = folder_key(path)
    first, first_ns = end
    for (removal,) in catalog.rows(_REMOVALS, (dataset, key, key + b"\x01", number, first)):
        captured_ns = _captured(catalog, removal)
        if first_ns is None or captured_ns is None or first_ns - captured_ns > _ONE_GO_NS:
            break
        first, first_ns = removal, captured_ns
    return first


def _captured(catalog: Catalog, commit_no: int) -> int | None:
    row = catalog.row("SELECT captured_ns FROM commits WHERE no = ?", (commit_no,))
    return None if row is None else int(row[0])


def _path(catalog: Catalog, dataset: int, path: bytes) -> int | None:
    parent, _, name = path.rpartition(b"/")
    row = catalog.row(
        "SELECT p.no FROM folders f JOIN paths p ON p.folder = f.no WHERE f.dataset = ? AND f.key = ? AND p.name = ?",
        (dataset, folder_key(parent), name),
    )
    return None if row is None else int(row[0])
