"""What is known to have changed and was not looked at yet. Pure; time is given, monotonic seconds.

A name is due when it was quiet for `SETTLE_S`, and `MOST_S` after its first fact at the latest. One that is written and not closed is due
every `OPEN_S`: nobody says when its writer is done. Gaps are due at once, with all that is due by then.

In a burst, as long as more is told, or about to be, and `BURST_NAMES` are known, nothing is due, for `MOST_S` from the first of them at
most: a run waits for the disk several times, and for as long as the burst keeps the disk busy. What was gathered then travels as one.
Moves, which need not settle, wait as long as other names, for nobody knows of the first of them whether it is one of thousands.

Of much that is due a portion is taken at a time, so that what is large does not hold back what is small: the newest small names first, and
then, every other time, something large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from holdfast.capture.ports import Moved, Place
from holdfast.core.clock import utc
from holdfast.host.watch import Aspect, Batch, Dirty, Scope, Settling
from holdfast.model.entry import walk_key
from holdfast.model.gaps import Gap, GapReason

SETTLE_S, MOST_S, OPEN_S = 0.1, 2.0, 5.0
# A portion: about so much travels in one run, of names of less than `SMALL_BYTES` or, where there is nothing small, of one large file.
PORTION_BYTES, SMALL_BYTES, _PORTION_NAMES = 32 * 1024 * 1024, 1024 * 1024, 50_000
BURST_NAMES = 500
_CLOSED, _COMES_OR_GOES = Aspect.CLOSED.value, (Aspect.ENTRY | Aspect.MOVED).value
# Names known one by one; beyond, trees take their place: they are looked at whole, and nothing is lost.
MOST_NAMES = 200_000


@dataclass(frozen=True)
class Work:
    """What one small run has to do. `inodes`: files that have other names, whose places only the state knows. `since_s`: when the oldest of
    it became known. `closed`: names that a writer has closed. `due_ns`: since when it could have been looked at, ns since 1970."""

    places: tuple[Place, ...] = ()
    moves: tuple[Moved, ...] = ()
    gaps: tuple[Gap, ...] = ()
    inodes: frozenset[int] = frozenset()
    since_s: float = 0.0
    closed: frozenset[bytes] = frozenset()
    due_ns: int | None = None

    def __bool__(self) -> bool:
        return bool(self.places or self.moves or self.gaps or self.inodes)


@dataclass
class _Ready:
    """Due, and not taken yet."""

    places: dict[bytes, bool] = field(default_factory=dict)
    moves: list[Moved] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    inodes: set[int] = field(default_factory=set)
    closed: set[bytes] = field(default_factory=set)
    # Places at both ends of moves: they are looked at together, so that nothing is gone before it is there.
    ends: set[bytes] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.places or self.moves or self.gaps or self.inodes)


class Backlog:
    """Feed it batches with `add`, take what is due with `take`; what could not be done is `put_back`."""

    def __init__(
        self,
        roots: Iterable[bytes],
        most_names: int = MOST_NAMES,
        *,
        size_bytes_of: Callable[[bytes], int] = lambda _: 0,
        portion_bytes: int = PORTION_BYTES,
    ) -> None:
        """`size_bytes_of`: of the file of that name now, 0 where there is none. `portion_bytes`: less than usual where the line is slow."""
        self.portion_bytes = portion_bytes
        self._roots = tuple(roots)
        self._most_names = most_names
        self._size_bytes_of = size_bytes_of
        self._large_waited = False
        self._quiet = Settling(SETTLE_S, MOST_S)
        self._open = Settling(OPEN_S, OPEN_S)
        self._later: dict[bytes, float] = {}
        # Of files changed by names outside the roots: perhaps ours by another one. They are no backlog until somebody has looked.
        self._strangers: set[int] = set()
        self._strangers_at_s = 0.0
        self._ready = _Ready()
        self._oldest_s: float | None = None
        # When something was told last, and when the first of the moves that wait.
        self._told_s = self._moved_s = 0.0

    def __len__(self) -> int:
        """How many names, trees, moves and gaps are known."""
        ready = self._ready
        return len(self._quiet) + len(self._open) + len(self._later) + len(ready.places) + len(ready.moves) + len(ready.gaps)

    def names(self, most: int) -> Iterator[bytes]:
        """Some of the names that are known, at most so many."""
        ready = (path for path, below in self._ready.places.items() if not below)
        held = (fact.path for settling in (self._quiet, self._open) for fact in settling.held())
        return islice(chain(ready, held, self._later), most)

    @property
    def oldest_s(self) -> float | None:
        """When the oldest of what is known here became known; None = nothing is."""
        return self._oldest_s if len(self) else None

    @property
    def has_strangers(self) -> bool:
        """Whether names outside the roots wait for a look at whose files they are."""
        return bool(self._strangers or self._ready.inodes)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Those that wait to be healed."""
        return tuple(self._ready.gaps)

    def add(self, batch: Batch, now_s: float) -> None:
        if self._oldest_s is None or not len(self):
            self._oldest_s = now_s
        for seen in batch.gaps:
            self._gap(Gap(path=seen.path, since=utc(seen.since_ns), until=utc(seen.until_ns), reason=GapReason(seen.reason.value)))
        if batch.moves and not self._ready.moves:
            self._moved_s = now_s
        for move in batch.moves:
            self._move(move)
        if batch.moves or batch.names:
            self._told_s = now_s
        self._quiet.add((fact for fact in batch.names if not _is_still_written(fact)), now_s)
        self._open.add((fact for fact in batch.names if _is_still_written(fact)), now_s)
        if len(self) > self._most_names:
            self._fold()

    def expect(self, now_s: float) -> None:
        """More is about to be told. Who reads thousands of events hands them on half a second apart."""
        self._told_s = max(self._told_s, now_s)

    def add_strangers(self, inodes: Iterable[int], now_s: float) -> None:
        """Files that were changed by names outside the roots."""
        if not self._strangers:
            self._strangers_at_s = now_s + SETTLE_S
        self._strangers.update(inodes)

    def add_gap(self, gap: Gap, now_s: float) -> None:
        """One that no watch has told. All of it is looked at, at once."""
        if not len(self):
            self._oldest_s = now_s
        self._gap(gap)

    def look(self, places: Iterable[Place], now_s: float) -> None:
        """Places that somebody else has named: they are due at once."""
        for place in places:
            if not len(self):
                self._oldest_s = now_s
            self._look(place.path, below=place.below)

    def look_later(self, path: bytes, at_s: float) -> None:
        """A name whose time has been put off."""
        if not len(self):
            self._oldest_s = at_s
        self._later[path] = max(at_s, self._later.get(path, at_s))

    def take(self, now_s: float, *, everything: bool = False) -> Work:
        """A portion of what is due, `everything` = all there is; falsy when nothing is."""
        for settling in (self._quiet, self._open):
            for fact in settling.all() if everything else settling.due(now_s):
                self._settled(fact)
        for path in [path for path, at_s in self._later.items() if everything or at_s <= now_s]:
            del self._later[path]
            self._look(path, below=False)
        if everything or now_s >= self._strangers_at_s:
            self._ready.inodes |= self._strangers
            self._strangers.clear()
        ready, self._ready = (self._ready, _Ready()) if everything else self._portion()
        since_s = now_s if self._oldest_s is None else self._oldest_s
        if not self._ready:
            # What stays is younger than what is due, by how much is not known; at most by what a name may wait.
            self._oldest_s = max(since_s, now_s - OPEN_S) if len(self) else None
        return Work(
            places=tuple(_places(ready.places)),
            moves=tuple(ready.moves),
            gaps=tuple(ready.gaps),
            inodes=frozenset(ready.inodes),
            since_s=since_s,
            closed=frozenset(ready.closed),
        )

    def put_back(self, work: Work) -> None:
        """It could not be done: it is due again at once, before all that came meanwhile."""
        if not work:
            return
        known_s = self._oldest_s if len(self) and self._oldest_s is not None else work.since_s
        self._oldest_s = min(known_s, work.since_s)
        ready = self._ready
        ready.gaps[:0] = work.gaps
        ready.moves[:0] = work.moves
        ready.ends |= {end for move in work.moves for path in (move.path, move.moved_from) for end in (path, _folder_of(path))}
        ready.inodes |= work.inodes
        ready.closed |= work.closed
        for place in work.places:
            self._look(place.path, below=place.below)

    def next_s(self) -> float | None:
        """When something is due; None = nothing is known."""
        if self._ready.gaps:
            return 0.0
        at_s = self._due_s()
        if at_s is None or self._oldest_s is None or len(self) < BURST_NAMES:
            return at_s
        return max(at_s, min(self._told_s + SETTLE_S, self._oldest_s + MOST_S))

    def _due_s(self) -> float | None:
        """When something has settled."""
        if self._ready:
            return self._moved_s + SETTLE_S if self._ready.moves else 0.0
        strangers_at_s = self._strangers_at_s if self._strangers else None
        found = (self._quiet.next_s(), self._open.next_s(), min(self._later.values(), default=None), strangers_at_s)
        return min((time_s for time_s in found if time_s is not None), default=None)

    def _portion(self) -> tuple[_Ready, _Ready]:
        """What goes now, and what stays. Moves go with the places at both ends. With a gap all goes at once: a root that was emptied or
        exchanged must be seen as that, not as many small removals."""
        ready = self._ready
        if ready.gaps:
            return ready, _Ready()
        picked = {path: ready.places[path] for path in ready.ends & ready.places.keys()}
        large, total_bytes = list[bytes](), 0
        # What became known last was put last.
        for path in reversed(ready.places):
            if path in picked:
                continue
            size_bytes = SMALL_BYTES if ready.places[path] else self._size_bytes_of(path)
            if size_bytes >= SMALL_BYTES:
                large.append(path)
            elif total_bytes + size_bytes <= self.portion_bytes and len(picked) < _PORTION_NAMES:
                picked[path] = False
                total_bytes += size_bytes
            else:
                break
        if large and (self._large_waited or not picked):
            picked |= {path: ready.places[path] for path in self._large_portion(large)}
        self._large_waited = not picked.keys() >= set(large)
        left = {path: below for path, below in ready.places.items() if path not in picked}
        stays = _Ready(places=left, closed=set(ready.closed) if left else set())
        return _Ready(picked, ready.moves, [], ready.inodes, ready.closed), stays

    def _large_portion(self, large: Sequence[bytes]) -> Iterator[bytes]:
        """Of these, the newest first, what waits longest: one, and as many more as make a portion."""
        total_bytes = 0
        for number, path in enumerate(reversed(large)):
            total_bytes += self.portion_bytes if self._ready.places[path] else self._size_bytes_of(path)
            if number and total_bytes > self.portion_bytes:
                return
            yield path

    def _gap(self, gap: Gap) -> None:
        self._ready.gaps.append(gap)
        self._look(gap.path, below=True)

    def _settled(self, fact: Dirty) -> None:
        if fact.inode is not None:
            self._ready.inodes.add(fact.inode)
        # By their bits: an operator of flags takes microseconds, and this is done for each name.
        what = fact.what.value
        if what & _CLOSED:
            self._ready.closed.add(fact.path)
        self._look(fact.path, below=fact.scope is Scope.TREE)
        if what & _COMES_OR_GOES or fact.scope is Scope.TREE:
            self._look(_folder_of(fact.path), below=False)

    def _move(self, fact: Dirty) -> None:
        if fact.moved_from is not None and fact.inode is not None:
            self._ready.moves.append(Moved(fact.moved_from, fact.path, fact.inode))
        for path in (fact.moved_from, fact.path):
            if path is not None:
                self._look(path, below=True)
                self._look(_folder_of(path), below=False)
                self._ready.ends |= {path, _folder_of(path)}

    def _look(self, path: bytes, *, below: bool) -> None:
        self._ready.places[path] = below or self._ready.places.get(path, False)

    def _fold(self) -> None:
        """Too many names: the roots that hold them are looked at whole. Nothing is lost by it but states in between."""
        for settling in (self._quiet, self._open):
            settling.all()
        self._later.clear()
        self._ready.places.clear()
        self._ready.moves.clear()
        for root in self._roots:
            self._look(root, below=True)


def _places(found: dict[bytes, bool]) -> Iterator[Place]:
    """In walk order, without those that lie in a tree that is looked at anyway."""
    tree: bytes | None = None
    for path in sorted(found, key=walk_key):
        if tree is not None and (tree == b"/" or path.startswith(tree + b"/")):
            continue
        yield Place(path, found[path])
        if found[path]:
            tree = path


def _is_still_written(fact: Dirty) -> bool:
    """Only content, and nobody closed it."""
    return fact.what == Aspect.CONTENT and fact.scope is Scope.NAME


def _folder_of(path: bytes) -> bytes:
    return path[: path.rfind(b"/")] or b"/"
