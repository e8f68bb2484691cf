"""Storing keeps the contract of an action, and what is stored is read as any point is: the shared suites."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.delivery.ports import Action
from holdfast.delivery.verify import verify_payload
from holdfast.model.entry import Entry, Kind
from holdfast.model.reading import PointReader
from holdfast.repository.repository import Repository
from holdfast.testing.action_suite import ROOT, ActionSuite, Held
from holdfast.testing.reader_suite import ReaderSuite
from holdfast.testing.repository_scene import DATASET, MarkingFeeder, RepositoryScene


class StoreBench:
    def __init__(self, place: Path) -> None:
        self._scene = RepositoryScene(place)
        self._scene.create()
        self._repository: Repository | None = None

    def open(self) -> Action:
        if self._repository is not None:
            self._repository.close()
        self._repository = self._scene.open()
        return self._scene.action(self._repository)

    def held(self) -> Held | None:
        assert self._repository is not None
        newest = self._repository.newest(DATASET)
        if newest is None:
            return None
        _, reader = newest
        try:
            entries = [entry for entry in reader.entries() if entry.path.startswith(ROOT)]
            ids = [ref.id for entry in entries for ref in entry.chunks]
            chunks = {payload.id: verify_payload(payload).plain for payload in reader.payloads(ids)}
        finally:
            reader.close()
        return {e.path: b"".join(chunks[ref.id] for ref in e.chunks) if e.kind is Kind.FILE else None for e in entries}


class TestStore(ActionSuite):
    def make_bench(self, place: Path) -> StoreBench:
        return StoreBench(place)


class StoredReaderBench:
    """A point of a repository on this machine."""

    def __init__(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> None:
        self._scene = RepositoryScene(place)
        self._scene.create()
        self._repository = self._scene.open()
        action = self._scene.action(self._repository)
        action.cursor()
        MarkingFeeder(dataset=DATASET, roots=(ROOT,), chunks=dict(chunks)).send(action, None, entries)
        action.close()

    def reader(self) -> PointReader:
        return self._repository.reader(self._repository.points()[-1])

    def lose(self, chunk: bytes) -> None:
        """All content with it: packs are small files here."""
        for pack in (self._scene.place / "data").rglob("*"):
            if pack.is_file():
                pack.unlink()


class TestStoredPoint(ReaderSuite):
    def make_bench(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> StoredReaderBench:
        return StoredReaderBench(place, entries, chunks)
