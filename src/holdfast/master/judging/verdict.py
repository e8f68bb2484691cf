"""One sentence on how everything does, for people: datasets counted, each once, by the worst that is promised for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from enum import Enum

import msgspec

from holdfast.core.ids import ActionId, DatasetId
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection

_NAMED = 2
_LONGEST_REASON = 100


class Standing(str, Enum):
    """Of a dataset, the worst first. `fresh`: some of what is promised has never run, and is not just still to come; `unknown`: its node
    does not answer."""

    FAILED = "failed"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    FRESH = "fresh"
    PROTECTED = "protected"


_WORDS = {Standing.FAILED: "failed", Standing.OVERDUE: "overdue", Standing.UNKNOWN: "not known", Standing.FRESH: "not run yet"}
_RANK = {standing: rank for rank, standing in enumerate(Standing)}


class DatasetStanding(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: why it is not protected, where there is more to say than the standing does."""

    label: str
    standing: Standing
    reason: str = ""


def standing_of(protection: Protection) -> Standing:
    """A run that is on its way does not hide what failed before it."""
    if protection.state is State.UNKNOWN and protection.error is not None:
        return Standing.UNKNOWN
    if protection.state is State.FAILED or protection.error is not None:
        return Standing.FAILED
    if protection.overdue:
        return Standing.OVERDUE
    return Standing.FRESH if protection.last_at is None else Standing.PROTECTED


def places_kept(protections: Iterable[Protection]) -> frozenset[tuple[DatasetId, ActionId]]:
    """Where each dataset has arrived by some operation."""
    return frozenset((each.dataset_id, each.action_id) for each in protections if each.last_at is not None)


def is_still_to_come(protection: Protection, kept: Set[tuple[DatasetId, ActionId]]) -> bool:
    """Of one that never ran: its first time is to come, as that of a monthly operation is, and another has brought the dataset to the same
    place. Nothing is missing there that was promised by now."""
    return protection.last_at is None and protection.due_at is not None and (protection.dataset_id, protection.action_id) in kept


def rank_of(protection: Protection) -> int:
    """The lower the worse it does."""
    return _RANK[standing_of(protection)]


def standings(protections: Iterable[Protection]) -> dict[DatasetId, DatasetStanding]:
    """One for each dataset, in the order they come."""
    every = tuple(protections)
    kept = places_kept(every)
    found: dict[DatasetId, DatasetStanding] = {}
    for protection in every:
        standing = standing_of(protection)
        if standing is Standing.FRESH and is_still_to_come(protection, kept):
            standing = Standing.PROTECTED
        known = found.get(protection.dataset_id)
        if known is None or _RANK[standing] < _RANK[known.standing]:
            reason = "" if protection.error is None else protection.error.message
            found[protection.dataset_id] = DatasetStanding(label=protection.dataset, standing=standing, reason=reason)
    return found


def merged(every: Iterable[Mapping[DatasetId, DatasetStanding]]) -> dict[DatasetId, DatasetStanding]:
    """As `standings` of all the protections that each of these was made of, in their order."""
    found: dict[DatasetId, DatasetStanding] = {}
    for some in every:
        if found.keys().isdisjoint(some):
            found.update(some)
            continue
        for dataset, standing in some.items():
            known = found.get(dataset)
            if known is None or _RANK[standing.standing] < _RANK[known.standing]:
                found[dataset] = standing
    return found


def verdict(datasets: Sequence[DatasetStanding], troubles: Sequence[str]) -> str:
    """`troubles`: what is wrong beside the datasets, each as people call it (`repository main`, `node dr`)."""
    also = f" Also in trouble: {_some(troubles)}." if troubles else ""
    if not datasets:
        return "Nothing is protected yet." + also
    groups = []
    others = [dataset for dataset in datasets if dataset.standing is not Standing.PROTECTED]
    for standing, words in _WORDS.items():
        found = [dataset for dataset in others if dataset.standing is standing]
        if found:
            groups.append(f"{len(found)} {words} ({_names(found)})")
    if not groups:
        return (f"All {len(datasets)} datasets protected." if len(datasets) > 1 else f"{datasets[0].label} is protected.") + also
    protected = len(datasets) - len(others)
    total = f"{len(datasets)} dataset{'' if len(datasets) == 1 else 's'}"
    return f"{protected} of {total} protected: {', '.join(groups)}.{also}"


def _names(datasets: Sequence[DatasetStanding]) -> str:
    first = datasets[0]
    if len(datasets) == 1 and 0 < len(first.reason) <= _LONGEST_REASON:
        return f"{first.label}: {first.reason}"
    return _some([dataset.label for dataset in datasets])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
