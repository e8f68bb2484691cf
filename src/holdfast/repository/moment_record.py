"""What changed with one commit, as journal and logs keep it: self-describing MessagePack (msgspec), one document for each commit.

A record says what the commit did to the tree before it: `before` and `tree` name both, so that whoever applies it can prove the outcome.
The forms are described in docs/continuous-format.md; a field is only ever added at an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import DatasetId, Epoch
from holdfast.model.change import Cursor
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import ChunkRef, Entry, walk_key
from holdfast.model.gaps import Gap
from holdfast.model.operations import SPECS
from holdfast.model.rules import StoredOperation
from holdfast.repository.catalog.version_table import Ended, NewVersion
from holdfast.repository.splices import Piece, added_by, composed, splice, spliced

T = TypeVar("T")
FORM = 1
HOUR_S, DAY_S = 3_600.0, 86_400.0
KEEPING_KINDS = tuple(kind for kind, spec in SPECS.items() if spec.keeps_moments)


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """Of a dataset that is followed. `operations`: those that keep more than points."""

    dataset: DatasetId
    label: str
    sender: str
    hostname: str
    roots: tuple[bytes, ...]
    zone: str = "UTC"
    operations: tuple[StoredOperation, ...] = ()

    @property
    def is_logged(self) -> bool:
        """Whether what happened between its points is kept."""
        return bool(self.operations)

    @property
    def window_s(self) -> float:
        """For so long every moment can be restored. Versions of single files are named after moments, so a few of those stay with them."""
        windows = (operation.within_s or DAY_S for operation in self.operations if operation.kind == "cdp")
        return max(windows, default=HOUR_S if self.operations else 0.0)

    @property
    def keeps_versions(self) -> bool:
        """Whether older versions of single files are kept by themselves."""
        return any(operation.kind == "version" for operation in self.operations)

    @property
    def moment_operation(self) -> str:
        """What a moment is named after."""
        return next((operation.name for operation in self.operations), "moment")


class Written(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """A path has a new state. `replaces`: it had one before; `ends_below`: it was a folder, and is none any more."""

    entry: Entry
    replaces: bool = False
    ends_below: bool = False

    @property
    def path(self) -> bytes:
        return self.entry.path


class Spliced(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A large file has a new state, most of which it had before: `entry` without chunks, and `pieces` in place of them."""

    entry: Entry
    pieces: tuple[Piece, ...]

    @property
    def path(self) -> bytes:
        return self.entry.path


