"""A restore is taken back exactly: what it replaced is there again, what it made is gone, what was changed since stays. Killed at any
moment, on the way there or back, it comes to the same end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UnknownName
from holdfast.host.compare import compare_trees
from holdfast.model.orders import Conflict, RestoreRequest
from holdfast.model.reading import Answer, PointReader
from holdfast.operations.restore import RestoreResult, restore
from holdfast.operations.restore_attempt import AboutRestore, Attempt, begin_attempt, existing_above
from holdfast.operations.restore_undo import UndoResult, UndoWatch, forget_restore, undo_restore
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.operations.test_restore_undo import *

action, record, source, target, count, writers = sys.argv[1:]
calls = 0

def dying(*args):
    global calls
    calls += 1
    if calls >= int(count):
        os.kill(os.getpid(), signal.SIGKILL)
    return False

if action == "undo":
    undo_restore(Path(record), UndoWatch(check=dying, check_write=allow), dry_run=False)
else:
    go(TreeSource(Path(source), chunk_bytes=1 << 20), Path(target), Path(record), cancelled=dying, writers=int(writers))
"""


def allow(path: bytes) -> None:
    del path


def attempt_at(record: Path, target: Path) -> Attempt:
    clock = SystemClock()
    real = os.path.realpath(os.fsencode(target))
    about = AboutRestore(
        job="0123456789abcdef",
        target=real,
        existing=existing_above(real),
        begun_at=now(clock),
        expires_at=now(clock) + timedelta(days=1),
    )
    return begin_attempt(record, about)


def go(
    source: PointReader,
    target: Path,
    record: Path,
    *,
    conflict: Conflict = "overwrite",
    paths: Sequence[bytes] = (),
    **around: Any,
) -> RestoreResult:
    return restore(
        source,
        RestoreRequest(target=str(target), conflict=conflict),
        paths,
        clock=SystemClock(),
        check_write=allow,
        attempt=attempt_at(record, target),
        may_go_on=lambda: True,
        **{"writers": 0, **around},
    )


def back(record: Path, *, dry_run: bool = False) -> UndoResult:
    return undo_restore(record, UndoWatch(check=lambda: None, check_write=allow), dry_run=dry_run)


