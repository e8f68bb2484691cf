"""What a mirror reports of what somebody else did to it."""

from __future__ import annotations

from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity


def edited(relative: bytes, message: str, hint: str) -> Finding:
    """It is as the source has it again. `relative` to the mirror's folder."""
    return Finding(code="mirror-edited", severity=Severity.WARNING, message=message, path=display_path(relative), hint=hint)


def incomplete(relative: bytes, message: str) -> Finding:
    """It is not yet."""
    hint = "the next run sends the whole state of the dataset again and mends it"
    return Finding(code="mirror-incomplete", severity=Severity.ERROR, message=message, path=display_path(relative), hint=hint)
