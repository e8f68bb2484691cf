"""A repository as a source: what it sends makes the next repository equal, and sends nothing twice."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.core.ids import NodeId
from holdfast.model.change import Begin, Commit, Cursor, Mark, Payload, Put, Remove
from holdfast.model.entry import Entry
from holdfast.model.points import Point
from holdfast.repository.answers.reading import SEGMENT_BYTES
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from holdfast.testing.tree_source import TreeSource


class Stored:
    """A chunk as it comes from packs: a frame or plain bytes."""

    def __init__(self, payload: Payload) -> None:
        self.id, self.size_bytes = payload.id, payload.size_bytes
        self.frame = payload.data if payload.compressed else None
        self.plain = b"" if payload.compressed else payload.data


def forward(source: Repository, scene: RepositoryScene, target: Repository, point: Point, base: Point | None) -> tuple[int, int]:
    """(changes, chunk bytes) that travelled."""
    action = scene.action(target, sender=NodeId("5" * 32))
    cursor = action.cursor()
    action.begin(
        Begin(
            dataset=DATASET,
            label=point.dataset,
            epoch=point.epoch,
            seq=point.seq,
            base=cursor if base else None,
            roots=tuple(map(os.fsencode, point.paths)),
            hostname="h",
        )
    )
    changes = carried = 0
    for outgoing in source.outgoing(point, base):
        segment = outgoing.segment
        assert set(outgoing.change_runs) <= {point.seq}
        assert len(outgoing.part_runs) == len(segment.parts)
        assert sum(ref.size_bytes for ref in segment.offered) <= SEGMENT_BYTES
        changes += len(segment.changes)
        wanted = action.wanted(segment)
        chunks = {p.id: Stored(p) for p in outgoing.chunks.payloads(list(wanted), "auto") if isinstance(p, Payload)}
        carried += sum(chunk.size_bytes for chunk in chunks.values())
        action.apply(segment, chunks, frozenset())
    mark = Mark(operation=point.operation, kind="backup", point=point.id)
    told = action.commit(Commit(dataset=DATASET, epoch=point.epoch, seq=point.seq, captured_at=point.time, marks=(mark,)))
    assert told.cursor == Cursor(epoch=point.epoch, seq=point.seq)
    action.close()
    return changes, carried


def _entries(repository: Repository, point: Point) -> list[Entry]:
    reader = repository.reader(point)
    try:
        return list(reader.entries())
    finally:
        reader.close()


def test_points_travel_with_their_ids_and_times(scene: RepositoryScene, tree: Path, tmp_path: Path) -> None:
    (tree / "huge").write_bytes(os.urandom(3 << 20) * 4 + os.urandom(9 << 20))
    first = TreeSource(tree, chunk_bytes=1 << 20)
    first_bytes = sum(len(data) for data in first.chunks.values())
    repository = scene.open()
    feeder = scene.feeder(first)
    feeder.part_bytes = 4 << 20
    scene.store(repository, feeder, None, first.all)
    (tree / "one" / "file0").unlink()
    (tree / "two" / "file0").unlink()
    (tree / "two" / "file1").unlink()
    (tree / "two").rmdir()
    (tree / "two").write_bytes(b"a file now")
    (tree / "top").chmod(0o600)
    second = TreeSource(tree, chunk_bytes=1 << 20)
    feeder.chunks.update(second.chunks)
    scene.store(repository, feeder, first.all, second.all)
    far = RepositoryScene(tmp_path / "far")
    far.create()
    target = far.open()
    old, new = repository.points()
    changes, carried = forward(repository, far, target, old, None)
    assert changes == len(first.all)
    assert carried == first_bytes
    changes, carried = forward(repository, far, target, new, old)
    # Gone: file0 and two's files; new: two; changed: top, and the folders above; always: the parents of the root.
    assert carried == len(b"a file now")
    assert changes < 14
    assert [(p.id, p.time, p.seq) for p in target.points()] == [(p.id, p.time, p.seq) for p in (old, new)]
    for mine, theirs in zip((old, new), target.points(), strict=True):
        assert _entries(repository, mine) == _entries(target, theirs)
    kinds = {type(change) for outgoing in repository.outgoing(new, old) for change in outgoing.segment.changes}
    assert kinds == {Put, Remove}
    far_trees = {row["tree"] for row in far.restic.json("snapshots", "--no-lock")}
    assert far_trees == {row["tree"] for row in scene.restic.json("snapshots", "--no-lock")}
    target.close()
    repository.close()
    far.restic.check()


def test_check_finds_what_is_wrong_and_where(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    assert repository.check(read_data=True) == ()
    packs = sorted(scene.place.glob("data/*/*"), key=lambda pack: pack.stat().st_size)
    large = packs[-1]
    whole = large.read_bytes()
    large.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    assert repository.check(read_data=False) == ()
    found = repository.check(read_data=True)
    assert {finding.code for finding in found} == {"pack-damaged", "blob-damaged"}
    assert all(finding.path == f"data/{large.name}" and finding.hint for finding in found)
    large.write_bytes(whole[:-1])
    assert {finding.code for finding in repository.check(read_data=False)} == {"pack-size"}
    large.unlink()
    assert {finding.code for finding in repository.check(read_data=True)} == {"pack-missing"}
    (index,) = scene.place.glob("index/*")
    whole = index.read_bytes()
    index.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    codes = {finding.code for finding in repository.check(read_data=True)}
    assert codes == {"index-damaged", "tree-missing", "pack-unused"}
    repository.close()
    scene.home.joinpath("catalog.db").unlink()
    repository = scene.open()
    assert repository.status().error is not None
    assert repository.status().points == 1
    repository.close()
