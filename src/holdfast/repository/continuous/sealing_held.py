"""From the journal into the repository: packs, index, then for each dataset its log and its head, then the catalog.

Broken off anywhere the journal still has all of it, and the next time begins anew: what is in packs already is not written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import PointId
from holdfast.model.change import Begin, Commit
from holdfast.model.retention import zone_of
from holdfast.repository._format.snapshot import PROGRAM_VERSION, Snapshot, encode_snapshot
from holdfast.repository._format.text import zoned_time_text
from holdfast.repository.catalog.moment_table import LOGGED
from holdfast.repository.continuous.held import Ahead, Held
from holdfast.repository.continuous.lineage import Replaced, Replacements, grown, keeping_of, newest_of
from holdfast.repository.continuous.storing_ahead import log_of, newest_trees, what_is_ahead
from holdfast.repository.facts import HEAD, LINEAGE, LOG, Facts, moment_of, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.log_files import write_content, write_tree
from holdfast.repository.moment_record import Followed, Record, merge, refs_of
from holdfast.repository.packs.blob_writer import NewBlobs
from holdfast.repository.packs.trees import Trees
from holdfast.repository.points.sealing import Sealing, drop_heads, forget, write_snapshot

LOG_FOLDER, VERSIONS_FOLDER = "/.holdfast/log/", "/.holdfast/versions/"
_DAY_NS = 86_400 * 1_000_000_000
# A log must not be the newest that stock restic finds.
_BEFORE_HEAD_NS = 1_000


class HeldLost(RepositoryDamaged):
    """Something that held commits need is neither in the journal nor in the repository."""


class _Planned(NamedTuple):
    """Of one dataset: the tree of its log, where it has one, and what stands in it; the tree of its lineage, where that is another now."""

    held: Held
    log: bytes | None
    records: tuple[Record, ...]
    lineage: bytes | None
    ahead: Ahead


def seal_held(interior: Interior, some: Sequence[Held]) -> None:
    """Seal all that these hold; the caller has their guards. Raises what the store raises, `HeldLost`, and `RepositoryLocked` when the
    session lock was lost."""
    interior.lock.assert_held()
    writer = NewBlobs(interior.storage, interior.blobs)
    planned = [_plan(interior, held, writer) for held in some]
    writer.flush()
    for plan in planned:
        held = plan.held
        interior.blobs.claim(interior.blobs.trusted(sorted(held.chunks.keys() - plan.ahead.chunks)), held.sender)
    for plan in planned:
        _write_snapshots(interior, plan)


def _plan(interior: Interior, held: Held, writer: NewBlobs) -> _Planned:
    followed = held.followed
    assert followed is not None
    unsealed, ahead = held.unsealed(), what_is_ahead(interior, held)
    if followed.is_logged:
        chunks = dict.fromkeys(chunk for record in unsealed if record.ordinal > ahead.until for chunk in record.chunks)
    else:
        # Nothing between is kept.
        chunks = dict.fromkeys(ref.id for op in merge(unsealed).ops for ref in refs_of(op))
    if held.is_open:
        chunks |= dict.fromkeys(chunk for chunk in held.chunks if chunk not in ahead.chunks)
    _store_chunks(interior, held, list(chunks), writer)
    if unsealed:
        _store_trees(interior, held, unsealed[-1].tree, writer, ahead)
    lineage = _lineage(interior, held, followed, writer)
    records = _for_log(followed, held.records)
    if not records:
        return _Planned(held, None, (), lineage, ahead)
    content = log_of(ahead, followed, records, writer) if followed.is_logged else write_content(followed, records, writer.add_plain)
    return _Planned(held, write_tree(content, records[-1].captured_ns, writer.add_plain), records, lineage, ahead)


def _lineage(interior: Interior, held: Held, followed: Followed, writer: NewBlobs) -> bytes | None:
    """What was replaced joins the older versions. Once a day all of them are looked at, whether they are still kept."""
    now_ns = interior.time.now_ns()
    keeping = keeping_of(followed, now_ns)
    if keeping is None or interior.time.suspended():
        return None
    row = interior.commits.lineage(held.number)
    trees = Trees(interior.storage, interior.blobs, None, held.trees)
    try:
        new = newest_of(_dated(now_ns, Replacements(interior, held.number, trees).of(held.records)), keeping)
        sweep = row is not None and row.time_ns // _DAY_NS != held.records[-1].captured_ns // _DAY_NS
        if not new and not sweep:
            return None
        return grown(trees, row.tree if row is not None else None, new, keeping, writer.add_plain, sweep=sweep)
    except RepositoryDamaged:
        # Of trees that cannot be read no version can be had, either; what is held goes on.
        return None


def _for_log(followed: Followed, records: Sequence[Record]) -> tuple[Record, ...]:
    """Where nothing between points is kept, gaps are all the same."""
    if followed.is_logged:
        return tuple(records)
    return tuple(Record(r.ordinal, r.epoch, r.seq, r.captured_ns, r.before, r.tree, gaps=r.gaps, is_told=False) for r in records if r.gaps)


def _store_chunks(interior: Interior, held: Held, chunks: list[bytes], writer: NewBlobs) -> None:
    for chunk in writer.lacking(chunks):
        stored = held.chunks.get(chunk)
        if stored is None:
            raise HeldLost(f"chunk {chunk.hex()}, which a held commit needs, is not in {interior.name} any more")
        writer.add_lacking(chunk, stored.load(), stored.chunk.size_bytes, is_frame=stored.chunk.is_frame)


def _store_trees(interior: Interior, held: Held, root: bytes, writer: NewBlobs, ahead: Ahead) -> None:
    """All trees of the newest state that no pack has."""
    lacking, passed = newest_trees(held.trees, root, ahead.stored | ahead.passed)
    writer.add_trees(lacking)
    there = interior.blobs.has_trees(passed)
    if lost := next((tree for tree in passed if tree not in there), None):
        raise HeldLost(f"tree {lost.hex()}, which a held commit needs, is not in {interior.name} any more")


def _dated(now_ns: int, replaced: Iterable[Replaced]) -> Iterator[Replaced]:
    """When something was replaced is the source's word; were it believed without end, a source could have its versions let go."""
    for each in replaced:
        is_likely = now_ns - _DAY_NS <= each.to_ns <= now_ns
        yield each if is_likely else each._replace(to_ns=now_ns)


