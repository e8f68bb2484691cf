"""What open commits and readers rely on, so that a prune leaves it alone: sessions go on while one runs.

A commit relies on the packs of every blob of which it was said "have it", and on those it writes itself, though no snapshot reaches them
yet. A reader relies on its tree, also when its point is forgotten meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# Above the numbers of all datasets.
_WRITING = 1 << 60


class InUse:
    """Packs by their catalog numbers, trees by their ids. Thread-safe; whoever looks a pack up and touches it does both under the catalog's
    guard (`Catalog.hold`), so that a prune, which looks here under the same guard, sees it in time.

    Each open commit has the number of its beginning, and each touched pack the number at which it was touched last: it is in use while a
    commit is open that began no later. So memory is one number for each pack, however long commits overlap.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._number = 0
        self._commits: dict[int, int] = {}
        self._touched: dict[int, int] = {}
        self._readers: Counter[bytes] = Counter()

    def begin(self, dataset: int) -> None:
        """A commit of this dataset opens."""
        with self._guard:
            self._number += 1
            self._commits[dataset] = self._number

    def end(self, dataset: int) -> None:
        with self._guard:
            self._commits.pop(dataset, None)
            oldest = min(self._commits.values(), default=None)
            self._touched = {} if oldest is None else {pack: at for pack, at in self._touched.items() if at >= oldest}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Packs are written that no index names yet, as by an open commit."""
        with self._guard:
            self._number += 1
            key = _WRITING + self._number
            self._commits[key] = self._number
        try:
            yield
        finally:
            self.end(key)

    def keep_for(self, dataset: int) -> None:
        """What the open commit of this dataset relies on stays in use after its end, until `let_held_go`."""
        with self._guard:
            if (began := self._commits.get(dataset)) is not None:
                self._commits.setdefault(-dataset, began)

    def begin_held(self, dataset: int) -> None:
        """As `keep_for`, for what an earlier life has left."""
        with self._guard:
            self._number += 1
            self._commits.setdefault(-dataset, self._number)

    def let_held_go(self, dataset: int) -> None:
        self.end(-dataset)

    def touch(self, packs: Iterable[int]) -> None:
        """Something in these packs was promised to, or written by, an open commit."""
        with self._guard:
            if self._commits:
                self._touched.update(dict.fromkeys(packs, self._number))

    def packs(self) -> frozenset[int]:
        with self._guard:
            return frozenset(self._touched)

    def has_commits(self) -> bool:
        with self._guard:
            return any(dataset > 0 for dataset in self._commits)

    @contextmanager
    def reading(self, trees: Iterable[bytes]) -> Iterator[None]:
        held = tuple(trees)
        self.hold_trees(held)
        try:
            yield
        finally:
            self.let_go(held)

    def hold_trees(self, trees: Iterable[bytes]) -> None:
        with self._guard:
            self._readers.update(trees)

    def let_go(self, trees: Iterable[bytes]) -> None:
        with self._guard:
            self._readers.subtract(trees)
            self._readers = +self._readers

    def trees(self) -> frozenset[bytes]:
        with self._guard:
            return frozenset(self._readers)
