"""A source as a dict: rows and tombstones, each with the run that last changed it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from holdfast.model.change import Change, Part, Put, Remove
from holdfast.model.entry import Entry, is_below, walk_key
from holdfast.model.stream import Outgoing
from holdfast.testing.deliveries import ROOT, chunk_ref, file_of, folder_of, outgoing_of
from holdfast.testing.memory_action import MemoryChunks

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

    def in_order(self) -> list[tuple[bytes, Entry | None, int]]:
        """All rows in walk order, each with the run that last changed it."""
        return [(path, entry, run) for path, (entry, run) in sorted(self.rows.items(), key=lambda row: walk_key(row[0]))]

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
