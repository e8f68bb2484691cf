"""Which points and files lost blobs take away: one walk over all that the snapshots reach, each tree once."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.core.errors import StoreError
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import DecodedNode, decode_tree
from holdfast.repository.diagnosis import BlobKey, Diagnosis, LostFile
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.packs.storage import Storage

_NOTHING: frozenset[BlobKey] = frozenset()
_FILES_OF_A_BLOB = 20
_CLEAN = 2

Tell = Callable[[int], None]


def find_affected(storage: Storage, inventory: Inventory, diagnosis: Diagnosis, tell: Tell = lambda _done: None) -> None:
    """Fills `reach` and `files` of the diagnosis. `tell` hears how many trees were opened, and may raise."""
    walk = _Walk(storage, inventory, diagnosis, tell)
    diagnosis.reach = [walk.reach_of(number, known.snapshot.tree_id) for number, known in enumerate(diagnosis.snapshots)]


class _Open:
    """A folder on the way down: its nodes that are left, and what was found below so far."""

    __slots__ = ("found", "left", "path", "tree")

    def __init__(self, tree: bytes, path: bytes, nodes: list[DecodedNode]) -> None:
        self.tree = tree
        self.path = path
        self.left = nodes
        self.found: set[BlobKey] = set()


class _Walk:
    def __init__(self, storage: Storage, inventory: Inventory, diagnosis: Diagnosis, tell: Tell) -> None:
        self._storage = storage
        self._inventory = inventory
        self._diagnosis = diagnosis
        self._tell = tell
        self._lost = frozenset(diagnosis.lost)
        self._tainted: dict[bytes, frozenset[BlobKey]] = {}
        self._opened = 0

    def reach_of(self, snapshot: int, root: bytes) -> frozenset[BlobKey]:
        stack: list[_Open] = []
        answer = self._enter(snapshot, root, b"", stack)
        while stack:
            folder = stack[-1]
            if not folder.left:
                stack.pop()
                answer = self._close(folder)
                if stack:
                    stack[-1].found |= answer
                continue
            node = folder.left.pop()
            path = folder.path + b"/" + node.name
            for chunk in node.content:
                self._note(snapshot, BlobKey(BlobType.DATA, chunk), path, folder.found)
            if node.subtree is not None:
                folder.found |= self._enter(snapshot, node.subtree, path, stack)
        return answer

    def _enter(self, snapshot: int, tree: bytes, path: bytes, stack: list[_Open]) -> frozenset[BlobKey]:
        """What is known of the tree already, or nothing yet and the tree on the stack."""
        key = BlobKey(BlobType.TREE, tree)
        if key in self._lost:
            found: set[BlobKey] = set()
            self._note(snapshot, key, path or b"/", found)
            return frozenset(found)
        if tree in self._tainted:
            return self._tainted[tree]
        number = self._inventory.trees.number_of(tree)
        if number is None or self._inventory.trees.marks[number] == _CLEAN:
            return _NOTHING
        self._tell(self._opened)
        self._opened += 1
        stack.append(_Open(tree, path, self._nodes(tree)))
        return _NOTHING

    def _close(self, folder: _Open) -> frozenset[BlobKey]:
        number = self._inventory.trees.number_of(folder.tree)
        if not folder.found:
            if number is not None:
                self._inventory.trees.marks[number] = _CLEAN
            return _NOTHING
        answer = self._tainted[folder.tree] = frozenset(folder.found)
        return answer

    def _nodes(self, tree: bytes) -> list[DecodedNode]:
        for place in self._inventory.trees.places(tree, self._inventory.pack_ids):
            try:
                return decode_tree(self._storage.load_blob(place))[::-1]
            except StoreError:
                continue
        return []

    def _note(self, snapshot: int, key: BlobKey, path: bytes, found: set[BlobKey]) -> None:
        if key not in self._lost:
            return
        found.add(key)
        files = self._diagnosis.files.setdefault(key, [])
        if len(files) < _FILES_OF_A_BLOB:
            files.append(LostFile(snapshot, path))
