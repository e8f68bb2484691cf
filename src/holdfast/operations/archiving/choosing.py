"""Which files an archive operation takes. Pure but for the state it asks, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from holdfast.capture.archivable import Wanted
from holdfast.capture.rows import Row
from holdfast.capture.state import CaptureState
from holdfast.core.ids import DatasetId
from holdfast.model.entry import Entry
from holdfast.model.rules import ArchiveRule

PAGE = 200
"""So many files are archived together, and let go of together."""

Recalled = Callable[[bytes], int | None]
"""When (ns) the file at a path was last brought back from the archive; None = never."""


def never_recalled(_path: bytes) -> int | None:
    return None


def wanted_by(rule: ArchiveRule, bit: int, now_ns: int) -> Wanted:
    """Limits are exclusive, as in a classification."""
    before_ns = now_ns - int((rule.older_than_s or 0) * 1e9)
    larger_than = -1 if rule.larger_than_bytes is None else rule.larger_than_bytes
    return Wanted(bit, before_ns, larger_than)


def old_files(
    state: CaptureState, dataset: DatasetId, rule: ArchiveRule, now_ns: int, recalled: Recalled
) -> Iterator[tuple[list[Row], list[Entry]]]:
    """The files that are due, in walk order and in pages, with their rows. One that was brought back counts as new from then on; where the
    rule knows no age, it is due again when it has been changed."""
    slot = state.slot(dataset)
    if slot is None:
        return
    wanted, last = wanted_by(rule, 1 << slot, now_ns), b""
    while rows := state.archivable.files(wanted, last, PAGE):
        last = rows[-1].key
        entries = [(row, row.entry()) for row in rows]
        due = [(row, entry) for row, entry in entries if not entry.unstable and _is_due_again(entry, rule, wanted, recalled)]
        if due:
            yield [row for row, _ in due], [entry for _, entry in due]


def _is_due_again(entry: Entry, rule: ArchiveRule, wanted: Wanted, recalled: Recalled) -> bool:
    """Whether it never was brought back, or long enough ago."""
    at_ns = recalled(entry.path)
    if at_ns is None:
        return True
    return entry.mtime_ns > at_ns if rule.older_than_s is None else at_ns < wanted.before_ns
