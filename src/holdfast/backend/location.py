"""From a location, as people write it, to a backend."""

from __future__ import annotations

from pathlib import Path

from holdfast.backend.backend import Backend
from holdfast.backend.local import LocalBackend
from holdfast.core.errors import UsageError


def open_backend(location: str) -> Backend:
    """An absolute path is a local folder. Touches nothing yet; raises `UsageError` for what this version cannot hold."""
    if location.startswith("s3:"):
        raise UsageError(
            f"{location}: object stores are not in this version", hint="give an absolute path on the node that owns the repository"
        )
    if not location.startswith("/"):
        raise UsageError(f"not a location: {location!r}", hint="give an absolute path, like /srv/holdfast/main")
    return LocalBackend(Path(location))
