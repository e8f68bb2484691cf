"""Logs of many minutes become one of an hour, those of hours one of a day; what is older than the rules say goes, and gaps with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from holdfast.backend.backend import FileType
from holdfast.repository._format.snapshot import Snapshot, decode_snapshot, encode_snapshot
from holdfast.repository.catalog.moment_table import LogRow
from holdfast.repository.facts import facts_of, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.log_files import LogReader, joined, write_tree
from holdfast.repository.packs.blob_writer import NewBlobs
from holdfast.repository.points.bases import bases_of, followed_of, kept_s
from holdfast.repository.points.sealing import forget

_HOUR_NS = 3_600 * 1_000_000_000
_DAY_NS = 24 * _HOUR_NS
# Whole days are joined only where many of them are kept: a day that is joined goes as one.
_DAYS_JOINED_S = 3 * 86_400.0
_LAST_ORDINAL = (1 << 63) - 1


class LogPlan(NamedTuple):
    """`going`: nothing in them is needed. `joined`: logs that become one, by rising ordinals."""

    going: tuple[LogRow, ...]
    joined: tuple[tuple[LogRow, ...], ...]


def plan_logs(logs: Sequence[LogRow], first_ordinal: int, window_s: float, now_ns: int) -> LogPlan:
    """`logs` by rising ordinals. Commits up to `first_ordinal` are needed in none."""
    going = tuple(log for log in logs if log.last <= first_ordinal)
    staying = [log for log in logs if log.last > first_ordinal]
    groups: list[tuple[LogRow, ...]] = []
    day_ns = _DAY_NS if window_s >= _DAYS_JOINED_S else 0

    def span_of(log: LogRow) -> tuple[int, int]:
        if day_ns and log.time_ns // day_ns < now_ns // day_ns:
            return day_ns, log.time_ns // day_ns
        return _HOUR_NS, log.time_ns // _HOUR_NS

    for (length, number), found in groupby(staying, key=span_of):
        some = tuple(found)
        if len(some) > 1 and number < now_ns // length:
            groups.append(some)
    return LogPlan(going, tuple(groups))


def keep_logs(interior: Interior, dataset: int) -> None:
    """Carry out what is due for one dataset. Under the session lock; raises what the store raises, and nothing is lost then."""
    followed = followed_of(interior, dataset)
    if followed is None:
        return
    logs = interior.moments.logs(dataset)
    now_ns = interior.time.now_ns()
    if followed.is_logged:
        first_ordinal = bases_of(interior, dataset).first_ordinal
        plan = plan_logs(logs, first_ordinal, kept_s(interior, dataset, followed), now_ns)
    else:
        first_ordinal = 0
        plan = plan_logs(logs, _first_with_gaps(interior, dataset), _DAYS_JOINED_S, now_ns)
    if plan.joined:
        with interior.blobs.in_use.writing():
            _join(interior, dataset, plan.joined)
    with interior.catalog.transaction():
        if first_ordinal:
            interior.moments.release(dataset, first_ordinal)
            interior.refresher.drop_unreached()
        forget(interior, [log.id for log in plan.going])


def _first_with_gaps(interior: Interior, dataset: int) -> int:
    """Where logs have gaps alone they are of use as long as something is there from before a gap had an end: so none up to the oldest
    commit. What could not be read may be older."""
    if interior.refresher.problems:
        return 0
    oldest = interior.commits.oldest(dataset)
    return _LAST_ORDINAL if oldest is None else oldest.ordinal


def _join(interior: Interior, dataset: int, groups: Sequence[Sequence[LogRow]]) -> None:
    reader, writer = LogReader(interior.storage, interior.blobs), NewBlobs(interior.storage, interior.blobs)
    trees = [write_tree(joined(reader.content(log.tree) for log in group), group[-1].time_ns, writer.add_plain) for group in groups]
    writer.flush()
    with interior.catalog.transaction():
        for group, tree in zip(groups, trees, strict=True):
            json = interior.storage.load_document(FileType.SNAPSHOT, group[-1].id.hex())
            snapshot = _with_first(decode_snapshot(json), group[0].first, tree)
            snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot))
            number = interior.commits.number_at(dataset, group[-1].last)
            interior.commits.add_snapshot(snapshot_id, snapshot, dataset, number)
        forget(interior, [log.id for group in groups for log in group])


def _with_first(snapshot: Snapshot, first_ordinal: int, tree: bytes) -> Snapshot:
    """The last log of a group, but of all of them."""
    facts = facts_of(snapshot)
    assert facts is not None
    return Snapshot(
        time=snapshot.time,
        tree=tree.hex(),
        paths=snapshot.paths,
        hostname=snapshot.hostname,
        username=snapshot.username,
        tags=tags_of(replace(facts, first_ordinal=first_ordinal)),
        program_version=snapshot.program_version,
    )
