"""A capture state that was lost is rebuilt from what a receiver holds, so that nothing is read or sent again."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.capture.state import CaptureState
from holdfast.core.errors import HoldfastError
from holdfast.core.ids import RepositoryId
from holdfast.delivery.reading import RemoteReader
from holdfast.model.jobs import Finding, Severity
from holdfast.model.rules import DatasetRule
from holdfast.operations.connecting import Dial
from holdfast.operations.run_lanes import Lane
from holdfast.operations.running import Cancellation
from holdfast.wire.data_messages import OpenRead

ANY_REPOSITORY = RepositoryId("")
"""In an `OpenRead` without an order: the repository in which the owner stores the asker's dataset."""


def rebuild_lost_state(
    rule: DatasetRule, lanes: Sequence[Lane], dial_read: Dial, state: CaptureState, cancellation: Cancellation
) -> Finding | None:
    """Tries each receiver that says it holds something of the dataset; what it did, for people. None = there is nothing to rebuild from.

    Mirrors hold no listing, so a dataset that is only mirrored gets a full commit; the mirror asks for no content that it has.
    """
    failures = []
    for lane in sorted((lane for lane in lanes if any(lane.cursors)), key=_newest_seq, reverse=True):
        receiver = lane.delivery.receiver_name
        try:
            entries = _rebuild_from(rule, lane, dial_read, state, cancellation)
        except HoldfastError as error:
            cancellation.check()
            failures.append(f"{receiver}: {error.message}")
            continue
        if entries:
            return Finding(
                code="state-rebuilt", severity=Severity.INFO, message=f"the capture state was rebuilt from {receiver}, no content sent"
            )
    if not failures:
        return None
    return Finding(
        code="state-lost", severity=Severity.INFO, message=f"the state is made anew by reading everything ({'; '.join(failures)})"
    )


def _rebuild_from(rule: DatasetRule, lane: Lane, dial_read: Dial, state: CaptureState, cancellation: Cancellation) -> bool:
    channel = dial_read(lane.delivery.receiver)
    cancellation.on_cancel(channel.close)
    try:
        reader = RemoteReader(channel, OpenRead(repository=ANY_REPOSITORY, dataset=rule.id))
        if reader.cursor is None:
            return False
        state.rebuild(rule, reader.entries())
        return True
    finally:
        channel.close()


def _newest_seq(lane: Lane) -> int:
    return max(cursor.seq for cursor in lane.cursors if cursor is not None)
