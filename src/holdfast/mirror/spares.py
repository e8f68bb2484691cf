"""Large files on their way into the side folder, and how what an earlier commit that never came had brought of one goes on where it is.

It is not copied: a file that was cut off shortly before its end would need the room twice, and on a disk that has it once never come.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.errors import StoreError
from holdfast.host.tree_writer import Draft
from holdfast.mirror.rows import Place
from holdfast.mirror.target import Contents, Target, temp_path
from holdfast.model.change import Part
from holdfast.model.entry import walk_key


@dataclass(frozen=True)
class Growing:
    """A file whose chunks travel ahead of its put. `base`: the content it began as a clone of."""

    n: int
    draft: Draft
    base: int | None


@dataclass(frozen=True)
class Matching:
    """A file whose parts, up to `end`, are what content `n` at the same path has already: nothing is written until they differ."""

    n: int
    end: int


def continued(target: Target, part: Part) -> Growing | None:
    """Of a new file: what has come of it, where this part goes on from there."""
    known = target.records.files_at(walk_key(part.path)) if part.offset else []
    if not known or any(content.placed for content in known) or target.records.is_staged_file(known[0].n):
        return None
    end = 0
    for offset, ref in target.records.chunks_with_offsets(known[0].n):
        if offset != end:
            return None
        end += ref.size_bytes
    return _reopened(target, known[0].n, end) if end == part.offset else None


def resumed(target: Target, contents: Contents, part: Part, before: Matching | None) -> Growing | None:
    """Where a file comes from its beginning once more: what has come of it, if all of that is what comes now. `before`: up to this part."""
    if before is None and part.offset:
        return None
    known = target.records.files_at(walk_key(part.path))
    newest = known[0] if known else None
    if newest is None or newest.placed or (before is not None and before.n != newest.n) or target.records.is_staged_file(newest.n):
        return None
    held = target.records.chunks_with_offsets(newest.n)
    coming = {}
    end = part.offset
    for ref in part.chunks:
        coming[end] = ref
        end += ref.size_bytes
    if not held or any(coming.get(offset) != ref for offset, ref in held if offset >= part.offset):
        return None
    end = 0
    for offset, ref in held:
        if offset != end or contents.read(Place(newest.n, offset, ref.size_bytes), ref.id) is None:
            return None
        end += ref.size_bytes
    return _reopened(target, newest.n, end) if end >= part.offset else None


def _reopened(target: Target, n: int, end: int) -> Growing | None:
    try:
        draft = target.side.reopen(temp_path(n))
    except StoreError:
        return None
    # A process that died may have written more than it recorded; zeros are not written, and there they would not be zeros.
    draft.set_size(end)
    return Growing(n, draft, None)
