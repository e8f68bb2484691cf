"""Which heads stay when newer ones come: those that moments of a followed dataset are made from.

A base about each hour, so that no moment needs more than about an hour of changes; of wide windows fewer, so that they do not become many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.core.ids import DatasetId
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.catalog.moment_table import BaseRow
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Followed, decode_followed

_HOUR_S = 3_600.0
_MOST_BASES = 168


@dataclass(frozen=True)
class Bases:
    """`keep`: snapshots of heads. Moments before the commit `first_ordinal` are needed no more; 0 = all are."""

    keep: frozenset[bytes]
    first_ordinal: int


def plan_bases(heads: Sequence[BaseRow], window_s: float, now_ns: int) -> Bases:
    """`heads` oldest first, all of one dataset. When they were captured is the source's word: none counts as later than now, nor as
    earlier than one before it, so that no source can have its moments let go."""
    apart_ns = int(max(_HOUR_S, window_s / _MOST_BASES) * 1e9)
    begin_ns = now_ns - int(window_s * 1e9)
    kept: list[BaseRow] = []
    last_ns: int | None = None
    first_ordinal, at_ns = 0, -(1 << 63)
    for head in heads:
        at_ns = max(at_ns, min(head.captured_ns, now_ns))
        if last_ns is None or at_ns - last_ns >= apart_ns:
            last_ns = at_ns
        elif head.is_told or not (head.is_built_on or at_ns >= begin_ns):
            continue
        kept.append(head)
        if at_ns <= begin_ns:
            first_ordinal = head.ordinal
    return Bases(frozenset(head.id for head in kept if head.ordinal >= first_ordinal), first_ordinal)


def followed_of(interior: Interior, dataset: int) -> Followed | None:
    """None where the dataset is not followed."""
    facts = interior.moments.facts(dataset)
    return decode_followed(facts) if facts is not None else None


def kept_s(interior: Interior, dataset: int, followed: Followed) -> float:
    """How far back every moment of it is kept: as the rules say, and longer while an anomaly holds them."""
    if not interior.moment_holds:
        return followed.window_s
    name = dict(interior.commits.datasets()).get(dataset, "")
    return interior.moment_holds.window_s(DatasetId(name), followed.window_s, interior.time.now_ns())


def stays_as_head(interior: Interior, row: CommitRow) -> bool:
    """Whether the whole tree of this commit is needed for a moment, itself or a later one, although no point is left of it."""
    followed = followed_of(interior, row.dataset)
    if followed is None or not followed.is_logged or row.moment:
        return False
    return interior.moments.is_built_on(row) or row.captured_ns >= interior.time.now_ns() - int(
        kept_s(interior, row.dataset, followed) * 1e9
    )


def bases_of(interior: Interior, dataset: int) -> Bases:
    """As things are now. Nothing is let go while nobody knows what time it is."""
    followed = followed_of(interior, dataset)
    if followed is None or not followed.is_logged:
        return Bases(frozenset(), 0)
    heads = interior.moments.heads(dataset)
    if interior.time.suspended():
        return Bases(frozenset(head.id for head in heads), 0)
    return plan_bases(heads, kept_s(interior, dataset, followed), interior.time.now_ns())
