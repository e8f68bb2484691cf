"""From a location, as people write it, to a backend."""

from __future__ import annotations

from pathlib import Path

from holdfast.backend.backend import Backend
from holdfast.backend.local import LocalBackend
from holdfast.backend.owner import Owner
from holdfast.backend.read_cache import ReadCache
from holdfast.backend.s3 import S3Backend
from holdfast.core.errors import UsageError
from holdfast.model.object_location import is_object_location, parse_object_location

CACHE = "cache"


def open_backend(location: str, owner: Owner) -> Backend:
    """An absolute path is a local folder, `s3://BUCKET/PREFIX?endpoint=URL` a place in an object store, read through a cache in the owner's
    home. Touches nothing yet; raises `UsageError` for what is neither."""
    if is_object_location(location):
        where = parse_object_location(location)
        return ReadCache(S3Backend(where, owner), owner.home / CACHE, where.cache_bytes, owner.clock)
    if not location.startswith("/"):
        hint = "give an absolute path, like /srv/holdfast/main, or s3://BUCKET/PREFIX?endpoint=URL"
        raise UsageError(f"not a location: {location[:200]!r}", hint=hint)
    return LocalBackend(Path(location), owner)