def _write_snapshots(interior: Interior, plan: _Planned) -> None:
    held, followed = plan.held, plan.held.followed
    assert followed is not None
    unsealed = held.unsealed()
    with interior.catalog.transaction():
        if plan.log is not None:
            _write_log(interior, plan, followed, plan.log)
        if unsealed:
            number = interior.commits.number_at(held.number, unsealed[-1].ordinal)
            write_snapshot(interior, _sealing(interior, held, followed, unsealed[-1]), number, None, None)
        if plan.lineage is not None:
            _write_lineage(interior, plan, followed, plan.lineage)
        interior.moments.held_to(held.number, LOGGED if followed.is_logged else 0)
    if unsealed:
        # A head too many does no harm and goes with the next one.
        with suppress(Exception), interior.catalog.transaction():
            drop_heads(interior, held.number, number, marked=False)


def _sealing(interior: Interior, held: Held, followed: Followed, record: Record) -> Sealing:
    rows = interior.commits.listed(held.number)
    states = [row for row in rows if not row.is_log and not row.is_lineage]
    return Sealing(
        begin=Begin(
            dataset=held.dataset,
            label=followed.label,
            epoch=record.epoch,
            seq=record.seq,
            base=None,
            roots=followed.roots,
            hostname=followed.hostname,
        ),
        label=followed.label,
        commit=Commit(
            dataset=held.dataset,
            epoch=record.epoch,
            seq=record.seq,
            captured_at=moment_of(record.captured_ns),
            files=record.files,
            size_bytes=record.size_bytes,
            warnings=record.warnings,
            zone=record.zone,
        ),
        dataset=held.number,
        sender=followed.sender,
        ordinal=record.ordinal,
        tree=record.tree,
        parent=states[-1].id.hex() if states else None,
    )


def _write_log(interior: Interior, plan: _Planned, followed: Followed, tree: bytes) -> None:
    first, last = plan.records[0], plan.records[-1]
    number = plan.held.number
    snapshot = _beside_head(followed, last, tree, LOG, LOG_FOLDER, first.ordinal)
    snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot))
    interior.commits.add_snapshot(snapshot_id, snapshot, number, interior.commits.number_at(number, last.ordinal))


def _write_lineage(interior: Interior, plan: _Planned, followed: Followed, tree: bytes) -> None:
    """The new one is durable before the old one goes."""
    number, last = plan.held.number, plan.held.records[-1]
    old = [row.id for row in interior.commits.lineages(number)]
    snapshot = _beside_head(followed, last, tree, LINEAGE, VERSIONS_FOLDER)
    snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot))
    interior.commits.add_snapshot(snapshot_id, snapshot, number, interior.commits.number_at(number, last.ordinal))
    forget(interior, [each for each in old if each != snapshot_id])


def _beside_head(followed: Followed, last: Record, tree: bytes, kind: str, folder: str, first_ordinal: int = 0) -> Snapshot:
    facts = Facts(
        dataset=followed.dataset,
        label=followed.label,
        operation=HEAD,
        kind=kind,
        point=PointId(""),
        epoch=last.epoch,
        seq=last.seq,
        sender=followed.sender,
        ordinal=last.ordinal,
        first_ordinal=first_ordinal,
        zone=last.zone,
    )
    return Snapshot(
        time=zoned_time_text(last.captured_ns - _BEFORE_HEAD_NS, zone_of(last.zone)),
        tree=tree.hex(),
        paths=(folder + followed.dataset,),
        hostname=followed.hostname,
        username="holdfast",
        tags=tags_of(facts),
        program_version=PROGRAM_VERSION,
    )
