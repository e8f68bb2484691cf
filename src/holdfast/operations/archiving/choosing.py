"""Which files an archive operation takes. Pure but for the state it asks, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from holdfast.capture.archivable import Wanted
from holdfast.capture.rows import Row
from holdfast.capture.state import CaptureState
from holdfast.core.ids import DatasetId
from holdfast.model.entry import Entry
from holdfast.model.rules import ArchiveRule

PAGE = 200
"""So many files are archived together, and let go of together."""

Recalled = Callable[[Sequence[bytes]], Mapping[bytes, int]]
"""Of those of these paths whose file was brought back from the archive: when (ns) last."""
Lacking = Callable[[Sequence[Row]], Sequence[Row]]
"""Of these rows those that are not archived already."""


def never_recalled(_paths: Sequence[bytes]) -> Mapping[bytes, int]:
    return {}


def all_lack(rows: Sequence[Row]) -> Sequence[Row]:
    """Where what is archived does not stay."""
    return rows


def wanted_by(rule: ArchiveRule, bit: int, now_ns: int) -> Wanted:
    """Limits are exclusive, as in a classification."""
    before_ns = now_ns - int((rule.older_than_s or 0) * 1e9)
    larger_than = -1 if rule.larger_than_bytes is None else rule.larger_than_bytes
    return Wanted(bit, before_ns, larger_than)


def old_files(
    state: CaptureState, dataset: DatasetId, rule: ArchiveRule, now_ns: int, recalled: Recalled, lacking: Lacking = all_lack
) -> Iterator[tuple[list[Row], list[Entry]]]:
    """The files that are due, in walk order and in pages, with their rows. One that was brought back counts as new from then on; where the
    rule knows no age, it is due again when it has been changed."""
    slot = state.slot(dataset)
    if slot is None:
        return
    wanted, last = wanted_by(rule, 1 << slot, now_ns), b""
    while rows := state.archivable.files(wanted, last, PAGE):
        last = rows[-1].key
        # Of a million files that stay nearly all are archived already: those are left out by the page, and before their records are read.
        entries = [(row, row.entry()) for row in lacking(rows)]
        back = recalled([entry.path for _, entry in entries])
        due = [(row, entry) for row, entry in entries if not entry.unstable and _is_due(entry, rule, wanted, back.get(entry.path))]
        if due:
            yield [row for row, _ in due], [entry for _, entry in due]


def _is_due(entry: Entry, rule: ArchiveRule, wanted: Wanted, at_ns: int | None) -> bool:
    """Whether it never was brought back, or long enough before now."""
    if at_ns is None:
        return True
    return entry.mtime_ns > at_ns if rule.older_than_s is None else at_ns < wanted.before_ns
