"""Where the store itself can refuse to delete files, it is asked to keep all that locked points reach, for as long as they are locked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from holdfast.backend.backend import FileType
from holdfast.backend.object_lock import FileName, ObjectLock
from holdfast.core.errors import HoldfastError
from holdfast.model.jobs import Finding, Severity
from holdfast.model.points import Point
from holdfast.repository.interior import Interior
from holdfast.repository.packs.reachable import Reachable
from holdfast.repository.points.sealing import points_of

_BATCH = 10_000


def hold_locked(interior: Interior, points: Iterable[Point] | None = None) -> tuple[Finding, ...]:
    """Extend the retention of every pack, index and snapshot that these points (None = all) reach, of the config and of the keys. Under the
    session lock. A failure is a finding: the points are locked all the same, by the owner alone."""
    backend = interior.storage.backend
    try:
        if not isinstance(backend, ObjectLock) or not backend.locks_files():
            return ()
        now = interior.time.now()
        chosen = points_of(interior.commits.listed(), interior.name) if points is None else points
        locked = [(point.locked_until, point) for point in chosen if point.locked_until is not None and point.locked_until > now]
        if locked:
            _hold(interior, backend, sorted(locked, key=lambda pair: pair[0], reverse=True))
    except HoldfastError as error:
        message = f"the store does not hold all that locked points reach: {error.message}"
        return (Finding(code="lock-not-held", severity=Severity.WARNING, message=message, hint=error.hint),)
    return ()


def _hold(interior: Interior, store: ObjectLock, locked: list[tuple[datetime, Point]]) -> None:
    """Those that are locked longest first: what they have in common with others is then held long enough for all."""
    trees = {row.id.hex(): row.tree for row in interior.commits.listed()}
    names = interior.blobs.packs()
    indexes = interior.blobs.indexes()
    keys = [(FileType.KEY, name) for name in interior.storage.backend.names(FileType.KEY)]
    store.extend_retention([(FileType.CONFIG, ""), *keys], locked[0][0])
    reachable = Reachable(interior.catalog.path, lambda _trees: None, notes="held.db")
    held: set[int] = set()
    try:
        for until, group in groupby(locked, key=lambda pair: pair[0]):
            points = [point for _, point in group]
            packs = _packs(interior, reachable, [trees[point.snapshot] for point in points]) - held
            held |= packs
            files: list[FileName] = [(FileType.SNAPSHOT, point.snapshot) for point in points]
            files += [(FileType.DATA, names[pack].hex()) for pack in sorted(packs)]
            files += [(FileType.INDEX, index_id.hex()) for index_id, named in indexes if named & packs]
            store.extend_retention(files, until)
    finally:
        reachable.close()


def _packs(interior: Interior, reachable: Reachable, roots: list[bytes]) -> set[int]:
    found: set[int] = set()
    for ids in _batches(reachable.walk(roots, interior.trees)):
        found.update(pack for _, pack in interior.blobs.packs_with(ids))
    return found


def _batches(ids: Iterable[bytes]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    for id_ in ids:
        batch.append(id_)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
