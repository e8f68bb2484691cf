"""What a watch must do by whatever means. Inherit in a test file and give `means`: pytest then runs all of it.

Each test changes a tree, waits with `sync`, and lets a `WatchedTree` look only where the facts say. What it then believes must be true.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.core.errors import WatchUnavailable
from holdfast.host.watch import Aspect, Batch, Dirty, Means, Reason, Scope, Watch, WatchRequest, open_watch
from holdfast.model.entry import is_below
from holdfast.testing.watched_tree import WatchedTree, differences

PATIENCE_S = 60.0


class WatchScene:
    """A watch and somebody who follows it."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.tree = WatchedTree(watch.territory)

    def settle(self) -> Batch:
        """All facts of what has changed up to now."""
        assert self.watch.sync(PATIENCE_S)
        batch = self.watch.take(0)
        self.tree.apply(batch)
        return self.near(batch)

    def near(self, batch: Batch) -> Batch:
        """Without what is told of files with several names elsewhere on the file system, where others work meanwhile."""
        territory = self.watch.territory
        near = [os.path.dirname(root) for root in territory.roots]
        names = tuple(fact for fact in batch.names if territory.holds(fact.path) or any(is_below(fact.path, place) for place in near))
        return replace(batch, names=names)

    def check(self) -> Batch:
        """What the follower believes is the truth now."""
        batch = self.settle()
        assert differences(self.tree.known, self.tree.truth()) == []
        return batch


def told(batch: Batch, path: Path | bytes) -> list[Dirty]:
    return [fact for fact in (*batch.moves, *batch.names) if fact.path == os.fsencode(path)]


def covers(batch: Batch, path: Path | bytes) -> bool:
    """Whether somebody is told to look there: at the name itself, or at all below a folder that it lies in."""
    raw = os.fsencode(path)
    return any(fact.path == raw or (fact.scope is Scope.TREE and is_below(raw, fact.path)) for fact in (*batch.moves, *batch.names))


def gaps_of(batch: Batch) -> list[tuple[bytes, Reason]]:
    return [(gap.path, gap.reason) for gap in batch.gaps]


