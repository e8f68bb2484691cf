"""What every `delivery.ports.Action` must do. Inherit in a test file and give `make_bench`: pytest then runs all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from holdfast.core.errors import StoreError
from holdfast.core.ids import DatasetId, Epoch
from holdfast.delivery.ports import Action
from holdfast.model.change import Acknowledgement, Cursor
from holdfast.model.entry import Entry, Kind
from holdfast.testing.deliveries import file_of, folder_of
from holdfast.testing.feeding import Feeder, chunk_id

DATASET = DatasetId("d" * 32)
ROOT = b"/data"
ONE, TWO, THREE = b"1" * 5_000, b"2" * 5_000, b"3" * 5_000
CHUNKS = {chunk_id(piece): piece for piece in (ONE, TWO, THREE)}

Held = dict[bytes, bytes | None]
"""What a reader finds: content of files by path, None for folders."""


class ActionBench(Protocol):
    """One action over its lives. Only `open` may be called while none is open."""

    def open(self) -> Action:
        """A new session, as after a restart of everything."""
        ...

    def held(self) -> Held | None:
        """All a reader finds below `/data`, itself included; None when there is nothing of the dataset. Asked while no commit is open."""
        ...


def tree(**files: bytes | tuple[bytes, ...] | None) -> dict[bytes, Entry]:
    """Entries below `/data`: pieces of a file, None for a folder. `folder__name` is a name in a folder."""
    entries = {ROOT: folder_of(ROOT)}
    for name, content in files.items():
        path = ROOT + b"/" + name.replace("__", "/").encode()
        pieces = (content,) if isinstance(content, bytes) else content
        entries[path] = folder_of(path) if pieces is None else file_of(path, *pieces)
    return entries


def content_of(entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes] = CHUNKS) -> Held:
    return {path: b"".join(chunks[ref.id] for ref in entry.chunks) if entry.kind is Kind.FILE else None for path, entry in entries.items()}


class ActionSuite:
    """Mandatory conformance tests; `place` is an empty folder of this test. `tells_recorded`: it keeps what it was sent."""

    tells_recorded = True

    def make_bench(self, place: Path) -> ActionBench:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path) -> ActionBench:
        return self.make_bench(tmp_path)

    @pytest.fixture
    def open_action(self, bench: ActionBench) -> Iterator[Callable[[], Action]]:
        """Sessions; what is still open at the end is closed."""
        opened: list[Action] = []

        def open_one() -> Action:
            if opened:
                opened[-1].close()
            opened.append(bench.open())
            return opened[-1]

        yield open_one
        if opened:
            opened[-1].close()

    @pytest.fixture
    def feeder(self) -> Feeder:
        return Feeder(dataset=DATASET, roots=(ROOT,), chunks=dict(CHUNKS), segment_changes=2)

    def test_an_empty_one_stands_nowhere(self, bench: ActionBench, open_action: Callable[[], Action]) -> None:
        assert open_action().cursor() is None
        assert bench.held() is None

    def test_a_full_commit_is_held(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        action.cursor()
        state = tree(a=ONE, b=(ONE, TWO), empty=(), folder=None, folder__in=TWO)
        answer = feeder.send(action, None, state)
        assert_acknowledged(answer, action, feeder)
        assert bench.held() == content_of(state)

    def test_it_stands_where_it_stood_after_a_restart(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        state = tree(a=ONE)
        feeder.send(open_action(), None, state)
        again = open_action()
        assert again.cursor() == Cursor(feeder.epoch, feeder.seq)
        assert bench.held() == content_of(state)
        after = tree(a=ONE, b=TWO)
        feeder.send(again, state, after)
        assert bench.held() == content_of(after)

    def test_changes_replace_add_and_remove(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        before = tree(a=ONE, b=TWO, gone=ONE, folder=None, folder__in=TWO, turns=None, turns__x=ONE, becomes=ONE)
        after = tree(a=TWO, b=TWO, new=THREE, turns=ONE, becomes=None, becomes__y=ONE)
        feeder.send(action, None, before)
        assert_acknowledged(feeder.send(action, before, after), action, feeder)
        assert bench.held() == content_of(after)

    def test_a_full_commit_replaces_all_there_was(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        feeder.send(action, None, tree(a=ONE, folder=None, folder__in=TWO))
        after = tree(b=ONE)
        feeder.send(action, None, after)
        assert bench.held() == content_of(after)

    def test_a_new_epoch_begins_anew(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        feeder.send(action, None, tree(a=ONE))
        feeder.send(action, None, tree(a=TWO))
        feeder.epoch, feeder.seq = Epoch("f" * 32), 0
        state = tree(c=THREE)
        assert_acknowledged(feeder.send(action, None, state), action, feeder)
        assert action.cursor() == Cursor(feeder.epoch, 1)
        assert bench.held() == content_of(state)

    def test_a_commit_without_changes_moves_the_cursor(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        state = tree(a=ONE)
        feeder.send(action, None, state)
        assert_acknowledged(feeder.send(action, state, state), action, feeder)
        assert action.cursor() == Cursor(feeder.epoch, 2)
        assert bench.held() == content_of(state)

    def test_what_it_holds_need_not_travel(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        before = tree(a=(ONE, TWO), z=TWO)
        feeder.send(action, None, before)
        feeder.given = 0
        after = tree(a=(ONE, TWO), b=(TWO, ONE), z=(TWO, THREE))
        feeder.send(action, before, after)
        assert feeder.given == len(THREE)
        assert bench.held() == content_of(after)

    def test_it_tells_what_a_file_consisted_of_before(self, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        before = tree(a=(ONE, TWO, ONE), folder=None)
        feeder.send(action, None, before)
        action.begin(feeder.beginning(action.cursor()))
        known = before[ROOT + b"/a"].chunks if self.tells_recorded else ()
        assert action.recorded(ROOT + b"/a") == known
        for path in (ROOT, ROOT + b"/folder", ROOT + b"/none", b"/other"):
            assert action.recorded(path) == ()
        action.abort()

    def test_what_comes_twice_in_a_commit_travels_once(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        feeder.segment_changes = 1
        state = tree(a=ONE, b=ONE, c=(ONE, ONE), d=(TWO, ONE))
        feeder.send(open_action(), None, state, window=3)
        assert feeder.given == len(ONE) + len(TWO)
        assert bench.held() == content_of(state)

    def test_a_large_file_comes_in_parts(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        feeder.part_bytes = 8_000
        before = tree(a=ONE, large=(ONE, TWO, THREE, ONE), z=TWO)
        action = open_action()
        feeder.send(action, None, before)
        assert bench.held() == content_of(before)
        after = tree(a=ONE, large=(ONE, TWO, THREE, ONE, TWO), z=TWO)
        feeder.send(action, before, after)
        assert bench.held() == content_of(after)

    def test_a_withdrawn_chunk_leaves_out_what_needs_it(
        self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder
    ) -> None:
        action = open_action()
        before = tree(a=ONE, b=TWO)
        feeder.send(action, None, before)
        feeder.withdrawn = {chunk_id(THREE)}
        after = tree(a=(ONE, THREE), b=(TWO, ONE), c=THREE)
        assert_acknowledged(feeder.send(action, before, after), action, feeder)
        assert bench.held() == content_of(tree(a=ONE, b=(TWO, ONE)))
        feeder.withdrawn = set()
        feeder.send(action, tree(a=ONE, b=(TWO, ONE)), after)
        assert bench.held() == content_of(after)

    def test_an_aborted_commit_leaves_no_trace(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        before = tree(a=ONE, b=TWO)
        feeder.send(action, None, before)
        break_off(feeder, action, before, tree(a=THREE, c=THREE, d=THREE, e=ONE))
        action.abort()
        assert action.cursor() == Cursor(feeder.epoch, 1)
        assert bench.held() == content_of(before)
        feeder.seq = 1
        after = tree(a=THREE, c=ONE)
        assert_acknowledged(feeder.send(action, before, after), action, feeder)
        assert bench.held() == content_of(after)

    def test_a_session_that_ends_within_a_commit_leaves_no_trace(
        self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder
    ) -> None:
        action = open_action()
        before = tree(a=ONE, b=TWO)
        feeder.send(action, None, before)
        break_off(feeder, action, before, tree(a=THREE, c=THREE, d=THREE, e=ONE))
        again = open_action()
        assert again.cursor() == Cursor(feeder.epoch, 1)
        assert bench.held() == content_of(before)

    def test_a_repeated_commit_is_acknowledged_again(self, bench: ActionBench, open_action: Callable[[], Action], feeder: Feeder) -> None:
        before, after = tree(a=ONE), tree(a=TWO, b=ONE)
        action = open_action()
        feeder.send(action, None, before)
        feeder.send(action, before, after)
        again = open_action()
        again.cursor()
        feeder.seq -= 1
        assert_acknowledged(feeder.send(again, before, after), again, feeder)
        assert again.cursor() == Cursor(feeder.epoch, 2)
        assert bench.held() == content_of(after)

    def test_abort_and_close_never_raise(self, open_action: Callable[[], Action], feeder: Feeder) -> None:
        action = open_action()
        action.abort()
        action.cursor()
        action.abort()
        break_off(feeder, action, None, tree(a=ONE, b=TWO, c=THREE))
        action.abort()
        action.abort()
        action.close()
        action.close()


def assert_acknowledged(answer: Acknowledgement, action: Action, feeder: Feeder) -> None:
    assert (answer.action, answer.error, answer.cursor) == (action.id, None, Cursor(feeder.epoch, feeder.seq))


def break_off(feeder: Feeder, action: Action, old: Mapping[bytes, Entry] | None, new: Mapping[bytes, Entry]) -> None:
    """A commit of which one segment was applied and others were asked about."""

    def stop(number: int) -> None:
        if number >= 1:
            raise StoreError("broken off")

    feeder.on_segment = stop
    with pytest.raises(StoreError, match="broken off"):
        feeder.send(action, old, new)
    feeder.on_segment = None
