"""Whatever changes, in however many runs, to receivers at whatever positions: in the end each holds what a dict would hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import SystemClock
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Change, Cursor, Part, Put, Remove
from holdfast.model.entry import Entry, is_below, walk_key
from holdfast.model.stream import Outgoing
from holdfast.testing.deliveries import (
    DATASET,
    EPOCH,
    RECEIVER,
    ROOT,
    SOURCE,
    ServedDelivery,
    begin_of,
    chunk_ref,
    commit_of,
    file_of,
    folder_of,
    opening_of,
    outgoing_of,
)
from holdfast.testing.memory_action import MemoryAction, MemoryChunks
from holdfast.testing.memory_channel import memory_pair

NAMES = [b"/data/a", b"/data/a/x", b"/data/a-b", b"/data/b", b"/data/b/y", b"/data/c"]
Edit = tuple[str, bytes, tuple[bytes, ...]]
edits = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "remove"]),
        st.sampled_from(NAMES),
        st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple),
    ),
    max_size=8,
)


@dataclass
class Source:
    """What a capture state is: rows and tombstones with the run that last changed them."""

    run: int = 0
    rows: dict[bytes, tuple[Entry | None, int]] = field(default_factory=dict)
    plain: dict[bytes, bytes] = field(default_factory=dict)

    def edit(self, changes: list[Edit]) -> None:
        self.run += 1
        wanted: dict[bytes, Entry | None] = {ROOT: folder_of(ROOT)}
        for kind, path, pieces in changes:
            wanted.update({below: None for below in (*self.rows, *wanted) if below != path and is_below(below, path)})
            wanted[path] = None if kind == "remove" else file_of(path, *pieces)
            parent = path.rpartition(b"/")[0]
            if kind == "put" and parent != ROOT:
                wanted[parent] = folder_of(parent)
            self.plain.update({chunk_ref(piece).id: piece for piece in pieces})
        for path, entry in wanted.items():
            if self.rows.get(path, (None, 0))[0] != entry:
                self.rows[path] = (entry, self.run)

    def files(self) -> dict[bytes, Entry]:
        return {path: entry for path, (entry, _) in self.rows.items() if entry is not None}

    def segments(self, per_segment: int) -> list[Outgoing]:
        """The stream of all rows, in walk order; the chunks of larger files go ahead as parts."""
        rows = sorted(self.rows.items(), key=lambda row: walk_key(row[0]))
        source, found = MemoryChunks(self.plain), []
        for start in range(0, len(rows), per_segment):
            here = rows[start : start + per_segment]
            for path, (entry, run) in here:
                if entry is not None and len(entry.chunks) > 2:
                    found.append(outgoing_of(len(found), [], source, run=run, parts=[Part(path, 0, entry.chunks)]))
            changes: list[Change] = [Remove(path) if entry is None else Put(entry) for path, (entry, _) in here]
            made = outgoing_of(len(found), changes, source, run=0)
            found.append(Outgoing(made.segment, tuple(run for _, (_, run) in here), (), source))
        return found


def deliver(source: Source, actions: list[MemoryAction], per_segment: int) -> None:
    lanes = []
    for action in actions:
        here, there = memory_pair(SOURCE, RECEIVER)
        served = ServedDelivery(there, [action])
        session = DeliverySession(here, window_bytes=60)
        (state,) = session.open(opening_of(action.id))
        session.begin(begin_of(source.run, state.cursor.seq if state.cursor else None), [action.id])
        lanes.append((session, served))
    fanout = FanOut({str(n): FanOutSession(DATASET, session) for n, (session, _) in enumerate(lanes)}, clock=SystemClock(), queue_bytes=600)
    for outgoing in source.segments(per_segment):
        fanout.send({DATASET: outgoing})
    results = fanout.finish({DATASET: commit_of(source.run)})
    for result in results.values():
        assert result.error is None
        assert [acknowledgement.error for acknowledgement in result.acknowledgements] == [None]
    for session, served in lanes:
        session.close()
        assert served.wait() == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(edits, st.sets(st.integers(0, 2))), min_size=1, max_size=5), st.integers(1, 4))
def test_every_receiver_ends_equal_to_the_source(runs: list[tuple[list[Edit], set[int]]], per_segment: int) -> None:
    source, actions = Source(), [MemoryAction(str(index)) for index in range(3)]
    for changes, present in runs:
        source.edit(changes)
        deliver(source, [actions[index] for index in sorted(present)], per_segment)
    deliver(source, actions, per_segment)
    for action in actions:
        assert action.entries == source.files()
        assert action.position == Cursor(EPOCH, source.run)
        for path, entry in source.files().items():
            assert action.content(path) == b"".join(source.plain[ref.id] for ref in entry.chunks)
