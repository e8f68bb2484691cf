"""Check: is everything there and whole? Reads the repository itself, not the catalog. Finds; never repairs."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.repository._format.index import IndexedPack, decode_index, decode_marks
from holdfast.repository._format.pack import PackedBlob, pack_size
from holdfast.repository._format.snapshot import decode_snapshot
from holdfast.repository._format.tree import DecodedNode, decode_node, decode_tree, split_tree
from holdfast.repository.care.affected import find_affected
from holdfast.repository.care.pack_check import gone, read_header, verify_pack
from holdfast.repository.diagnosis import BadPack, BlobKey, Diagnosis, KnownSnapshot
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.packs.storage import Storage

_READERS = 2
# A pack has 16 MiB, so this many bound the memory.
_PACKS_AHEAD = 3
_NICEST = 19

Choose = Callable[[Inventory], set[bytes]]
"""The packs to read whole."""


def _step_back() -> None:
    """On Linux the niceness is each thread's own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICEST)


class Watch(Protocol):
    """Told how far the check is, often. `total_bytes` 0 = not known yet. May raise to break it off."""

    def __call__(self, phase: str, done_files: int, done_bytes: int, total_bytes: int, /) -> None: ...


def no_packs(_inventory: Inventory) -> set[bytes]:
    return set()


