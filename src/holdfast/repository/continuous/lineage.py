"""The lineage of a dataset: one restic snapshot with the older versions of its files, for operations that keep single files.

Its tree has the folders of the dataset, and in them `NAME@TIME` for each older version of a file; TIME is that of the first state with it
that was still known when it was replaced. The newest version is not among them: it is in the newest head or point. The access time of such
a node is when the version was replaced. Described in docs/continuous-format.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.core.clock import ns_of
from holdfast.core.errors import ProtocolError
from holdfast.core.ids import PointId
from holdfast.model.entry import Entry, Kind
from holdfast.model.moments import time_text
from holdfast.repository._format.tree import access_time_ns, encode_node
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Followed, Gone, Record, Spliced, Written
from holdfast.repository.packs.trees import Trees
from holdfast.repository.splices import spliced
from holdfast.repository.tree_blob import AddBlob, add_tree

_LONGEST_NAME = 255
_MOST_ROWS = 100


class Replaced(NamedTuple):
    """An older version of a file: from when it was so, and until when."""

    entry: Entry
    from_ns: int
    to_ns: int


class Keeping(NamedTuple):
    """Of each file the newest `last` versions, the one it has now counted; of those replaced, none replaced before `since_ns`."""

    last: int | None
    since_ns: int


def keeping_of(followed: Followed, now_ns: int) -> Keeping | None:
    """The most generous of its operations; None where none keeps versions."""
    kept = [operation for operation in followed.operations if operation.kind == "version"]
    if not kept:
        return None
    last = None if any(operation.last is None for operation in kept) else max(operation.last or 0 for operation in kept)
    within = None if any(operation.within_s is None for operation in kept) else max(operation.within_s or 0 for operation in kept)
    return Keeping(last, 0 if within is None else now_ns - int(within * 1e9))


class Replacements:
    """Finds what a run of commits replaced. `before` is the tree before the first of them."""

    def __init__(self, interior: Interior, dataset: int, trees: Trees) -> None:
        self._interior = interior
        self._dataset = dataset
        self._trees = trees

    def of(self, records: Sequence[Record]) -> Iterator[Replaced]:
        """Raises `RepositoryDamaged` when a tree cannot be read any more."""
        before = records[0].before
        since: dict[bytes, tuple[Entry, int]] = {}
        gone: set[bytes] = set()
        for record in records:
            if not record.is_told:
                # Too much changed to be written down: the trees say it.
                yield from self._differing(record, since)
                before, since, gone = record.tree, {}, set()
                continue
            for op in record.ops:
                entry = self._whole(before, op, since) if not isinstance(op, Gone) else None
                if isinstance(op, Gone) or (isinstance(op, Written) and op.ends_below):
                    yield from self._below(before, op.path, record, since, gone)
                else:
                    had = isinstance(op, Spliced) or op.replaces
                    yield from self._one(before, op.path, record, since, gone, had=had)
                if entry is not None:
                    since[op.path] = (entry, record.captured_ns)

    def _whole(self, before: bytes, op: Written | Spliced, since: Mapping[bytes, tuple[Entry, int]]) -> Entry | None:
        """The entry with all its chunks; None where those before cannot be had."""
        if isinstance(op, Written):
            return op.entry
        was = since[op.path][0] if op.path in since else self._entry(before, op.path)
        try:
            return replace(op.entry, chunks=spliced(was.chunks, op.pieces)) if was is not None else None
        except ProtocolError:
            return None

    def _one(
        self, before: bytes, path: bytes, record: Record, since: dict[bytes, tuple[Entry, int]], gone: set[bytes], *, had: bool
    ) -> Iterator[Replaced]:
        found = since.pop(path, None)
        if found is None and had and not _is_under(path, gone):
            entry = self._entry(before, path)
            gone.add(path)
            found = (entry, self._from_ns(entry, record.captured_ns)) if entry is not None else None
        if found is not None and found[0].kind is Kind.FILE:
            yield Replaced(found[0], found[1], record.captured_ns)

    def _below(
        self, before: bytes, path: bytes, record: Record, since: dict[bytes, tuple[Entry, int]], gone: set[bytes]
    ) -> Iterator[Replaced]:
        for each in [each for each in since if each == path or each.startswith(path + b"/")]:
            entry, from_ns = since.pop(each)
            if entry.kind is Kind.FILE:
                yield Replaced(entry, from_ns, record.captured_ns)
            gone.add(each)
        if _is_under(path, gone):
            return
        if self._trees.node_at(before, path) is not None:
            for entry in self._trees.walk(before, [path]):
                if entry.kind is Kind.FILE and not _is_under(entry.path, gone):
                    yield Replaced(entry, self._from_ns(entry, record.captured_ns), record.captured_ns)
        gone.add(path)

    def _differing(self, record: Record, since: Mapping[bytes, tuple[Entry, int]]) -> Iterator[Replaced]:
        for difference in self._trees.differences(record.before or None, record.tree):
            if difference.old is None or difference.old.kind != Kind.FILE.value:
                continue
            path = difference.path
            (entry,) = self._trees.entries_of([(path[: path.rfind(b"/")], difference.old)])
            if entry is not None:
                from_ns = since[path][1] if path in since else self._from_ns(entry, record.captured_ns)
                yield Replaced(entry, from_ns, record.captured_ns)

    def _entry(self, tree: bytes, path: bytes) -> Entry | None:
        node = self._trees.node_at(tree, path)
        return self._trees.entries_of([(path[: path.rfind(b"/")], node)])[0] if node is not None else None

    def _from_ns(self, entry: Entry, until_ns: int) -> int:
        """When the version was captured first, as the catalog knows it; else when it was written."""
        rows = self._interior.lookup.history(self._dataset, entry.path, _MOST_ROWS)
        return next((row.from_ns for row in rows if row.to_ns == until_ns), entry.mtime_ns)


def newest_of(replaced: Iterable[Replaced], keeping: Keeping) -> list[Replaced]:
    """Of each file as many as are kept: of one that changes each second the others need not be held in memory."""
    if keeping.last is None:
        return list(replaced)
    kept: dict[bytes, deque[Replaced]] = {}
    for each in replaced:
        if keeping.last > 1:
            kept.setdefault(each.entry.path, deque(maxlen=keeping.last - 1)).append(each)
    return [each for some in kept.values() for each in some]


def _is_under(path: bytes, gone: set[bytes]) -> bool:
    """Whether the path, or a folder above it, is among these."""
    while path:
        if path in gone:
            return True
        path = path[: path.rfind(b"/")]
    return False


@dataclass
class _Folder:
    folders: dict[bytes, _Folder] = field(default_factory=dict)
    files: dict[bytes, list[Replaced]] = field(default_factory=dict)


def grown(trees: Trees, tree: bytes | None, new: Sequence[Replaced], keeping: Keeping, add: AddBlob, *, sweep: bool) -> bytes | None:
    """The lineage's tree with these, and without what is kept no more where something came, with `sweep` everywhere. None = it is empty."""
    root = _Folder()
    for each in new:
        *above, name = each.entry.path[1:].split(b"/")
        folder = root
        for part in above:
            folder = folder.folders.setdefault(part, _Folder())
        folder.files.setdefault(name, []).append(each)
    return _grown(trees, tree, root, keeping, add, sweep=sweep)


