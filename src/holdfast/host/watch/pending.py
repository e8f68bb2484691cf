"""Facts that nobody has taken yet: merged by path, and never more than a limit. Pure; the caller locks.

At the limit the facts of the deepest folder that has at least half of them become one gap. So memory is bounded, a taker that stalls
loses no place to look at, and where little happened nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from holdfast.host.watch.facts import Batch, Dirty, Gap, Reason
from holdfast.host.watch.territory import Territory, folders_of
from holdfast.model.entry import is_below


class Pending:
    def __init__(self, territory: Territory, most: int) -> None:
        self._territory = territory
        self._most = most
        self._gaps: dict[bytes, Gap] = {}
        self._moves: dict[tuple[bytes | None, bytes], Dirty] = {}
        self._names: dict[tuple[bytes, int | None], Dirty] = {}
        self._since_ns = 0

    def __len__(self) -> int:
        return len(self._gaps) + len(self._moves) + len(self._names)

    def add(self, facts: Iterable[Dirty], now_ns: int) -> None:
        if not self._names and not self._moves:
            self._since_ns = now_ns
        for fact in facts:
            names, moves = self._names, self._moves
            if self._gaps and self._is_in_gap(fact.path):
                continue
            if fact.moved_from is not None:
                # The later one of a repeated move is the one whose inode is there.
                moves.pop((fact.moved_from, fact.path), None)
                moves[fact.moved_from, fact.path] = fact
            else:
                known = names.get(fact.subject)
                names[fact.subject] = fact if known is None else known.merged(fact)
            if len(names) + len(moves) > self._most:
                self._fold(now_ns)

    def add_gap(self, gap: Gap) -> None:
        """A gap at a path swallows what is known below it."""
        earlier = self._gaps.get(gap.path)
        if earlier is not None:
            gap = replace(gap, since_ns=min(earlier.since_ns, gap.since_ns))
        # A gap around another stays beside it: their spans and reasons differ.
        self._gaps[gap.path] = gap
        self._names = {subject: fact for subject, fact in self._names.items() if not is_below(fact.path, gap.path)}
        self._moves = {key: fact for key, fact in self._moves.items() if not is_below(fact.path, gap.path)}

    def take(self, now_ns: int) -> Batch:
        """Everything, and nothing is pending any more. An overflow reaches up to this moment: what came meanwhile was not kept."""
        gaps = tuple(replace(gap, until_ns=now_ns) if gap.reason is Reason.OVERFLOW else gap for gap in self._gaps.values())
        batch = Batch(gaps, tuple(self._moves.values()), tuple(self._names.values()))
        self._gaps, self._moves, self._names = {}, {}, {}
        return batch

    def _is_in_gap(self, path: bytes) -> bool:
        return any(is_below(path, folder) for folder in self._gaps)

    def _fold(self, now_ns: int) -> None:
        counts: Counter[bytes] = Counter()
        for fact in (*self._names.values(), *self._moves.values()):
            counts.update(folder for folder in (fact.path, *folders_of(fact.path)) if self._territory.holds(folder))
        half = (len(self._names) + len(self._moves)) / 2
        chosen = max((folder for folder in counts if counts[folder] >= half), key=len, default=None)
        # Without one, the facts are spread over roots, or lie outside of them as names of files that are inside.
        for folder in (chosen,) if chosen is not None else self._territory.outermost():
            self.add_gap(Gap(path=folder, since_ns=self._since_ns, until_ns=now_ns, reason=Reason.OVERFLOW))
        if chosen is None:
            self._names.clear()
            self._moves.clear()