def killed(action: str, record: Path, source: Path, target: Path, count: int, writers: int = 0) -> bool:
    """Whether it was; else it came to its end before."""
    command = [sys.executable, "-c", KILLED, action, str(record), str(source), str(target), str(count), str(writers)]
    done = subprocess.run(command, check=False, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


def differences(one: Path, other: Path) -> list[str]:
    return [str(difference) for difference in compare_trees(os.fsencode(one), os.fsencode(other))]


class Scene:
    """A source, a target that holds an older state of it with other things in it, and a copy of that state to compare with."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.target = folder / "out"
        self.record = folder / "record"
        build_odd_tree(self.source)
        (self.source / "large").write_bytes(os.urandom(12 << 20))
        for number in range(60):
            (self.source / f"file{number:02}").write_bytes(b"%d" % number * number)
        self.place = self.target / str(self.source)[1:]
        shutil.copytree(self.source, self.place, symlinks=True, ignore=shutil.ignore_patterns("*fifo*", "*dev*"))
        self._change()
        self.before = folder / "before"
        subprocess.run(["cp", "-a", str(self.target), str(self.before)], check=True)

    def _change(self) -> None:
        place = self.place
        (place / "plain").write_bytes(b"changed")
        (place / "zz-hard").unlink()
        os.link(place / "plain", place / "zz-hard")
        os.link(place / "plain", place / "a further name of plain")
        (place / "a-b").chmod(0o600)
        (place / "link").unlink()
        (place / "link").mkdir()
        (place / "link" / "deep").write_bytes(b"in a folder that a link replaces")
        shutil.rmtree(place / "empty-folder")
        (place / "empty-folder").write_bytes(b"a file that a folder replaces")
        (place / "large").write_bytes(b"was small")
        for number in range(0, 60, 3):
            (place / f"file{number:02}").unlink()
        for number in range(1, 60, 3):
            (place / f"file{number:02}").write_bytes(b"mine")
        (place / "not in the source").write_bytes(b"stays")
        (place / "file02").chmod(0o640)

    def tree(self) -> TreeSource:
        return TreeSource(self.source, chunk_bytes=1 << 20)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("writers", [0, 2])
def test_all_that_was_there_is_there_again(scene: Scene, writers: int) -> None:
    go(scene.tree(), scene.target, scene.record, writers=writers)
    assert (scene.place / "link").is_symlink()
    assert (scene.place / "large").stat().st_size == 12 << 20
    told = back(scene.record, dry_run=True)
    done = back(scene.record)
    assert (told.back, told.removed, told.left) == (done.back, done.removed, done.left)
    assert (done.left, done.findings) == (0, [])
    assert done.back >= 24
    assert done.removed >= 20
    assert differences(scene.before, scene.target) == []
    assert (scene.place / "plain").samefile(scene.place / "a further name of plain")
    assert not scene.record.exists()
    with pytest.raises(UnknownName):
        back(scene.record)


def test_what_a_restore_made_where_nothing_was_goes_wholly(tmp_path: Path, scene: Scene) -> None:
    target = tmp_path / "fresh" / "place"
    go(scene.tree(), target, scene.record, paths=[os.fsencode(scene.source / "a"), os.fsencode(scene.source / "level0")])
    assert target.exists()
    assert back(scene.record).left == 0
    assert not (tmp_path / "fresh").exists()


def test_what_was_changed_since_stays_and_what_it_replaced_is_kept(scene: Scene) -> None:
    go(scene.tree(), scene.target, scene.record)
    made, replaced = scene.place / "file03", scene.place / "file04"
    for place in (made, replaced):
        place.write_bytes(b"written after the restore")
    result = back(scene.record)
    assert (result.left, {finding.code for finding in result.findings}) == (2, {"changed-since"})
    assert made.read_bytes() == replaced.read_bytes() == b"written after the restore"
    kept = [path for path in scene.target.rglob("file04") if ".holdfast-before-" in str(path)]
    assert [path.read_bytes() for path in kept] == [b"mine"]
    made.unlink()
    replaced.unlink()
    assert back(scene.record).left == 0
    assert differences(scene.before, scene.target) == []


def test_forgotten_it_leaves_nothing_but_what_was_restored(tmp_path: Path, scene: Scene) -> None:
    go(scene.tree(), scene.target, scene.record)
    forget_restore(scene.record)
    assert not scene.record.exists()
    assert list(scene.target.rglob(".holdfast-*")) == []
    assert (scene.place / "large").stat().st_size == 12 << 20


@pytest.mark.parametrize("count", [3, 20, 60, 80, 110])
def test_killed_on_the_way_there_it_is_taken_back_all_the_same(scene: Scene, count: int) -> None:
    killed("restore", scene.record, scene.source, scene.target, count)
    assert back(scene.record).left == 0
    assert differences(scene.before, scene.target) == []
    assert list(scene.target.rglob(".holdfast-before*")) == []


@pytest.mark.parametrize("count", [5, 40, 75])
def test_killed_on_the_way_back_it_goes_on(scene: Scene, count: int) -> None:
    go(scene.tree(), scene.target, scene.record)
    assert killed("undo", scene.record, scene.source, scene.target, count)
    assert back(scene.record).left == 0
    assert differences(scene.before, scene.target) == []


class Counting(TreeSource):
    asked = 0

    def answers(self, questions):  # type: ignore[no-untyped-def]
        for ids in questions:
            self.asked += len(ids)
            answer = next(iter(super().answers([ids])))
            yield Answer(answer.payloads, answer.lost, answer.last)


@pytest.mark.parametrize("conflict", ["overwrite", "skip", "rename"])
def test_broken_off_it_goes_on_within_a_large_file_and_can_be_taken_back(scene: Scene, conflict: Conflict) -> None:
    (scene.place / "large").unlink()
    subprocess.run(["touch", "-r", str(scene.before / str(scene.source)[1:]), str(scene.place)], check=True)
    (scene.before / str(scene.source)[1:] / "large").unlink()
    subprocess.run(["touch", "-r", str(scene.place), str(scene.before / str(scene.source)[1:])], check=True)

    class Breaking(Counting):
        def answers(self, questions):  # type: ignore[no-untyped-def]
            for answer in super().answers(questions):
                yield answer
                if self.asked >= 8 and any(scene.place.glob(".holdfast-tmp-*")):
                    raise OSError("the owner is gone")

    with pytest.raises(OSError, match="gone"):
        go(Breaking(scene.source, chunk_bytes=1 << 20), scene.target, scene.record, conflict=conflict)
    assert len(list(scene.place.glob(".holdfast-tmp-*"))) == 1
    second = Counting(scene.source, chunk_bytes=1 << 20)
    go(second, scene.target, scene.record, conflict=conflict)
    whole = Counting(scene.source, chunk_bytes=1 << 20)
    restore(whole, RestoreRequest(target=str(scene.target) + "-2"), (), clock=SystemClock(), check_write=allow)
    assert second.asked <= whole.asked - 8
    assert (scene.place / "large").read_bytes() == (scene.source / "large").read_bytes()
    assert list(scene.place.glob(".holdfast-tmp-*")) == []
    if conflict == "rename":
        assert len(list(scene.place.glob("file01.restored-*"))) == 1
    assert back(scene.record).left == 0
    assert differences(scene.before, scene.target) == []