def _grown(trees: Trees, tree: bytes | None, new: _Folder, keeping: Keeping, add: AddBlob, *, sweep: bool) -> bytes | None:
    nodes = {node.name: node for node in trees.load(tree)} if tree is not None else {}
    out = {name: node.raw for name, node in nodes.items()}
    below = dict(new.folders)
    if sweep:
        below |= {name: _Folder() for name, node in nodes.items() if node.subtree is not None and name not in below}
    for name, folder in below.items():
        node = nodes.get(name)
        subtree = _grown(trees, node.subtree if node is not None else None, folder, keeping, add, sweep=sweep)
        out.pop(name, None)
        if subtree is not None:
            out[name] = encode_node(Entry(path=b"/" + name, kind=Kind.DIRECTORY, mode=0o700), subtree)
    for name, some in new.files.items():
        for each in some:
            version = name_of(name, each.from_ns)
            out[version] = encode_node(replace(each.entry, path=b"/" + version, atime_ns=each.to_ns, links=1))
    touched = {base for node in out if (base := parse_name(node)[0])} if sweep else set(new.files)
    _drop_old(out, touched, keeping)
    return add_tree([out[name] for name in sorted(out)], add) if out else None


def _drop_old(out: dict[bytes, bytes], touched: set[bytes], keeping: Keeping) -> None:
    versions: dict[bytes, list[tuple[datetime, bytes]]] = {}
    for node in out:
        base, time = parse_name(node)
        if time is not None and base in touched:
            versions.setdefault(base, []).append((time, node))
    for some in versions.values():
        for place, (_, node) in enumerate(sorted(some, reverse=True)):
            replaced_ns = access_time_ns(out[node])
            if (keeping.last is not None and place >= keeping.last - 1) or replaced_ns < keeping.since_ns:
                del out[node]


def name_of(name: bytes, from_ns: int) -> bytes:
    tail = b"@" + time_text(moment_of(from_ns)).encode("ascii")
    return name[: _LONGEST_NAME - len(tail)] + tail


def parse_name(node: bytes) -> tuple[bytes, datetime | None]:
    """A node's file and time; no time where it is no version."""
    name, _, when = node.rpartition(b"@")
    try:
        return name, datetime.fromisoformat(when.decode("ascii"))
    except ValueError:
        return b"", None


class OldVersion(NamedTuple):
    """`entry` has the version's own path, NAME@TIME. Until `to_ns` it was the file's newest."""

    entry: Entry
    from_ns: int
    to_ns: int
    point: PointId


def older_versions(interior: Interior, dataset: int, path: bytes, point: PointId) -> list[OldVersion]:
    """Those in the lineage, newest first. `point`: what the lineage is called. Raises `RepositoryDamaged`."""
    row = interior.commits.lineage(dataset)
    folder, _, name = path.rpartition(b"/")
    if row is None or not name:
        return []
    trees = Trees(interior.storage, interior.blobs)
    tree: bytes | None = row.tree
    if folder:
        node = trees.node_at(row.tree, folder)
        tree = node.subtree if node is not None else None
    if tree is None:
        return []
    shown = name_of(name, 0).rpartition(b"@")[0]
    own = [node for node in trees.load(tree) if parse_name(node.name)[0] == shown]
    found = []
    for node, entry in zip(own, trees.entries_of([(folder, node) for node in own]), strict=True):
        time = parse_name(node.name)[1]
        if entry is not None and time is not None:
            found.append(OldVersion(entry, ns_of(time), entry.atime_ns, point))
    return sorted(found, key=lambda version: version.from_ns, reverse=True)
