"""What an action says of a file that it could not take."""

from __future__ import annotations

from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity


def left_out(path: bytes) -> Finding:
    """Its content was promised and could not be given any more: it was another by then, or could not be read or copied again."""
    return Finding(
        code="changed-while-sent",
        severity=Severity.WARNING,
        message="left out: it changed while it was sent, or could not be read again; its state before is kept, if there was one",
        path=display_path(path),
        hint="the next run captures it again",
    )
