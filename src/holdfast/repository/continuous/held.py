"""What is held of one dataset: its commits since the last sealing, the trees they led to, and where the journal has their chunks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from holdfast.core.ids import DatasetId, is_id
from holdfast.repository.continuous.journal import SUFFIX, Appended, ChunkFrame, Group, JournalFile
from holdfast.repository.log_files import LogContent
from holdfast.repository.moment_record import Followed, Record


class Stored(NamedTuple):
    """Where the journal has a chunk."""

    file: JournalFile
    offset: int
    chunk: ChunkFrame

    def load(self) -> bytes:
        return self.file.read(self.offset, self.chunk.stored_bytes)


class Overlay(Mapping[bytes, bytes]):
    """The trees of the newest held state that no pack has, by their ids. A tree that several folders have is kept until the last of them
    has another; those of folders that went stay until all is sealed, which is soon."""

    def __init__(self) -> None:
        self._plains: dict[bytes, bytes] = {}
        self._folders: dict[bytes, int] = {}

    def __getitem__(self, tree: bytes) -> bytes:
        return self._plains[tree]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._plains)

    def __len__(self) -> int:
        return len(self._plains)

    def get(self, tree: bytes, default: object = None) -> bytes | None:  # type: ignore[override]
        del default
        return self._plains.get(tree)

    def take(self, added: Iterable[tuple[bytes, bytes]], replaced: Iterable[bytes]) -> None:
        """What one commit made, and what its folders had before."""
        for tree, plain in added:
            self._plains[tree] = plain
            self._folders[tree] = self._folders.get(tree, 0) + 1
        for tree in replaced:
            left = self._folders.get(tree, 0) - 1
            if left > 0:
                self._folders[tree] = left
            elif left == 0:
                del self._folders[tree], self._plains[tree]

    def as_now(self) -> dict[bytes, bytes]:
        """What it holds now, whatever comes."""
        return dict(self._plains)

    def clear(self) -> None:
        self._plains.clear()
        self._folders.clear()


@dataclass(frozen=True)
class Ahead:
    """What went into packs before its sealing, and is there as long as the catalog has told of no `losses` since.

    Of the newest state the trees that were held (`stored`), and those below them that were there already (`passed`): all that is below any
    of them is there, too. Of the commits up to the ordinal `until` all `chunks`, and what they say in a log (`log`, of the first `logged`
    records, as they are followed).
    """

    stored: frozenset[bytes] = frozenset()
    passed: frozenset[bytes] = frozenset()
    chunks: frozenset[bytes] = frozenset()
    until: int = 0
    log: LogContent | None = None
    logged: int = 0
    followed: Followed | None = None
    losses: int = 0


class Held:
    """Of one dataset, by its number in the catalog. `guard` is held by whoever changes it; taken before the catalog's, never within.

    `records` are not in a log yet; of those from `unsealed_from` on (an ordinal; 0 = none) no snapshot reaches the state either.
    """

    def __init__(self, number: int, dataset: DatasetId, folder: Path) -> None:
        self.number = number
        self.dataset = dataset
        self.guard = threading.RLock()
        self.trees = Overlay()
        self.ahead = Ahead()
        self.records: list[Record] = []
        self.chunks: dict[bytes, Stored] = {}
        self.sizes: dict[bytes, int] = {}
        self.followed: Followed | None = None
        self.sender = 0
        self.unsealed_from = 0
        self.since_s = 0.0
        self.tried_at_s: float | None = None
        self.has_lock = False
        self._nothing_comes = threading.Event()
        self._nothing_comes.set()
        self.was_continuous = False
        # The journal was damaged: later commits are as true as ever, but do not build on what is there.
        self.is_mended = False
        self._folder = folder
        self._file: JournalFile | None = None
        self._old: list[JournalFile] = []
        self._generation = 0

    @property
    def is_empty(self) -> bool:
        return not self.records

    @property
    def is_open(self) -> bool:
        """Whether a commit that may be held is under way, and was told of what the journal has."""
        return not self._nothing_comes.is_set()

    def opens(self) -> None:
        self._nothing_comes.clear()

    def ends(self) -> None:
        self._nothing_comes.set()

    def give_way(self, most_s: float) -> bool:
        """Wait until no commit is under way that may be held; False when one still was after so long."""
        return self._nothing_comes.wait(most_s)

    @property
    def journal_bytes(self) -> int:
        return sum(file.size_bytes for file in self._files())

    def unsealed(self) -> list[Record]:
        return [record for record in self.records if self.unsealed_from and record.ordinal >= self.unsealed_from]

    def append(self, group: Group, payloads: Sequence[bytes]) -> Appended:
        """To be followed by `take`. Raises what `JournalFile.append` raises."""
        if self._file is not None and self._file.is_broken:
            self._old.append(self._file)
            self._file = None
        if self._file is None:
            self._generation += 1
            self._file = JournalFile(self._folder / f"{_file_name(self.dataset)}.{self._generation:06d}{SUFFIX}")
        return self._file.append(group, payloads)

    def take(self, group: Group, file: JournalFile, chunks_at: int) -> None:
        """What was appended, or is there from an earlier life."""
        offset = chunks_at
        for chunk in group.chunks:
            self.chunks[chunk.id] = Stored(file, offset, chunk)
            self.sizes[chunk.id] = chunk.size_bytes
            offset += chunk.stored_bytes
        self.followed = group.followed
        self.records.append(group.record)
        if not group.is_sealed and not self.unsealed_from:
            self.unsealed_from = group.record.ordinal

    def adopt(self, file: JournalFile, generation: int) -> None:
        """A file of an earlier life."""
        self._old.append(file)
        self._generation = max(self._generation, generation)

    def clear(self) -> None:
        """All is sealed. Raises `StoreError` when a file cannot be removed; what is in it is known to be sealed at the next start."""
        files = self._files()
        self._file, self._old = None, []
        self.trees.clear()
        self.ahead = Ahead()
        self.records, self.unsealed_from, self.is_mended = [], 0, False
        self.chunks, self.sizes = {}, {}
        for file in files:
            file.remove()

    def set_apart(self) -> None:
        """What is held cannot be kept: its files stay beside the others under another name, for whoever wants to look."""
        for file in self._files():
            file.close()
            if file.path.exists():
                file.path.replace(file.path.with_suffix(".lost"))
        self._file, self._old = None, []
        self.clear()

    def close(self) -> None:
        for file in self._files():
            file.close()

    def _files(self) -> list[JournalFile]:
        return [*self._old, *([self._file] if self._file is not None else [])]


def _file_name(dataset: DatasetId) -> str:
    """Ids come from rules, which are signed; a name in the file system must not depend on that."""
    return dataset if is_id(dataset) else dataset.encode("utf-8", "replace").hex()[:120]
