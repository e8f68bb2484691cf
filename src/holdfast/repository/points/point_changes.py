"""Changing points that are there. The facts of a point are tags of its snapshot: a change writes the snapshot with the next revision, then
removes the one before. Broken off between the two both are there; of them the higher revision counts, of their locks the later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from holdfast.backend.backend import FileType
from holdfast.core.errors import Refused, StoreError
from holdfast.model.point_changes import (
    ChangedPoint,
    Forget,
    Lock,
    PointChange,
    check_change,
    newest_points,
    plan_change,
    refuse_what_stays,
)
from holdfast.model.points import Point
from holdfast.repository._format.snapshot import Snapshot, decode_snapshot, retag
from holdfast.repository.catalog.commit_table import ListedRow
from holdfast.repository.facts import Facts, facts_of, point_of, strange_tags, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.points.holding import hold_locked
from holdfast.repository.points.point_lookup import choose_point
from holdfast.repository.points.sealing import forget, forget_points, points_of


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Points by the beginnings of their ids; or all of a dataset (label or id), its heads too."""

    points: tuple[str, ...] = ()
    dataset: str = ""


def change_points(interior: Interior, chosen: Chosen, change: PointChange, *, dry_run: bool) -> tuple[ChangedPoint, ...]:
    """What became of each point, or with `dry_run` would become. Raises `UsageError`, `UnknownName`, and `Refused` when a point that was
    named must stay: nothing is changed then. Of a whole dataset those that must stay do."""
    check_change(change)
    if dry_run:
        interior.refresh()
        return _plan(interior, chosen, change)
    with interior.lock.session():
        interior.refresh()
        with _undisturbed(interior, chosen, change), interior.catalog.transaction():
            changes = _plan(interior, chosen, change)
            _refuse_while_time_is_doubted(interior, changes)
            if not chosen.dataset:
                refuse_what_stays(changes)
            done = _carry_out(interior, chosen, changes)
        if isinstance(change, Lock):
            _hold(interior, done)
        return done


def _hold(interior: Interior, done: Sequence[ChangedPoint]) -> None:
    """Where the store can keep files by itself, it keeps what these reach. Raises `StoreError` when it does not: the points are locked
    then, by the owner alone; the same lock again tries again."""
    for finding in hold_locked(interior, [change.point for change in done if change.outcome in ("changed", "unchanged")]):
        raise StoreError(finding.message, hint=f"the points are locked by their owner alone; {finding.hint or 'lock them again'}")


def _plan(interior: Interior, chosen: Chosen, change: PointChange) -> tuple[ChangedPoint, ...]:
    points = points_of(interior.commits.listed(), interior.name)
    return plan_change(_choose(points, chosen), change, interior.time.now(), newest_points(points))


def _refuse_while_time_is_doubted(interior: Interior, changes: Sequence[ChangedPoint]) -> None:
    """A lock that seems to have ended may not have. Raises `Refused`."""
    for changed in changes:
        if changed.outcome == "forgotten" and changed.point.locked_until is not None and (why := interior.time.suspended()):
            raise Refused(
                f"point {changed.point.id[:8]} was locked, and {why}", hint="set the clock, or let the node reach its Master; then again"
            )


def _choose(points: Sequence[Point], chosen: Chosen) -> list[Point]:
    if chosen.dataset:
        found = [point for point in points if chosen.dataset in (point.dataset, point.dataset_id) and not point.foreign]
        return sorted(found, key=lambda point: (point.time, point.seq))
    return list({(p.dataset_id, p.id): p for p in (choose_point(points, prefix) for prefix in chosen.points)}.values())


@contextmanager
def _undisturbed(interior: Interior, chosen: Chosen, change: PointChange) -> Iterator[None]:
    """While points go nobody delivers their datasets: the next run must not build on what is going. Raises `RepositoryLocked`."""
    with ExitStack() as taken:
        if isinstance(change, Forget):
            points = _choose(points_of(interior.commits.listed(), interior.name), chosen)
            numbers = {interior.catalog.number_of("datasets", point.dataset_id) for point in points if not point.foreign}
            numbers |= {row.dataset for row in _heads(interior, chosen.dataset) if row.dataset is not None}
            for number in sorted(numbers):
                interior.take_dataset(number)
                taken.callback(interior.release_dataset, number)
        yield


