"""From a received commit to restic snapshots: one for each mark, or a head when there is none; then the keep rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.core.clock import ns_of
from holdfast.core.errors import HoldfastError, RepositoryDamaged
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.anomalies import Suspicion, held_until, is_suspect
from holdfast.model.change import Begin, Commit, Mark
from holdfast.model.jobs import Finding, Severity
from holdfast.model.points import Point, paths_of_point
from holdfast.model.retention import kept, zone_of
from holdfast.model.rules import StoredOperation
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.snapshot import PROGRAM_VERSION, Snapshot, Summary, decode_snapshot, encode_snapshot, retag
from holdfast.repository._format.text import time_text, zoned_time_text
from holdfast.repository.catalog.commit_table import ListedRow
from holdfast.repository.facts import HEAD, Facts, facts_of, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.packer import Packer
from holdfast.repository.points.bases import bases_of, stays_as_head


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """All that the snapshots of one commit have in common. `label` is the grant's: the sender's word would let it pass for others;
    so are the tags that points inherit."""

    begin: Begin
    label: str
    commit: Commit
    dataset: int
    sender: str
    ordinal: int
    tree: bytes
    parent: str | None
    added_bytes: int = 0
    summary: Summary | None = None
    inherited: tuple[str, ...] = ()


def summary_of(commit: Commit, packer: Packer, changed: int, ended_ns: int) -> Summary:
    return Summary(
        backup_start=time_text(ns_of(commit.captured_at)),
        backup_end=time_text(ended_ns),
        files_changed=changed,
        files_unmodified=max(commit.files - changed, 0),
        data_blobs=packer.blob_counts[BlobType.DATA],
        tree_blobs=packer.blob_counts[BlobType.TREE],
        data_added=packer.raw_bytes,
        data_added_packed=packer.stored_bytes,
        total_files_processed=commit.files,
        total_bytes_processed=commit.size_bytes,
    )


def write_snapshot(interior: Interior, sealing: Sealing, commit_no: int, mark: Mark | None, operation: StoredOperation | None) -> None:
    """One snapshot, durable and in the catalog. To be called inside a transaction of the catalog."""
    commit = sealing.commit
    locked = operation is not None and operation.lock_s
    facts = Facts(
        dataset=commit.dataset,
        label=sealing.label,
        operation=mark.operation if mark else HEAD,
        kind=mark.kind if mark else "head",
        point=mark.point if mark else PointId(""),
        epoch=commit.epoch,
        seq=commit.seq,
        sender=sealing.sender,
        ordinal=sealing.ordinal,
        zone=commit.zone,
        files=commit.files,
        size_bytes=commit.size_bytes,
        warnings=commit.warnings,
        added_bytes=sealing.added_bytes,
        locked_until=interior.time.now() + timedelta(seconds=operation.lock_s or 0) if locked and operation else None,
        inherited=sealing.inherited if mark else (),
    )
    snapshot = Snapshot(
        time=zoned_time_text(ns_of(commit.captured_at), zone_of(commit.zone)),
        parent=sealing.parent,
        tree=sealing.tree.hex(),
        paths=paths_of_point(sealing.begin.roots),
        hostname=sealing.begin.hostname,
        username="holdfast",
        tags=tags_of(facts),
        program_version=PROGRAM_VERSION,
        summary=sealing.summary,
    )
    snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot))
    interior.commits.add_snapshot(snapshot_id, snapshot, sealing.dataset, commit_no)


def points_of(rows: Sequence[ListedRow], repository: str) -> list[Point]:
    """The points among these snapshots, heads left out; of two snapshots of one point the higher revision counts, of locks the later.

    Raises `RepositoryDamaged` on a snapshot with an impossible time.
    """
    best: dict[tuple[DatasetId, PointId], tuple[int, Point]] = {}
    for row in rows:
        if row.is_head:
            continue
        revision, point = row.brief.revision, row.brief.point
        if point is None:
            raise RepositoryDamaged(f"snapshot {row.id.hex()} has an impossible time")
        key = (point.dataset_id, point.id)
        other = best.get(key)
        if other is not None:
            locks = [lock for lock in (other[1].locked_until, point.locked_until) if lock is not None]
            if other[0] > revision:
                revision, point = other
            point = replace(point, locked_until=max(locks) if locks else None)
        best[key] = (revision, point)
    return _with_anomalies([replace(point, repository=repository) for _, point in best.values()])


def _with_anomalies(points: list[Point]) -> list[Point]:
    """What the facts of last clean points say of the others of their datasets."""
    told: dict[DatasetId, list[Suspicion]] = {}
    for point in points:
        if point.suspicion is not None:
            told.setdefault(point.dataset_id, []).append(point.suspicion)
    if not told:
        return points
    return [
        replace(point, suspect=is_suspect(suspicions, point.time), held_until=held_until(suspicions, point.time))
        if (suspicions := told.get(point.dataset_id))
        else point
        for point in points
    ]


def drop_heads(interior: Interior, dataset: int, newest_commit: int, *, marked: bool) -> None:
    """Remove heads that a newer commit, or a point of the same one, has made needless, and that no moment is made from."""
    needless = interior.commits.needless_heads(dataset, newest_commit, marked=marked)
    bases = bases_of(interior, dataset).keep if needless else frozenset()
    forget(interior, [snapshot_id for snapshot_id in needless if snapshot_id not in bases])


def forget(interior: Interior, snapshot_ids: Sequence[bytes]) -> None:
    """Delete snapshots, then what the catalog knew through them alone. To be called inside a transaction of the catalog."""
    if not snapshot_ids:
        return
    interior.refresher.ours.update(snapshot_ids)
    for snapshot_id in snapshot_ids:
        interior.storage.backend.remove(FileType.SNAPSHOT, snapshot_id.hex())
    spans = interior.moments.spans_of(snapshot_ids)
    interior.commits.remove_snapshots(snapshot_ids)
    for span in spans:
        interior.moments.uncover(*span)
    interior.refresher.drop_unreached()


def forget_points(interior: Interior, snapshot_ids: Sequence[bytes]) -> None:
    """`forget`, but the trees that moments are made from stay, as heads. To be called inside a transaction of the catalog."""
    going = frozenset(snapshot_ids)
    for row in interior.commits.listed_among(list(going)):
        commit = interior.commits.numbered(row.commit_no) if row.commit_no else None
        if commit is None or row.is_head or not stays_as_head(interior, commit):
            continue
        if any(other.id not in going for other in interior.commits.listed_of_commit(commit)):
            continue
        _keep_as_head(interior, row)
    forget(interior, snapshot_ids)


def _keep_as_head(interior: Interior, row: ListedRow) -> None:
    json = interior.storage.load_document(FileType.SNAPSHOT, row.id.hex())
    facts = facts_of(decode_snapshot(json))
    if facts is None:
        return
    fresh = dataclasses.replace(
        facts, operation=HEAD, kind="head", point=PointId(""), revision=1, locked_until=None, expires_at=None, proof=None, suspicion=None
    )
    json = retag(json, tags_of(fresh), row.id.hex())
    snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, json)
    interior.commits.add_snapshot(snapshot_id, decode_snapshot(json), row.dataset, row.commit_no)


def apply_keep_rules(interior: Interior, dataset: int, operations: Sequence[StoredOperation]) -> tuple[Finding, ...]:
    """Forget the points that no rule keeps; the newest point of an operation always stays, and so does the commit just acknowledged, which
    need not be the newest by a source's clock that went back. A failure is a finding: the points are safe.
    """
    if operations and (why := interior.time.suspended()):
        hint = "set the clock, or let the node reach its Master"
        return (Finding(code="expiry-suspended", severity=Severity.WARNING, message=f"keep rules were not applied: {why}", hint=hint),)
    if not operations:
        return ()
    try:
        with interior.catalog.transaction():
            rows = interior.commits.listed(dataset)
            points = points_of(rows, interior.name)
            newest = interior.commits.newest(dataset)
            spared = {_point_id(row) for row in rows if newest is not None and row.commit_no == newest.no}
            going: set[PointId] = set()
            for operation in operations:
                own = sorted((p for p in points if p.operation == operation.name), key=lambda p: (p.time, p.seq))
                removed = kept(own, operation.keep, interior.time.now()).remove
                going |= {point.id for point in removed if point.id != own[-1].id and point.id not in spared}
            forget_points(interior, [row.id for row in rows if _point_id(row) in going])
    except HoldfastError as error:
        return (
            Finding(
                code="keep-failed", severity=Severity.WARNING, message=f"keep rules were not applied: {error.message}", hint=error.hint
            ),
        )
    return ()


def _point_id(row: ListedRow) -> PointId:
    return row.brief.point.id if row.brief.point is not None else PointId("")
