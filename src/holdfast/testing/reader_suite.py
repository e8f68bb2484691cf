"""What every `model.reading.PointReader` must do. Inherit in a test file and give `make_bench`: pytest then runs all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from holdfast.core.errors import RepositoryDamaged, UnknownName
from holdfast.delivery.verify import verify_payload
from holdfast.model.entry import Entry, Kind, parent_of, walk_key
from holdfast.model.reading import PointReader
from holdfast.testing.action_suite import CHUNKS, ONE, ROOT, THREE, TWO, tree
from holdfast.testing.feeding import chunk_id

STATE = tree(
    **{
        "a": None,
        "a__b": ONE,
        "a__c": (ONE, TWO),
        "a-b": TWO,
        "a__d": None,
        "a__d__e": THREE,
        "z": (TWO, ONE, TWO),
        "empty": (),
        "no": None,
    }
)


class ReaderBench(Protocol):
    def reader(self) -> PointReader: ...

    def lose(self, chunk: bytes) -> None:
        """From now on its content cannot be had."""
        ...


class ReaderSuite:
    """Mandatory conformance tests; `place` is an empty folder of this test. The state may have folders above `/data`."""

    def make_bench(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> ReaderBench:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path) -> ReaderBench:
        return self.make_bench(tmp_path, STATE, CHUNKS)

    @pytest.fixture
    def reader(self, bench: ReaderBench) -> Iterator[PointReader]:
        reader = bench.reader()
        yield reader
        reader.close()

    def test_all_entries_come_in_walk_order(self, reader: PointReader) -> None:
        found = [entry for entry in reader.entries() if entry.path.startswith(ROOT)]
        assert [(e.path, e.kind, e.chunks) for e in found] == [(e.path, e.kind, e.chunks) for e in in_order(STATE)]

    @pytest.mark.parametrize(
        "paths", [(b"/data/a",), (b"/data/z", b"/data/a/d"), (b"/data/a/b",), (b"/data/a", b"/data/a/c"), (b"/data/no",)]
    )
    def test_named_paths_come_with_what_is_below(self, reader: PointReader, paths: tuple[bytes, ...]) -> None:
        wanted = [e.path for e in in_order(STATE) if any(e.path == p or e.path.startswith(p + b"/") for p in paths)]
        assert [entry.path for entry in reader.entries(paths)] == wanted

    @pytest.mark.parametrize("path", [b"/data/x", b"/data/a/b/c", b"/elsewhere", b"/data/a-", b"/data/empty/below"])
    def test_a_path_that_is_not_there_is_said(self, reader: PointReader, path: bytes) -> None:
        with pytest.raises(UnknownName):
            list(reader.entries((path,)))

    @pytest.mark.parametrize("folder", [b"/data", b"/data/a", b"/data/a/d", b"/data/no"])
    def test_a_folder_gives_what_is_directly_in_it(self, reader: PointReader, folder: bytes) -> None:
        for _ in range(2):
            assert [(e.path, e.chunks) for e in reader.children((folder,))] == [
                (e.path, e.chunks) for e in in_order(STATE) if parent_of(e.path) == folder and e.path != folder
            ]

    def test_folders_come_in_the_order_in_which_they_are_asked_for(self, reader: PointReader) -> None:
        assert [entry.path for entry in reader.children((b"/data/a/d", b"/data/no", b"/"))] == [b"/data/a/d/e", b"/data"]

    def test_the_root_of_all_is_a_folder_too(self, reader: PointReader) -> None:
        assert [entry.path for entry in reader.children((b"/",))] == [b"/data"]

    def test_a_file_is_its_own_only_child(self, reader: PointReader) -> None:
        assert [entry.path for entry in reader.children((b"/data/a/b",))] == [b"/data/a/b"]

    @pytest.mark.parametrize("path", [b"/data/x", b"/data/a/b/c", b"/elsewhere"])
    def test_a_folder_that_is_not_there_is_said(self, reader: PointReader, path: bytes) -> None:
        with pytest.raises(UnknownName):
            list(reader.children((path,)))

    def test_content_may_be_asked_for_after_its_folder(self, reader: PointReader) -> None:
        (entry,) = (entry for entry in reader.children((b"/data",)) if entry.path == b"/data/a-b")
        (payload,) = reader.payloads([ref.id for ref in entry.chunks])
        assert verify_payload(payload).plain == TWO

    def test_each_chunk_comes_once_however_often_it_is_asked_for(self, reader: PointReader) -> None:
        ids = [ref.id for entry in reader.entries() for ref in entry.chunks]
        payloads = list(reader.payloads(ids))
        assert sorted(payload.id for payload in payloads) == sorted(CHUNKS)
        assert {payload.id: verify_payload(payload).plain for payload in payloads} == CHUNKS
        assert list(reader.payloads(())) == []

    def test_content_may_be_asked_for_on_the_way(self, reader: PointReader) -> None:
        found = {}
        for entry in reader.entries():
            if entry.kind is Kind.FILE:
                chunks = {payload.id: verify_payload(payload).plain for payload in reader.payloads([ref.id for ref in entry.chunks])}
                found[entry.path] = b"".join(chunks[ref.id] for ref in entry.chunks)
        assert found == {e.path: b"".join(CHUNKS[ref.id] for ref in e.chunks) for e in STATE.values() if e.kind is Kind.FILE}

    def test_a_lost_chunk_is_named(self, bench: ReaderBench) -> None:
        lost = chunk_id(THREE)
        reader = bench.reader()
        try:
            assert len(list(reader.entries())) >= len(STATE)
            bench.lose(lost)
            with pytest.raises(RepositoryDamaged, match=lost.hex()):
                list(reader.payloads([lost]))
        finally:
            reader.close()

    def test_it_may_be_closed_twice(self, bench: ReaderBench) -> None:
        reader = bench.reader()
        reader.close()
        reader.close()


def in_order(entries: Mapping[bytes, Entry]) -> list[Entry]:
    return [entries[path] for path in sorted(entries, key=walk_key)]
