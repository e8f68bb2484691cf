"""What is said where a path is asked for of which nothing was ever kept."""

from __future__ import annotations

from holdfast.core.errors import UnknownName
from holdfast.model.entry import display_path

_HINT = "`holdfast find NAME` looks for it over all time, `holdfast status` lists what is protected"


def never_kept(path: bytes, dataset: str) -> UnknownName:
    """`dataset` empty = in none."""
    return UnknownName(f"nothing was ever kept of {display_path(path)}{f' in {dataset}' if dataset else ''}", hint=_HINT)
