"""A mirror as a copy to heal a repository from: chunks by their ids, out of the files that stand in it. Reads; never writes.

The records say in which file at which offset a chunk should be; what is read there counts only when it has the chunk's SHA-256.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256

from holdfast.mirror.reading import open_content, opened_target, places_of
from holdfast.mirror.target import Target
from holdfast.model.rules import MirrorAction


class MirrorCopy:
    """Of one mirror action of this node. A session may be writing the mirror meanwhile."""

    def __init__(self, action: MirrorAction) -> None:
        self._action = action

    def give(self, ids: Sequence[bytes], trees: bool) -> Iterator[tuple[bytes, bytes]]:
        """A `delivery.copies.GiveBlobs`; a mirror has no listings. Raises `StoreError` when its records cannot be read."""
        left = set() if trees else set(ids)
        for root, path in places_of(self._action):
            if left:
                with opened_target(root, path) as target:
                    for chunk_id in sorted(left):
                        found = _read(target, chunk_id)
                        if found is not None:
                            left.discard(chunk_id)
                            yield chunk_id, found


def _read(target: Target, chunk_id: bytes) -> bytes | None:
    """From the first place that really has it."""
    for place in target.records.places(chunk_id):
        fd = open_content(target, place.file)
        if fd is None:
            continue
        try:
            found = os.pread(fd, place.size, place.offset)
        except OSError:
            continue
        finally:
            os.close(fd)
        if sha256(found).digest() == chunk_id:
            return found
    return None
