"""The part of an explanation that no point tells: states between points, which a followed dataset keeps for a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId
from holdfast.model.explanations import MomentKeeper
from holdfast.model.moments import address_of
from holdfast.model.rules import StoredOperation
from holdfast.repository.catalog.version_lookup import Version
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior

_MOST_VERSIONS = 1_000


def version_at(interior: Interior, dataset: DatasetId, path: bytes, at: datetime | None) -> Version | None:
    """The newest version of the path at that time (None = of all), of a dataset that keeps moments. None where it keeps none, or had no
    such path yet."""
    logged = set(interior.moments.logged())
    until_ns = ns_of(at) + 999 if at is not None else None
    for number in interior.commits.known_as(dataset):
        if number not in logged:
            continue
        for version in interior.lookup.history(number, path, _MOST_VERSIONS):
            if until_ns is None or version.from_ns <= until_ns:
                return version
    return None


def moments_with(
    interior: Interior, dataset: DatasetId, version: Version, operations: Mapping[tuple[str, str], StoredOperation]
) -> MomentKeeper | None:
    """None when no moment that can be restored has it."""
    oldest_ns = interior.moments.oldest(version.dataset)
    if oldest_ns is None or (version.to_ns is not None and version.to_ns <= oldest_ns):
        return None
    kept = [operation for (owner, _), operation in operations.items() if owner == dataset and operation.kind == "cdp"]
    # The longest window counts; where one has no end, nothing goes.
    window = max(kept, key=lambda operation: operation.within_s or float("inf"), default=None)
    since, until = moment_of(max(version.from_ns, oldest_ns)), None if version.to_ns is None else moment_of(version.to_ns)
    within_s = None if window is None else window.within_s
    return MomentKeeper(
        operation="" if window is None else window.name,
        address=address_of(dataset, since),
        since=since,
        until=until,
        within_s=within_s,
        goes_at=None if until is None or within_s is None else until + timedelta(seconds=within_s),
    )
