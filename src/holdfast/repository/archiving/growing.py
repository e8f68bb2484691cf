"""The tree of a lineage of archived files: what joins it, and what leaves it. Pure but for the trees it reads and adds.

Files lie in it as they lie in the dataset, in the same folders with the same metadata, below one folder for each time that something was
archived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from holdfast.model.archiving import LegalHold, ToArchive, Verdict, digest_of, parse_time_name, time_name
from holdfast.model.entry import Entry, Kind, is_below
from holdfast.repository._format.tree import RawNode, change_of_content_ns, decode_node, encode_node, is_unstable, with_subtree
from holdfast.repository.packs.trees import Trees
from holdfast.repository.tree_blob import AddBlob, add_tree

_FOLDER_MODE = 0o755


@dataclass
class Wanted:
    """Some files of a tree, by the folders they lie in."""

    folders: dict[bytes, Wanted] = field(default_factory=dict)
    files: dict[bytes, ToArchive] = field(default_factory=dict)


@dataclass
class Found:
    """`verdicts` by path; `contents` are the chunks of each file that is as the source says."""

    verdicts: dict[bytes, Verdict] = field(default_factory=dict)
    contents: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)


def wanted_of(files: Sequence[ToArchive]) -> Wanted:
    root = Wanted()
    for file in files:
        *above, name = file.path[1:].split(b"/")
        folder = root
        for part in above:
            folder = folder.folders.setdefault(part, Wanted())
        folder.files[name] = file
    return root


def look_up(trees: Trees, tree: bytes, wanted: Wanted) -> Found:
    """Which of these files the tree has in the very state that is named. Raises `RepositoryDamaged`."""
    found = Found()
    _look(trees, tree, wanted, found)
    return found


def _look(trees: Trees, tree: bytes | None, wanted: Wanted, found: Found) -> None:
    nodes = {node.name: node for node in trees.load(tree)} if tree is not None else {}
    for name, file in wanted.files.items():
        node = nodes.get(name)
        content = _content(node, file) if node is not None else None
        if content is None:
            found.verdicts[file.path] = Verdict.UNKNOWN if node is None else Verdict.CHANGED
        else:
            found.verdicts[file.path] = Verdict.ARCHIVED
            found.contents[file.path] = content
    for name, below in wanted.folders.items():
        node = nodes.get(name)
        _look(trees, node.subtree if node is not None else None, below, found)


def _content(node: RawNode, file: ToArchive) -> tuple[bytes, ...] | None:
    decoded = decode_node(node)
    if decoded is None or decoded.kind is not Kind.FILE:
        return None
    # What changed while it was read is no state of the file, so the source must keep its own.
    same = (decoded.node.size, change_of_content_ns(decoded), digest_of(decoded.content)) == (file.size_bytes, file.mtime_ns, file.digest)
    return decoded.content if same and not is_unstable(decoded) else None


@dataclass(frozen=True)
class Growth:
    """`tree` None = nothing is left. `files`, `size_bytes`: by how much the lineage became more, or less."""

    tree: bytes | None
    files: int
    size_bytes: int


class Grower:
    """`add` takes the new trees; their ids are in `new`, to be read back."""

    def __init__(self, trees: Trees, add: AddBlob) -> None:
        self._trees = trees
        self._add = add
        self.new: list[bytes] = []
        self._files = self._size_bytes = 0

    def joined(self, lineage: bytes | None, dataset: bytes, archived_ns: int, wanted: Wanted) -> Growth:
        """The lineage with these files of the dataset's tree under this time. Put there once more they stay as they are."""
        self._files = self._size_bytes = 0
        name = time_name(archived_ns).encode("ascii")
        nodes = {node.name: node for node in self._trees.load(lineage)} if lineage is not None else {}
        there = nodes.get(name)
        below = self._join(there.subtree if there is not None else None, dataset, wanted)
        folder = Entry(path=b"/" + name, kind=Kind.DIRECTORY, mode=_FOLDER_MODE, mtime_ns=archived_ns, ctime_ns=archived_ns)
        raw = {each.name: each.raw for each in nodes.values()} | {name: encode_node(folder, below)}
        return Growth(self._tree(raw), self._files, self._size_bytes)

    def _join(self, lineage: bytes | None, dataset: bytes, wanted: Wanted) -> bytes:
        out = {node.name: node for node in self._trees.load(lineage)} if lineage is not None else {}
        raw = {name: node.raw for name, node in out.items()}
        source = {node.name: node for node in self._trees.load(dataset)}
        for name, file in wanted.files.items():
            if name not in out:
                self._files += 1
                self._size_bytes += file.size_bytes
            raw[name] = source[name].raw
        for name, below in wanted.folders.items():
            there, node = out.get(name), source[name]
            assert node.subtree is not None
            raw[name] = with_subtree(node, self._join(there.subtree if there is not None else None, node.subtree, below))
        return self._tree(raw)

    def left(self, lineage: bytes, is_over: Callable[[int], bool], holds: Sequence[LegalHold]) -> Growth:
        """The lineage without what is over and under no hold."""
        self._files = self._size_bytes = 0
        raw: dict[bytes, bytes] = {}
        for node in self._trees.load(lineage):
            archived_ns = parse_time_name(node.name.decode("latin-1"))
            if archived_ns is None or node.subtree is None or not is_over(archived_ns):
                raw[node.name] = node.raw
                continue
            below = self._held(node.subtree, b"/", holds)
            if below is not None:
                raw[node.name] = node.raw if below == node.subtree else with_subtree(node, below)
        return Growth(self._tree(raw) if raw else None, self._files, self._size_bytes)

    def _held(self, tree: bytes, folder: bytes, holds: Sequence[LegalHold]) -> bytes | None:
        """What of a folder is under a hold; None = nothing."""
        if any(is_below(folder, hold.path) for hold in holds):
            return tree
        raw: dict[bytes, bytes] = {}
        for node in self._trees.load(tree):
            path = (folder if folder != b"/" else b"") + b"/" + node.name
            if node.subtree is not None:
                below = self._held(node.subtree, path, holds)
                if below is not None:
                    raw[node.name] = node.raw if below == node.subtree else with_subtree(node, below)
            elif any(is_below(path, hold.path) for hold in holds):
                raw[node.name] = node.raw
            else:
                decoded = decode_node(node)
                self._files -= 1
                self._size_bytes -= decoded.node.size if decoded is not None else 0
        return self._tree(raw) if raw else None

    def _tree(self, raw: dict[bytes, bytes]) -> bytes:
        tree = add_tree([raw[name] for name in sorted(raw)], self._add)
        self.new.append(tree)
        return tree
