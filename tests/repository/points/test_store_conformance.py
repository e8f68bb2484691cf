"""Storing keeps the contract of an action, and what is stored is read as any point is: the shared suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from holdfast.delivery.ports import Action
from holdfast.delivery.verify import verify_payload
from holdfast.model.entry import Entry, Kind
from holdfast.model.reading import PointReader
from holdfast.repository.repository import Repository
from holdfast.testing.action_suite import ROOT, ActionSuite, Held
from holdfast.testing.reader_suite import CHUNKS, STATE, ReaderSuite
from holdfast.testing.repository_scene import DATASET, MarkingFeeder, RepositoryScene


class StoreBench:
    def __init__(self, place: Path) -> None:
        self.scene = RepositoryScene(place)
        self.scene.create()
        self._repository: Repository | None = None

    def open(self) -> Action:
        if self._repository is not None:
            self._repository.close()
        self._repository = self.scene.open()
        return self.scene.action(self._repository)

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
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[StoreBench]:
        bench = StoreBench(tmp_path)
        yield bench
        bench.scene.end()


class StoredReaderBench:
    """A point of a repository on this machine."""

    def __init__(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> None:
        self.scene = RepositoryScene(place)
        self.scene.create()
        self._repository = self.scene.open()
        action = self.scene.action(self._repository)
        action.cursor()
        MarkingFeeder(dataset=DATASET, roots=(ROOT,), chunks=dict(chunks)).send(action, None, entries)
        action.close()

    def reader(self) -> PointReader:
        return self._repository.reader(self._repository.points()[-1])

    def lose(self, chunk: bytes) -> None:
        """All content with it: packs are small files here."""
        for pack in (self.scene.place / "data").rglob("*"):
            if pack.is_file():
                pack.unlink()


class TestStoredPoint(ReaderSuite):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[StoredReaderBench]:
        bench = StoredReaderBench(tmp_path, STATE, CHUNKS)
        yield bench
        bench.scene.end()
