"""An exact restore takes away what its dataset has there and the point has not, and nothing else; and all of it comes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import OutsideLimits, UsageError
from holdfast.host.compare import compare_trees
from holdfast.model.document import Classification
from holdfast.model.orders import RestoreRequest, check_request
from holdfast.model.reading import Listed, LostFolder
from holdfast.operations.restore import RestoreResult, restore
from holdfast.operations.restore_attempt import AboutRestore, begin_attempt, existing_above
from holdfast.operations.restore_surplus import Captured
from holdfast.operations.restore_undo import UndoWatch, undo_restore
from holdfast.testing.tree_source import TreeSource


def allow(path: bytes) -> None:
    del path


class Scene:
    """A dataset of which there is a point, and all kinds of things that came after it."""

    def __init__(self, folder: Path, **classification: Any) -> None:
        self.folder, self.data = folder, folder / "data"
        (self.data / "kept" / "deep").mkdir(parents=True)
        (self.data / "one").write_text("one")
        (self.data / "kept" / "deep" / "two").write_text("two")
        (self.data / "cache").mkdir()
        self.source = TreeSource(self.data)
        self.classification = Classification(paths=(str(self.data),), **classification)
        self.own: tuple[str, ...] = ()
        self.check_remove: Callable[[bytes], None] = allow

    def restored(self, paths: tuple[bytes, ...] = (), *, dry_run: bool = False, source: TreeSource | None = None) -> RestoreResult:
        clock = SystemClock()
        about = AboutRestore(
            job="0123456789abcdef",
            target=b"/",
            existing=existing_above(b"/"),
            begun_at=now(clock),
            expires_at=now(clock) + timedelta(days=1),
        )
        captured = Captured(
            classification=self.classification, own=self.own, now_ns=clock.now_ns(), check_remove=lambda path: self.check_remove(path)
        )
        return restore(
            source or self.source,
            RestoreRequest(target="/", exact=True, dry_run=dry_run),
            paths,
            clock=clock,
            check_write=self._inside,
            roots=(os.fsencode(self.data),),
            attempt=None if dry_run else begin_attempt(self.folder / "record", about),
            writers=0,
            captured=captured,
        )

    def taken_back(self) -> int:
        watch = UndoWatch(check=lambda: None, check_write=self._inside)
        return undo_restore(self.folder / "record", watch, dry_run=False).left

    def _inside(self, path: bytes) -> None:
        if not (path + b"/").startswith(os.fsencode(self.data) + b"/"):
            raise OutsideLimits("outside")

    def names(self) -> list[str]:
        found = (str(path.relative_to(self.data)) for path in self.data.rglob("*"))
        return sorted(name for name in found if not name.startswith(".holdfast-before"))

    def came_later(self) -> None:
        (self.data / "ransom.txt").write_text("pay")
        (self.data / "kept" / "deep" / "two.locked").write_text("???")
        (self.data / "new" / "below").mkdir(parents=True)
        (self.data / "new" / "below" / "a").write_text("a")
        (self.data / "new" / "b").symlink_to("below/a")
        (self.data / "empty").mkdir()
        os.mkfifo(self.data / "fifo")
        (self.data / "one").unlink()


BEFORE = ["cache", "kept", "kept/deep", "kept/deep/two", "one"]


def test_what_came_later_goes_and_comes_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.came_later()
    subprocess.run(["cp", "-a", str(scene.data), str(tmp_path / "later")], check=True)
    told = scene.restored(dry_run=True)
    assert (told.removed, told.removed_bytes, told.files) == (5, 3 + 3 + 1, 1)
    done = scene.restored()
    assert (done.removed, done.removed_bytes, done.failed, done.findings) == (5, 7, 0, ())
    assert scene.names() == BEFORE
    assert list(compare_trees(scene.source.root, os.fsencode(tmp_path / "later"))) != []
    assert scene.taken_back() == 0
    assert [str(each) for each in compare_trees(os.fsencode(tmp_path / "later"), os.fsencode(scene.data))] == []
    assert not list(scene.data.glob(".holdfast-*"))


def test_what_the_classification_does_not_take_stays_and_the_folders_that_hold_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, exclude=("*.tmp", "cache/", f"{tmp_path}/data/new/keep"), larger_than_bytes=2)
    for name in ("x.tmp", "small", "large", "cache/thing", "new/keep/large", "new/large", "new/sub/large", "mixed/large", "mixed/no.tmp"):
        path = scene.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1" if name == "small" else "large")
    (scene.data / "bare").mkdir()
    done = scene.restored()
    # Where only some are chosen a folder is there for what it leads to: one that leads to nothing was never captured.
    assert scene.names() == sorted(
        [*BEFORE, "x.tmp", "small", "cache/thing", "new", "new/keep", "new/keep/large", "mixed", "mixed/no.tmp", "bare"]
    )
    assert done.removed == 4
    assert scene.taken_back() == 0
    assert (scene.data / "new" / "sub" / "large").read_text() == "large"


def test_what_is_holdfasts_own_or_may_not_go_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for name in ("repository", ".holdfast-snapshots", ".holdfast-before-other", "home"):
        (scene.data / "new" / name).mkdir(parents=True)
        (scene.data / "new" / name / "file").write_text(name)
    (scene.data / "new" / "tagged").mkdir()
    (scene.data / "new" / "tagged" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    (scene.data / "new" / "file").write_text("goes")
    scene.own = (str(scene.data / "new" / "repository"),)

    def refuse(path: bytes) -> None:
        if path.endswith(b"/home"):
            raise OutsideLimits("the home")

    scene.check_remove = refuse
    assert scene.restored().removed == 1
    left = sorted(path.name for path in (scene.data / "new").iterdir())
    assert left == [".holdfast-before-other", ".holdfast-snapshots", "home", "repository", "tagged"]


def test_named_paths_are_made_exact_and_nothing_beside_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.came_later()
    assert scene.restored((os.fsencode(scene.data / "kept"),)).removed == 1
    assert not (scene.data / "kept" / "deep" / "two.locked").exists()
    assert (scene.data / "ransom.txt").exists()


def test_where_not_all_of_the_point_can_be_listed_nothing_goes(tmp_path: Path) -> None:
    class Damaged(TreeSource):
        def listing(self, paths):  # type: ignore[no-untyped-def]
            yield from super().listing(paths)
            yield Listed((), lost=(LostFolder(self.root + b"/cache", "damaged"),))

    scene = Scene(tmp_path)
    source = Damaged(scene.data)
    scene.came_later()
    assert scene.restored(source=source, dry_run=True).removed == 0
    done = scene.restored(source=source)
    assert (scene.data / "ransom.txt").exists()
    assert done.removed == 0
    assert {"folder-lost", "surplus-stays"} == {finding.code for finding in done.findings}


def test_what_was_made_in_its_place_since_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.came_later()
    scene.restored()
    (scene.data / "ransom.txt").write_text("another")
    assert scene.taken_back() == 1
    assert (scene.data / "ransom.txt").read_text() == "another"


@pytest.mark.parametrize(
    "request_",
    [
        RestoreRequest(target="/srv", exact=True),
        RestoreRequest(target="/", exact=True, conflict="skip"),
        RestoreRequest(target="/", exact=True, undo_for_s=0),
    ],
)
def test_what_does_not_go_together_is_refused(request_: RestoreRequest) -> None:
    with pytest.raises(UsageError):
        check_request(request_)
    check_request(RestoreRequest(target="/", exact=True, undo_for_s=0, dry_run=True))


def test_where_the_dataset_is_not_captured_nobody_knows_what_is_too_much(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with pytest.raises(UsageError, match="only where the dataset is captured"):
        restore(scene.source, RestoreRequest(target="/", exact=True), (), clock=SystemClock(), check_write=allow)
