"""Logs: restic snapshots of a small tree that says what changed with each of many commits, and reaches what they wrote.

    /changes                     the records, one `moment_record.LogPart` after the other, each a blob of its own
    /versions/ORDINAL/...        what stood in each written file, so that nothing the records name is ever needless

A later log may hold what several earlier ones held: it names their blobs and folders again, and nothing is written twice. Described in
docs/continuous-format.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import DecodedNode, decode_node, encode_node, split_tree
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.moment_record import FORM, Followed, LogPart, Record, Spliced, Written, decode_part, encode, refs_of
from holdfast.repository.packs.storage import Storage
from holdfast.repository.splices import FEWEST_CHUNKS
from holdfast.repository.tree_blob import AddBlob, add_tree

CHANGES, VERSIONS = b"changes", b"versions"
# A part is one blob; restic keeps those of files below 8 MiB.
_PART_BYTES = 1 << 20
LARGEST_RECORD_BYTES = 4 << 20
_CHUNKS_AT_ONCE = 5_000
_FOLDER_MODE, _FILE_MODE = 0o700, 0o400


@dataclass(frozen=True)
class LogContent:
    """What the two entries of a log's tree are made of. `versions` are the nodes of the folder, by name."""

    changes: tuple[ChunkRef, ...]
    versions: dict[bytes, bytes]


def write_content(followed: Followed, records: Sequence[Record], add: AddBlob) -> LogContent:
    """`records` by rising ordinals; at least one."""
    changes: list[ChunkRef] = []
    for part in _parts(followed, records):
        plain = encode(part)
        blob_id = sha256(plain).digest()
        add(BlobType.DATA, blob_id, plain)
        changes.append(ChunkRef(blob_id, len(plain)))
    name = b"%012d" % records[0].ordinal
    tree = add_tree(_version_nodes(records), add)
    node = encode_node(Entry(path=b"/" + name, kind=Kind.DIRECTORY, mode=_FOLDER_MODE, mtime_ns=records[-1].captured_ns), tree)
    return LogContent(tuple(changes), {name: node})


def write_tree(content: LogContent, time_ns: int, add: AddBlob) -> bytes:
    """The id of the log's root tree."""
    versions = add_tree([content.versions[name] for name in sorted(content.versions)], add)
    size = sum(ref.size_bytes for ref in content.changes)
    changes = Entry(path=b"/" + CHANGES, kind=Kind.FILE, mode=_FILE_MODE, mtime_ns=time_ns, size_bytes=size, chunks=content.changes)
    folder = Entry(path=b"/" + VERSIONS, kind=Kind.DIRECTORY, mode=_FOLDER_MODE, mtime_ns=time_ns)
    return add_tree([encode_node(changes), encode_node(folder, versions)], add)


def joined(contents: Iterable[LogContent]) -> LogContent:
    """Of several logs, in their order."""
    changes: tuple[ChunkRef, ...] = ()
    versions: dict[bytes, bytes] = {}
    for content in contents:
        changes += content.changes
        versions |= content.versions
    return LogContent(changes, versions)


def _parts(followed: Followed, records: Sequence[Record]) -> Iterator[LogPart]:
    some: list[Record] = []
    size = 0
    for record in records:
        weight = len(encode(record))
        if some and size + weight > _PART_BYTES:
            yield LogPart(FORM, followed, tuple(some))
            some, size = [], 0
        some.append(record)
        size += weight
    yield LogPart(FORM, followed, tuple(some))


def _version_nodes(records: Sequence[Record]) -> list[bytes]:
    nodes: list[tuple[bytes, bytes]] = []
    named: set[bytes] = set()
    many: dict[bytes, ChunkRef] = {}
    for record in records:
        for place, op in enumerate(record.ops):
            if isinstance(op, Spliced) or (isinstance(op, Written) and len(op.entry.chunks) >= FEWEST_CHUNKS):
                many.update((ref.id, ref) for ref in refs_of(op))
                continue
            if not isinstance(op, Written) or not op.entry.chunks:
                continue
            entry = op.entry
            named.update(ref.id for ref in entry.chunks)
            name = b"%012d.%05d.%s" % (record.ordinal, place, entry.path[entry.path.rfind(b"/") + 1 :][-200:])
            nodes.append((name, _file_node(name, entry.mtime_ns, entry.chunks)))
    rest = [ref for ref in many.values() if ref.id not in named]
    for start in range(0, len(rest), _CHUNKS_AT_ONCE):
        name = b"chunks.%05d" % (start // _CHUNKS_AT_ONCE)
        nodes.append((name, _file_node(name, records[-1].captured_ns, tuple(rest[start : start + _CHUNKS_AT_ONCE]))))
    return [node for _, node in sorted(nodes)]


def _file_node(name: bytes, mtime_ns: int, chunks: tuple[ChunkRef, ...]) -> bytes:
    size = sum(ref.size_bytes for ref in chunks)
    return encode_node(Entry(path=b"/" + name, kind=Kind.FILE, mode=_FILE_MODE, mtime_ns=mtime_ns, size_bytes=size, chunks=chunks))


class LogReader:
    """Raises `RepositoryDamaged` when a log is not whole."""

    def __init__(self, storage: Storage, blobs: BlobTable) -> None:
        self._storage = storage
        self._blobs = blobs

    def parts(self, tree: bytes) -> Iterator[LogPart]:
        """In their order, one in memory at a time."""
        for blob_id in self._changes(tree).content:
            yield decode_part(self._load(blob_id, BlobType.DATA))

    def content(self, tree: bytes) -> LogContent:
        """For a log that is to hold this one's."""
        changes = self._changes(tree).content
        sizes = self._blobs.sizes(changes)
        if missing := [blob for blob in changes if blob not in sizes]:
            raise RepositoryDamaged(f"blob {missing[0].hex()} of a log is in no index")
        folder = next((node for node in split_tree(self._load(tree, BlobType.TREE)) if node.name == VERSIONS), None)
        nodes = split_tree(self._load(folder.subtree, BlobType.TREE)) if folder is not None and folder.subtree is not None else []
        return LogContent(tuple(ChunkRef(blob, sizes[blob]) for blob in changes), {node.name: node.raw for node in nodes})

    def _changes(self, tree: bytes) -> DecodedNode:
        node = next((node for node in split_tree(self._load(tree, BlobType.TREE)) if node.name == CHANGES), None)
        decoded = decode_node(node) if node is not None else None
        if decoded is None or decoded.kind is not Kind.FILE:
            raise RepositoryDamaged(f"tree {tree.hex()} is no log: it has no file {CHANGES.decode()}")
        return decoded

    def _load(self, blob_id: bytes, kind: BlobType) -> bytes:
        place = self._blobs.place(blob_id, kind)
        if place is None:
            raise RepositoryDamaged(f"blob {blob_id.hex()} of a log is in no index")
        return self._storage.load_blob(place)
