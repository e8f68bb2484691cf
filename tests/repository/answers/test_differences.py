"""What differs between two points or moments, held against a comparison of dictionaries and against restic's own `diff`."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import now
from holdfast.core.errors import UnknownName
from holdfast.core.ids import PointId
from holdfast.model.differences import AskDiff, Change, Difference, Differences, Fact
from holdfast.model.entry import ChunkRef, Entry, Kind, walk_key
from holdfast.model.points import Point
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import encode_node, encode_tree
from holdfast.repository.answers import diffing
from holdfast.repository.past_state import PastState
from holdfast.repository.repository import Repository
from holdfast.testing.feeding import chunk_id
from holdfast.testing.random_edits import RandomEdits
from holdfast.testing.repository_scene import DATASET, START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from tests.repository.damage import flip
from tests.repository.followed import FollowedSource

States = dict[bytes, Entry]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    scene = RepositoryScene(tmp_path_factory.mktemp("differences"))
    scene.create()
    repository = scene.open()
    yield repository
    repository.close()


def raw(row: Difference) -> bytes:
    return row.path_raw or row.path.encode()


def between(repository: Repository, a: Point, b: Point, *, path: bytes = b"", recursive: bool = True, limit: int = 100_000) -> Differences:
    return repository.differences(a, repository, b, AskDiff(a=a.id, b=b.id, path=path, recursive=recursive, limit=limit))


def facts_of(entry: Entry) -> tuple[object, ...]:
    e = entry
    return (e.kind, e.mode, e.uid, e.gid, e.user, e.group, e.size_bytes, e.mtime_ns, e.xattrs, e.link_target, e.device_number, e.chunks)


def expected(old: States, new: States) -> dict[bytes, Change]:
    """As if nothing moved."""
    found: dict[bytes, Change] = {}
    for path in old.keys() | new.keys():
        a, b = old.get(path), new.get(path)
        if a is None:
            found[path] = Change.ADDED
        elif b is None:
            found[path] = Change.REMOVED
        elif a.kind is b.kind is Kind.DIRECTORY and facts_of(a)[:7] + facts_of(a)[8:] == facts_of(b)[:7] + facts_of(b)[8:]:
            continue
        elif facts_of(a) != facts_of(b):
            found[path] = Change.CHANGED
    return found


def unmoved(answer: Differences, old: States, new: States) -> dict[bytes, Change]:
    """The same of the answer: each move as the removal and the addition, of a folder with all in it, that it stands for."""
    found: dict[bytes, Change] = {}
    whole: list[tuple[bytes, bytes]] = []
    for row in answer.rows:
        after = (row.after.path_raw or row.after.path.encode()) if row.after else None
        before = (row.before.path_raw or row.before.path.encode()) if row.before else None
        if row.change is Change.MOVED:
            assert (before is None, after is None, before == after) == (False, False, False)
            assert after not in old
            assert before not in new
            whole.append((before or b"", after or b""))
            continue
        if before is not None and before not in new:
            found[before] = Change.REMOVED
        if after is not None and after not in old:
            found[after] = Change.ADDED
        if before == after and after is not None:
            found[after] = Change.CHANGED
    for before, after in whole:
        found |= {path: Change.REMOVED for path in old if (path == before or path.startswith(before + b"/")) and path not in new}
        found |= {path: Change.ADDED for path in new if (path == after or path.startswith(after + b"/")) and path not in old}
    return found


_NAMES = st.sampled_from([b"a", b"b", b"c", b"\xff"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: b"/data/" + b"/".join(names))
_CONTENTS = st.sampled_from([b"", b"one", b"two", b"three"])


@st.composite
def trees(draw: st.DrawFn) -> States:
    """Files at some paths, with the folders above them; few inodes, so that some are used again."""
    tree: States = {b"/data": Entry(path=b"/data", kind=Kind.DIRECTORY, mode=0o755, inode=1)}
    for path in draw(st.lists(_PATHS, max_size=8)):
        parts = path.split(b"/")
        above = [b"/".join(parts[:count]) for count in range(2, len(parts))]
        if any(tree[each].kind is Kind.FILE for each in above if each in tree) or path in tree:
            continue
        for each in above:
            tree.setdefault(each, Entry(path=each, kind=Kind.DIRECTORY, mode=0o755, inode=draw(st.integers(0, 5))))
        content = draw(_CONTENTS)
        refs = (ChunkRef(chunk_id(content), len(content)),) if content else ()
        tree[path] = Entry(
            path=path,
            kind=Kind.FILE,
            mode=draw(st.sampled_from([0o644, 0o600])),
            inode=draw(st.integers(0, 9)),
            mtime_ns=draw(st.integers(1, 2)),
            atime_ns=draw(st.integers(1, 2)),
            size_bytes=len(content),
            chunks=refs,
        )
    return tree


def tree_of(states: States, beside: dict[bytes, bytes], folder: bytes = b"") -> bytes:
    """Its trees, as a repository would have them."""
    nodes = []
    for path in sorted(path for path in states if path[: path.rfind(b"/")] == folder):
        is_folder = states[path].kind is Kind.DIRECTORY
        nodes.append(encode_node(states[path], tree_of(states, beside, path) if is_folder else None))
    plain = encode_tree(nodes)
    beside[hashlib.sha256(plain).digest()] = plain
    return hashlib.sha256(plain).digest()


Ask = Callable[[AskDiff], Differences]


@settings(max_examples=150)
@given(old=trees(), new=trees(), most=st.sampled_from([0, 3, 1000]), limit=st.integers(1, 5))
def test_it_is_what_a_comparison_of_dictionaries_finds(opened: Repository, old: States, new: States, most: int, limit: int) -> None:
    interior = opened._interior
    beside: dict[bytes, bytes] = {}
    sides: list[diffing.DiffSide] = []
    for number, states in enumerate((old, new)):
        tree = tree_of(states, beside)
        point = Point(
            id=PointId(f"{number}" * 32),
            dataset="files1/documents",
            dataset_id=DATASET,
            operation="backup",
            repository="main",
            time=START,
            files=1,
            bytes=1,
            paths=("/data",),
        )
        sides.append(diffing.DiffSide(interior, point, tree, lambda tree=tree: PastState(tree, beside, ())))  # type: ignore[misc]
    diffs = diffing.Diffs(most)

    def ask(question: AskDiff) -> Differences:
        return diffs.between(sides[0], sides[1], question)

    answer = ask(AskDiff(a="", b="", recursive=True))
    assert unmoved(answer, old, new) == expected(old, new)
    paths = [raw(row) for row in answer.rows]
    assert paths == sorted(set(paths), key=walk_key)
    if answer.totals is not None:
        assert answer.totals.added + answer.totals.removed + answer.totals.changed + answer.totals.moved == len(answer.rows)
    else:
        assert Change.MOVED not in {row.change for row in answer.rows}
    assert _paged(ask, limit) == list(answer.rows)
    assert _folder_by_folder(ask) == {path: row.change for path, row in zip(paths, answer.rows, strict=True)}


def _paged(ask: Ask, limit: int) -> list[Difference]:
    rows: list[Difference] = []
    while True:
        page = ask(AskDiff(a="", b="", recursive=True, limit=limit, after=raw(rows[-1]) if rows else b""))
        rows += page.rows
        if not page.more:
            return rows


def _folder_by_folder(ask: Ask) -> dict[bytes, Change]:
    """As the console opens them."""
    found: dict[bytes, Change] = {}
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        for row in ask(AskDiff(a="", b="", path=folder)).rows:
            path = raw(row)
            if path == folder:
                continue
            if row.change is not Change.INSIDE:
                found[path] = row.change
            if row.inside is not None or {each.kind for each in (row.before, row.after) if each} & {"dir"}:
                waiting.append(path)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_restic_finds(scene: RepositoryScene, tmp_path: Path, seed: int) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    edits = RandomEdits(random.Random(seed), root, outside)
    sources = []
    repository = scene.open()
    feeder = MarkingFeeder(dataset=DATASET, roots=(os.fsencode(root),), chunks={})
    for _ in range(2):
        for _ in range(60):
            edits.once()
        sources.append(TreeSource(root))
        feeder.chunks |= sources[-1].chunks
        scene.store(repository, feeder, sources[-2].all if len(sources) > 1 else None, sources[-1].all)
    a, b = repository.points()
    told = [json.loads(line) for line in scene.restic.run("diff", "--json", "--no-lock", a.snapshot, b.snapshot).splitlines()]
    stock = {each["path"].rstrip("/"): each["modifier"] for each in told if each["message_type"] == "change"}
    answer = between(repository, a, b)
    assert unmoved(answer, sources[0].all, sources[1].all) == expected(sources[0].all, sources[1].all)
    mine = unmoved(answer, sources[0].all, sources[1].all)
    content = {
        raw(row) for row in answer.rows if row.before and row.after and row.before.path == row.after.path and row.facts[:1] != (Fact.TYPE,)
    }
    # restic says no more of what was a folder and is none now.
    exchanged = tuple(path + "/" for path, modifier in stock.items() if "T" in modifier)
    for modifier, change in (("+", Change.ADDED), ("-", Change.REMOVED)):
        here = {_as_restic(path) for path, each in mine.items() if each is change}
        assert {path for path, each in stock.items() if each == modifier} == {path for path in here if not path.startswith(exchanged)}
    assert {p for p, m in stock.items() if m.startswith("M")} <= {_as_restic(p) for p in content}
    repository.close()


def _as_restic(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def test_what_moved_is_shown_as_such(scene: RepositoryScene, tree: Path) -> None:
    repository = scene.open()
    first = TreeSource(tree)
    os.rename(tree / "one", tree / "moved")
    (tree / "moved" / "file0").write_bytes(b"written anew")
    os.remove(tree / "moved" / "file1")
    os.rename(tree / "large", tree / "two" / "larger")
    os.chmod(tree / "top", 0o600)
    second = TreeSource(tree)
    feeder = scene.feeder(first)
    feeder.chunks |= second.chunks
    scene.store(repository, feeder, None, first.all)
    scene.store(repository, feeder, first.all, second.all)
    a, b = repository.points()
    answer = between(repository, a, b)
    at = str(tree)
    told = {row.path.removeprefix(at): (row.change.value, row.before.path.removeprefix(at) if row.before else "") for row in answer.rows}
    assert told == {
        "/moved": ("moved", "/one"),
        "/moved/file0": ("changed", "/one/file0"),
        "/moved/file1": ("removed", "/one/file1"),
        "/two/larger": ("moved", "/large"),
        "/top": ("changed", "/top"),
    }
    by_path = {row.path.removeprefix(at): row for row in answer.rows}
    assert by_path["/top"].facts == (Fact.MODE,)
    assert Fact.CONTENT in by_path["/moved/file0"].facts
    assert (by_path["/moved/file0"].before.size_bytes, by_path["/moved/file0"].after.size_bytes) == (300, 12)  # type: ignore[union-attr]
    (root,) = between(repository, a, b, recursive=False).rows
    assert (root.path, root.change) == (at, Change.INSIDE)
    assert root.inside == answer.totals
    assert answer.totals is not None
    assert (answer.totals.moved, answer.totals.changed, answer.totals.removed, answer.totals.added) == (2, 2, 1, 0)
    below = between(repository, a, b, path=os.fsencode(tree), recursive=False).rows
    assert {row.path.removeprefix(at): row.change.value for row in below} == {"/moved": "moved", "/top": "changed", "/two": "inside"}
    with pytest.raises(UnknownName):
        between(repository, a, b, path=b"/nowhere")
    repository.close()


def test_moments_are_compared_as_points_are(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    times = [now(scene.clock)]
    for number in range(3):
        scene.clock.advance(10)
        source.write(b"/data/new%d" % number, b"%d" % number)
        source.write(b"/data/one", b"state %d" % number)
        source.send(repository)
        times.append(now(scene.clock))
    moments = [repository.point_at(DATASET, at) for at in times]
    told = between(repository, moments[1], moments[3])
    assert {row.path: row.change.value for row in told.rows} == {"/data/new1": "added", "/data/new2": "added", "/data/one": "changed"}
    assert (told.a, told.b) == (moments[1], moments[3])
    back = between(repository, moments[3], moments[0])
    assert {row.path: row.change.value for row in back.rows if row.path != "/data/one"} == {f"/data/new{n}": "removed" for n in range(3)}
    source.leave()
    repository.close()


def test_a_folder_whose_listing_is_damaged_is_named(scene: RepositoryScene, tree: Path) -> None:
    repository = scene.open()
    first = TreeSource(tree)
    for name in ("one", "two"):
        (tree / name / "added").write_bytes(name.encode())
    second = TreeSource(tree)
    feeder = scene.feeder(first)
    feeder.chunks |= second.chunks
    scene.store(repository, feeder, None, first.all)
    scene.store(repository, feeder, first.all, second.all)
    a, b = repository.points()
    interior = repository._interior
    node = interior.trees.node_at(repository._side(b).tree, os.fsencode(tree / "two"))
    assert node is not None
    assert node.subtree is not None
    place = interior.blobs.place(node.subtree, BlobType.TREE)
    assert place is not None
    flip(scene.place / "data" / place.pack.hex()[:2] / place.pack.hex(), place.blob.offset + place.blob.length // 2)
    answer = between(repository, a, b)
    assert {row.path.removeprefix(str(tree)) for row in answer.rows} == {"/one/added"}
    assert [lost.path for lost in answer.lost] == [str(tree / "two")]
    assert answer.lost[0].reason.startswith(b.id)
    repository.close()
