"""Sources that are refused: they look as if they were gone, so what they are now is kept by nobody until somebody accepts it. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts, SourceVanished
from holdfast.model.node_status import NodeStatus


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a source is refused. `since`: of one that is followed, where what was deleted just before may have been delivered as it went;
    null = its last run was refused as a whole."""

    error: ErrorFacts
    since: datetime | None = None


def refusal_of(status: NodeStatus, dataset: str) -> Refusal | None:
    """What a node says of the source of a dataset (label or id); None = it is not refused, as far as is known."""
    for each in status.following:
        if dataset in (each.dataset, each.dataset_id) and each.error is not None and each.error.code == SourceVanished.code:
            return Refusal(error=each.error, since=each.open_gap_since)
    for run in status.protections:
        if dataset in (run.dataset, run.dataset_id) and run.error is not None and run.error.code == SourceVanished.code:
            return Refusal(error=run.error)
    return None
