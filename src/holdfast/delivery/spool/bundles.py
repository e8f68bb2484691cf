"""Runs that go to the receiver together, so that a long row of small ones is not a wait for its disk each.

Where every state counts they go one after the other, and only the last is waited for; where only the newest state does (`joining`) they go
as one commit. Either way a bundle ends with the first point in it: no later state takes the place of a point, and what the receiver says at
the end is said of that point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from holdfast.delivery.spool.run_file import RunFile
from holdfast.delivery.spool.thinning import Size, joined_begin, joined_changes
from holdfast.model.change import Begin, Change, Commit, Payload, Put, chunks_of
from holdfast.model.stream import Compression, Withdrawn

MOST_RUNS, MOST_BYTES, MOST_GAPS = 256, 64 << 20, 500
_PART_OF_SHARE = 4
_MOST_MOVES = 10_000


def together(runs: Sequence[Size], share_bytes: int) -> int:
    """How many of these, the oldest first, go together. A part of what the spool may hold at most: what is being sent cannot be thinned."""
    most_bytes, size_bytes, gaps = min(MOST_BYTES, share_bytes // _PART_OF_SHARE), 0, 0
    for place, run in enumerate(runs[:MOST_RUNS]):
        size_bytes += run.size_bytes
        gaps += run.gaps
        if place and (size_bytes > most_bytes or gaps > MOST_GAPS):
            return place
        if run.has_marks:
            return place + 1
    return min(len(runs), MOST_RUNS)


def without_loss(bundle: Sequence[RunFile], lent: Callable[[Sequence[RunFile]], set[bytes]]) -> Sequence[RunFile]:
    """So much of the bundle that the receiver gets all that later runs build on. `lent`: chunks that runs behind these have borrowed. One
    that only a state within the bundle names would never be asked for, so a bundle ends with the run that brings it."""
    while len(bundle) > 1:
        sought = lent(bundle).intersection(chain.from_iterable(run.chunks for run in bundle))
        if sought:
            withdrawn = chain.from_iterable(run.facts.withdrawn for run in bundle)
            sought = sought - _taken(joined_changes([run.changes() for run in bundle]), withdrawn)
        if not sought:
            break
        first = next(place for place, run in enumerate(bundle) if not sought.isdisjoint(run.chunks))
        bundle = bundle[: min(first + 1, len(bundle) - 1)]
    return bundle


def has_unasked(run: RunFile, lent: set[bytes]) -> bool:
    """Whether a run that was sent by itself has brought something that is lent and that the receiver has not got with it: none of its own
    changes names it, as runs were thinned into it, or only files that could not be given whole do."""
    sought = lent.intersection(run.chunks)
    return bool(sought) and not sought <= _taken(run.changes(), run.facts.withdrawn)


def _taken(changes: Iterable[Change], withdrawn: Iterable[bytes]) -> set[bytes]:
    """What a receiver has for good once it has these. A file that lacks something is left out, and its other chunks are in nothing."""
    lost = frozenset(withdrawn)
    puts = (change for change in changes if isinstance(change, Put))
    return chunks_of(put for put in puts if lost.isdisjoint(ref.id for ref in put.entry.chunks))


def begin_of(bundle: Sequence[RunFile]) -> Begin:
    """Of all as one commit. What moved in one run moved after what moved in the run before."""
    first, last = bundle[0].facts.begin, bundle[-1].facts.begin
    moves = tuple(move for run in bundle for move in run.facts.begin.moves)
    return msgspec.structs.replace(joined_begin(first, last), moves=moves[:_MOST_MOVES])


def commit_of(bundle: Sequence[RunFile]) -> Commit:
    """Of all as one commit: the last, with the gaps of each. States between are no gap for who keeps none."""
    last = bundle[-1].facts.commit
    return msgspec.structs.replace(last, gaps=tuple(gap for run in bundle for gap in run.facts.commit.gaps))


class BundleChunks:
    """The `ChunkSource` of runs that are sent again. `payload`: None = the source could not give it."""

    def __init__(self, payload: Callable[[bytes], Payload | None]) -> None:
        self._payload = payload

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        """As they were kept, whatever is asked for."""
        del compression
        for chunk in ids:
            yield self._payload(chunk) or Withdrawn(chunk)
