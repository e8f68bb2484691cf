"""What several captures that followed each other gave, as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.capture.ports import CaptureResult
from holdfast.model.jobs import Counters

_MOST_FINDINGS, _MOST_SUSPECTS = 1_000, 10_000


def joined(results: Sequence[CaptureResult], *, is_whole: bool) -> CaptureResult:
    """Of at least one, the last one's number and time. `is_whole`: see there."""
    last = results[-1]
    if len(results) == 1 and is_whole:
        return last
    return CaptureResult(
        run=last.run,
        captured_at=last.captured_at,
        totals={dataset: totals for each in results for dataset, totals in each.totals.items()},
        counters=Counters(**{name: sum(getattr(each.counters, name) for each in results) for name in Counters.__struct_fields__}),
        findings=tuple(finding for each in results for finding in each.findings)[:_MOST_FINDINGS],
        findings_total=sum(each.findings_total for each in results),
        refused={dataset: why for each in results for dataset, why in each.refused.items()},
        suspects=tuple(path for each in results for path in each.suspects)[:_MOST_SUSPECTS],
        linked=frozenset().union(*(each.linked for each in results)),
        read_until=last.read_until,
        is_whole=is_whole,
    )
