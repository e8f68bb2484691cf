"""A dataset that is followed, edited as a dictionary: what every test of continuous protection begins with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.clock import now
from holdfast.core.ids import DatasetId
from holdfast.delivery.ports import Action
from holdfast.model import rules
from holdfast.model.change import Acknowledgement, Cursor
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.gaps import Gap
from holdfast.model.reading import PointReader
from holdfast.repository.repository import Repository
from holdfast.testing.feeding import chunk_id
from holdfast.testing.repository_scene import DATASET, FollowingFeeder, RepositoryScene

CDP = rules.StoredOperation(name="cdp", kind="cdp", within_s=86_400.0)
ROOT = b"/data"


@dataclass
class FollowedSource:
    """`tree` is what the source has now. `session` stays open between commits, as that of a followed dataset does."""

    scene: RepositoryScene
    following: tuple[rules.StoredOperation, ...] = (CDP,)
    dataset: DatasetId = DATASET
    tree: dict[bytes, Entry] = field(default_factory=dict)
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    sent: dict[bytes, Entry] | None = None
    session: Action | None = None

    def __post_init__(self) -> None:
        self.feeder = FollowingFeeder(dataset=self.dataset, roots=(ROOT,), chunks=self.chunks, clock=self.scene.clock)
        self.folder(ROOT)

    def folder(self, path: bytes) -> None:
        self.tree[path] = Entry(path=path, kind=Kind.DIRECTORY, mode=0o755, mtime_ns=self.scene.clock.now_ns())

    def write(self, path: bytes, *parts: bytes) -> None:
        """Each part is a chunk."""
        refs = []
        for part in parts:
            self.chunks[chunk_id(part)] = part
            refs.append(ChunkRef(chunk_id(part), len(part)))
        size = sum(len(part) for part in parts)
        self.tree[path] = Entry(
            path=path, kind=Kind.FILE, mode=0o644, size_bytes=size, mtime_ns=self.scene.clock.now_ns(), chunks=tuple(refs)
        )

    def remove(self, path: bytes) -> None:
        for each in [each for each in self.tree if each == path or each.startswith(path + b"/")]:
            del self.tree[each]

    def send(
        self, repository: Repository, *marks: str, full: bool = False, continuous: bool = True, gaps: tuple[Gap, ...] = ()
    ) -> Acknowledgement:
        if self.session is None:
            self.scene.following = self.following
            self.session = self.scene.action(repository, dataset=self.dataset)
            self.session.cursor()
        self.feeder.marks, self.feeder.gaps, self.feeder.is_continuous = marks, gaps, continuous
        told = self.feeder.send(self.session, None if full or self.sent is None else self.sent, self.tree)
        self.sent = dict(self.tree)
        return told

    def leave(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    @property
    def cursor(self) -> Cursor:
        return Cursor(epoch=self.feeder.epoch, seq=self.feeder.seq)


def read_all(reader: PointReader) -> dict[bytes, Entry]:
    """The whole state, every chunk of it read and held against its id."""
    try:
        entries = {entry.path: entry for entry in reader.entries()}
        wanted = sorted({ref.id for entry in entries.values() for ref in entry.chunks})
        for payload in reader.payloads(wanted):
            assert payload.compressed or chunk_id(payload.data) == payload.id
        listed = {entry.path: entry for some in reader.listing() for entry in some.entries}
        assert listed == entries
        return entries
    finally:
        reader.close()


def some_states(source: FollowedSource, repository: Repository, count: int) -> dict[datetime, dict[bytes, Entry]]:
    """So many commits, a second apart; what the source had after each."""
    states = {}
    for number in range(count):
        source.scene.clock.advance(1)
        source.write(b"/data/one", b"state %d of %d" % (number, source.feeder.seq))
        source.write(b"/data/new%d" % number, b"new %d" % source.feeder.seq)
        source.send(repository)
        states[now(source.scene.clock)] = dict(source.tree)
    return states


def assert_all_is_sent_again(scene: RepositoryScene, repository: Repository, source: FollowedSource) -> None:
    """The source is asked for everything, and what was lost is there again. Closes the repository."""
    session = scene.action(repository)
    assert session.cursor() is None
    session.close()
    source.session = None
    scene.clock.advance(1)
    source.send(repository, full=True)
    assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
    source.leave()
    repository.close()
    scene.restic.check()
