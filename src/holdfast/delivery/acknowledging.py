"""What the actions of a receiver said of several commits that built on each other, as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.model.change import Acknowledgement

_MOST_FINDINGS = 1_000


def joined(passed: Sequence[Acknowledgement], last: Sequence[Acknowledgement]) -> tuple[Acknowledgement, ...]:
    """Those of the last commit. Who did not take an earlier one has refused the last because of that: it says why, as it said then."""
    return tuple(_joined([each for each in passed if each.action == said.action], said) for said in last)


def _joined(before: Sequence[Acknowledgement], last: Acknowledgement) -> Acknowledgement:
    if not before:
        return last
    error = next((each.error for each in before if each.error is not None), last.error)
    if any(each.error is None and each.cursor is None for each in before):
        # It could not keep all of it, and its findings say so.
        error = None
    return msgspec.structs.replace(
        last,
        error=error,
        points=tuple(point for each in (*before, last) for point in each.points),
        stored_bytes=sum(each.stored_bytes for each in (*before, last)),
        findings=tuple(finding for each in (*before, last) for finding in each.findings)[:_MOST_FINDINGS],
    )
