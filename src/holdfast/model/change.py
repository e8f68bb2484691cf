"""The stream: changes, grouped into segments, closed by a commit.

Contract of the stream of one commit
  * Changes come in `walk_key` order, each path at most once. Parents of a classification's roots are put first, as folders.
  * A put of a folder does not touch what is below it. A put of another kind at the place of a folder removes what was below.
  * Every removed path is named by its own `Remove`, parents before children; a receiver may drop the whole folder at the first.
  * `base is None` (a full commit) means: what is not put does not exist. Puts are idempotent, removes of absent paths are nothing.
  * A file's chunks are offered no later than the segment that puts it. Large files travel ahead as `Part`s over several segments.
    A part at offset 0 makes earlier parts of its path void, and so does a put that is not made of them, or none at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.entry import ChunkRef, Entry
from holdfast.model.gaps import Gap
from holdfast.model.jobs import Finding


class RemoveReason(str, Enum):
    """`removed`: gone from the source. `left`: still there, but no longer in the classification. `archived`: moved to an archive."""

    REMOVED = "removed"
    LEFT = "left"
    ARCHIVED = "archived"


class Put(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    entry: Entry


class Remove(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    path: bytes
    reason: RemoveReason = RemoveReason.REMOVED


Change = Put | Remove


def chunks_of(changes: Iterable[Change]) -> set[bytes]:
    """Ids of all that the puts among them consist of."""
    return {ref.id for change in changes if isinstance(change, Put) for ref in change.entry.chunks}


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A run of consecutive chunks of a file whose `Put` comes in a later segment. `offset` is where the first chunk begins."""

    path: bytes
    offset: int
    chunks: tuple[ChunkRef, ...]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of the stream: at most about 8 MiB of offered bytes or 2,000 changes. `offered` names each chunk once."""

    number: int
    parts: tuple[Part, ...] = ()
    changes: tuple[Change, ...] = ()
    offered: tuple[ChunkRef, ...] = ()


class Cursor(msgspec.Struct, frozen=True):
    """How far one action of a receiver has got: the last committed `seq` of that `epoch`."""

    epoch: Epoch
    seq: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Makes a commit a point of one operation. The point's id is chosen at the source, so that every copy bears the same."""

    operation: str
    kind: str
    point: PointId


class Move(msgspec.Struct, frozen=True, array_like=True):
    """A hint: what is put at and below `path` lay at and below `moved_from` in the commit before. The changes say all of it without the
    hint, too; who heeds it may rename what it has. Absolute paths, neither within the other."""

    moved_from: bytes
    path: bytes


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Opens a commit. `base` is the cursor the changes build on; None = full. `roots` are the classification's paths. `moves` are in the
    order they happened, and only there where the commit before is the base."""

    dataset: DatasetId
    label: str
    epoch: Epoch
    seq: int
    base: Cursor | None
    roots: tuple[bytes, ...]
    hostname: str
    moves: tuple[Move, ...] = ()


class Amount(msgspec.Struct, frozen=True):
    """What a commit changes: names, and the bytes of the files among them, of which a receiver may hold much already."""

    changes: int = 0
    size_bytes: int = 0


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Closes a commit. `captured_at` is the source's time at the start of the capture, monotonic per dataset.

    `files` and `size_bytes` describe the whole dataset after the commit, `warnings` counts paths that could not be captured.
    `zone` is the source's IANA zone, by which keep rules cut days.

    `continuous`: one of a stream of small commits as changes happen; a receiver may acknowledge it as `held`. `gaps`: spans before
    `captured_at` in which changes of the dataset may have gone unseen; the commit holds what is there now, not what was between.
    `scanned` is the seq of the newest run that looked at more than what was told to change; 0 where that is not known.
    """

    dataset: DatasetId
    epoch: Epoch
    seq: int
    captured_at: datetime
    marks: tuple[Mark, ...] = ()
    files: int = 0
    size_bytes: int = 0
    warnings: int = 0
    zone: str = "UTC"
    continuous: bool = False
    gaps: tuple[Gap, ...] = ()
    scanned: int = 0


class Payload(msgspec.Struct, frozen=True, array_like=True):
    """The bytes of one chunk on their way. `compressed`: `data` is one standard zstd frame; else the plain bytes."""

    id: bytes
    size_bytes: int
    compressed: bool
    data: bytes


class Durability(str, Enum):
    """`held`: fsynced by the owner. `sealed`: reached by a restic snapshot in the store (mirrors: in place and fsynced)."""

    HELD = "held"
    SEALED = "sealed"


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one action says at the end of a commit. With `error` set nothing was acknowledged and `cursor` is where it stood before.
    `sealed`: of a commit that is held, the newest that is sealed; None = not said."""

    action: str
    durability: Durability = Durability.SEALED
    cursor: Cursor | None = None
    sealed: Cursor | None = None
    points: tuple[PointId, ...] = ()
    stored_bytes: int = 0
    findings: tuple[Finding, ...] = ()
    error: ErrorFacts | None = None
