"""The roots of datasets: the paths that their classifications name. Light enough for every process. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable

from holdfast.model.entry import is_below, walk_key


def normal_roots(paths: Iterable[str]) -> tuple[bytes, ...]:
    """Absolute paths as bytes, clean, each once, in walk order."""
    found = {os.path.normpath(os.fsencode(path)) for path in paths}
    return tuple(sorted((path if not path.startswith(b"//") else path[1:] for path in found), key=walk_key))


def share_paths(some: Iterable[bytes], others: Iterable[bytes]) -> bool:
    """Whether a path can lie below roots of both."""
    others = tuple(others)
    return any(is_below(one, other) or is_below(other, one) for one in some for other in others)