class Gone(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A path is no more, nor what was below it."""

    path: bytes


Op = Written | Spliced | Gone


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One commit. `ops` in walk order. `ordinal` counts the dataset's commits; `captured_ns` since 1970. `files`, `size_bytes`: of the
    whole dataset. Where `is_told` is false the commit was too large to be written down and only its gaps are."""

    ordinal: int
    epoch: Epoch
    seq: int
    captured_ns: int
    before: bytes
    tree: bytes
    ops: tuple[Op, ...] = ()
    files: int = 0
    size_bytes: int = 0
    warnings: int = 0
    zone: str = "UTC"
    gaps: tuple[Gap, ...] = ()
    is_told: bool = True

    @property
    def cursor(self) -> Cursor:
        return Cursor(epoch=self.epoch, seq=self.seq)

    @property
    def chunks(self) -> Iterator[bytes]:
        """Ids of all chunks that its new states name, some of them often; of a large file those it did not have before."""
        return (ref.id for op in self.ops for ref in refs_of(op))


def refs_of(op: Op) -> Iterable[ChunkRef]:
    """The chunks that an op names itself."""
    if isinstance(op, Spliced):
        return added_by(op.pieces)
    return op.entry.chunks if isinstance(op, Written) else ()


class LogPart(msgspec.Struct, frozen=True, array_like=True):
    """What one writing of a log adds to it. `form` is that of the records."""

    form: int
    followed: Followed
    records: tuple[Record, ...]


_encode = msgspec.msgpack.Encoder().encode
_parts = msgspec.msgpack.Decoder(LogPart)
_followed = msgspec.msgpack.Decoder(Followed)


def encode(value: Followed | Record | LogPart) -> bytes:
    return _encode(value)


def decode_followed(data: bytes) -> Followed:
    """Raises `RepositoryDamaged`, as the others here."""
    return _decoded(_followed, data)


def decode_part(data: bytes) -> LogPart:
    part = _decoded(_parts, data)
    if part.form != FORM:
        raise RepositoryDamaged(f"a log is of form {part.form}, which this version does not know", hint="bring Holdfast up to date")
    return part


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a record of what changed cannot be read: {error}") from error


def ops_of(ended: Sequence[Ended], new: Sequence[NewVersion]) -> tuple[Op, ...]:
    """What a tree builder found, in walk order."""
    ends_below = {path for path, below_only in ended if below_only}
    ops: list[Op] = [_op_of(version, ends_below) for version in new]
    ops += [Gone(path) for path, below_only in ended if not below_only]
    return tuple(sorted(ops, key=_key))


def _op_of(version: NewVersion, ends_below: set[bytes]) -> Op:
    entry = version.entry
    pieces = splice(version.chunks_before, entry.chunks) if version.chunks_before else None
    if pieces is not None:
        return Spliced(replace(entry, chunks=()), pieces)
    return Written(entry, version.replaces, entry.path in ends_below)


def _key(op: Op) -> bytes:
    return walk_key(op.path)


def versions_of(ops: Iterable[Op]) -> tuple[list[Ended], list[NewVersion]]:
    """What the catalog wants to know of them."""
    ended: list[Ended] = []
    new: list[NewVersion] = []
    for op in ops:
        if isinstance(op, Gone):
            ended.append(Ended(op.path))
            continue
        if isinstance(op, Spliced):
            new.append(NewVersion(op.entry, True))
            continue
        if op.ends_below:
            ended.append(Ended(op.path, below_only=True))
        new.append(NewVersion(op.entry, op.replaces))
    return ended, new


class Merged(msgspec.Struct, frozen=True):
    """Many commits as one. `anew`: written paths whose earlier state, with all below, was gone in between."""

    ops: tuple[Op, ...]
    anew: frozenset[bytes]


def merge(records: Iterable[Record]) -> Merged:
    """The last change of each path, in walk order. Raises `ProtocolError` when chunks are kept that were not there."""
    last: dict[bytes, Op] = {}
    anew: set[bytes] = set()
    folders: dict[bytes, set[bytes]] = {}
    for record in records:
        for op in record.ops:
            path = op.path
            if isinstance(op, Gone) or (isinstance(op, Written) and op.ends_below):
                _drop_below(path, last, anew, folders)
            if isinstance(last.get(path), Gone) or (isinstance(op, Written) and op.ends_below):
                anew.add(path)
            last[path] = _onto(last.get(path), op)
            parent = path
            while parent and (end := parent.rfind(b"/")) >= 0:
                child, parent = parent, parent[:end]
                if child in folders.setdefault(parent, set()):
                    break
                folders[parent].add(child)
    return Merged(tuple(last[path] for path in sorted(last, key=walk_key)), frozenset(anew & last.keys()))


def _onto(before: Op | None, op: Op) -> Op:
    """Both as one: the later op, in terms of what was there before the earlier one."""
    if isinstance(op, Spliced) and isinstance(before, Spliced):
        return Spliced(op.entry, composed(before.pieces, op.pieces))
    if isinstance(op, Spliced) and isinstance(before, Written):
        return Written(replace(op.entry, chunks=spliced(before.entry.chunks, op.pieces)), before.replaces, before.ends_below)
    return op


def _drop_below(path: bytes, last: dict[bytes, Op], anew: set[bytes], folders: dict[bytes, set[bytes]]) -> None:
    waiting = list(folders.pop(path, ()))
    while waiting:
        each = waiting.pop()
        last.pop(each, None)
        anew.discard(each)
        waiting += folders.pop(each, ())