class WatchSuite:
    """Mandatory conformance tests."""

    means: Means

    def request(self, *roots: Path, cuts: tuple[Path, ...] = ()) -> WatchRequest:
        return WatchRequest(roots=tuple(map(os.fsencode, roots)), cuts=tuple(map(os.fsencode, cuts)), only=self.means)

    @contextmanager
    def watching(self, request: WatchRequest) -> Iterator[WatchScene]:
        try:
            watch = open_watch(request)
        except WatchUnavailable as error:
            pytest.skip(f"{self.means.value} does not work here: {error.message}")
        with watch:
            yield WatchScene(watch)

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A tree with a little in it."""
        root = tmp_path / "root"
        for folder in ("a/deep/er", "b"):
            (root / folder).mkdir(parents=True)
            (root / folder / "file").write_bytes(folder.encode())
        return root

    @pytest.fixture
    def scene(self, root: Path) -> Iterator[WatchScene]:
        with self.watching(self.request(root)) as scene:
            yield scene

    def test_nothing_happens_and_nothing_is_told(self, scene: WatchScene) -> None:
        assert not scene.check()

    def test_files(self, scene: WatchScene, root: Path) -> None:
        (root / "new").write_bytes(b"1")
        batch = scene.check()
        assert Aspect.CONTENT in told(batch, root / "new")[0].what
        with (root / "new").open("ab") as file:
            file.write(b"2")
        scene.check()
        os.truncate(root / "new", 0)
        scene.check()
        (root / "new").unlink()
        batch = scene.check()
        assert Aspect.ENTRY in told(batch, root / "new")[0].what
        assert scene.tree.looks == len({fact.path for fact in batch.names}) + 3

    def test_every_kind_of_name(self, scene: WatchScene, root: Path) -> None:
        os.mkfifo(root / "fifo")
        os.symlink("nowhere", root / "link")
        os.symlink(root.parent, root / "a/out")
        for name in (b"\xff\xfe", b"two\nlines", b"back\\slash", b" (deleted)", b"n" * 255):
            folder = os.fsencode(root) + b"/" + name
            os.mkdir(folder)
            scene.settle()
            with open(folder + b"/in", "wb") as file:
                file.write(name)
            os.rename(folder + b"/in", folder + b"/" + name)
        scene.check()

    def test_links_are_not_followed(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (root / "way-out").symlink_to(outside)
        scene.check()
        (root / "way-out" / "file").write_bytes(b"outside")
        assert not scene.check()

    def test_metadata(self, scene: WatchScene, root: Path) -> None:
        (root / "b/file").chmod(0o600)
        (root / "a").chmod(0o711)
        os.setxattr(root / "b", "user.note", b"x")
        batch = scene.check()
        assert [fact.what for fact in told(batch, root / "b/file")] == [Aspect.METADATA]
        os.removexattr(root / "b", "user.note")
        root.chmod(0o710)
        assert covers(scene.check(), root)

    def test_renames_of_files(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        os.rename(root / "a/deep/er/file", root / "b/moved")
        batch = scene.check()
        moved = batch.moves[0]
        assert (moved.path, moved.moved_from) == (os.fsencode(root / "b/moved"), os.fsencode(root / "a/deep/er/file"))
        assert moved.inode == (root / "b/moved").stat().st_ino
        assert scene.tree.followed == 1
        os.rename(root / "b/moved", tmp_path / "out")
        scene.check()
        os.rename(tmp_path / "out", root / "in")
        scene.check()
        (root / "in.tmp").write_bytes(b"saved anew")
        os.replace(root / "in.tmp", root / "in")
        scene.check()

    def test_renames_of_folders(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        os.rename(root / "a", root / "b/a2")
        batch = scene.check()
        assert [(fact.path, fact.moved_from, fact.scope) for fact in batch.moves] == [
            (os.fsencode(root / "b/a2"), os.fsencode(root / "a"), Scope.TREE)
        ]
        assert scene.tree.followed == 1
        (root / "b/a2/deep/er/file").write_bytes(b"where it is now")
        batch = scene.check()
        assert covers(batch, root / "b/a2/deep/er/file")
        os.rename(root / "b/a2", tmp_path / "out")
        scene.check()
        (tmp_path / "out/deep/unseen").write_bytes(b"not ours")
        assert not scene.check()
        os.rename(tmp_path / "out", root / "back")
        scene.check()
        (root / "back/deep/er/seen").write_bytes(b"ours")
        assert covers(scene.check(), root / "back/deep/er/seen")

    def test_folders_that_go_to_and_fro_while_nobody_reads(self, scene: WatchScene, root: Path) -> None:
        """The same move twice is one event in the kernel: its order says nothing."""
        for _ in range(3):
            os.rename(root / "a", root / "c")
            (root / "c/deep/inside").write_bytes(b"c")
            os.rename(root / "c", root / "a")
        os.rename(root / "a", root / "c")
        (root / "c/deep/er/new").write_bytes(b"last")
        scene.check()
        (root / "c/deep/er/later").write_bytes(b"later")
        assert covers(scene.check(), root / "c/deep/er/later")

    def test_parents_are_renamed_after_children(self, scene: WatchScene, root: Path) -> None:
        os.rename(root / "a/deep", root / "a/deeper")
        os.rename(root / "a", root / "z")
        os.rename(root / "b", root / "z/deeper/b")
        (root / "a").mkdir()
        (root / "a/file").write_bytes(b"another a")
        scene.check()
        (root / "z/deeper/b/file").write_bytes(b"x")
        (root / "a/file").write_bytes(b"y")
        batch = scene.check()
        assert covers(batch, root / "z/deeper/b/file")
        assert covers(batch, root / "a/file")

    def test_an_exchange_of_folders(self, scene: WatchScene, root: Path) -> None:
        _exchange(root / "a", root / "b")
        scene.check()
        (root / "a/file").write_bytes(b"was b")
        (root / "b/deep/er/file").write_bytes(b"was a")
        batch = scene.check()
        assert covers(batch, root / "a/file")
        assert covers(batch, root / "b/deep/er/file")

    def test_folders_are_removed_and_made_again(self, scene: WatchScene, root: Path) -> None:
        for round_number in range(4):
            shutil.rmtree(root / "a")
            (root / "a/deep").mkdir(parents=True)
            (root / f"a/deep/{round_number}").write_bytes(b"x")
        shutil.rmtree(root / "b")
        (root / "b").write_bytes(b"a file now")
        scene.check()
        (root / "a/deep/later").write_bytes(b"x")
        assert covers(scene.check(), root / "a/deep/later")

    def test_writes_through_another_name(self, scene: WatchScene, root: Path) -> None:
        os.link(root / "b/file", root / "a/hard")
        scene.check()
        (root / "a/hard").write_bytes(b"through the other name")
        os.unlink(root / "a/hard")
        os.link(root / "b/file", root / "a/hard")
        scene.check()

    def test_a_mapping_is_told_when_it_is_given_up(self, scene: WatchScene, root: Path) -> None:
        with (root / "b/file").open("r+b") as file:
            mapping = mmap.mmap(file.fileno(), 1)
        scene.settle()
        mapping[0:1] = b"M"
        mapping.close()
        scene.check()

    def test_trees_that_are_made_while_it_watches(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        made = tmp_path / "made"
        for number in range(60):
            folder = made / f"{number % 7}/{number % 5}/x{number}"
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"%d" % number)
        with tarfile.open(tmp_path / "made.tar", "w") as archive:
            archive.add(made, "made")
        subprocess.run(["cp", "-a", str(made), str(root / "copied")], check=True)
        subprocess.run(["tar", "-xf", str(tmp_path / "made.tar"), "-C", str(root / "b")], check=True)
        subprocess.run(["mkdir", "-p", str(root / ("/".join(f"level{number}" for number in range(60))))], check=True)
        (root / "clone.tmp").mkdir()
        shutil.copytree(made, root / "clone.tmp/objects")
        os.rename(root / "clone.tmp", root / "clone")
        scene.check()
        (root / "clone/objects/0/0/later").write_bytes(b"x")
        assert covers(scene.check(), root / "clone/objects/0/0/later")

    def test_several_roots_nested_cut_and_one_a_file(self, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        single = other / "single"
        single.write_bytes(b"1")
        (root / "a/cut/kept").mkdir(parents=True)
        request = self.request(root, root / "a/deep", root / "a/cut/kept", single, cuts=(root / "a/cut", root / "b/file"))
        with self.watching(request) as scene:
            (root / "a/cut/unseen").write_bytes(b"x")
            (root / "a/cut/folder").mkdir()
            (root / "b/file").write_bytes(b"x")
            (other / "unseen").write_bytes(b"x")
            assert not scene.check()
            (root / "a/cut/kept/seen").write_bytes(b"x")
            (root / "a/deep/seen").write_bytes(b"x")
            (other / "tmp").write_bytes(b"2")
            os.replace(other / "tmp", single)
            batch = scene.check()
            for path in (root / "a/cut/kept/seen", root / "a/deep/seen", single):
                assert covers(batch, path), path
            os.rename(root / "a/deep/er", root / "a/cut/er")
            os.rename(root / "a/cut/folder", root / "b/folder")
            scene.check()
            (root / "a/cut/er/file").write_bytes(b"unseen")
            assert not scene.check()
            (root / "b/folder/file").write_bytes(b"seen")
            assert covers(scene.check(), root / "b/folder/file")

    def test_a_root_that_goes_and_comes_back(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        os.rename(root, tmp_path / "away")
        batch = scene.check()
        assert (told(batch, root)[0].scope, scene.tree.known) == (Scope.TREE, {})
        root.mkdir()
        (root / "file").write_bytes(b"another root")
        batch = scene.check()
        assert gaps_of(batch) == [(os.fsencode(root), Reason.REPLACED)]
        (root / "later").write_bytes(b"x")
        assert covers(scene.check(), root / "later")
        (tmp_path / "away/a/file").write_bytes(b"unseen")
        assert not scene.check()

    def test_a_root_that_is_replaced(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        (tmp_path / "next/sub").mkdir(parents=True)
        os.rename(root, tmp_path / "away")
        os.rename(tmp_path / "next", root)
        assert gaps_of(scene.check()) == [(os.fsencode(root), Reason.REPLACED)]
        (root / "sub/later").write_bytes(b"x")
        assert covers(scene.check(), root / "sub/later")

    def test_a_root_whose_folder_is_renamed(self, tmp_path: Path) -> None:
        root = tmp_path / "above/root"
        (root / "sub").mkdir(parents=True)
        with self.watching(self.request(root)) as scene:
            os.rename(tmp_path / "above", tmp_path / "elsewhere")
            scene.check()
            assert scene.tree.known == {}
            (tmp_path / "elsewhere/root/sub/unseen").write_bytes(b"x")
            assert not scene.check()
            os.rename(tmp_path / "elsewhere", tmp_path / "above")
            assert gaps_of(scene.check()) == [(os.fsencode(root), Reason.REPLACED)]
            (root / "sub/seen").write_bytes(b"x")
            assert covers(scene.check(), root / "sub/seen")

    def test_a_root_that_is_not_there_yet(self, tmp_path: Path) -> None:
        root = tmp_path / "not/yet"
        with self.watching(self.request(root)) as scene:
            assert not scene.check()
            (root / "sub").mkdir(parents=True)
            assert gaps_of(scene.check()) == [(os.fsencode(root), Reason.REPLACED)]
            (root / "sub/seen").write_bytes(b"x")
            assert covers(scene.check(), root / "sub/seen")


def _exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
