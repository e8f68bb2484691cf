"""When a path was last there: the state of its dataset just before it was deleted, and all that was below it before that began."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.errors import UnknownName, UsageError
from holdfast.model.entry import display_path
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.version_table import folder_key
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior

# A deletion may be seen as several commits: what goes within a minute of each other went in one go.
_ONE_GO_NS = 60 * 1_000_000_000

# The commits by which something at or below a folder was removed, not replaced, the newest first.
_REMOVALS = """
SELECT DISTINCT v.to_no FROM folders f JOIN paths p ON p.folder = f.no JOIN versions v ON v.path = p.no
 WHERE f.dataset = ?1 AND ((f.key >= ?2 AND f.key < ?3) OR p.no = ?4) AND v.to_no <= ?5
   AND NOT EXISTS (SELECT 1 FROM versions w WHERE w.path = v.path AND w.from_no = v.to_no) ORDER BY v.to_no DESC
"""


def before_deletion(interior: Interior, dataset: str, path: bytes) -> datetime:
    """When the newest state was captured that has the path and nothing below it gone yet. Raises `UnknownName` where it never was,
    `UsageError` where it is still there."""
    path = path.rstrip(b"/")
    catalog = interior.catalog
    for number in interior.commits.known_as(dataset):
        found = _path(catalog, number, path)
        if found is None:
            continue
        ended = catalog.row("SELECT max(coalesce(to_no, 9223372036854775807)) FROM versions WHERE path = ?", (found,))
        if ended is None or ended[0] is None:
            continue
        if ended[0] == 9223372036854775807:
            raise UsageError(f"{display_path(path)} is still there", hint="take any point; --before-deletion is for what is gone")
        before = catalog.row(
            "SELECT captured_ns FROM commits WHERE dataset = ? AND no < ? AND sealed = 1 ORDER BY no DESC LIMIT 1",
            (number, _begin(catalog, number, path, found, ended[0])),
        )
        if before is not None:
            return moment_of(before[0])
    raise UnknownName(f"{display_path(path)} is in no point of {dataset!r}", hint="`holdfast find NAME` shows what is")


def _begin(catalog: Catalog, dataset: int, path: bytes, number: int, ended: int) -> int:
    """The first of the commits that removed it and what was below it in one go."""
    key = folder_key(path)
    first, first_ns = ended, _captured(catalog, ended)
    for (removal,) in catalog.rows(_REMOVALS, (dataset, key, key + b"\x01", number, ended)):
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
