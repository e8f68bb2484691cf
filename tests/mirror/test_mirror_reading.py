"""A mirror read as a point is: what its records list, as far as its files hold it, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from holdfast.core.errors import Conflict, UnknownName
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.host.compare import compare_trees
from holdfast.mirror.mirror import MirrorStore
from holdfast.mirror.reading import MirrorReader, standing
from holdfast.model.change import Cursor
from holdfast.model.entry import Entry, is_below
from holdfast.model.mirrors import MirrorState, is_called, newest
from holdfast.model.orders import RestoreRequest
from holdfast.model.reading import PointReader
from holdfast.model.rules import MirrorAction, Receive
from holdfast.operations.restore import restore
from holdfast.testing.action_suite import ROOT
from holdfast.testing.feeding import Feeder, chunk_id, cursor_of
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.reader_suite import ReaderSuite
from tests.mirror.test_mirror import DATASET, Bench, HandClock


class ConformingMirror:
    def __init__(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> None:
        self.target = place / "copy"
        self.action = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(ROOT), str(self.target)),))
        receive = Receive(dataset=DATASET, label="files1/documents", sender=NodeId("n" * 32), actions=(self.action,))
        mirror = MirrorStore(place / "home").open_mirror(self.action, receive, clock=HandClock())
        feeder = Feeder(DATASET, (ROOT,), dict(chunks))
        own = {path: entry for path, entry in entries.items() if is_below(path, ROOT)}
        assert feeder.send(mirror, None, own).error is None
        mirror.close()
        self.files = [entry for entry in own.values() if entry.chunks]

    def reader(self) -> PointReader:
        return MirrorReader(self.action, DATASET)

    def lose(self, chunk: bytes) -> None:
        for entry in self.files:
            if chunk in [ref.id for ref in entry.chunks]:
                (self.target / os.fsdecode(entry.path[len(ROOT) + 1 :])).write_bytes(b"overwritten")


class TestAMirrorConforms(ReaderSuite):
    def make_bench(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> ConformingMirror:
        return ConformingMirror(place, entries, chunks)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    build_odd_tree(made.source)
    made.run()
    yield made
    made.close()


def action_of(bench: Bench) -> MirrorAction:
    return MirrorAction(id=ActionId("a" * 32), targets=((str(bench.source), str(bench.target)),))


def restore_from(reader: PointReader, target: Path, bench: Bench) -> int:
    clock = HandClock()
    request = RestoreRequest(target=str(target), undo_for_s=0)
    return restore(reader, request, clock=clock, check_write=lambda path: None, roots=(os.fsencode(bench.source),)).failed


def test_what_is_restored_from_it_is_the_source(bench: Bench, tmp_path: Path) -> None:
    stand = standing(action_of(bench), DATASET)
    assert stand is not None
    assert stand.cursor == cursor_of(bench.feeder)
    reader = MirrorReader(action_of(bench), DATASET, stand.cursor)
    assert restore_from(reader, tmp_path / "back", bench) == 0
    reader.close()
    assert [str(d) for d in compare_trees(bench.source, tmp_path / "back" / str(bench.source).lstrip("/"))] == []


def test_it_stands_nowhere_for_another_dataset_or_before_it_was_filled(bench: Bench, tmp_path: Path) -> None:
    assert standing(action_of(bench), DatasetId("e" * 32)) is None
    assert standing(MirrorAction(id=ActionId("a" * 32), targets=(("/data", str(tmp_path / "none")),)), DATASET) is None
    with pytest.raises(Conflict, match="does not stand"):
        MirrorReader(action_of(bench), DATASET, Cursor(bench.feeder.epoch, 77))


def test_a_mirror_that_is_brought_on_gives_nothing_else_in_its_place(bench: Bench) -> None:
    reader = MirrorReader(action_of(bench), DATASET, cursor_of(bench.feeder))
    path = next(entry.path for entry in reader.entries() if len(entry.chunks) == 1 and entry.links == 1)
    (before,) = next(entry for entry in bench.read().values() if entry.path == path).chunks
    Path(os.fsdecode(path)).write_bytes(b"something else")
    bench.run()
    (answer,) = reader.answers([[before.id, chunk_id(b"something else")]])
    assert {lost.id for lost in answer.lost} <= {before.id}
    assert [payload.id for payload in answer.payloads if payload.id != before.id] == [chunk_id(b"something else")]
    assert reader.cursor == cursor_of(bench.feeder)
    with pytest.raises(Conflict):
        list(reader.entries())
    reader.close()


def test_paths_outside_are_not_there_and_one_above_is_all_of_it(bench: Bench) -> None:
    reader = MirrorReader(action_of(bench), DATASET)
    everything = [entry.path for entry in reader.entries()]
    assert [entry.path for entry in reader.entries((os.fsencode(bench.place),))] == everything
    for path in (b"/elsewhere", os.fsencode(bench.source) + b"x"):
        with pytest.raises(UnknownName):
            list(reader.entries((path,)))
    reader.close()


def test_what_people_call_a_mirror() -> None:
    state = MirrorState(action=ActionId("a"), dataset="files1/documents", dataset_id=DATASET, targets=(("/srv/documents", "/srv/mirror"),))
    assert is_called(state, "dr", "dr:/srv/mirror")
    assert is_called(state, "dr", "dr:/srv/mirror/")
    assert is_called(state, "dr", "dr:")
    assert not is_called(state, "dr", "dr:/srv")
    assert not is_called(state, "dr", "other:/srv/mirror")
    assert newest((state,)) is None
