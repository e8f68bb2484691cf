"""One edit of the document by its keys: a value that the console sends, the compiler applies, and a diagnostic may propose."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Value = Any
"""None, bool, int, float, str, or a list or dict (with text as keys) of such. Treated as frozen."""
PathStep = str | int
Path = tuple[PathStep, ...]


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """`set` writes `value` at `path` and makes mappings that are missing on the way; a place in a list may be its length, behind the end.
    `remove` takes it out. `rename` gives the last key of `path` the name in `value`, in its place."""

    op: Literal["set", "remove", "rename"]
    path: Path
    value: Value = None