def _carry_out(interior: Interior, chosen: Chosen, changes: Sequence[ChangedPoint]) -> tuple[ChangedPoint, ...]:
    rows = _rows_by_point(interior)
    done: list[ChangedPoint] = []
    going: list[bytes] = []
    for changed in changes:
        own = rows.get((changed.point.dataset_id, changed.point.id), [])
        if changed.outcome == "forgotten":
            going += [row.id for row in own]
        elif changed.outcome == "changed":
            done.append(replace_point(interior, own, changed))
            continue
        done.append(changed)
    if chosen.dataset:
        forget(interior, [*going, *(row.id for row in _heads(interior, chosen.dataset))])
    else:
        forget_points(interior, going)
    return tuple(done)


def _heads(interior: Interior, dataset: str) -> list[ListedRow]:
    """Of a dataset (label or id), which may have no point at all."""
    heads = [row for row in interior.commits.listed() if row.is_head] if dataset else []
    known = {number: (identity, interior.commits.label(number)) for number, identity in interior.commits.datasets()} if heads else {}
    return [row for row in heads if row.dataset is not None and dataset in known.get(row.dataset, (row.brief.label,))]


def _rows_by_point(interior: Interior) -> dict[tuple[str, str], list[ListedRow]]:
    """The snapshots of each point: one, or two when a change was broken off."""
    return _by_point(interior.commits.listed())


def _by_point(rows: Sequence[ListedRow]) -> dict[tuple[str, str], list[ListedRow]]:
    found: dict[tuple[str, str], list[ListedRow]] = {}
    for row in rows:
        point = row.brief.point
        if point is not None and not point.foreign:
            found.setdefault((point.dataset_id, point.id), []).append(row)
    return found


def replace_point(interior: Interior, rows: Sequence[ListedRow], changed: ChangedPoint) -> ChangedPoint:
    """Write the point with the next revision, then remove what was there of it. Inside a transaction of the catalog."""
    if not rows:
        raise Refused("another program made this snapshot", hint="change it with that one")
    row = max(rows, key=lambda row: row.brief.revision)
    json = interior.storage.load_document(FileType.SNAPSHOT, row.id.hex())
    before = decode_snapshot(json)
    facts = _facts(before)
    point = changed.point
    fresh = replace(
        facts,
        revision=facts.revision + 1,
        locked_until=point.locked_until,
        expires_at=point.expires_at,
        proof=point.proof,
        suspicion=point.suspicion,
    )
    tags = tags_of(fresh, (*strange_tags(before), *point.tags))
    json = retag(json, tags, row.id.hex())
    if facts_of(decode_snapshot(json)) is None:
        # Its lock and its holds would be gone with the facts.
        raise Refused("what was to be recorded of a point makes no sense", hint="the point stays as it was; look at what was asked for")
    new_id = interior.storage.save_document(FileType.SNAPSHOT, json)
    snapshot = decode_snapshot(json)
    interior.commits.add_snapshot(new_id, snapshot, row.dataset, row.commit_no)
    forget(interior, [old.id for old in rows])
    return ChangedPoint(point=point_of(new_id, snapshot, interior.name), outcome=changed.outcome, why=changed.why)


def _facts(snapshot: Snapshot) -> Facts:
    facts = facts_of(snapshot)
    if facts is None:
        raise Refused("another program made this snapshot", hint="change it with that one")
    return facts


def settle_revisions(interior: Interior) -> int:
    """Clean up after changes that were broken off; gives how many points had more than one snapshot. Raises `RepositoryLocked`."""
    if not _doubled(interior):
        return 0
    with interior.lock.session(), interior.catalog.transaction():
        interior.refresh()
        doubled = _doubled(interior)
        for rows in doubled:
            (point,) = points_of(rows, interior.name)
            newest = max(rows, key=lambda row: row.brief.revision)
            if newest.brief.point is not None and newest.brief.point.locked_until == point.locked_until:
                forget(interior, [row.id for row in rows if row.id != newest.id])
            else:
                replace_point(interior, rows, ChangedPoint(point=point, outcome="changed"))
    return len(doubled)


def _doubled(interior: Interior) -> list[list[ListedRow]]:
    return [rows for rows in _by_point(interior.commits.listed_doubled()).values() if len(rows) > 1]