def all_packs(inventory: Inventory) -> set[bytes]:
    return set(inventory.pack_ids)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a check looks at: always what the index names, with `trees` all that snapshots reach, and of the packs of `choose` every byte.
    `unindexed`: packs that no index names count as if one did, by their headers. `bad`:
    packs that are known to be bad and still in an index; they are not read again. `gentle`: whoever else wants the
    processor goes before."""

    trees: bool = True
    choose: Choose = no_packs
    unindexed: bool = False
    bad: tuple[BadPack, ...] = ()
    gentle: bool = False


class Checker:
    """One check. Phases: index, packs, trees, data for the packs that are read, affected where something is lost."""

    def __init__(self, storage: Storage, watch: Watch, scope: Scope) -> None:
        # A copy at home would say nothing of the place itself.
        self._storage = storage.uncached()
        self._watch = watch
        self._scope = scope
        self._done_bytes = self._total_bytes = 0
        self._index_names: list[str] = []
        self._marked: set[bytes] = set()
        self.inventory = Inventory()
        self.diagnosis = Diagnosis()

    def run(self) -> Diagnosis:
        # As stock restic: snapshots first, so that what the index then says covers all they reach.
        names = sorted(self._storage.backend.names(FileType.SNAPSHOT))
        self._read_indexes()
        chosen = self._scope.choose(self.inventory)
        sizes = self.inventory.sizes
        chosen_bytes = sum(sizes[self.inventory.packs[pack]] for pack in chosen)
        tree_bytes = self.inventory.tree_bytes if self._scope.trees else 0
        self._total_bytes = tree_bytes + chosen_bytes
        self._check_packs()
        self._load_snapshots(names)
        if self._scope.trees:
            self._check_trees()
        self._done_bytes = tree_bytes
        self._read_packs(chosen - {pack.id for pack in self.diagnosis.packs})
        self._look_elsewhere()
        if self.diagnosis.lost:
            find_affected(self._storage, self.inventory, self.diagnosis, lambda done: self._tell("affected", done))
        return self.diagnosis

    def _tell(self, phase: str, done_files: int) -> None:
        self._watch(phase, done_files, min(self._done_bytes, self._total_bytes), self._total_bytes)

    def _indexes(self) -> Iterator[tuple[str, tuple[IndexedPack, ...]]]:
        """Each readable index file, one in memory at a time."""
        for name in self._index_names:
            try:
                json = self._storage.load_document(FileType.INDEX, name)
                # What a prune has marked is known to be needless, and no finding.
                self._marked.update(mark.id for mark in decode_marks(json))
                yield name, decode_index(json)
            except RepositoryMissing:
                continue
            except StoreError as error:
                self.diagnosis.indexes[name] = error.message
        if self.diagnosis.found:
            yield "", tuple(self.diagnosis.found)

    def _read_indexes(self) -> None:
        self._index_names = sorted(self._storage.backend.names(FileType.INDEX))
        for number, (_, packs) in enumerate(self._indexes()):
            self._watch("index", number, 0, 0)
            self.inventory.add(packs, {pack.id: pack_size(pack.blobs) for pack in packs})
        if self._scope.unindexed:
            self._read_headers()
        self.inventory.freeze()

    def _read_headers(self) -> None:
        for name in sorted(self._storage.backend.names(FileType.DATA)):
            pack = bytes.fromhex(name)
            if pack in self.inventory.packs:
                continue
            self._watch("index", len(self.inventory.packs), 0, 0)
            try:
                blobs = read_header(self._storage, pack)
            except StoreError:
                # Cut off in writing, or damaged where it says what it holds: as good as not there.
                continue
            self.diagnosis.found.append(IndexedPack(pack, blobs))
        self.inventory.add(self.diagnosis.found, {pack.id: pack_size(pack.blobs) for pack in self.diagnosis.found})

    def _check_packs(self) -> None:
        """There, and of the right length. What is not is read at once: it says which blobs are left."""
        present = {bytes.fromhex(name) for name in self._storage.backend.names(FileType.DATA)}
        suspect: set[bytes] = set()
        known = {pack.id for pack in self._scope.bad}
        self.diagnosis.packs = [pack for pack in self._scope.bad if pack.id in self.inventory.packs]
        for number, (pack, size) in enumerate(zip(self.inventory.pack_ids, self.inventory.sizes, strict=True)):
            self._tell("packs", number)
            if pack not in known and (pack not in present or self._size_of(pack) != size):
                suspect.add(pack)
        self.diagnosis.unindexed = sorted(present - self.inventory.packs.keys() - self._marked)
        if not suspect:
            return
        for _, packs in self._indexes():
            for each in packs:
                if each.id in suspect:
                    suspect.discard(each.id)
                    found = verify_pack(self._storage, each.id, each.blobs) if each.id in present else gone(each.id, each.blobs)
                    self.diagnosis.packs += [found] if found is not None else []

    def _size_of(self, pack: bytes) -> int | None:
        try:
            return self._storage.backend.size(FileType.DATA, pack.hex())
        except RepositoryMissing:
            return None

    def _load_snapshots(self, names: list[str]) -> None:
        for name in names:
            try:
                snapshot = decode_snapshot(self._storage.load_document(FileType.SNAPSHOT, name))
            except RepositoryMissing:
                continue
            except StoreError as error:
                self.diagnosis.bad_snapshots[name] = error.message
            else:
                self.diagnosis.snapshots.append(KnownSnapshot(bytes.fromhex(name), snapshot))

    def _check_trees(self) -> None:
        marks, trees = self.inventory.trees.marks, self.inventory.trees
        done = 0
        for known in self.diagnosis.snapshots:
            stack = [known.snapshot.tree_id]
            while stack:
                tree = stack.pop()
                number = trees.number_of(tree)
                if number is None:
                    self.diagnosis.trees.setdefault(tree, ("tree-missing", f"tree {tree.hex()} is in no index"))
                elif not marks[number]:
                    marks[number] = 1
                    self._tell("trees", done)
                    done += 1
                    for node in self._open_tree(tree):
                        if node.subtree is not None:
                            stack.append(node.subtree)
                        for chunk in node.content:
                            if chunk not in self.inventory.chunks:
                                message = f"{node.name!r} needs chunk {chunk.hex()}, which no index names"
                                self.diagnosis.chunks.setdefault(chunk, message)

    def _open_tree(self, tree: bytes) -> list[DecodedNode]:
        """The nodes of a tree, from any of its copies; what cannot be read is noted."""
        problem = ""
        for number, place in enumerate(self.inventory.trees.places(tree, self.inventory.pack_ids)):
            self._done_bytes += 0 if number else place.blob.length
            try:
                plain = self._storage.load_blob(place)
            except StoreError as error:
                problem = error.message
                continue
            try:
                return decode_tree(plain)
            except RepositoryDamaged:
                return self._open_nodes(tree, plain)
        self.diagnosis.trees.setdefault(tree, ("tree-damaged", problem))
        return []

    def _open_nodes(self, tree: bytes, plain: bytes) -> list[DecodedNode]:
        """One by one, so that a node nobody can read does not hide the others."""
        nodes = []
        try:
            raw_nodes = split_tree(plain)
        except RepositoryDamaged as error:
            self.diagnosis.trees.setdefault(tree, ("tree-damaged", error.message))
            return []
        for raw in raw_nodes:
            try:
                node = decode_node(raw)
            except RepositoryDamaged as error:
                self.diagnosis.nodes.append((tree, error.message))
            else:
                nodes += [node] if node is not None else []
        return nodes

    def _read_packs(self, chosen: set[bytes]) -> None:
        """Two at a time, off the interpreter's lock where it counts; what they give is taken in order."""
        if not chosen:
            return
        waiting: deque[tuple[int, Future[BadPack | None]]] = deque()
        done = 0

        def take() -> None:
            nonlocal done
            size, future = waiting.popleft()
            found = future.result()
            self.diagnosis.packs += [found] if found is not None else []
            self._done_bytes += size
            done += 1

        with ThreadPoolExecutor(_READERS, "check", _step_back if self._scope.gentle else None) as pool:
            try:
                for pack, blobs in self._chosen_packs(chosen):
                    self._tell("data", done)
                    if len(waiting) >= _PACKS_AHEAD:
                        take()
                    waiting.append((pack_size(blobs), pool.submit(verify_pack, self._storage, pack, blobs)))
                while waiting:
                    self._tell("data", done)
                    take()
            finally:
                for _, future in waiting:
                    future.cancel()

    def _chosen_packs(self, chosen: set[bytes]) -> Iterator[tuple[bytes, tuple[PackedBlob, ...]]]:
        left = set(chosen)
        for _, packs in self._indexes():
            for pack in packs:
                if pack.id in left:
                    left.discard(pack.id)
                    yield pack.id, pack.blobs

    def _look_elsewhere(self) -> None:
        """Of the blobs in bad packs, those that another pack holds whole: they are read there to be sure."""
        bad = {pack.id: pack for pack in self.diagnosis.packs}
        wanted = self.diagnosis.in_bad_packs
        if not wanted:
            return
        for _, packs in self._indexes():
            for pack in packs:
                for blob in pack.blobs:
                    key = BlobKey(blob.type, blob.id)
                    if key not in wanted or key in self.diagnosis.elsewhere or (pack.id in bad and key in bad[pack.id].bad):
                        continue
                    if self._storage.holds(pack.id, blob):
                        self.diagnosis.elsewhere.add(key)
