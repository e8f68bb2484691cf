"""Check: is everything there and whole? Reads the repository itself, not the catalog. Finds; never repairs."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Protocol

from holdfast.backend.backend import FileType
from holdfast.core.errors import HoldfastError, RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.model.jobs import Finding, Severity
from holdfast.repository._format.index import decode_index
from holdfast.repository._format.pack import BlobType, PackedBlob, open_blob, pack_size, read_pack_header
from holdfast.repository._format.snapshot import decode_snapshot
from holdfast.repository._format.tree import decode_node, split_tree
from holdfast.repository.blob_table import Place
from holdfast.repository.storage import Storage

_HINT = "copy the repository as it is, then let stock restic mend it: `restic repair index` and `restic repair snapshots`"


def _error(code: str, message: str, path: str, hint: str = _HINT) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, message=message, path=path, hint=hint)


class Watch(Protocol):
    """Told how far the check is, often. `total_bytes` 0 = not known yet. May raise to break it off."""

    def __call__(self, phase: str, done_files: int, done_bytes: int, total_bytes: int, /) -> None: ...


class Checker:
    """One check. Iterate `run`; findings come as they are made. Phases: index, packs, trees, and data where every byte is read."""

    def __init__(self, storage: Storage, watch: Watch) -> None:
        self._storage = storage
        self._watch = watch
        self._done_bytes = self._total_bytes = 0
        self._packs: dict[bytes, tuple[PackedBlob, ...]] = {}
        self._trees: dict[bytes, Place] = {}
        self._chunks: set[bytes] = set()

    def run(self, *, read_data: bool) -> Iterator[Finding]:
        # As stock restic: snapshots first, so that what the index then says covers all they reach.
        names = list(self._storage.backend.names(FileType.SNAPSHOT))
        yield from self._read_indexes()
        trees_bytes = sum(place.blob.length for place in self._trees.values())
        self._total_bytes = trees_bytes + (sum(map(pack_size, self._packs.values())) if read_data else 0)
        yield from self._check_packs()
        yield from self._check_trees(names)
        if read_data:
            self._done_bytes = trees_bytes
            for number, pack in enumerate(sorted(self._packs)):
                self._watch("data", number, self._done_bytes, self._total_bytes)
                yield from self._read_pack(pack)
                self._done_bytes += pack_size(self._packs[pack])

    def _read_indexes(self) -> Iterator[Finding]:
        for number, name in enumerate(list(self._storage.backend.names(FileType.INDEX))):
            self._watch("index", number, 0, 0)
            try:
                packs = decode_index(self._storage.load_document(FileType.INDEX, name))
            except RepositoryMissing:
                continue
            except HoldfastError as error:
                yield _error("index-damaged", error.message, f"index/{name}")
                continue
            for pack in packs:
                self._packs[pack.id] = pack.blobs
                for blob in pack.blobs:
                    if blob.type is BlobType.TREE:
                        self._trees[blob.id] = Place(pack.id, blob)
                    else:
                        self._chunks.add(blob.id)

    def _check_packs(self) -> Iterator[Finding]:
        present = set(self._storage.backend.names(FileType.DATA))
        for number, (pack, blobs) in enumerate(self._packs.items()):
            self._watch("packs", number, 0, self._total_bytes)
            place = f"data/{pack.hex()}"
            if pack.hex() not in present:
                yield _error("pack-missing", f"a pack with {len(blobs)} blobs is not there", place)
                continue
            size = self._storage.backend.size(FileType.DATA, pack.hex())
            if size != pack_size(blobs):
                yield _error("pack-size", f"the pack has {size} bytes, the index says {pack_size(blobs)}", place)
        for name in sorted(present - {pack.hex() for pack in self._packs}):
            yield Finding(
                code="pack-unused",
                severity=Severity.INFO,
                message="no index names this pack; a run that was cut off left it",
                path=f"data/{name}",
                hint="a prune removes it",
            )

    def _check_trees(self, snapshot_names: list[str]) -> Iterator[Finding]:
        seen: set[bytes] = set()
        for name in snapshot_names:
            place = f"snapshots/{name}"
            try:
                snapshot = decode_snapshot(self._storage.load_document(FileType.SNAPSHOT, name))
            except RepositoryMissing:
                continue
            except HoldfastError as error:
                yield _error("snapshot-damaged", error.message, place)
                continue
            stack = [snapshot.tree_id]
            while stack:
                tree = stack.pop()
                if tree not in seen:
                    seen.add(tree)
                    self._watch("trees", len(seen), self._done_bytes, self._total_bytes)
                    yield from self._check_tree(tree, stack, place)

    def _check_tree(self, tree: bytes, stack: list[bytes], snapshot: str) -> Iterator[Finding]:
        where = self._trees.get(tree)
        if where is None:
            yield _error("tree-missing", f"tree {tree.hex()} is in no index", snapshot)
            return
        self._done_bytes += where.blob.length
        try:
            nodes = split_tree(self._storage.load_blob(where))
        except HoldfastError as error:
            yield _error("tree-damaged", error.message, snapshot)
            return
        for node in nodes:
            if node.subtree is not None:
                stack.append(node.subtree)
            try:
                decoded = decode_node(node)
            except RepositoryDamaged as error:
                yield _error("node-damaged", error.message, f"tree {tree.hex()}")
                continue
            for chunk in decoded.content if decoded is not None else ():
                if chunk not in self._chunks:
                    yield _error("chunk-missing", f"{node.name!r} needs chunk {chunk.hex()}, which no index names", f"tree {tree.hex()}")

    def _read_pack(self, pack: bytes) -> Iterator[Finding]:
        place = f"data/{pack.hex()}"
        blobs = self._packs[pack]
        try:
            data = self._storage.backend.load(FileType.DATA, pack.hex())
        except RepositoryMissing:
            return
        except StoreError as error:
            yield _error("pack-unreadable", error.message, place)
            return
        if sha256(data).digest() != pack:
            yield _error("pack-damaged", "the pack's content does not fit its name", place)
        try:
            header = read_pack_header(self._storage.key, data)
        except RepositoryDamaged as error:
            yield _error("pack-header", error.message, place)
        else:
            if sorted(header) != sorted(blobs):
                yield _error("pack-header", "the pack's header and the index disagree", place)
        for blob in blobs:
            try:
                plain = open_blob(self._storage.key, data[blob.offset : blob.offset + blob.length], blob.raw_bytes)
            except RepositoryDamaged as error:
                yield _error("blob-damaged", f"blob {blob.id.hex()}: {error.message}", place)
                continue
            if sha256(plain).digest() != blob.id:
                yield _error("blob-damaged", f"blob {blob.id.hex()} has other content than its id says", place)
