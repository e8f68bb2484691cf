"""Renames of the source as renames in the mirror; whatever the hints say, what comes of it is what the changes say."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.ids import ActionId, NodeId
from holdfast.mirror.mirror import MirrorStore
from holdfast.model.change import Move
from holdfast.model.entry import Entry
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.child import run_in_child
from holdfast.testing.faulty_disk import FaultyDisk
from holdfast.testing.feeding import Feeder
from holdfast.testing.tree_source import TreeSource
from tests.mirror.bench import CONTENTS, DATASET, SCRATCH, Bench, Moved, Spec, StillClock, state_of
from tests.mirror.test_mirror import Bench as RealBench
from tests.mirror.test_mirror import rsync_sees

Tree = dict[bytes, Spec]
FOLDER: Spec = ("dir", 1, 0)


def file(content: int = 2, group: int = 0) -> Spec:
    return ("file", content, group)


def moved(tree: Tree, *steps: tuple[bytes, bytes]) -> Tree:
    """The tree after renames, one after the other; what stands at the new place goes."""
    for old, new in steps:
        inside = {name: spec for name, spec in tree.items() if name == old or name.startswith(old + b"/")}
        tree = {name: spec for name, spec in tree.items() if name not in inside and name != new and not name.startswith(new + b"/")}
        tree.update({new + name[len(old) :]: spec for name, spec in inside.items()})
    return tree


def scene(keep_s: float | None = None) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
        made = Bench(Path(place), keep_s)
        yield made
        made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from scene()


@pytest.fixture
def keeping() -> Iterator[Bench]:
    yield from scene(60.0)


def inodes(bench: Bench) -> dict[str, int]:
    return {str(path.relative_to(bench.target)): path.lstat().st_ino for path in bench.target.rglob("*")}


TREE: Tree = {
    b"a": ("dir", 1, 11), b"a/f": file(6), b"a/sub": ("dir", 1, 12), b"a/sub/g": file(7), b"a/sub/link": ("link", 1, 0),
    b"b": ("dir", 1, 13), b"b/f": file(5), b"c": file(3), b"d": file(4), b"pipe": ("fifo", 1, 0),
}  # fmt: skip


def test_a_folder_of_many_files_is_renamed_once_and_nothing_travels(keeping: Bench) -> None:
    tree = {b"old": FOLDER, b"place": FOLDER, **{b"old/%04d" % number: file(2 + number % 6) for number in range(300)}}
    keeping.send(state_of(tree), full=True)
    before, given_bytes = inodes(keeping), keeping.feeder.given
    with FaultyDisk(keeping.place) as disk:
        keeping.send(state_of(moved(tree, (b"old", b"place/new"))), full=False, moves=[(b"old", b"place/new")])
    assert [step.path for step in disk.steps if step.verb in ("rename", "link", "create")] == ["copy/place/new"]
    keeping.check(state_of(moved(tree, (b"old", b"place/new"))))
    after = inodes(keeping)
    assert {name.replace("place/new", "old"): inode for name, inode in after.items()} == before
    assert keeping.feeder.given == given_bytes
    assert not list((keeping.place / ".holdfast-copy" / "removed").iterdir())


STORIES: dict[str, Moved] = {
    "a file": [(b"c", b"e")],
    "a file into a folder": [(b"c", b"b/c")],
    "a pipe": [(b"pipe", b"a/pipe")],
    "into a folder": [(b"a", b"b/a")],
    "chain": [(b"a", b"x"), (b"x", b"y"), (b"y", b"b/z")],
    "and back": [(b"a", b"x"), (b"x", b"a")],
    "swap of folders": [(b"a", b"t"), (b"b", b"a"), (b"t", b"b")],
    "swap of files": [(b"c", b"t"), (b"d", b"c"), (b"t", b"d")],
    "ring": [(b"a", b"t"), (b"b", b"a"), (b"a/f", b"f"), (b"t", b"b"), (b"f", b"b/sub/f")],
    "child out, then parent": [(b"a/sub", b"s"), (b"a", b"x")],
    "parent, then child out": [(b"a", b"x"), (b"x/sub", b"s")],
    "child becomes parent": [(b"a/sub", b"s"), (b"a", b"s/a")],
    "child takes the parent's place": [(b"a/sub", b"s"), (b"a", b"gone"), (b"s", b"a")],
    "file over file": [(b"c", b"d")],
    "file over a file in a folder": [(b"c", b"a/f")],
    "link over file": [(b"a/sub/link", b"c")],
    "file over link": [(b"c", b"a/sub/link")],
    "both into each other's folder": [(b"a/f", b"b/f2"), (b"b/f", b"a/f")],
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("keep_s", [None, 60.0])
def test_a_story_of_renames(story: str, keep_s: float | None) -> None:
    for bench in scene(keep_s):
        bench.send(state_of(TREE), full=True)
        given_bytes = bench.feeder.given
        before = {inode for name, inode in inodes(bench).items() if name.encode() in TREE and TREE[name.encode()][0] == "dir"}
        after = moved(TREE, *STORIES[story])
        bench.send(state_of(after), full=False, moves=STORIES[story])
        bench.check(state_of(after))
        assert bench.feeder.given == given_bytes
        assert before == {inode for name, inode in inodes(bench).items() if after[name.encode()][0] == "dir"}
        bench.send(state_of(TREE), full=False)
        bench.check(state_of(TREE))


def test_over_a_folder_that_was_emptied_before(keeping: Bench) -> None:
    keeping.send(state_of(TREE), full=True)
    after = moved({name: spec for name, spec in TREE.items() if name != b"b/f"}, (b"a", b"b"))
    folder = (keeping.target / "a").stat().st_ino
    keeping.send(state_of(after), full=False, moves=[(b"a", b"b")])
    keeping.check(state_of(after))
    assert (keeping.target / "b").stat().st_ino == folder
    assert [path.name for path in (keeping.place / ".holdfast-copy" / "removed").glob("*/b/*")] == ["f"]


def test_what_was_changed_added_and_removed_in_a_renamed_folder(keeping: Bench) -> None:
    keeping.send(state_of(TREE), full=True)
    after = moved(TREE, (b"a", b"x"))
    after[b"x/f"] = file(7)
    after[b"x/new"] = file(5)
    after[b"a"] = file(1)
    del after[b"x/sub/g"]
    folder = (keeping.target / "a").stat().st_ino
    keeping.send(state_of(after), full=False, moves=[(b"a", b"x")])
    keeping.check(state_of(after))
    assert (keeping.target / "x").stat().st_ino == folder
    kept = sorted(path.name for path in (keeping.place / ".holdfast-copy" / "removed").glob("*/**/*") if path.is_file())
    assert kept == ["g"], "what was removed is kept under its old name, what was renamed or replaced is not"


def test_hard_links_move_together_and_apart(bench: Bench) -> None:
    tree = {b"a": FOLDER, b"a/one": file(6, 1), b"a/two": file(6, 1), b"three": file(6, 1), b"four": file(6)}
    bench.send(state_of(tree), full=True)
    for steps in ([(b"a", b"b")], [(b"b/one", b"one")], [(b"three", b"b/three"), (b"b", b"a")], [(b"four", b"one")]):
        tree = moved(tree, *steps)
        bench.send(state_of(tree), full=False, moves=steps)
        bench.check(state_of(tree))


LIES: list[Moved] = [
    [(b"b", b"a")],
    [(b"a", b"b")],
    [(b"a", b"copy")],
    [(b"c", b"copy/f")],
    [(b"a", b"a/sub")],
    [(b"a/sub", b"a")],
    [(b"nowhere", b"copy"), (b"copy", b"b")],
    [(b"a", b"t"), (b"t", b"a"), (b"b", b"t"), (b"a", b"b"), (b"t", b"a")],
    [(b"../../outside", b"copy"), (b"a", b"../../outside")],
    [(b"a/../../../outside", b"copy"), (b".", b"copy"), (b"", b"copy"), (b"a", b"")],
    [(b"a/sub/link", b"copy"), (b"a/sub/link/x", b"b/f"), (b"c", b"copy"), (b"copy/sub", b"a")],
]


@pytest.mark.parametrize("lies", LIES)
def test_hints_that_lie(bench: Bench, lies: Moved) -> None:
    """Among them names outside of the mirror, through links, of what is still there, in rings."""
    bench.send(state_of(TREE), full=True)
    outside = bench.place / "outside"
    outside.mkdir()
    (outside / "theirs").write_text("not ours")
    copied = {**TREE, **{b"copy" + name[1:]: spec for name, spec in TREE.items() if name == b"a" or name.startswith(b"a/")}}
    emptied = {name: spec for name, spec in copied.items() if not name.startswith(b"b")}
    for tree in (copied, emptied, TREE, {b"a": file(3)}, TREE):
        bench.send(state_of(tree), full=False, moves=lies)
        bench.check(state_of(tree))
    assert sorted(path.name for path in bench.place.iterdir()) == [".holdfast-copy", "copy", "outside"]
    assert [path.name for path in outside.iterdir()] == ["theirs"]


def test_edits_in_a_renamed_folder_are_told_and_kept(bench: Bench) -> None:
    bench.send(state_of(TREE), full=True)
    (bench.target / "a" / "f").write_bytes(b"edited by hand")
    (bench.target / "a" / "sub" / "link").unlink()
    (bench.target / "a" / "sub" / "link").write_text("no link")
    (bench.target / "a" / "stranger").write_text("theirs")
    after = moved(TREE, (b"a", b"x"))
    answer = bench.tell(state_of(after), moves=[(b"a", b"x")])
    assert sorted(finding.path for finding in answer.findings) == ["copy/x/f", "copy/x/sub/link"]
    assert {finding.code for finding in answer.findings} == {"mirror-edited"}
    removed = bench.place / ".holdfast-copy" / "removed"
    assert sorted(path.read_bytes() for path in removed.glob("*/**/*") if path.is_file()) == [b"edited by hand", b"no link"]
    assert (bench.target / "x" / "stranger").read_text() == "theirs"
    assert [finding.path for finding in bench.tell(state_of(after), full=True).findings] == ["copy/x/stranger"]
    bench.check(state_of(after))


@pytest.mark.parametrize("how", ["gone", "a link", "a file", "another folder", "new place taken"])
def test_a_folder_that_is_another_in_the_mirror(bench: Bench, how: str) -> None:
    bench.send(state_of(TREE), full=True)
    outside = bench.place / "outside"
    (bench.target / "a").rename(outside)
    if how == "a link":
        (bench.target / "a").symlink_to(outside)
    elif how == "a file":
        (bench.target / "a").write_text("theirs")
    elif how == "another folder":
        (bench.target / "a").mkdir()
        (bench.target / "a" / "theirs").write_text("theirs")
    elif how == "new place taken":
        outside.rename(bench.target / "a")
        (bench.target / "x").mkdir()
        (bench.target / "x" / "theirs").write_text("theirs")
    after = moved(TREE, (b"a", b"x"))
    answer = bench.tell(state_of(after), moves=[(b"a", b"x")])
    assert {finding.code for finding in answer.findings} <= {"mirror-edited", "mirror-incomplete"}
    if answer.cursor is None or how == "another folder":
        bench.tell(state_of(after), full=True)
    bench.check(state_of(after))
    if outside.exists():
        assert sorted(os.listdir(outside)) == ["f", "sub"]
    theirs = [
        path for path in (bench.place / ".holdfast-copy" / "removed").glob("*/**/*") if path.is_file() and path.read_text() == "theirs"
    ]
    assert len(theirs) == (how in ("a file", "another folder", "new place taken"))


names = st.sampled_from([b"a", b"b", b"a-b"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
specs = st.tuples(
    st.sampled_from(["dir", "dir", "file", "file", "file", "link", "fifo"]), st.integers(0, len(CONTENTS) - 1), st.integers(0, 2)
)
edits = st.one_of(
    st.tuples(st.just("move"), paths, paths), st.tuples(st.just("move"), paths, paths), st.tuples(st.just("put"), paths, specs),
    st.tuples(st.just("lie"), paths, paths),
)  # fmt: skip
commits = st.lists(st.lists(edits, min_size=1, max_size=6), min_size=1, max_size=6)


def edited(tree: Tree, edit: tuple[object, ...], hints: list[tuple[bytes, bytes]]) -> Tree:
    """One step of a source that is used, where it makes sense; what is told of it is added to the hints."""
    match edit:
        case ("move", bytes(old), bytes(new)):
            inside = new.startswith(old + b"/") or old.startswith(new + b"/") or old == new
            parent = tree.get(new.rpartition(b"/")[0], ("dir", 0, 0) if b"/" not in new else None)
            if old in tree and not inside and parent is not None and parent[0] == "dir":
                hints.append((old, new))
                return moved(tree, (old, new))
        case ("put", bytes(path), spec):
            return {**{name: held for name, held in tree.items() if not name.startswith(path + b"/")}, path: spec}  # type: ignore[dict-item]
        case ("lie", bytes(old), bytes(new)):
            hints.append((old, new))
    return tree


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(paths, specs, max_size=9), commits, st.sampled_from([None, 60.0, -1]))
def test_any_stream_of_small_commits_ends_equal_to_one_full(
    tree: Tree, history: list[list[tuple[object, ...]]], keep_s: float | None
) -> None:
    for bench in scene(keep_s):
        bench.send(state_of(tree), full=True)
        for changes in history:
            hints: list[tuple[bytes, bytes]] = []
            for edit in changes:
                tree = clean(edited(tree, edit, hints))
            bench.send(state_of(tree), full=False, moves=hints)
            bench.check(state_of(tree))
        found = bench.tell(state_of(tree), full=True)
        assert found.findings == ()
        bench.check(state_of(tree))


def use(source: Path, chance: random.Random) -> list[tuple[Path, Path]]:
    """A few steps of somebody at work in a folder; the renames, as they happened."""
    told: list[tuple[Path, Path]] = []
    for _ in range(chance.randint(1, 8)):
        paths = sorted(source.rglob("*"))
        folders = [source, *(path for path in paths if path.is_dir())]
        path, place = chance.choice(paths), chance.choice(folders) / f"n{chance.randrange(12)}"
        match chance.randrange(6):
            case 0 | 1 | 2 if path.exists() and path not in place.parents and path != place and (not place.exists() or path.is_file()):
                if not place.is_dir():
                    path.rename(place)
                    told.append((path, place))
            case 3 if path.is_file():
                with path.open("r+b") as file:
                    file.seek(chance.randrange(20_000))
                    file.write(chance.randbytes(chance.randrange(1, 9_000)))
            case 4:
                if not place.exists():
                    place.mkdir()
                    (place / "inside").write_bytes(chance.randbytes(chance.randrange(9_000)))
            case _ if len(paths) > 30:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return told


def test_a_folder_in_use_is_followed_and_rsync_agrees(tmp_path: Path) -> None:
    bench, chance = RealBench(tmp_path), random.Random(9)
    (bench.source / "folder").mkdir(parents=True)
    for number in range(30):
        (bench.source / "folder" / f"n{number}").write_bytes(chance.randbytes(12_000))
    bench.run(full=True)
    bench.feeder.continuous = True
    renames = 0
    for _ in range(60):
        told = use(bench.source, chance)
        renames += len(told)
        hints = tuple(Move(os.fsencode(old), os.fsencode(new)) for old, new in told)
        assert bench.mirror is not None
        new = bench.read()
        answer = bench.feeder.send(bench.mirror, bench.last, new, moves=hints)
        assert (answer.findings, answer.cursor) == ((), bench.mirror.cursor())
        bench.last = new
        assert bench.differences() == []
    assert rsync_sees(bench.source, bench.target) == ""
    assert renames > 50
    bench.feeder.continuous = False
    assert bench.run() == []
    bench.close()


def test_from_one_target_to_another(tmp_path: Path) -> None:
    """A rename between two roots of a classification is none within either mirror: it is a removal and a put."""
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        (root / "folder").mkdir(parents=True)
        (root / "folder" / root.name).write_bytes(root.name.encode() * 3_000)
    rule = MirrorAction(id=ActionId("a" * 32), targets=tuple((str(root), str(tmp_path / "out" / root.name)) for root in roots))
    receive = Receive(dataset=DATASET, label="x", sender=NodeId("n"), actions=(rule,))
    mirror = MirrorStore(tmp_path / "home").open_mirror(rule, receive, clock=StillClock())
    feeder = Feeder(DATASET, tuple(map(os.fsencode, roots)), {}, continuous=True)

    def read() -> dict[bytes, Entry]:
        sources = [TreeSource(root) for root in roots]
        feeder.chunks.update(sources[0].chunks | sources[1].chunks)
        return sources[0].all | sources[1].all

    before = read()
    feeder.send(mirror, None, before)
    for old, new in (("one/folder", "two/came"), ("two/folder", "one/folder"), ("one/folder/two", "two/came/two")):
        (tmp_path / old).rename(tmp_path / new)
        after = read()
        move = Move(os.fsencode(tmp_path / old), os.fsencode(tmp_path / new))
        assert feeder.send(mirror, before, after, moves=(move,)).findings == ()
        before = after
        for root in roots:
            assert rsync_sees(root, tmp_path / "out" / root.name) == ""
    mirror.close()


def _follow_without_root(place: Path) -> None:
    os.setgid(65534)
    os.setuid(65534)
    bench = RealBench(place)
    for folder in ("closed/inner", "other"):
        (bench.source / folder).mkdir(parents=True)
    (bench.source / "closed" / "inner" / "file").write_text("content")
    (bench.source / "closed" / "inner").chmod(0o555)
    (bench.source / "closed").chmod(0o555)
    bench.run(full=True)
    (bench.source / "closed").chmod(0o755)
    (bench.source / "closed").rename(bench.source / "other" / "closed")
    (bench.source / "other" / "closed").chmod(0o555)
    assert bench.mirror is not None
    new, bench.feeder.continuous = bench.read(), True
    old, at = os.fsencode(bench.source / "closed"), os.fsencode(bench.source / "other" / "closed")
    answer = bench.feeder.send(bench.mirror, bench.last, new, moves=(Move(old, at),))
    assert (answer.findings, answer.cursor) == ((), bench.mirror.cursor())
    assert bench.differences() == []
    bench.close()


def test_folders_that_may_not_be_written_are_renamed_by_their_owner_too(tmp_path: Path) -> None:
    """Not root: a folder is written to when it goes to another one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give up")
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if not os.stat(folder).st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    assert run_in_child(_follow_without_root, tmp_path) == 0


def clean(tree: Tree) -> Tree:
    """Without what lies below something that is no folder."""
    found: Tree = {}
    for name in sorted(tree):
        parent = name.rpartition(b"/")[0]
        if not parent or found.get(parent, ("", 0, 0))[0] == "dir":
            found[name] = tree[name]
    return found
