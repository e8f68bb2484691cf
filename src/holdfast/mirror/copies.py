"""A mirror as a copy to heal a repository from: chunks by their ids, out of the files that stand in it. Reads; never writes.

The records say in which file at which offset a chunk should be; what is read there counts only when it has the chunk's SHA-256.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256

from holdfast.core.errors import HoldfastError
from holdfast.host.tree_writer import TreeWriter
from holdfast.mirror.records import RECORDS, Records
from holdfast.mirror.rows import Place
from holdfast.mirror.soundness import records_errors
from holdfast.mirror.target import Target, side_of, temp_path
from holdfast.model.entry import check_path
from holdfast.model.rules import MirrorAction


class MirrorCopy:
    """Of one mirror action of this node. A session may be writing the mirror meanwhile."""

    def __init__(self, action: MirrorAction) -> None:
        self._action = action

    def give(self, ids: Sequence[bytes], trees: bool) -> Iterator[tuple[bytes, bytes]]:
        """A `delivery.copies.GiveBlobs`; a mirror has no listings. Raises `StoreError` when its records cannot be read."""
        left = set() if trees else set(ids)
        for root, folder in self._action.targets:
            path = os.path.realpath(os.fsencode(folder))
            if left and os.path.isfile(os.path.join(side_of(path), RECORDS)):
                with _opened(check_path(os.fsencode(root)), path) as target:
                    for chunk_id in sorted(left):
                        found = _read(target, chunk_id)
                        if found is not None:
                            left.discard(chunk_id)
                            yield chunk_id, found


@contextmanager
def _opened(root: bytes, path: bytes) -> Iterator[Target]:
    side = side_of(path)
    with ExitStack() as held, records_errors(side):
        records = held.enter_context(closing(Records(os.path.join(side, RECORDS))))
        writer = held.enter_context(closing(TreeWriter(os.path.dirname(path))))
        beside = held.enter_context(closing(TreeWriter(side)))
        yield Target(root, os.path.basename(path), writer, beside, records)


def _read(target: Target, chunk_id: bytes) -> bytes | None:
    """From the first place that really has it."""
    for place in target.records.places(chunk_id):
        found = _read_at(target, place)
        if found is not None and sha256(found).digest() == chunk_id:
            return found
    return None


def _read_at(target: Target, place: Place) -> bytes | None:
    content = target.records.file(place.file)
    if content is None:
        return None
    with suppress(OSError, HoldfastError):
        fd = target.writer.open_file(target.at(content.key)) if content.placed else target.side.open_file(temp_path(content.n))
        try:
            return os.pread(fd, place.size, place.offset)
        finally:
            os.close(fd)
    return None
