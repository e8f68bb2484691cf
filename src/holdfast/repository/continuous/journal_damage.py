"""What is said of a journal that lacks something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Finding, Severity
from holdfast.repository.continuous.journal import Rest, Scan

_AGAIN = "the others are kept; the source offers everything once more"


def damage_in(path: Path, scan: Scan) -> Iterator[Finding]:
    """Of one file; the end says what can be known of it, see `journal`."""
    for offset in scan.damaged:
        yield _damaged(path, f"a commit in the journal cannot be read (at byte {offset})")
    if scan.rest is Rest.UNREADABLE:
        cause = "it is damaged, or the power failed before it was acknowledged"
        yield _damaged(path, f"the last commit in the journal cannot be read (at byte {scan.end}): {cause}")
    if scan.rest is Rest.CUT:
        yield Finding(
            code="journal-cut",
            severity=Severity.INFO,
            message=f"the journal ends within a commit (at byte {scan.end}), as when its owner stops before it acknowledges one",
            path=path.name,
            hint="the source sends it again",
        )


def not_in_journal(dataset: DatasetId, count: int) -> Finding:
    """The catalog knows more than the journal has."""
    message = f"{count} held commits of {dataset} are not in the journal any more, so they could not be kept"
    return Finding(code="held-lost", severity=Severity.ERROR, message=message, hint=_AGAIN)


def _damaged(path: Path, message: str) -> Finding:
    return Finding(code="journal-damaged", severity=Severity.ERROR, message=message, path=path.name, hint=_AGAIN)
